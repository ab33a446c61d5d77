// Web pages of other origins: the browser itself keeps them off, unless `cors` names them.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { gateway, inPage, origins } from './support.mjs';

/** What a script gets to see: of the answer, or of the browser's refusal to show it. */
const call = (page, url, method, token) => page.evaluate(async ([url, method, token]) => {
    try {
        const answer = await fetch(url, { method, headers: token ? { 'x-token': token } : {} });
        return {
            status: answer.status,
            body: await answer.text(),
            challenge: answer.headers.get('www-authenticate'),
        };
    } catch (error) {
        return { refused: String(error) };
    }
}, [url, method, token]);

const REFUSED = { refused: 'TypeError: Failed to fetch' };

/** The status of each preflight from now on. */
async function preflights(page) {
    const statuses = [];
    const protocol = await page.context().newCDPSession(page);
    protocol.on('Network.responseReceived', ({ type, response }) => {
        if (type === 'Preflight') statuses.push(response.status);
    });
    await protocol.send('Network.enable');
    return statuses;
}

describe('pages of other origins', () => {
    test('the one that is named reads answers and denials', () => inPage(async (page) => {
        await page.goto(origins.allowed);
        const answered = await preflights(page);
        const projects = await call(page, `${gateway.corsUrl}/configuration-service/v1/project`, 'GET', gateway.token);
        assert.equal(projects.status, 200);
        assert.ok(Array.isArray(JSON.parse(projects.body).projects), projects.body);
        assert.equal(answered.length, 1, 'the browser asks first');
        assert.equal(Math.floor(answered[0] / 100), 2);

        const wrong = await call(page, `${gateway.corsUrl}/v1/event`, 'GET', 'guessed');
        assert.equal(wrong.status, 401);
        assert.deepEqual(JSON.parse(wrong.body), { code: 401, message: 'incorrect api key auth' });
        assert.equal(wrong.challenge, 'ApiKey realm="keptn"');
        const none = await call(page, `${gateway.corsUrl}/v1/event`, 'GET');
        assert.equal(none.status, 401);
        assert.deepEqual(JSON.parse(none.body), { code: 401, message: 'unauthenticated for invalid credentials' });
    }));

    test('another one reads nothing', () => inPage(async (page) => {
        await page.goto(origins.other);
        for (const token of [gateway.token, 'guessed', undefined]) {
            assert.deepEqual(await call(page, `${gateway.corsUrl}/configuration-service/v1/project`, 'GET', token), REFUSED);
        }
        assert.deepEqual(await call(page, `${gateway.corsUrl}/swagger.json`, 'GET'), REFUSED);
    }));

    test('without `cors` none reads anything', () => inPage(async (page) => {
        await page.goto(origins.allowed);
        for (const path of ['/configuration-service/v1/project', '/swagger.json']) {
            assert.deepEqual(await call(page, `${gateway.url}${path}`, 'GET', gateway.token), REFUSED);
        }
    }));
});
