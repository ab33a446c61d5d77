// A table of hostcalls for those who read the output.

/** A row for each kind of request, and lines below it. */
export class Table {
    #rows = [];
    #notes = [];

    /** A row: how many calls, and which. `total` stands in place of their number. */
    add(kind, calls, total = String(calls.length)) {
        this.#rows.push([kind, total, each(calls)]);
    }

    note(line) {
        this.#notes.push(line);
    }

    toString() {
        const rows = [['kind of request', 'hostcalls', 'which'], ...this.#rows];
        const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column].length)));
        const cell = (text, column) => text.padEnd(widths[column] ?? 0);
        const lines = rows.map((row) => row.map(cell).join('  ').trimEnd());
        return [...lines, ...this.#notes].join('\n');
    }
}

/** Each call once, with its number where there are more. */
function each(calls) {
    const numbers = new Map();
    for (const call of calls) numbers.set(call, (numbers.get(call) ?? 0) + 1);
    return [...numbers].map(([call, number]) => (number === 1 ? call : `${number} x ${call}`)).join(', ');
}
