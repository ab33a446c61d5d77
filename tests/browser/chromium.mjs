// A headless Chromium, and what it has to say about a page.

import { chromium } from 'playwright-core';

export const startChromium = (...more) => chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    // As root there is no sandbox to be had.
    chromiumSandbox: process.getuid() !== 0,
    args: [
        '--disable-background-networking', '--disable-component-update', '--disable-gpu', '--disable-quic',
        '--disable-sync', '--no-first-run', ...more,
    ],
});

/** Notes from now on what the page asks for, and what goes wrong in it. */
export function watch(page) {
    const seen = { requests: [], problems: [] };
    page.on('request', (request) => seen.requests.push(request.url()));
    page.on('requestfailed', (request) => seen.problems.push(`${request.url()}: ${request.failure().errorText}`));
    page.on('response', (response) => {
        if (response.status() >= 400) seen.problems.push(`${response.url()}: ${response.status()}`);
    });
    page.on('pageerror', (error) => seen.problems.push(`in the page: ${error}`));
    page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) seen.problems.push(`on the console: ${message.text()}`);
    });
    return seen;
}
