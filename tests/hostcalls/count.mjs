// How many calls to the host a request costs, by variant of `./build.sh bench`, as one object of JSON: each plugin runs
// in the host that counts (host.mjs). $PLUGIN_WASM is the filter, $DO_NOTHING_WASM the one that does nothing, $CALLS_WASM the one
// that makes the calls of a hit and nothing else. That it does is seen to here.

import { createHash } from 'node:crypto';

import { Host } from './host.mjs';

const LOCAL = 'local-good-token-24bytes';
const sha256 = createHash('sha256').update(LOCAL).digest('hex');
const PROJECTS = '/configuration-service/v1/project';

/** The bench's request, nine headers with the token. */
const get = (token, path = PROJECTS) => Object.fromEntries(Object.entries({
    ':method': 'GET',
    ':scheme': 'http',
    ':authority': 'api.keptn',
    ':path': path,
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': 'http',
    'x-envoy-external-address': '127.0.0.1',
    'x-request-id': '6a5e1f2c-0000-4000-8000-000000000000',
    'x-token': token,
}).filter(([, value]) => value !== undefined));

/** Calls of one request, from its first callback to its last, answers to its checks included. */
function oneOf(host, headers) {
    const before = host.calls.length;
    const checks = host.checks.length;
    const stream = host.request(headers);
    for (const check of host.checks.slice(checks)) host.answer(check, 200);
    host.end(stream);
    return host.calls.length - before;
}

/** The calls of one of many, the timer's share included: it writes the counters about once a second. */
function average(host, make) {
    const COUNT = 1000;
    oneOf(host, make(0));
    host.pass(2000);
    const before = host.calls.length;
    for (let n = 1; n <= COUNT; n += 1) {
        oneOf(host, make(n));
        // As at 1,000 requests per second.
        host.pass(1);
    }
    return (host.calls.length - before) / COUNT;
}

function start(file, configuration) {
    const host = new Host(file);
    host.start(configuration);
    return host;
}

const { PLUGIN_WASM: plugin, DO_NOTHING_WASM: nothing, CALLS_WASM: calls } = process.env;
const ours = (configuration) => start(plugin, configuration);

/** The calls of a request, when one before it has filled the cache. */
function second(host) {
    oneOf(host, get('good'));
    const before = host.calls.length;
    oneOf(host, get('good'));
    return host.calls.slice(before);
}
const [expected, made] = [second(ours({})), second(start(calls))];
if (JSON.stringify(made) !== JSON.stringify(expected)) {
    throw new Error(`of a hit the gateway makes the calls ${expected.join(', ')}, and ${calls} makes ${made.join(', ')}`);
}
const counts = {
    bare: 0,
    do_nothing: average(start(nothing), () => get('good')),
    calls: average(start(calls), () => get('good')),
    hit: average(ours({}), () => get('good')),
    local: average(ours({ tokens: [{ name: 'bench', sha256 }] }), () => get(LOCAL)),
    public: average(ours({}), () => get(undefined, '/configuration-service/swagger-ui/swagger.yaml')),
    refused: average(ours({}), () => get(undefined)),
    miss: average(ours({ auth: { throttle: { burst: 0 } } }), (n) => get(`new-${n}`)),
};
console.log(JSON.stringify(counts));
