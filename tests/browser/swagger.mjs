// Keptn's most visible page, through the gateway: anybody may look, and only who has the token may try.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { watch } from './chromium.mjs';
import { gateway, inPage } from './support.mjs';
import { SwaggerPage } from './swagger_page.mjs';

const COLLECTIONS = { 'api-service': '', 'configuration-service': '/configuration-service' };

/** What a service's own description has, sorted. */
async function described(prefix) {
    const answer = await fetch(`${gateway.url}${prefix}/swagger.json`, { headers: { 'x-token': gateway.token } });
    const { paths } = await answer.json();
    return Object.entries(paths).flatMap(([path, item]) => Object.keys(item)
        .filter((key) => key !== 'parameters')
        .map((method) => `${method.toUpperCase()} ${path}`)).sort();
}

describe('Swagger UI', () => {
    test('both collections load without a token, and nothing is asked of anybody else', () => inPage(async (page) => {
        const seen = watch(page);
        const swagger = await SwaggerPage.open(page, gateway);
        assert.deepEqual(await swagger.selector.locator('option').allInnerTexts(), Object.keys(COLLECTIONS));
        // There and back again.
        for (const collection of ['api-service', 'configuration-service', 'api-service']) {
            await swagger.select(collection);
            const operations = await described(COLLECTIONS[collection]);
            assert.ok(operations.length > 5, `${collection} describes ${operations.length} operations`);
            assert.deepEqual((await swagger.operations()).sort(), operations, collection);
        }
        assert.deepEqual(seen.problems, []);
        assert.deepEqual(seen.requests.filter((url) => !/^(data|blob):/.test(url) && !url.startsWith(gateway.url)), []);
    }));

    test('operations that Keptn marks as internal are shown as such', () => inPage(async (page) => {
        const swagger = await SwaggerPage.open(page, gateway);
        await swagger.select('configuration-service');
        const marked = page.locator('.opblock-deprecated .opblock-summary-description');
        const texts = await marked.allInnerTexts();
        assert.equal(texts.length, 9, texts.join('\n'));
        for (const text of texts) assert.match(text, /^INTERNAL Endpoint: /);
    }));

    test('who is authorized can try operations of both collections', () => inPage(async (page) => {
        const seen = watch(page);
        const swagger = await SwaggerPage.open(page, gateway);
        await swagger.authorize(gateway.token);

        const token = await swagger.execute('POST /auth');
        assert.equal(token.status, '200');

        const created = await swagger.execute('POST /project');
        assert.equal(created.status, '200');
        assert.match(JSON.parse(created.body).keptnContext, /^[0-9a-f-]{36}$/);

        const sent = await swagger.execute('POST /event', {
            body: JSON.stringify({ type: 'sh.keptn.events.test', source: 'a browser', data: { project: 'sockshop' } }),
        });
        assert.equal(sent.status, '200');
        const { keptnContext } = JSON.parse(sent.body);
        const event = await swagger.execute('GET /event', { parameters: { keptnContext, type: 'sh.keptn.events.test' } });
        assert.equal(event.status, '200');
        assert.equal(JSON.parse(event.body).source, 'a browser');

        // Swagger UI forgets the token with the collection.
        await swagger.select('configuration-service');
        await swagger.authorize(gateway.token);
        const projects = await swagger.execute('GET /project');
        assert.equal(projects.status, '200');
        assert.equal(projects.headers['content-type'], 'application/json');
        const [project] = JSON.parse(projects.body).projects;
        assert.equal(project.projectName, 'sockshop');
        assert.deepEqual(project.stages.map((stage) => stage.stageName), ['dev', 'production']);

        const projectName = 'sockshop';
        const stored = await swagger.execute('POST /project/{projectName}/resource', {
            parameters: { projectName },
            body: JSON.stringify({ resources: [{ resourceURI: 'dir/file', resourceContent: 'eA==' }] }),
        });
        assert.equal(stored.status, '201');
        const resource = await swagger.execute('GET /project/{projectName}/resource/{resourceURI}', {
            parameters: { projectName, resourceURI: 'dir/file' },
        });
        assert.ok(resource.url.includes('/configuration-service/v1/project/sockshop/resource/dir%2Ffile'), resource.url);
        assert.equal(resource.status, '200');
        assert.deepEqual(JSON.parse(resource.body), { resourceURI: 'dir/file', resourceContent: 'eA==' });

        assert.deepEqual(seen.problems, []);
    }));

    test('who is not sees why not, as JSON', () => inPage(async (page) => {
        const swagger = await SwaggerPage.open(page, gateway);
        const refused = async (name, message) => {
            const answer = await swagger.execute(name);
            assert.equal(answer.status, '401', name);
            assert.deepEqual(JSON.parse(answer.body), { code: 401, message }, name);
            assert.equal(answer.headers['content-type'], 'application/json', name);
            assert.equal(answer.headers['www-authenticate'], 'ApiKey realm="keptn"', name);
        };
        await refused('POST /auth', 'unauthenticated for invalid credentials');
        await refused('POST /project', 'unauthenticated for invalid credentials');
        await swagger.select('configuration-service');
        await refused('GET /project', 'unauthenticated for invalid credentials');

        await swagger.authorize('guessed');
        await refused('GET /project', 'incorrect api key auth');
        await swagger.select('api-service');
        await swagger.authorize('guessed');
        await refused('POST /auth', 'incorrect api key auth');
    }));
});
