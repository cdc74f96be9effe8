/**
 * The key-value store once more, as a plain map that follows the log's commands: what
 * the real store answers is compared with it, so that a wrong answer that all nodes
 * agree on is noticed, too.
 */

import {
  decodeCommand,
  decodeGetAnswer,
  decodeListAnswer,
  decodeQuery,
  decodeWriteAnswer,
} from "../../lib/kv/commands.ts";
import type { GetAnswer, KeyValueEntry, ListAnswer, ListQuery, WriteAnswer } from "../../lib/kv/commands.ts";
import type { KeyValue } from "../../lib/kv/key_value.ts";
import type { StateMachine } from "../../lib/state_machine.ts";

const decoder = new TextDecoder();

/** The size from which on the store may end the answer to a list: how large it is exactly depends on how the store keeps values. */
const NEARLY_FULL_BYTES = 512 * 1024;

/** A change of a key. */
export interface MirroredChange {
  readonly type: "put" | "delete";
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
  readonly version: number;
}

/** Keys of the simulator are text whose order by code units is that of its bytes. */
export class KeyValueMirror {
  readonly #entries = new Map<string, KeyValueEntry>();
  readonly #changed: (change: MirroredChange) => void;
  readonly #wrong: (what: string) => void;

  /** @param wrong called with a difference from the real store's answer */
  constructor(changed: (change: MirroredChange) => void, wrong: (what: string) => void) {
    this.#changed = changed;
    this.#wrong = wrong;
  }

  /** Returns the store as a state machine whose answers are compared. */
  follow(store: KeyValue): StateMachine {
    return {
      restoresAtomically: store.restoresAtomically,
      apply: (command) => {
        const answer = store.apply(command);
        this.#compare(
          `the command at ${command.index}`,
          this.#write(command.index, command.data),
          decodeWriteAnswer(answer),
        );
        return answer;
      },
      query: (bytes) => {
        const answer = store.query(bytes);
        const query = decodeQuery(bytes);
        const decoded = query.type === "get" ? decodeGetAnswer(answer) : decodeListAnswer(answer);
        const revision = decoded.ok ? decoded.revision : 0;
        const expected = query.type === "get"
          ? this.#get(query.key, revision)
          : this.#list(query, revision, decoded.ok && "entries" in decoded ? decoded.entries.length : 0);
        this.#compare(`a ${query.type} at revision ${revision}`, expected, decoded);
        return answer;
      },
      snapshot: () => store.snapshot(),
      restore: (snapshot) => store.restore(snapshot),
    };
  }

  #write(version: number, data: Uint8Array): WriteAnswer {
    const { key, value, expectedVersion } = decodeCommand(data);
    const name = decoder.decode(key);
    const previousVersion = this.#entries.get(name)?.version ?? 0;
    const holds = expectedVersion === undefined ||
      (expectedVersion === "any" ? previousVersion > 0 : expectedVersion === previousVersion);
    if (!holds) return { ok: false, reason: "conflict", currentVersion: previousVersion };
    if (value !== null) this.#entries.set(name, { key: key.slice(), value: value.slice(), version });
    else this.#entries.delete(name);
    if (value !== null || previousVersion > 0) {
      this.#changed({ type: value === null ? "delete" : "put", key, value, version });
    }
    return { ok: true, version, previousVersion };
  }

  #get(key: Uint8Array, revision: number): GetAnswer {
    const found = this.#entries.get(decoder.decode(key));
    return { ok: true, revision, entry: found === undefined ? null : { version: found.version, value: found.value } };
  }

  #list({ prefix, startAfter, limit = 1000, keysOnly }: ListQuery, revision: number, given: number): ListAnswer {
    const begin = decoder.decode(prefix);
    const after = startAfter === undefined ? "" : decoder.decode(startAfter);
    const found = [...this.#entries].filter(([key]) => key.startsWith(begin) && key > after).sort(([a], [b]) =>
      a < b ? -1 : 1
    );
    const shown = found.map(([, entry]) => keysOnly ? { ...entry, value: new Uint8Array() } : entry);
    // An answer also ends before the entry that would make it too large.
    const bytes = shown.slice(0, given + 1).reduce((sum, { key, value }) => sum + key.length + value.length + 16, 32);
    const isFull = given > 0 && bytes > NEARLY_FULL_BYTES;
    const most = isFull ? Math.min(limit, given) : limit;
    return { ok: true, revision, entries: shown.slice(0, most), more: shown.length > most };
  }

  #compare(what: string, expected: unknown, answer: unknown): void {
    const [is, should] = [wordsOf(answer), wordsOf(expected)];
    if (is !== should) this.#wrong(`the store answers ${what} with ${is}, not ${should}`);
  }
}

/** Writes an answer down; the order of its fields does not matter. */
function wordsOf(value: unknown): string {
  if (value instanceof Uint8Array) return `"${decoder.decode(value)}"`;
  if (Array.isArray(value)) return `[${value.map(wordsOf).join()}]`;
  if (typeof value !== "object" || value === null) return String(value);
  return `{${Object.entries(value).map(([name, inner]) => `${name}: ${wordsOf(inner)}`).sort().join()}}`;
}
