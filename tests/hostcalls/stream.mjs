// What the host keeps of one request.

/** A request, with what the plugin did to it. */
export class Stream {
    constructor(id, headers, client) {
        this.id = id;
        /** As they are now, in pairs; undefined once the request has gone on or is over, as in Envoy. */
        this.headers = headers;
        /** As they were when the request went on. */
        this.sent = undefined;
        this.client = client;
        /** Filter state. */
        this.state = new Map();
        /** What the header callback returned: `continue` or `pause`. */
        this.action = undefined;
        /** How often it was resumed. */
        this.resumed = 0;
        /** The gateway's own reply: `{ status, details, headers, body }`. */
        this.reply = undefined;
        this.isGone = false;
        /** Each callback of this stream, `{ callback, calls }`, in order. */
        this.callbacks = [];
    }

    /** The hostcalls of all its callbacks. */
    get calls() {
        return this.callbacks.flatMap(({ calls }) => calls);
    }

    /** It goes on: from now on its headers are the upstream's. */
    goOn() {
        this.sent = this.headers;
        this.headers = undefined;
    }

    /** The one value of a header as it was sent on; undefined without it. */
    header(name) {
        const values = this.sent.filter(([key]) => key === name).map(([, value]) => value);
        if (values.length > 1) throw new Error(`${name} is there ${values.length} times`);
        return values[0];
    }
}
