/**
 * Concurrent writers through one Coordinator, and the check that their outcomes are
 * true.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Coordinator } from "../../lib/client/mod.ts";
import { RaftError } from "../../lib/errors.ts";
import { KeyValueClient } from "../../lib/kv/client.ts";
import { createConnectClientTransport } from "../../transport/connect/mod.ts";

/** The summary of the writes. */
export interface WriterReport {
  readonly acknowledged: number;
  readonly unknown: number;
  readonly rejected: number;
  /** The longest time between two acknowledgements. */
  readonly longestGapMs: number;
}

/** Writers of unique keys, so that a second application of a write shows: it would give the key a later version. */
export class RecordedWriters {
  readonly #coordinator: Coordinator;
  readonly #kv: KeyValueClient;
  readonly #acknowledged = new Map<string, number>();
  readonly #unknown = new Set<string>();
  readonly #rejected = new Set<string>();
  readonly #loops: Promise<void>[] = [];
  readonly #errors: unknown[] = [];
  #running = true;
  #lastMs = performance.now();
  #longestGapMs = 0;

  constructor(endpoints: readonly string[], writers = 32) {
    this.#coordinator = new Coordinator({ endpoints, transport: createConnectClientTransport(), timeoutMs: 30_000 });
    this.#kv = new KeyValueClient(this.#coordinator);
    for (let writer = 0; writer < writers; writer++) {
      this.#loops.push(this.#write(writer).catch((error) => void this.#errors.push(error)));
    }
  }

  /** The number of writes acknowledged so far. */
  get acknowledged(): number {
    return this.#acknowledged.size;
  }

  async #write(writer: number): Promise<void> {
    for (let n = 0; this.#running; n++) {
      const key = `writer-${writer}/${n}`;
      try {
        const { version } = await this.#kv.put(key, `value of ${key}`);
        this.#acknowledged.set(key, version);
        const now = performance.now();
        this.#longestGapMs = Math.max(this.#longestGapMs, now - this.#lastMs);
        this.#lastMs = now;
      } catch (error) {
        if (!(error instanceof RaftError)) throw error;
        (error.outcome === "unknown" ? this.#unknown : this.#rejected).add(key);
      }
    }
  }

  /** Ends the writers, and checks every write against the state of the cluster. */
  async verify(): Promise<WriterReport> {
    this.#running = false;
    await Promise.all(this.#loops);
    assert.deepEqual(this.#errors, [], "a writer received an error that is not a RaftError");
    const held = await this.#readAll();
    for (const [key, version] of this.#acknowledged) {
      const entry = held.get(key);
      assert.ok(entry !== undefined, `${key} was acknowledged but is lost`);
      assert.equal(entry.value, `value of ${key}`);
      assert.equal(entry.version, version, `${key} was applied again after its acknowledgement`);
    }
    for (const key of this.#rejected) assert.ok(!held.has(key), `${key} was rejected but exists`);
    for (const key of held.keys()) {
      assert.ok(this.#acknowledged.has(key) || this.#unknown.has(key), `${key} was never written`);
    }
    await this.#coordinator.close();
    return {
      acknowledged: this.#acknowledged.size,
      unknown: this.#unknown.size,
      rejected: this.#rejected.size,
      longestGapMs: Math.round(this.#longestGapMs),
    };
  }

  async #readAll(): Promise<Map<string, { value: string; version: number }>> {
    const held = new Map<string, { value: string; version: number }>();
    const decoder = new TextDecoder();
    let startAfter: Uint8Array | undefined;
    for (;;) {
      const { entries, more } = await this.#kv.list({
        prefix: "writer-",
        limit: 1000,
        ...(startAfter === undefined ? {} : { startAfter }),
        timeoutMs: 60_000,
      });
      for (const { key, value, version } of entries) {
        held.set(decoder.decode(key), { value: decoder.decode(value), version });
      }
      if (!more) return held;
      startAfter = entries.at(-1)!.key;
    }
  }
}
