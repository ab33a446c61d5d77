// proxy-wasm's ABI 0.2.1: its numbers, and how values pass between the host and the plugin's memory.

export const status = { ok: 0, notFound: 1, badArgument: 2, internalFailure: 10 };
export const maps = { 0: 'request', 2: 'response', 6: 'answer' };
export const actions = { 0: 'continue', 1: 'pause' };
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'critical'];
export const metricTypes = { 0: 'counter', 1: 'gauge', 2: 'histogram' };
export const pluginConfiguration = 7;
export const httpRequest = 0;

/** The plugin's memory. Text is Latin-1, one character a byte: headers may hold any. */
export class Memory {
    #exports;

    constructor(exports) {
        this.#exports = exports;
    }

    // Never kept: the buffer is another one when the memory has grown.
    get #view() {
        return new DataView(this.#exports.memory.buffer);
    }

    bytes(at, size) {
        return Buffer.from(this.#exports.memory.buffer, at, size);
    }

    text(at, size) {
        return this.bytes(at, size).toString('latin1');
    }

    setU32(at, value) {
        this.#view.setUint32(at, value, true);
    }

    setU64(at, value) {
        this.#view.setBigUint64(at, BigInt(value), true);
    }

    /** Gives bytes to the plugin, which frees them: the host allocates with the plugin's own allocator. */
    give(bytes, pointerAt, sizeAt) {
        const allocate = this.#exports.proxy_on_memory_allocate ?? this.#exports.malloc;
        const at = bytes.length === 0 ? 0 : allocate(bytes.length);
        this.bytes(at, bytes.length).set(bytes);
        this.setU32(pointerAt, at);
        this.setU32(sizeAt, bytes.length);
        return status.ok;
    }
}

/** Pairs of text as the ABI has them: their number, all lengths, then all texts, each ended by a zero byte. */
export function serialize(pairs) {
    const lengths = Buffer.alloc(4 + pairs.length * 8);
    lengths.writeUInt32LE(pairs.length);
    pairs.flat().forEach((text, i) => lengths.writeUInt32LE(text.length, 4 + i * 4));
    return Buffer.concat([lengths, Buffer.from(pairs.flat().map((text) => `${text}\0`).join(''), 'latin1')]);
}

/** The other way. Throws where a plugin's pairs are not as `serialize` would write them. */
export function deserialize(bytes) {
    const pairs = [];
    const number = bytes.length === 0 ? 0 : bytes.readUInt32LE(0);
    let at = 4 + number * 8;
    const next = (length) => {
        const text = bytes.toString('latin1', at, at + length);
        at += length;
        if (bytes[at] !== 0) throw new Error(`header pairs: no zero byte after ${JSON.stringify(text)}`);
        at += 1;
        return text;
    };
    for (let i = 0; i < number; i += 1) {
        pairs.push([next(bytes.readUInt32LE(4 + i * 8)), next(bytes.readUInt32LE(8 + i * 8))]);
    }
    if (bytes.length !== 0 && at !== bytes.length) throw new Error(`header pairs: ${bytes.length - at} bytes left`);
    return pairs;
}
