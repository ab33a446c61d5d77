// The gateway under test: crates/testbed/src/bin/gateway.rs starts a real Envoy with the shipped envoy.yaml before
// stand-ins for Keptn's services.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const program = process.env.TESTBED_GATEWAY;
const swaggerUi = fileURLToPath(new URL('node_modules/swagger-ui-dist', import.meta.url));

/**
 * What the program says of itself: the addresses and the token. One of the addresses, `cors`, is open to the pages of
 * `allowedOrigin`.
 */
export async function startGateway(allowedOrigin) {
    if (!program) {
        throw new Error('TESTBED_GATEWAY is not set: it names the program that these tests start. ' +
            '`./build.sh test browser` builds it and sets it');
    }
    const child = spawn(program, [], {
        env: { ...process.env, SWAGGER_UI_DIST: swaggerUi, CORS_ORIGIN: allowedOrigin },
        stdio: ['pipe', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit');
    const lines = createInterface({ input: child.stdout });
    const [line] = await Promise.race([once(lines, 'line'), ended.then(() => [undefined])]);
    if (line === undefined) throw new Error(`${program} has ended before it served: see above`);
    const { http, cors, token } = JSON.parse(line);
    return {
        url: `http://${http}`,
        corsUrl: `http://${cors}`,
        token,
        async stop() {
            child.stdin.end();
            const [code] = await ended;
            if (code !== 0) throw new Error(`${program} ended with exit code ${code}`);
        },
    };
}
