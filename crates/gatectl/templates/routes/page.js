
'use strict';
{
    const one = (id) => document.getElementById(id);
    const [form, search, access, upstream, method, internal] =
        ['filters', 'search', 'access', 'upstream', 'method', 'internal'].map(one);
    const words = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = [...one('routes').tBodies[0].rows].map((row) => {
        // Without the labels, which are the style's; a path is one word, wherever it may break.
        const cells = [...row.cells].map((cell) => cell.textContent.trim().replace(/\s+/g, ' '));
        return { row, data: row.dataset, text: `${cells.join(' ')} ${row.dataset.methods}`.toLowerCase() };
    });

    /** Shows the rows that all filters are for. */
    function filter() {
        const wanted = words(search.value);
        let shown = 0;
        for (const { row, data, text } of rows) {
            row.hidden = !(wanted.every((word) => text.includes(word))
                && (!access.value || data.access === access.value)
                && (!upstream.value || data.upstream === upstream.value)
                && (!method.value || data.methods.includes(` ${method.value} `))
                && (!internal.checked || data.internal === 'true'));
            shown += row.hidden ? 0 : 1;
        }
        one('count').value = shown === rows.length ? `${shown} entries` : `${shown} of ${rows.length} entries`;
        one('nothing').hidden = shown > 0;
        one('routes').hidden = shown === 0;
    }

    /** The filters stand in the address, so that what is shown can be linked to. */
    function remember() {
        const state = new URLSearchParams();
        for (const field of [search, access, upstream, method]) if (field.value) state.set(field.id, field.value);
        if (internal.checked) state.set('internal', '');
        history.replaceState(null, '', state.size ? `#${state}` : location.pathname + location.search);
    }

    function recall() {
        const state = new URLSearchParams(location.hash.slice(1));
        for (const field of [search, access, upstream, method]) field.value = state.get(field.id) ?? '';
        // A value that a choice does not have leaves it empty.
        for (const field of [access, upstream, method]) if (field.selectedIndex < 0) field.selectedIndex = 0;
        internal.checked = state.has('internal');
        filter();
    }

    form.addEventListener('input', () => { filter(); remember(); });
    form.addEventListener('submit', (event) => event.preventDefault());
    // The fields are empty only after this event.
    form.addEventListener('reset', () => setTimeout(() => { filter(); remember(); search.focus(); }));
    addEventListener('hashchange', recall);
    addEventListener('keydown', (event) => {
        const isTyping = event.target.matches?.('input, select, textarea');
        if (event.key === '/' && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
            event.preventDefault();
            search.focus();
        }
    });
    form.hidden = false;
    recall();
}
