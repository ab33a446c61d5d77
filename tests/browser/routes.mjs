// The page that `gatectl routes` writes, opened as a file: all of it is in the file, with and without JavaScript.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';

import { watch } from './chromium.mjs';
import { inPage } from './support.mjs';

const folder = mkdtempSync(join(tmpdir(), 'browser-'));
after(() => rmSync(folder, { recursive: true }));

const gatectl = (...args) => execFileSync(process.env.GATECTL || 'gatectl', ['routes', ...args], { encoding: 'utf8' });

/** The same list, as the command line filters it: access, methods, path and upstream of each entry. */
function listed(...args) {
    return JSON.parse(gatectl('--json', ...args)).routes.map(({ access, methods, path, upstream }) =>
        [access, methods.join(' '), path, upstream ?? 'answered here']);
}

/** A configuration's file and its page. */
function written(name, configuration) {
    const file = join(folder, name);
    const html = join(folder, `${name}.html`);
    writeFileSync(file, JSON.stringify(configuration));
    gatectl('--config', file, '--output', html);
    return { file, url: pathToFileURL(html).href };
}

const open = written('open.json', {});
const strict = written('strict.json', {
    policy: 'strict',
    internal: 'deny',
    upstreams: [{ name: 'my-service' }],
    routes: [
        { path: '/my-service/health', upstream: 'my-service', access: 'public', methods: ['GET'] },
        { path: '/my-service/{*rest}', upstream: 'my-service', strip: '/my-service' },
    ],
});

/** What `listed` says, as the page shows it. */
const shown = (page) => page.locator('#routes tbody tr').evaluateAll((rows) => rows
    .filter((row) => row.checkVisibility())
    .map((row) => [
        row.dataset.access,
        row.dataset.methods.trim(),
        row.querySelector('code').textContent,
        row.dataset.upstream,
    ]));

/** What a choice offers besides “any”. */
const choices = async (page, id) => (await page.locator(`#${id} option`).allInnerTexts()).slice(1);

async function isReset(page) {
    await page.locator('#reset').click();
    await page.locator('#count', { hasText: /^\d+ entries$/ }).waitFor();
}

describe('the page of gatectl routes', () => {
    for (const { file, url } of [open, strict]) {
        const name = file.slice(folder.length + 1);

        test(`${name}: it shows every entry and asks for nothing`, () => inPage(async (page) => {
            const seen = watch(page);
            await page.goto(url);
            const all = listed('--config', file);
            assert.ok(all.length > 10, `${all.length} entries`);
            assert.deepEqual(await shown(page), all);
            assert.equal(await page.locator('#count').innerText(), `${all.length} entries`);
            assert.deepEqual(seen, { requests: [url], problems: [] });
        }));

        test(`${name}: it is filtered as the command line filters`, () => inPage(async (page) => {
            const seen = watch(page);
            await page.goto(url);
            const filters = [];
            for (const access of await choices(page, 'access')) filters.push({ access });
            for (const upstream of await choices(page, 'upstream')) filters.push({ upstream });
            filters.push({ method: 'DELETE' }, { access: 'token', upstream: 'configuration-service' });
            assert.ok(filters.length >= 6, JSON.stringify(filters));
            for (const filter of filters) {
                for (const [id, value] of Object.entries(filter)) await page.locator(`#${id}`).selectOption(value);
                // The command line has no name for what the gateway answers.
                const wanted = filter.upstream === 'answered here'
                    ? listed('--config', file).filter(([, , , upstream]) => upstream === 'answered here')
                    : listed('--config', file, ...Object.entries(filter).flatMap(([id, value]) => [`--${id}`, value]));
                assert.deepEqual(await shown(page), wanted, JSON.stringify(filter));
                await isReset(page);
            }
            await page.locator('#internal').check();
            assert.deepEqual(await shown(page), listed('--config', file, '--internal'));
            assert.deepEqual(seen.problems, []);
        }));
    }

    test('it is searched, and what is shown can be linked to', () => inPage(async (page) => {
        const seen = watch(page);
        await page.goto(strict.url);
        const all = await shown(page);
        await page.keyboard.press('/');
        await page.keyboard.type('SWAGGER-UI get');
        const found = await shown(page);
        assert.deepEqual(found, all.filter(([, methods, path]) => path.includes('swagger-ui') && methods.includes('GET')));
        assert.ok(found.length > 1 && found.length < all.length, JSON.stringify(found));
        assert.equal(await page.locator('#count').innerText(), `${found.length} of ${all.length} entries`);

        await page.goto('about:blank');
        await page.goBack();
        assert.equal(await page.locator('#search').inputValue(), 'SWAGGER-UI get');
        assert.deepEqual(await shown(page), found);

        await page.locator('#search').fill('no such thing');
        assert.deepEqual(await shown(page), []);
        assert.ok(await page.locator('#nothing').isVisible());
        await isReset(page);
        assert.deepEqual(await shown(page), all);
        assert.deepEqual(seen.problems, []);
    }));

    test('without JavaScript it is the whole list, and there is nothing that would do nothing', () => inPage(async (page) => {
        await page.goto(strict.url);
        const rows = page.locator('#routes tbody tr');
        const all = listed('--config', strict.file);
        assert.deepEqual(await rows.locator('td:nth-child(3)').allInnerTexts(), all.map(([, , path]) => path));
        for (const control of ['#search', '#access', '#upstream', '#reset']) {
            assert.equal(await page.locator(control).isVisible(), false, control);
        }
    }, { javaScriptEnabled: false }));

    for (const width of [1280, 390]) {
        test(`${width} pixels are wide enough`, () => inPage(async (page) => {
            await page.goto(strict.url);
            const beyond = await page.locator('body *').evaluateAll((elements, width) => elements
                .filter((element) => element.checkVisibility() && element.getBoundingClientRect().right > width)
                .map((element) => element.outerHTML.slice(0, 200)), width);
            assert.deepEqual(beyond, []);
            assert.ok(await page.evaluate(() => document.scrollingElement.scrollWidth <= innerWidth));
        }, { viewport: { width, height: 800 } }));
    }

    test('a name in it is text and nothing else', () => inPage(async (page) => {
        const seen = watch(page);
        const name = '<img src=x onerror=alert(1)> & {{ 7 * 7 }}.json';
        await page.goto(written(name, {}).url);
        assert.ok((await page.locator('header').innerText()).includes(name));
        assert.equal(await page.locator('img').count(), 0);
        assert.deepEqual(seen.problems, []);
    }));
});
