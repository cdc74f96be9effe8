/**
 * The built-in workload: puts, gets, compare-and-sets and deletes on a few keys that
 * all clients share; and its history in the form that the search for a linearization needs.
 */

import { decodeGetAnswer, decodeWriteAnswer, encodeDelete, encodeGet, encodePut } from "../../lib/kv/commands.ts";
import type { HistoryRecord } from "../checks/history.ts";
import type { Stream } from "../decisions.ts";
import type { KeyValueInput, KeyValueOutput, Operation } from "../linearizability/mod.ts";
import type { Request, Workload } from "./workload.ts";

const encoder = new TextEncoder();

/** A request to the key-value store. */
interface KeyValueRequest extends Request {
  readonly input: KeyValueInput;
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
      return { input: { type: "get", key }, type: "query", bytes: encodeGet(bytesOfKey), text: `get ${key}` };
    }
    const kind = chance.below(10);
    if (kind < 5) {
      // Sometimes a value is too large for a batch, a chunk or a segment.
      const value = chance.chance(0.05) ? name.padEnd(chance.below(3000), ".") : name;
      const bytes = encodePut(bytesOfKey, encoder.encode(value));
      return { input: { type: "put", key, value }, type: "command", bytes, text: `put ${key} ${name}` };
    }
    if (kind < 6) {
      return {
        input: { type: "delete", key },
        type: "command",
        bytes: encodeDelete(bytesOfKey),
        text: `delete ${key}`,
      };
    }
    const expectedVersion = this.#seen.get(`${client} ${key}`) ?? 0;
    return {
      input: { type: "compareAndSet", key, value: name, expectedVersion },
      type: "command",
      bytes: encodePut(bytesOfKey, encoder.encode(name), expectedVersion),
      text: `set ${key} to ${name} if its version is ${expectedVersion}`,
    };
  }

  answered(client: string, request: Request, answer: Uint8Array): void {
    const { input } = request as KeyValueRequest;
    const output = outputOf(input, answer);
    let version = 0;
    if (output !== null && "currentVersion" in output) version = output.currentVersion;
    else if (output !== null && input.type !== "delete") version = output.version;
    this.#seen.set(`${client} ${input.key}`, version);
  }
}

/** Converts the history of this workload; leaves out requests without an effect and unanswered reads. */
export function keyValueHistory(records: readonly HistoryRecord[]): Operation<KeyValueInput, KeyValueOutput>[] {
  return records.flatMap(({ client, asked, callUs, returnUs, outcome, answer }) => {
    const { input, type } = asked as KeyValueRequest;
    if (outcome === "done" && answer !== null && returnUs !== null) {
      return [{ client, input, output: outputOf(input, answer), call: callUs, return: returnUs }];
    }
    if (outcome === "rejected" || type === "query") return [];
    return [{ client, input, call: callUs, return: Number.POSITIVE_INFINITY }];
  });
}

function outputOf({ type }: KeyValueInput, bytes: Uint8Array): KeyValueOutput {
  if (type === "get") {
    const answer = decodeGetAnswer(bytes);
    if (!answer.ok || answer.entry === null) return null;
    return { value: new TextDecoder().decode(answer.entry.value), version: answer.entry.version };
  }
  const answer = decodeWriteAnswer(bytes);
  if (answer.ok) return answer;
  return { ok: false, currentVersion: answer.reason === "conflict" ? answer.currentVersion : 0 };
}
