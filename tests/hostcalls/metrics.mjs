// The host's metrics.

import { metricTypes, status } from './abi.mjs';

/** Counters and histograms by name; the plugin knows them by numbers. */
export class Metrics {
    #byName = new Map();
    #byId = [];

    define(type, name) {
        const metric = this.#byName.get(name) ?? { name, type: metricTypes[type], value: 0, values: [] };
        this.#byName.set(name, metric);
        return this.#byId.push(metric) - 1;
    }

    increment(id, offset) {
        const metric = this.#byId[id];
        if (!metric) return status.notFound;
        if (metric.type === 'histogram') return status.badArgument;
        metric.value += offset;
        return status.ok;
    }

    record(id, value) {
        const metric = this.#byId[id];
        if (!metric) return status.notFound;
        if (metric.type !== 'histogram') return status.badArgument;
        metric.values.push(value);
        return status.ok;
    }

    nameOf(id) {
        return this.#byId[id]?.name;
    }

    /** What a counter stands at; 0 if it was never written. */
    counter(name) {
        return this.#byName.get(name)?.value ?? 0;
    }

    /** What a histogram was given, in order. */
    histogram(name) {
        return this.#byName.get(name)?.values ?? [];
    }
}
