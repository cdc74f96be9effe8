/**
 * The built-in workload: puts, gets, compare-and-sets, deletes and lists on a few keys
 * that all clients share, sent through the key-value store's own client; and its history
 * in the form that the search for a linearization needs.
 */

import { crc32c } from "../../lib/crc32c.ts";
import { KeyValueClient } from "../../lib/kv/client.ts";
import type { KeyValueList } from "../../lib/kv/client.ts";
import {
  decodeGetAnswer,
  decodeListAnswer,
  decodeWriteAnswer,
  encodeDelete,
  encodeGet,
  encodeList,
  encodePut,
} from "../../lib/kv/commands.ts";
import type { HistoryRecord } from "../checks/history.ts";
import type { Stream } from "../decisions.ts";
import type { KeyValueInput, KeyValueOutput, Operation } from "../linearizability/mod.ts";
import type { Request, RequestCluster, SendOptions, Workload } from "./workload.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A query of several keys, one page of them at a time. */
interface ListInput {
  readonly type: "list";
  readonly prefix: string;
  readonly startAfter?: string;
  readonly limit?: number;
  readonly keysOnly: boolean;
}

/** A request to the key-value store. */
interface KeyValueRequest extends Request {
  readonly input: KeyValueInput | ListInput;
}

export class KeyValueWorkload implements Workload {
  readonly #keys: number;
  readonly #readShare: number;
  /** The version that each client last saw of a key. */
  readonly #seen = new Map<string, number>();
  /** The list that each client has read a page of, and the last key of that page. */
  readonly #pages = new Map<string, ListInput>();

  /** @param readShare the share of requests that only read */
  constructor(keys: number, readShare: number) {
    this.#keys = keys;
    this.#readShare = readShare;
  }

  next(client: string, name: string, chance: Stream): KeyValueRequest {
    const key = `k${chance.below(this.#keys)}`;
    if (chance.chance(this.#readShare)) {
      if (chance.chance(0.3)) return requestOf(this.#nextList(client, key, chance), name);
      return requestOf({ type: "get", key }, name);
    }
    const kind = chance.below(10);
    if (kind < 4) {
      // Sometimes a value is too large for a batch, a chunk or a segment.
      const value = chance.chance(0.05) ? name.padEnd(chance.below(3000), ".") : name;
      return requestOf({ type: "put", key, value }, name);
    }
    if (kind < 5) return requestOf({ type: "delete", key }, name);
    const seen = this.#seen.get(`${client} ${key}`) ?? 0;
    const expectedVersion = chance.pick([seen, seen, seen, 0, "any"] as const)!;
    const value = chance.chance(0.2) ? null : name;
    return requestOf({ type: "compareAndSet", key, value, expectedVersion }, name);
  }

  /** Continues a list with its next page, or begins another. */
  #nextList(client: string, key: string, chance: Stream): ListInput {
    const page = this.#pages.get(client);
    if (page !== undefined && chance.chance(0.8)) return page;
    return {
      type: "list",
      prefix: chance.pick(["", "k", key, "l"] as const)!,
      ...chance.chance(0.3) ? { startAfter: key } : {},
      ...chance.chance(0.7) ? { limit: chance.between(1, 3) } : {},
      keysOnly: chance.chance(0.3),
    };
  }

  /** Sends a request through a {@linkcode KeyValueClient}. */
  async send(request: Request, cluster: RequestCluster, options: SendOptions): Promise<KeyValueOutput | KeyValueList> {
    const { input } = request as KeyValueRequest;
    const client = new KeyValueClient(cluster);
    switch (input.type) {
      case "get": {
        const { value, version } = await client.get(input.key, options);
        return value === undefined ? null : { value: decoder.decode(value), version };
      }
      case "list":
        return await client.list({ ...input, ...options });
      case "put":
        return await client.put(input.key, input.value, options);
      case "delete":
        return await client.delete(input.key, options);
      default: {
        const result = await client.compareAndSet(input.key, input.expectedVersion, input.value, options);
        return result.ok ? result : { ok: false, currentVersion: result.currentVersion };
      }
    }
  }

  /** Notes versions, and where the next page begins. */
  answered(client: string, request: Request, answer: Uint8Array): void {
    const { input } = request as KeyValueRequest;
    if (input.type === "list") return this.#pageRead(client, input, answer);
    const output = outputOf(input, answer);
    let version = 0;
    if (output !== null && "currentVersion" in output) version = output.currentVersion;
    else if (output !== null && !isRemoval(input)) version = output.version;
    this.#seen.set(`${client} ${input.key}`, version);
  }

  #pageRead(client: string, input: ListInput, bytes: Uint8Array): void {
    const answer = decodeListAnswer(bytes);
    const last = answer.ok && answer.more ? answer.entries.at(-1) : undefined;
    if (last === undefined) this.#pages.delete(client);
    else this.#pages.set(client, { ...input, startAfter: decoder.decode(last.key) });
  }
}

function isRemoval(input: KeyValueInput): boolean {
  return input.type === "delete" || (input.type === "compareAndSet" && input.value === null);
}

function requestOf(input: KeyValueInput | ListInput, name: string): KeyValueRequest {
  if (input.type === "list") {
    const { prefix, startAfter } = input;
    const bytes = encodeList({
      ...input,
      prefix: encoder.encode(prefix),
      startAfter: startAfter === undefined ? undefined : encoder.encode(startAfter),
    });
    return { input, type: "query", bytes, text: `list ${prefix}* after ${startAfter ?? "the beginning"}` };
  }
  const key = encoder.encode(input.key);
  switch (input.type) {
    case "get":
      return { input, type: "query", bytes: encodeGet(key), text: `get ${input.key}` };
    case "put":
      return {
        input,
        type: "command",
        bytes: encodePut(key, encoder.encode(input.value)),
        text: `put ${input.key} ${name}`,
      };
    case "delete":
      return { input, type: "command", bytes: encodeDelete(key), text: `delete ${input.key}` };
    default: {
      const { value, expectedVersion } = input;
      const bytes = value === null
        ? encodeDelete(key, expectedVersion)
        : encodePut(key, encoder.encode(value), expectedVersion);
      const what = value === null ? `delete ${input.key}` : `set ${input.key} to ${value}`;
      return { input, type: "command", bytes, text: `${what} if its version is ${expectedVersion}` };
    }
  }
}

/** Returns a put of a value to one of many keys, mostly a small one, seldom one that fills a block of a snapshot; or a delete. */
export function bulkWrite(
  { keys, valueBytes }: { readonly keys: number; readonly valueBytes: number },
  name: string,
  chance: Stream,
): Request {
  const key = `bulk ${chance.below(keys)}`;
  if (chance.chance(0.15)) return requestOf({ type: "delete", key }, name);
  const bytes = chance.chance(0.01) ? chance.below(100_000) : chance.below(valueBytes);
  return requestOf({ type: "put", key, value: name.padEnd(bytes, name) }, name);
}

/**
 * Converts the history of this workload to the answers as its clients had them; leaves
 * out requests without an effect, unanswered reads, and those that no linearization has
 * to explain: stale reads, and lists, which concern many keys.
 */
export function keyValueHistory(records: readonly HistoryRecord[]): Operation<KeyValueInput, KeyValueOutput>[] {
  return records.flatMap(({ client, asked, callUs, returnUs, outcome, told, consistency }) => {
    const { input, type } = asked as KeyValueRequest;
    if (input.type === "list" || (type === "query" && consistency === "stale")) return [];
    if (outcome === "done" && returnUs !== null) {
      return [{ client, input, output: told as KeyValueOutput, call: callUs, return: returnUs }];
    }
    if (outcome === "rejected" || type === "query") return [];
    return [{ client, input, call: callUs, return: Number.POSITIVE_INFINITY }];
  });
}

/** Returns the requests of this workload whose client made something else of an answer than its bytes say. */
export function misread(records: readonly HistoryRecord[]): HistoryRecord[] {
  return records.filter(({ asked, outcome, answer, told }) => {
    if (outcome !== "done" || answer === null) return false;
    const { input } = asked as KeyValueRequest;
    if (input.type !== "list") return !equalOutputs(told as KeyValueOutput, outputOf(input, answer));
    const list = decodeListAnswer(answer);
    const { entries, more, revision } = told as KeyValueList;
    return !list.ok || list.more !== more || list.revision !== revision || entries.length !== list.entries.length ||
      !entries.every(({ key, value, version }, at) => {
        const other = list.entries[at]!;
        return crc32c(key) === crc32c(other.key) && crc32c(value) === crc32c(other.value) && version === other.version;
      });
  });
}

function equalOutputs(a: KeyValueOutput, b: KeyValueOutput): boolean {
  const words = (output: KeyValueOutput): string =>
    output === null ? "none" : Object.entries(output).map(([name, value]) => `${name}=${value}`).sort().join();
  return words(a) === words(b);
}

function outputOf({ type }: KeyValueInput, bytes: Uint8Array): KeyValueOutput {
  if (type === "get") {
    const answer = decodeGetAnswer(bytes);
    if (!answer.ok || answer.entry === null) return null;
    return { value: decoder.decode(answer.entry.value), version: answer.entry.version };
  }
  const answer = decodeWriteAnswer(bytes);
  if (answer.ok && type === "compareAndSet") return answer;
  if (answer.ok) return { version: answer.version, previousVersion: answer.previousVersion };
  return { ok: false, currentVersion: answer.reason === "conflict" ? answer.currentVersion : 0 };
}
