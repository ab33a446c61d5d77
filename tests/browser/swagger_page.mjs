// Keptn's Swagger UI, as one who sits before it uses it.

export class SwaggerPage {
    constructor(page) {
        this.page = page;
        this.selector = page.getByLabel('Select a definition');
    }

    static async open(page, gateway) {
        await page.goto(`${gateway.url}/swagger-ui/`);
        const swagger = new SwaggerPage(page);
        await swagger.shows('api-service');
        return swagger;
    }

    async shows(collection) {
        await this.page.locator('.info .title', { hasText: collection }).waitFor();
        await this.page.locator('.opblock').first().waitFor();
    }

    async select(collection) {
        await this.selector.selectOption({ label: collection });
        await this.shows(collection);
    }

    /** The operations that are shown, such as `GET /event`. */
    async operations() {
        const summaries = await this.page.locator('.opblock-summary').all();
        return Promise.all(summaries.map(async (summary) => {
            const method = await summary.locator('.opblock-summary-method').innerText();
            return `${method} ${await summary.locator('[data-path]').getAttribute('data-path')}`;
        }));
    }

    async authorize(token) {
        await this.page.getByRole('button', { name: 'Authorize', exact: true }).click();
        const dialog = this.page.locator('.dialog-ux');
        await dialog.getByRole('textbox').fill(token);
        await dialog.getByRole('button', { name: 'Apply credentials' }).click();
        // It shows that it has them.
        await dialog.getByRole('button', { name: 'Remove authorization' }).waitFor();
        await dialog.getByRole('button', { name: 'Close' }).first().click();
        await dialog.waitFor({ state: 'detached' });
    }

    operation(name) {
        const [method, path] = name.split(' ');
        const summary = this.page.locator(`[data-path="${path}"]`);
        return this.page.locator(`.opblock-${method.toLowerCase()}`).filter({ has: summary });
    }

    /**
     * “Try it out” and “Execute”: what was asked for and what is shown as the answer. `parameters` are filled in by
     * name, and `body` in the place of the example.
     */
    async execute(name, { parameters = {}, body } = {}) {
        const operation = this.operation(name);
        if (!await operation.locator('.opblock-body').isVisible()) {
            await operation.locator('.opblock-summary-control').click();
        }
        const tryIt = operation.getByRole('button', { name: 'Try it out' });
        // What was clicked opens in its own time, and then has the one or the other.
        await tryIt.or(operation.getByRole('button', { name: 'Execute' })).first().waitFor();
        if (await tryIt.isVisible()) await tryIt.click();
        for (const [parameter, value] of Object.entries(parameters)) {
            await operation.locator(`tr[data-param-name="${parameter}"] input`).fill(value);
        }
        if (body !== undefined) await operation.locator('textarea.body-param__text').fill(body);
        const answered = this.page.waitForResponse((response) => response.request().resourceType() === 'fetch');
        await operation.getByRole('button', { name: 'Execute' }).click();
        await answered;

        const shown = operation.locator('.live-responses-table .response');
        await operation.locator('.loading-container').waitFor({ state: 'detached' });
        const texts = await shown.locator('.response-col_description pre').allInnerTexts();
        return {
            url: (await operation.locator('.request-url pre').innerText()).trim(),
            status: (await shown.locator('.response-col_status').innerText()).trim(),
            // The last one is the headers.
            body: texts.slice(0, -1).join('\n').trim(),
            headers: headers(texts.at(-1)),
        };
    }
}

const headers = (text) => Object.fromEntries(text.split('\n').map((line) => line.trim()).filter(Boolean).map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
}));
