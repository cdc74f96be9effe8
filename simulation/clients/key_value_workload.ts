/**
 * The built-in workload: puts, gets, compare-and-sets and deletes on a few keys that
 * all clients share.
 */

import { decodeGetAnswer, decodeWriteAnswer, encodeDelete, encodeGet, encodePut } from "../../lib/kv/commands.ts";
import type { Stream } from "../decisions.ts";
import type { Request, Workload } from "./workload.ts";

const encoder = new TextEncoder();

/** A request to the key-value store, with its parts. */
export interface KeyValueRequest extends Request {
  /** The operation. */
  readonly operation: "put" | "get" | "delete" | "compareAndSet";
  /** The key it concerns. */
  readonly key: string;
  /** The value put; `null` without one. */
  readonly value: string | null;
  /** The version that a compare-and-set expects. */
  readonly expectedVersion: number | null;
}

export class KeyValueWorkload implements Workload {
  readonly #keys: number;
  readonly #readShare: number;
  /** The version that each client last saw of a key. */
  readonly #seen = new Map<string, number>();

  /** @param readShare the share of requests that only read */
  constructor(keys: number, readShare: number) {
    this.#keys = keys;
    this.#readShare = readShare;
  }

  next(client: string, name: string, chance: Stream): KeyValueRequest {
    const key = `k${chance.below(this.#keys)}`;
    const bytesOfKey = encoder.encode(key);
    if (chance.chance(this.#readShare)) {
      const made = { operation: "get", key, value: null, expectedVersion: null } as const;
      return { ...made, type: "query", bytes: encodeGet(bytesOfKey), text: `get ${key}` };
    }
    const kind = chance.below(10);
    if (kind < 5) {
      // Sometimes a value is too large for a batch, a chunk or a segment.
      const value = chance.chance(0.05) ? name.padEnd(chance.below(3000), ".") : name;
      const made = { operation: "put", key, value, expectedVersion: null } as const;
      const bytes = encodePut(bytesOfKey, encoder.encode(value));
      return { ...made, type: "command", bytes, text: `put ${key} ${name}` };
    }
    if (kind < 6) {
      const made = { operation: "delete", key, value: null, expectedVersion: null } as const;
      return { ...made, type: "command", bytes: encodeDelete(bytesOfKey), text: `delete ${key}` };
    }
    const expectedVersion = this.#seen.get(`${client} ${key}`) ?? 0;
    const made = { operation: "compareAndSet", key, value: name, expectedVersion } as const;
    const bytes = encodePut(bytesOfKey, encoder.encode(name), expectedVersion);
    return { ...made, type: "command", bytes, text: `set ${key} to ${name} if its version is ${expectedVersion}` };
  }

  answered(client: string, request: Request, answer: Uint8Array): void {
    const { operation, key } = request as KeyValueRequest;
    const version = operation === "get" ? versionRead(answer) : versionWritten(answer, operation);
    this.#seen.set(`${client} ${key}`, version);
  }
}

function versionRead(answer: Uint8Array): number {
  const read = decodeGetAnswer(answer);
  return read.ok ? read.entry?.version ?? 0 : 0;
}

function versionWritten(answer: Uint8Array, operation: KeyValueRequest["operation"]): number {
  const written = decodeWriteAnswer(answer);
  if (written.ok) return operation === "delete" ? 0 : written.version;
  return written.reason === "conflict" ? written.currentVersion : 0;
}
