// What all tests share: one browser, one gateway, two web sites beside it.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { after } from 'node:test';

import { startChromium } from './chromium.mjs';
import { startGateway } from './gateway.mjs';

/** A web site with one empty page. */
async function startSite() {
    const site = createServer((_, answer) => answer.setHeader('content-type', 'text/html').end('<!DOCTYPE html>'));
    site.listen(0, '127.0.0.1');
    await once(site, 'listening');
    return site;
}
const originOf = (site) => `http://127.0.0.1:${site.address().port}`;

const sites = [await startSite(), await startSite()];

/** `allowed` may call the gateway at its `corsUrl`. */
export const origins = { allowed: originOf(sites[0]), other: originOf(sites[1]) };
export const gateway = await startGateway(origins.allowed);
export const browser = await startChromium();

after(async () => {
    await browser.close();
    for (const site of sites) site.closeAllConnections();
    for (const site of sites) site.close();
    await gateway.stop();
});

/** A page that knows nothing of the others, as in a new private window. */
export async function inPage(use, options = {}) {
    const context = await browser.newContext(options);
    try {
        return await use(await context.newPage());
    } finally {
        await context.close();
    }
}
