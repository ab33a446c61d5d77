// Makes the pictures of README anew: node tests/browser/screenshots.mjs FOLDER, or `./build.sh screenshots`.

import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { startChromium } from './chromium.mjs';
import { startGateway } from './gateway.mjs';
import { SwaggerPage } from './swagger_page.mjs';

const [folder] = process.argv.slice(2);
if (!folder) throw new Error('usage: node tests/browser/screenshots.mjs FOLDER');

const gateway = await startGateway();
// A name that readers may have seen in the documents, in the place of a port that is another one each time.
const shown = { ...gateway, url: 'http://api.keptn.example.com' };
const browser = await startChromium(`--host-resolver-rules=MAP api.keptn.example.com:80 ${new URL(gateway.url).host}`);
try {
    await swaggerUi();
    await routesPage();
} finally {
    await browser.close();
    await gateway.stop();
}

/** Authorized, with an operation carried out. */
async function swaggerUi() {
    const page = await browser.newPage({ viewport: { width: 1280, height: 1566 } });
    await fetch(`${gateway.url}/v1/project`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-token': gateway.token },
        body: JSON.stringify({ name: 'sockshop', shipyard: btoa('stages: [{ name: dev }, { name: production }]') }),
    });
    const swagger = await SwaggerPage.open(page, shown);
    await swagger.select('configuration-service');
    await swagger.authorize(gateway.token);
    await swagger.execute('GET /project/{projectName}', { parameters: { projectName: 'sockshop' } });
    await page.evaluate(() => window.scrollTo(0, 0));
    await picture(page, 'swagger-ui.png');
}

/** The page of `gatectl routes` for a gateway that lets only described operations through. */
async function routesPage() {
    const scratch = await mkdtemp(join(tmpdir(), 'browser-'));
    try {
        const configuration = join(scratch, 'gateway.json');
        const file = join(scratch, 'routes.html');
        await writeFile(configuration, '{ "policy": "strict", "internal": "deny" }');
        execFileSync(process.env.GATECTL || 'gatectl', ['routes', '--config', configuration, '--output', file]);
        const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
        await page.goto(pathToFileURL(file).href);
        await page.locator('#search').fill('stage');
        await picture(page, 'routes.png');
    } finally {
        await rm(scratch, { recursive: true });
    }
}

async function picture(page, name) {
    const path = join(folder, name);
    await page.screenshot({ path, animations: 'disabled' });
    console.log(path);
}
