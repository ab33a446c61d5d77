// What the plugin asks of its host, counted: dist/plugin.wasm runs in a host that counts each call (host.mjs).
//
// A call to the host is what a filter's request costs beside the VM itself, so the number for each kind of request is
// part of what the gateway promises. The table at the end has them all.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';

import { status } from './abi.mjs';
import { Host } from './host.mjs';
import { Table } from './table.mjs';

const plugin = process.env.PLUGIN_WASM || new URL('../../dist/plugin.wasm', import.meta.url);
const table = new Table();
// After the report, which comes when all tests are done.
process.once('exit', () => console.log(`\n${table}`));

const READ = ['get_header_map_pairs(request)', 'clock_time_get(monotonic)'];
const STATE = 'set_property(keptn.upstream)';
// Taking a header away clears the route cache, also one that is not there.
const CLEAR = 'remove_header_map_value(x-keptn-client)';
const ADDRESS = 'get_property(source.address)';
const ARM = 'set_tick_period_milliseconds';

const METRICS = /^(define|increment|record|get)_metric/;
const CHECK = /^http_call/;
const RESUME = /^continue_stream/;
const REPLY = /^send_local_response/;
const is = (what) => (call) => (what instanceof RegExp ? what.test(call) : call === what);
const count = (calls, what) => calls.filter(is(what)).length;

const sha256 = (text) => createHash('sha256').update(text).digest('hex');

/** Headers as clients send them, nine with the token. */
const get = (path, changes = {}) => Object.fromEntries(Object.entries({
    ':method': 'GET',
    ':scheme': 'https',
    ':authority': 'api.keptn',
    ':path': path,
    'x-token': 'right',
    'user-agent': 'keptn/0.6.2',
    accept: 'application/json',
    'x-forwarded-proto': 'https',
    'x-request-id': '6a5e1f2c-0000-4000-8000-000000000000',
    ...changes,
}).filter(([, value]) => value !== undefined));

function start(configuration) {
    const host = new Host(plugin);
    host.start(configuration);
    return host;
}

/** A host whose plugin knows the token `right`, and has written its counters. */
function startKnowing(configuration) {
    const host = start(configuration);
    const first = host.request(get('/v1/project'));
    host.answer(host.checks[0], 200);
    assert.equal(first.resumed, 1);
    host.end(first);
    host.pass(1000);
    return host;
}

/** The second of two such requests: the first arms the timer that writes the counters. */
function second(host, headers) {
    host.end(host.request(headers));
    const stream = host.request(headers);
    host.end(stream);
    return stream;
}

function assertForwarded(stream, upstream) {
    assert.equal(stream.reply, undefined);
    assert.equal(stream.state.get('wasm.keptn.upstream'), upstream);
    assert.deepEqual([stream.action, stream.resumed], ['continue', 0]);
}

describe('a token that is known', () => {
    const host = startKnowing();

    test('costs headers, clock, state and cache clear on the way to api-service', () => {
        const hit = second(host, get('/v1/project'));
        assertForwarded(hit, 'api-service');
        assert.deepEqual(hit.calls, [...READ, STATE, CLEAR]);
        assert.equal(hit.header('x-token'), 'right');
        table.add('hit, to api-service', hit.calls);
    });

    test('costs no more where one header changes, which clears the cache as well', () => {
        const path = second(host, get('/v1//project'));
        assertForwarded(path, 'api-service');
        assert.equal(path.header(':path'), '/v1/project');
        assert.deepEqual(path.calls, [...READ, STATE, 'replace_header_map_value(:path)']);
        table.add('hit, path changed', path.calls);

        const token = second(host, get('/v1/project/p/resource'));
        assertForwarded(token, 'configuration-service');
        assert.equal(token.header('x-token'), undefined);
        assert.deepEqual(token.calls, [...READ, STATE, 'remove_header_map_value(x-token)']);
        table.add('hit, token removed', token.calls);
    });

    test('costs one more where two headers change', () => {
        const hit = second(host, get('/configuration-service/v1/project'));
        assertForwarded(hit, 'configuration-service');
        assert.equal(hit.header(':path'), '/v1/project');
        assert.equal(hit.header('x-token'), undefined);
        const changes = ['remove_header_map_value(x-token)', 'replace_header_map_value(:path)'];
        assert.deepEqual(hit.calls, [...READ, STATE, ...changes]);
        table.add('hit, token removed and path changed', hit.calls);
    });

    test('costs at most 5.1 on average with everything that comes later', () => {
        const host = startKnowing();
        const HIT = 'increment_metric(keptn_gateway.cache_hit)';
        const before = host.calls.length;
        const ok = host.metrics.counter('keptn_gateway.ok');
        let ticks = 0;
        for (let i = 0; i < 1000; i += 1) {
            const hit = host.request(get('/v1/project'));
            assert.ok(hit.calls.length - count(hit.calls, ARM) <= 5, `hit ${i}: ${hit.calls}`);
            assert.ok(count(hit.calls, ARM) <= 1, `hit ${i}: ${hit.calls}`);
            if (i === 0) table.add('hit, the first after a pause', hit.calls);
            host.end(hit);
            ticks += count(host.pass(1), HIT);
        }
        ticks += count(host.pass(1000), HIT);
        const average = (host.calls.length - before) / 1000;
        assert.ok(average <= 5.1, `${average} hostcalls a hit`);
        assert.equal(host.checks.length, 1);
        // What they count is late, not lost.
        assert.ok(ticks >= 1);
        assert.equal(host.metrics.counter('keptn_gateway.cache_hit'), 1000);
        assert.equal(host.metrics.counter('keptn_gateway.ok') - ok, 1000);
        table.note(`1,000 hits in a second, with all ticks: ${average} a hit`);
    });

    test('costs nothing once nobody uses it', () => {
        const host = startKnowing();
        host.end(host.request(get('/v1/project')));
        host.pass(600_000);
        assert.equal(host.isTicking, false);
        // The hit asked for one refresh, which nobody answers here.
        assert.equal(host.checks.length, 2);
    });
});

describe('a token that is known stays so at no cost to its requests', () => {
    test('while it is in use it is asked about again from the tick', () => {
        const host = startKnowing();
        for (let seconds = 0; seconds < 120; seconds += 1) {
            const hit = host.request(get('/v1/project'));
            assertForwarded(hit, 'api-service');
            assert.equal(count(hit.calls, ADDRESS) + count(hit.calls, CHECK), 0);
            host.end(hit);
            const known = host.checks.length;
            const calls = host.pass(1000);
            assert.equal(count(calls, ADDRESS), 0);
            for (const check of host.checks.slice(known)) host.answer(check, 200);
        }
        // Of 30 s each lasts at least 24.
        assert.ok(host.checks.length >= 5 && host.checks.length <= 6, `${host.checks.length} checks`);
    });

    test('while the auth service fails it costs what a hit costs', () => {
        const host = startKnowing();
        host.pass(31_000);
        const first = host.request(get('/v1/project'));
        assert.equal(first.action, 'pause');
        host.answer(host.checks[1], 503);
        assert.equal(first.resumed, 1);
        const stale = second(host, get('/v1/project'));
        assertForwarded(stale, 'api-service');
        assert.deepEqual(stale.calls, [...READ, STATE, CLEAR]);
        table.add('stale', stale.calls);
    });
});

describe('a token that is listed', () => {
    const entry = { name: 'laptop', sha256: sha256('listed') };

    test('costs no more than one in the cache', () => {
        const host = start({ tokens: [entry] });
        const local = second(host, get('/configuration-service/v1/project', { 'x-token': 'listed' }));
        assertForwarded(local, 'configuration-service');
        assert.equal(local.calls.length, READ.length + 3);
        assert.equal(count(local.calls, ADDRESS), 0);
        assert.equal(host.checks.length, 0);
        table.add('local token, removed, and path changed', local.calls);
    });

    test('costs one look at the wall clock more where it has a validity, and others do not', () => {
        const validity = { not_before: '2025-01-01T00:00:00Z', not_after: '2026-12-31T23:59:59Z' };
        const host = start({ tokens: [{ ...entry, ...validity }] });
        const plain = second(start({ tokens: [entry] }), get('/v1/project', { 'x-token': 'listed' }));
        const local = second(host, get('/v1/project', { 'x-token': 'listed' }));
        assertForwarded(local, 'api-service');
        assert.equal(local.calls.length, plain.calls.length + 1);
        assert.equal(count(local.calls, ADDRESS), 0);
        assert.equal(host.checks.length, 0);
        table.add('local token with a validity, to api-service', local.calls);

        host.request(get('/v1/project'));
        host.answer(host.checks[0], 200);
        host.pass(1000);
        assert.deepEqual(second(host, get('/v1/project')).calls, [...READ, STATE, CLEAR]);
    });
});

describe('a token that is new', () => {
    test('costs one look at the address and one check', () => {
        const host = start();
        const miss = host.request(get('/v1/project'));
        assert.deepEqual([miss.action, miss.reply], ['pause', undefined]);
        assert.equal(count(miss.calls, ADDRESS), 1);
        assert.equal(count(miss.calls, CHECK), 1);
        assert.equal(count(miss.calls, METRICS), 0);
        host.pass(120);
        const answer = host.answer(host.checks[0], 200);
        assert.equal(miss.resumed, 1);
        host.end(miss);
        assert.equal(count(answer, ADDRESS), 0);
        assert.equal(count(answer, METRICS), 0);
        table.add('miss, until it waits', miss.calls);
        table.add('miss, its answer (yes, to api-service)', answer);
        const tick = host.pass(1000);
        assert.deepEqual(host.metrics.histogram('keptn_gateway.check_duration_ms'), [120]);
        table.add('miss, the tick afterwards', tick);
    });

    test('costs its followers no address and no check', () => {
        const host = start();
        host.request(get('/v1/project'));
        const follower = host.request(get('/v1/project'));
        assert.equal(follower.action, 'pause');
        assert.equal(count(follower.calls, ADDRESS), 0);
        assert.equal(count(follower.calls, CHECK), 0);
        table.add('follower, until it waits', follower.calls);
    });

    test('is asked about once for 200 requests, and each goes on once, as itself', () => {
        const host = start();
        const path = (i) => `/v1/project/p${i}`;
        const streams = Array.from({ length: 200 }, (_, i) => host.request(get(`/configuration-service${path(i)}`)));
        assert.equal(host.checks.length, 1);
        assert.equal(count(host.calls, ADDRESS), 1);
        const answer = [...host.answer(host.checks[0], 200), ...host.pass(10)];
        assert.equal(count(answer, RESUME), 200);
        streams.forEach((stream, i) => {
            assert.deepEqual([stream.action, stream.resumed, stream.reply], ['pause', 1, undefined]);
            assert.equal(stream.state.get('wasm.keptn.upstream'), 'configuration-service');
            assert.equal(stream.header(':path'), path(i));
            assert.equal(stream.header('x-token'), undefined);
            host.end(stream);
        });
        host.pass(10_000);
        assert.equal(count(host.calls, RESUME), 200);
        assert.deepEqual(host.errors, []);
        table.add('answer, for each of 200 that wait', [], `${(answer.length / 200).toFixed(2)} on average`);
    });

    test('that is wrong is refused once for each who waits', () => {
        const host = start();
        const streams = Array.from({ length: 200 }, () => host.request(get('/v1/project')));
        const answer = [...host.answer(host.checks[0], 401), ...host.pass(10)];
        for (const stream of streams) assert.deepEqual([stream.reply?.status, stream.resumed], [401, 0]);
        assert.equal(count(answer, REPLY), 200);
        assert.equal(count(answer, /^increment_metric.keptn_gateway.refused/), 200);
        assert.deepEqual(host.errors, []);
    });
});

test('/v1/auth costs a check, and is answered by the gateway', () => {
    const host = start();
    const stream = host.request(get('/v1/auth'));
    assert.deepEqual([stream.action, host.checks.length, count(stream.calls, ADDRESS)], ['pause', 1, 1]);
    const answer = host.answer(host.checks[0], 200);
    assert.deepEqual([stream.reply?.status, stream.reply?.body, stream.resumed], [200, '', 0]);
    assert.deepEqual([count(answer, REPLY), count(answer, METRICS)], [1, 0]);
    table.add('/v1/auth, until it waits', stream.calls);
    table.add('/v1/auth, its answer', answer);
});

describe('an answer', () => {
    test('that comes when all clients have left wakes nobody and is learnt', () => {
        const host = start();
        const streams = Array.from({ length: 10 }, () => host.request(get('/v1/project')));
        for (const stream of streams) host.end(stream, { leaves: true });
        assert.equal(host.checks.length, 1);
        const answer = host.answer(host.checks[0], 200);
        assert.equal(count(answer, RESUME) + count(answer, REPLY), 0);
        assert.deepEqual(host.errors, []);
        assertForwarded(host.request(get('/v1/project')), 'api-service');
        assert.equal(host.checks.length, 1);
    });

    test('wakes those who stayed when the one that asked has left', () => {
        const host = start();
        const [first, ...others] = Array.from({ length: 10 }, () => host.request(get('/v1/project')));
        host.end(first, { leaves: true });
        host.pass(100);
        assert.equal(host.checks.length, 1);
        host.answer(host.checks[0], 200);
        assert.equal(first.resumed, 0);
        for (const stream of others) assert.equal(stream.resumed, 1);
        assert.deepEqual(host.errors, []);
    });

    test('without any header is not read, and is no answer', () => {
        const host = start();
        const stream = host.request(get('/v1/project'));
        const answer = host.answer(host.checks[0], undefined);
        assert.equal(count(answer, /^get_header_map/), 0);
        assert.equal(stream.reply.status, 503);
        assert.deepEqual(host.errors, []);
        host.end(stream);
        // The VM lives, and nothing was learnt.
        assert.equal(host.request(get('/v1/project')).action, 'pause');
        assert.equal(host.checks.length, 2);
    });

    test('that does not come ends in 503 by the deadline, and wakes nobody afterwards', () => {
        const host = start();
        const stream = host.request(get('/v1/project'));
        const waiting = host.pass(4000);
        assert.equal(count(waiting, REPLY), 1);
        assert.equal(stream.reply.status, 503);
        host.end(stream);
        const answer = host.answer(host.checks[0], 200);
        assert.equal(count(answer, RESUME) + count(answer, REPLY), 0);
        assert.deepEqual(host.errors, []);
    });

    test('that cannot come, for the host sends no check, is 503 at once', () => {
        for (const error of [status.badArgument, status.internalFailure]) {
            const host = start();
            host.sending = error;
            const stream = host.request(get('/v1/project'));
            assert.deepEqual([stream.action, stream.reply?.status, count(stream.calls, REPLY)], ['pause', 503, 1]);
            assert.deepEqual(host.errors, [{ call: 'http_call', status: error }]);
        }
    });
});

test('of many who wait for one answer some have it at once, and the others one after the other', () => {
    for (const answer of [200, 401]) {
        const host = start();
        const [first, second, ...others] = Array.from({ length: 100 }, () => host.request(get('/v1/project')));
        const done = ({ resumed, reply }) => resumed + (reply ? 1 : 0);
        const calls = host.answer(host.checks[0], answer);
        assert.equal(count(calls, RESUME) + count(calls, REPLY), 32);
        assert.deepEqual([first, second, others[29], others[30]].map(done), [1, 1, 1, 0]);
        // Who leaves now is not looked for.
        host.end(others.pop(), { leaves: true });
        host.pass(10);
        for (const stream of others) assert.equal(done(stream), 1);
        assert.deepEqual(host.errors, []);
        assert.equal(host.request(get('/v1/project')).action, answer === 200 ? 'continue' : 'pause');
    }
});

test('a stale yes lets the request go on by what its callback returns, where the host sends no check', () => {
    for (const error of [status.badArgument, status.internalFailure]) {
        const host = start();
        const first = host.request(get('/v1/project'));
        host.answer(host.checks[0], 200, { 'cache-control': 'max-age=0' });
        host.end(first);
        host.sending = error;
        assertForwarded(host.request(get('/v1/project')), 'api-service');
        assert.deepEqual(host.errors, [{ call: 'http_call', status: error }]);
    }
});

describe('a request that needs no token', () => {
    test('for a public document costs what a hit costs', () => {
        const open = second(start(), get('/swagger.json', { 'x-token': undefined }));
        assertForwarded(open, 'api-service');
        assert.deepEqual(open.calls, [...READ, STATE, CLEAR]);
        table.add('public document', open.calls);
    });

    test('for a host that is not ours is only read', () => {
        const headers = get('/v1/project', { ':authority': 'shop.example.org' });
        const foreign = second(start({ hosts: ['api.keptn'] }), headers);
        assertForwarded(foreign, undefined);
        assert.deepEqual(foreign.sent, Object.entries(headers));
        assert.deepEqual(foreign.calls, READ);
        table.add('foreign host', foreign.calls);
    });

    test('because a browser asks beforehand is answered without an address', () => {
        const host = start({ cors: { origins: ['https://bridge.example.org'] } });
        const preflight = second(host, get('/v1/project', {
            ':method': 'OPTIONS',
            'x-token': undefined,
            origin: 'https://bridge.example.org',
            'access-control-request-method': 'POST',
        }));
        assert.equal(preflight.reply.status, 204);
        assert.deepEqual([count(preflight.calls, ADDRESS), count(preflight.calls, METRICS)], [0, 0]);
        table.add('preflight', preflight.calls);
    });
});

describe('a refused request costs at most one metric call and no address', () => {
    const host = startKnowing();
    host.request(get('/v1/project', { 'x-token': 'wrong' }));
    host.answer(host.checks[1], 401);

    const refused = {
        'no token': [401, get('/v1/project', { 'x-token': undefined })],
        'two tokens': [401, [...Object.entries(get('/v1/project')), ['x-token', 'right']]],
        'a token known to be wrong': [401, get('/v1/project', { 'x-token': 'wrong' })],
        'a path that is not judged': [400, get('/v1/../project')],
        'an upgrade': [400, get('/v1/project', { upgrade: 'websocket', connection: 'upgrade' })],
        'a method that a document does not have': [405, get('/swagger.json', { ':method': 'DELETE' })],
        'a body too long': [413, get('/v1/project', { ':method': 'POST', 'content-length': '9999999' })],
    };
    for (const [kind, [code, headers]] of Object.entries(refused)) {
        test(kind, () => {
            // The very first as well: a counter's definition is a hostcall, too.
            for (const time of ['first', 'second']) {
                const stream = host.request(headers);
                assert.equal(stream.reply?.status, code);
                assert.ok(count(stream.calls, METRICS) <= 1, `the ${time}: ${stream.calls}`);
                assert.equal(count(stream.calls, ADDRESS), 0);
                assert.equal(count(stream.calls, CHECK), 0);
                host.end(stream);
            }
            table.add(`refused: ${kind}`, second(host, headers).calls);
        });
    }
});

describe('a request that would need a check and gets none', () => {
    const fresh = (i) => get('/v1/project', { 'x-token': `guess-${i}` });

    test('because its address has asked too often costs one look at that address', () => {
        const host = start();
        for (let i = 0; i < 10; i += 1) {
            host.request(fresh(i));
            host.answer(host.checks[i], 401);
        }
        for (const i of [10, 11]) {
            const throttled = host.request(fresh(i));
            assert.equal(throttled.reply?.status, 429);
            assert.equal(count(throttled.calls, ADDRESS), 1);
            assert.ok(count(throttled.calls, METRICS) <= 1, `${throttled.calls}`);
            if (i === 11) table.add('refused: throttled', throttled.calls);
        }
        assert.equal(host.checks.length, 10);
    });

    test('because the auth service is down costs no look at the address', () => {
        const host = start();
        for (let i = 0; i < 3; i += 1) {
            const stream = host.request(fresh(i));
            host.answer(host.checks[i], 503);
            assert.equal(stream.reply?.status, 503);
        }
        for (const i of [3, 4]) {
            const failing = host.request(fresh(i));
            assert.equal(failing.reply?.status, 503);
            assert.equal(count(failing.calls, ADDRESS), 0);
            assert.ok(count(failing.calls, METRICS) <= 1, `${failing.calls}`);
            if (i === 4) table.add('refused: failing fast', failing.calls);
        }
        assert.equal(host.checks.length, 3);
    });
});

test('start: no check is sent from the configuration', () => {
    const host = new Host(plugin);
    const calls = host.start({});
    assert.equal(count(calls, CHECK), 0);
    assert.equal(host.isTicking, false);
    table.note(`start and configuration: ${calls.length}, ${count(calls, METRICS)} of them to define metrics`);
});

describe('header pairs that are not what the ABI says refuse the request', () => {
    const edit = (change) => (bytes) => {
        const copy = Buffer.from(bytes);
        return change(copy) ?? copy;
    };
    const number = (bytes) => bytes.readUInt32LE(0);
    for (const [what, change] of Object.entries({
        'cut short in the number': (bytes) => bytes.subarray(0, 3),
        'cut short in the lengths': (bytes) => bytes.subarray(0, 4 + 8 * number(bytes) - 1),
        'cut short in the last value': (bytes) => bytes.subarray(0, bytes.length - 1),
        'with a byte behind the last value': (bytes) => Buffer.concat([bytes, Buffer.alloc(1)]),
        'of a number without end': (bytes) => void bytes.writeUInt32LE(0xffffffff, 0),
        'of a number that is one too many': (bytes) => void bytes.writeUInt32LE(number(bytes) + 1, 0),
        'of a length without end': (bytes) => void bytes.writeUInt32LE(0xffffffff, 4),
        'of a length that is one too short': (bytes) => void bytes.writeUInt32LE(bytes.readUInt32LE(4) - 1, 4),
        'with a name that is not UTF-8': (bytes) => void bytes.writeUInt8(0xff, 4 + 8 * number(bytes)),
    })) {
        test(what, () => {
            const host = startKnowing();
            host.spoil = edit(change);
            const stream = host.request(get('/v1/project'));
            assert.equal(stream.reply?.status, 503);
            assert.match(stream.reply.details, /gateway_error/);
            assert.equal(stream.state.size, 0);
            host.end(stream);
            host.spoil = (bytes) => bytes;
            assertForwarded(second(host, get('/v1/project')), 'api-service');
        });
    }

    test('and an answer whose pairs are not decides nothing', () => {
        const host = start();
        const stream = host.request(get('/v1/project'));
        host.spoil = edit((bytes) => bytes.subarray(0, bytes.length - 1));
        host.answer(host.checks[0], 200);
        assert.equal(stream.resumed, 0);
        assert.equal(stream.reply?.status, 503);
    });

    test('while none at all are a request without a path', () => {
        const host = startKnowing();
        host.spoil = () => Buffer.alloc(0);
        assert.notEqual(host.request(get('/v1/project')).reply, undefined);
        host.spoil = () => Buffer.alloc(4);
        assert.notEqual(host.request(get('/v1/project')).reply, undefined);
    });
});
