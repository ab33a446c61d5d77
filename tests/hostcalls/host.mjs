// A proxy-wasm host that counts: it runs the plugin as Envoy does, without a network and with clocks that stand still
// until a test moves them. Where the plugin does what Envoy answers with an error, so does this host.

import { readFileSync } from 'node:fs';

import {
    Memory, actions, deserialize, httpRequest, logLevels, maps, pluginConfiguration, serialize, status,
} from './abi.mjs';
import { Metrics } from './metrics.mjs';
import { Stream } from './stream.mjs';

const ROOT = 1;
const nobody = Symbol('no context');

/** The host. Hostcalls are told by name and by what they are about: `set_property(keptn.upstream)`. */
export class Host {
    /** Of all callbacks, since the start. */
    calls = [];
    /** Checks sent: `{ id, cluster, headers, timeout }`. */
    checks = [];
    metrics = new Metrics();
    /** Lines of the log, `{ level, text }`. */
    log = [];
    /** Hostcalls that were answered with an error, `{ call, status }`; that something is not there is none. */
    errors = [];
    /** What becomes of header pairs, as bytes, on their way to the plugin. Nothing, in a host that works. */
    spoil = (bytes) => bytes;
    /** What a check that is to be sent is answered with: `status.ok`, or an error of the host. */
    sending = status.ok;

    #exports;
    #memory;
    #configuration;
    #streams = new Map();
    #lastId = ROOT;
    #open = new Map();
    #answer;
    // The callback that runs: its context, and the one that the plugin named instead of it.
    #context = nobody;
    #effective = nobody;
    #current = [];
    // The monotonic clock's time, in milliseconds, and the wall clock's when that one stood at 0.
    #elapsed = 3_600_000;
    #epoch = Date.UTC(2026, 0, 1);
    #period = 0;
    #due = Infinity;

    constructor(file) {
        const module = new WebAssembly.Module(readFileSync(file));
        const imports = {};
        for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
            if (kind !== 'function') throw new Error(`the plugin imports ${from}.${name}, a ${kind}`);
            imports[from] ??= {};
            imports[from][name] = (...values) => this.#called(name, values);
        }
        this.#exports = new WebAssembly.Instance(module, imports).exports;
        this.#memory = new Memory(this.#exports);
    }

    /** Starts the plugin with this configuration, an object. Returns the hostcalls. */
    start(configuration = {}) {
        this.#configuration = Buffer.from(JSON.stringify(configuration));
        const before = this.calls.length;
        this.#callback(nobody, '_initialize');
        this.#callback(ROOT, 'proxy_on_context_create', ROOT, 0);
        if (this.#callback(ROOT, 'proxy_on_vm_start', ROOT, 0) !== 1) this.#fail('the VM does not start');
        const size = this.#configuration.length;
        if (this.#callback(ROOT, 'proxy_on_configure', ROOT, size) !== 1) this.#fail('the configuration is refused');
        return this.calls.slice(before);
    }

    /** A request comes: its headers as an object or, to repeat some, as pairs. It has no body. */
    request(headers, { client = '192.0.2.1:54321' } = {}) {
        this.#lastId += 1;
        const pairs = Array.isArray(headers) ? headers : Object.entries(headers);
        const stream = new Stream(this.#lastId, structuredClone(pairs), client);
        this.#streams.set(stream.id, stream);
        this.#callback(stream.id, 'proxy_on_context_create', stream.id, ROOT);
        const action = this.#callback(stream.id, 'proxy_on_request_headers', stream.id, pairs.length, 1);
        stream.action = actions[action];
        if (stream.action === 'continue' && !stream.reply) stream.goOn();
        return stream;
    }

    /** The auth service's answer to a check comes; without a status it has no header at all. Returns the hostcalls. */
    answer(check, answerStatus, headers = {}) {
        if (!this.#open.delete(check.id)) throw new Error(`check ${check.id} is not under way`);
        const line = answerStatus === undefined ? [] : [[':status', String(answerStatus)]];
        this.#answer = [...line, ...Object.entries(headers)];
        const before = this.calls.length;
        this.#callback(ROOT, 'proxy_on_http_call_response', ROOT, check.id, this.#answer.length, 0, 0);
        this.#answer = undefined;
        return this.calls.slice(before);
    }

    /** The request is over: after an answer, its own or the upstream's, or (`leaves`) because its client has left. */
    end(stream, { leaves = false } = {}) {
        if (!leaves) {
            this.#callback(stream.id, 'proxy_on_response_headers', stream.id, 1, 0);
            this.#callback(stream.id, 'proxy_on_response_body', stream.id, 1, 1);
        }
        stream.headers = undefined;
        this.#callback(stream.id, 'proxy_on_done', stream.id);
        this.#callback(stream.id, 'proxy_on_log', stream.id);
        stream.isGone = true;
        this.#callback(stream.id, 'proxy_on_delete', stream.id);
        this.#streams.delete(stream.id);
    }

    /** The root's timer fires, due or not. Returns the hostcalls. */
    tick() {
        const before = this.calls.length;
        this.#due = this.#period === 0 ? Infinity : this.#elapsed + this.#period;
        this.#callback(ROOT, 'proxy_on_tick', ROOT);
        return this.calls.slice(before);
    }

    /** Time passes, in milliseconds, and the timer fires whenever it is due. Returns the hostcalls. */
    pass(milliseconds) {
        const before = this.calls.length;
        const until = this.#elapsed + milliseconds;
        while (this.#due <= until) {
            this.#elapsed = this.#due;
            this.tick();
        }
        this.#elapsed = until;
        return this.calls.slice(before);
    }

    /** The wall clock's time. */
    get now() {
        return new Date(this.#epoch + this.#elapsed);
    }

    /** Whether the root's timer is armed. */
    get isTicking() {
        return this.#due !== Infinity;
    }

    #callback(context, name, ...values) {
        // As Envoy: what a plugin does not export is not called.
        if (!this.#exports[name]) return undefined;
        if (this.#context !== nobody) throw new Error(`${name} inside another callback`);
        this.#context = context;
        this.#effective = nobody;
        this.#current = [];
        this.#streams.get(context)?.callbacks.push({ callback: name, calls: this.#current });
        try {
            return this.#exports[name](...values);
        } catch (error) {
            return this.#fail(`${name}: ${error.message}`, error);
        } finally {
            this.#context = nobody;
        }
    }

    #fail(what, cause) {
        const lines = this.log.slice(-5).map(({ level, text }) => `\n    ${level}: ${text}`).join('');
        throw new Error(`${what}; the last lines of its log:${lines}`, cause && { cause });
    }

    #called(name, values) {
        const hostcall = this.#hostcalls[name];
        if (!hostcall) throw new Error(`the host has no ${name}`);
        const about = this.#about[name]?.(...values);
        const label = name.replace(/^proxy_/, '') + (about === undefined ? '' : `(${about})`);
        this.calls.push(label);
        this.#current.push(label);
        const result = hostcall(...values);
        if (result !== status.ok && result !== status.notFound) this.errors.push({ call: label, status: result });
        return result;
    }

    // The stream that hostcalls act on; undefined for the root.
    get #stream() {
        return this.#streams.get(this.#effective === nobody ? this.#context : this.#effective);
    }

    // The pairs of a map; undefined where Envoy has none.
    #pairs(map) {
        if (maps[map] === 'request') return this.#stream?.headers;
        if (maps[map] === 'answer') return this.#answer?.length ? this.#answer : undefined;
        return undefined;
    }

    // Puts lines in the place of all that have this name.
    #change(map, name, lines) {
        const pairs = this.#pairs(map);
        if (!pairs) return status.badArgument;
        pairs.splice(0, pairs.length, ...pairs.filter(([key]) => key !== name), ...lines);
        return status.ok;
    }

    #path(at, size) {
        return this.#memory.text(at, size).replaceAll('\0', '.');
    }

    // What a hostcall is about, for its label. Metrics are told by name.
    #about = {
        proxy_get_header_map_pairs: (map) => maps[map] ?? map,
        proxy_get_header_map_value: (map, at, size) => `${maps[map] ?? map}: ${this.#memory.text(at, size)}`,
        proxy_replace_header_map_value: (_map, at, size) => this.#memory.text(at, size),
        proxy_add_header_map_value: (_map, at, size) => this.#memory.text(at, size),
        proxy_remove_header_map_value: (_map, at, size) => this.#memory.text(at, size),
        proxy_get_property: (at, size) => this.#path(at, size),
        proxy_set_property: (at, size) => this.#path(at, size),
        proxy_call_foreign_function: (at, size) => this.#memory.text(at, size),
        proxy_define_metric: (_type, at, size) => this.#memory.text(at, size),
        proxy_increment_metric: (id) => this.metrics.nameOf(id),
        proxy_record_metric: (id) => this.metrics.nameOf(id),
        clock_time_get: (clock) => (clock === 1 ? 'monotonic' : 'wall'),
    };

    #hostcalls = {
        proxy_log: (level, at, size) => {
            this.log.push({ level: logLevels[level], text: this.#memory.bytes(at, size).toString('utf8') });
            return status.ok;
        },
        proxy_get_log_level: (at) => {
            this.#memory.setU32(at, logLevels.indexOf('info'));
            return status.ok;
        },
        proxy_get_current_time_nanoseconds: (at) => {
            this.#memory.setU64(at, BigInt(this.now.getTime()) * 1_000_000n);
            return status.ok;
        },
        clock_time_get: (clock, _precision, at) => {
            const milliseconds = clock === 1 ? this.#elapsed : this.now.getTime();
            this.#memory.setU64(at, BigInt(milliseconds) * 1_000_000n);
            return status.ok;
        },
        // Not random, so that each run is the same.
        random_get: (at, size) => {
            this.#memory.bytes(at, size).fill(0x5a);
            return status.ok;
        },
        proxy_set_tick_period_milliseconds: (period) => {
            this.#period = period;
            this.#due = period === 0 ? Infinity : this.#elapsed + period;
            return status.ok;
        },
        proxy_get_buffer_bytes: (type, start, size, pointerAt, sizeAt) => {
            if (type !== pluginConfiguration) return status.badArgument;
            return this.#memory.give(this.#configuration.subarray(start, start + size), pointerAt, sizeAt);
        },
        proxy_get_header_map_pairs: (map, pointerAt, sizeAt) => {
            const pairs = this.#pairs(map);
            return pairs ? this.#memory.give(this.spoil(serialize(pairs)), pointerAt, sizeAt) : status.badArgument;
        },
        proxy_get_header_map_value: (map, at, size, pointerAt, sizeAt) => {
            const pairs = this.#pairs(map);
            if (!pairs) return status.badArgument;
            const name = this.#memory.text(at, size);
            const found = pairs.find(([key]) => key === name);
            return found ? this.#memory.give(Buffer.from(found[1], 'latin1'), pointerAt, sizeAt) : status.notFound;
        },
        proxy_replace_header_map_value: (map, at, size, valueAt, valueSize) => {
            const name = this.#memory.text(at, size);
            return this.#change(map, name, [[name, this.#memory.text(valueAt, valueSize)]]);
        },
        proxy_remove_header_map_value: (map, at, size) => this.#change(map, this.#memory.text(at, size), []),
        proxy_get_property: (at, size, pointerAt, sizeAt) => {
            if (this.#path(at, size) !== 'source.address' || !this.#stream) return status.notFound;
            return this.#memory.give(Buffer.from(this.#stream.client), pointerAt, sizeAt);
        },
        proxy_set_property: (at, size, valueAt, valueSize) => {
            if (!this.#stream) return status.notFound;
            this.#stream.state.set(`wasm.${this.#path(at, size)}`, this.#memory.text(valueAt, valueSize));
            return status.ok;
        },
        proxy_call_foreign_function: (at, size) =>
            this.#memory.text(at, size) === 'clear_route_cache' ? status.ok : status.notFound,
        proxy_continue_stream: (type) => {
            const stream = this.#stream;
            if (type !== httpRequest || !stream) return status.badArgument;
            stream.resumed += 1;
            // Envoy lets the request go on first, and then sees "pause": its headers are sent, and its body never is.
            if (this.#context === stream.id) throw new Error('a request is resumed in its own callback');
            if (stream.headers) stream.goOn();
            return status.ok;
        },
        proxy_send_local_response: (code, detailsAt, detailsSize, bodyAt, bodySize, headersAt, headersSize) => {
            const stream = this.#stream;
            if (!stream) return status.badArgument;
            // The first one is sent; Envoy drops others without a word.
            stream.reply ??= {
                status: code,
                details: this.#memory.text(detailsAt, detailsSize),
                headers: deserialize(this.#memory.bytes(headersAt, headersSize)),
                body: this.#memory.bytes(bodyAt, bodySize).toString('utf8'),
            };
            return status.ok;
        },
        proxy_http_call: (clusterAt, clusterSize, headersAt, headersSize, _b, _bSize, _t, _tSize, timeout, at) => {
            if (this.sending !== status.ok) return this.sending;
            const check = {
                id: this.checks.length + 1,
                cluster: this.#memory.text(clusterAt, clusterSize),
                headers: deserialize(this.#memory.bytes(headersAt, headersSize)),
                timeout,
            };
            this.checks.push(check);
            this.#open.set(check.id, check);
            this.#memory.setU32(at, check.id);
            return status.ok;
        },
        proxy_set_effective_context: (id) => {
            if (id !== ROOT && !this.#streams.has(id)) return status.badArgument;
            this.#effective = id;
            return status.ok;
        },
        proxy_define_metric: (type, at, size, idAt) => {
            this.#memory.setU32(idAt, this.metrics.define(type, this.#memory.text(at, size)));
            return status.ok;
        },
        proxy_increment_metric: (id, offset) => this.metrics.increment(id, Number(offset)),
        proxy_record_metric: (id, value) => this.metrics.record(id, Number(value)),
    };
}
