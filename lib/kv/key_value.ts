/**
 * The replicated key-value state machine: the worked example of a
 * {@linkcode StateMachine}, and what the server runs.
 */

import type { AppliedCommand, StateMachine } from "../state_machine.ts";
import {
  beginAnswer,
  decodeCommand,
  decodeQuery,
  encodeInvalid,
  encodeWriteAnswer,
  type ExpectedVersion,
  keyProblem,
  type KeyValueCommand,
  LIST_ENTRY_MARK,
  LIST_MAX_ENTRIES,
  type ListQuery,
  valueProblem,
} from "./commands.ts";
import { binaryString, pack, writePacked } from "./packed.ts";
import { type KeyValueState, readSnapshot, type Stored, writeSnapshot } from "./snapshot.ts";
import { SortedMap } from "./sorted_map.ts";
import { ChangeHistory, type KeyValueChange, type WatchOptions } from "./watch.ts";

/** Options of {@linkcode KeyValue}. They don't change the state, so nodes may differ in them. */
export interface KeyValueOptions {
  /** Changes kept for watchers, at most. @default 10000 */
  readonly historyChanges?: number;
  /** Bytes of keys and values kept for watchers, at most. @default 16 MiB */
  readonly historyBytes?: number;
}

/** A list's answer ends after so many bytes, or with its first entry if that is larger. */
const LIST_FULL_BYTES = 1024 * 1024;
/** The bytes of an entry of a list beside its key and its value, at most. */
const LIST_ENTRY_OVERHEAD_BYTES = 20;

/**
 * Keys and values, both bytes, in the order of the keys' bytes. Keys have 1 to
 * 1024 bytes, values up to 1.5 MiB.
 *
 * The version of a value is the log index of its last change. The state's
 * version is the index of the last command applied.
 *
 * @example
 * ```ts
 * import { KeyValue } from "./lib/kv/key_value.ts";
 * import { decodeGetAnswer, encodeGet, encodePut } from "./lib/kv/commands.ts";
 *
 * const bytes = (text: string) => new TextEncoder().encode(text);
 * const state = new KeyValue();
 * state.apply({ index: 1, term: 1, data: encodePut(bytes("colour"), bytes("green")) });
 * const answer = decodeGetAnswer(state.query(encodeGet(bytes("colour"))));
 * console.log(answer.ok && answer.entry?.version); // 1
 * ```
 */
export class KeyValue implements StateMachine {
  #entries: SortedMap<Stored> = new SortedMap<Stored>();
  #version = 0;
  readonly #history: ChangeHistory;

  /** See {@linkcode StateMachine.restoresAtomically}. */
  readonly restoresAtomically = true;

  /** Begins empty. */
  constructor(options: KeyValueOptions = {}) {
    this.#history = new ChangeHistory(options.historyChanges ?? 10_000, options.historyBytes ?? 16 * 1024 * 1024);
  }

  /** The index of the last command applied. */
  get version(): number {
    return this.#version;
  }

  /** How many keys there are. */
  get size(): number {
    return this.#entries.size;
  }

  /** The number of watchers that wait for a change. */
  get waitingWatchers(): number {
    return this.#history.idle.size;
  }

  /** Carries out a command (see {@linkcode encodePut}). Bytes that are none get an answer that says so. */
  apply({ index, data }: AppliedCommand): Uint8Array {
    this.#version = index;
    let command: KeyValueCommand;
    try {
      command = decodeCommand(data);
    } catch {
      // The text must be the same on every engine: the answer may become part of a session.
      return encodeInvalid({ ok: false, reason: "invalid", message: "not a key-value command" });
    }
    const { key, value, expectedVersion } = command;
    const problem = keyProblem(key) ?? (value === null ? null : valueProblem(value));
    if (problem !== null) return encodeInvalid(problem);
    return this.#write(index, binaryString(key), value, expectedVersion);
  }

  /** Answers a query (see {@linkcode encodeGet}). Bytes that are none get an answer that says so. */
  query(bytes: Uint8Array): Uint8Array {
    let query: ReturnType<typeof decodeQuery>;
    try {
      query = decodeQuery(bytes);
    } catch {
      return encodeInvalid({ ok: false, reason: "invalid", message: "not a key-value query" });
    }
    return query.type === "get" ? this.#get(query.key) : this.#list(query);
  }

  /** Captures the state in constant time; equal states give equal bytes. */
  snapshot(): AsyncIterable<Uint8Array> {
    return writeSnapshot({ entries: this.#entries.clone(), version: this.#version });
  }

  /**
   * See {@linkcode StateMachine.restore}. Watchers that have not seen the changes
   * in between end with `compacted`.
   *
   * @throws {RaftError} `damaged` or `unsupported_version`; the state is unchanged then
   */
  async restore(snapshot: AsyncIterable<Uint8Array>): Promise<void> {
    const restored: KeyValueState = await readSnapshot(snapshot);
    this.#entries = restored.entries;
    this.#version = restored.version;
    this.#history.reset(restored.version);
  }

  /**
   * Yields this node's changes whose version is `fromVersion` or later and
   * whose key begins with `prefix`, in order, none left out, for as long as they
   * are requested. To continue after a list, pass its revision + 1.
   *
   * The history is bounded (see {@linkcode KeyValueOptions}). A watcher that
   * begins before it, or can't keep up with the changes, gets a
   * {@linkcode RaftError} `compacted`; one whose signal fires gets `aborted`.
   */
  watch(prefix: Uint8Array, fromVersion: number, options: WatchOptions = {}): AsyncIterableIterator<KeyValueChange> {
    return this.#history.watch(prefix, fromVersion, options);
  }

  /** Sets or (`null`) removes a key, if the expectation holds. */
  #write(index: number, key: string, value: Uint8Array | null, expected: ExpectedVersion | undefined): Uint8Array {
    if (expected !== undefined) {
      const currentVersion = this.#entries.get(key)?.version ?? 0;
      const met = expected === "any" ? currentVersion > 0 : currentVersion === expected;
      if (!met) return encodeWriteAnswer({ ok: false, reason: "conflict", currentVersion });
    }
    const stored = value === null ? null : pack(value);
    const previous = stored === null
      ? this.#entries.delete(key)
      : this.#entries.set(key, { value: stored, version: index });
    if (stored !== null || previous !== undefined) this.#history.push(index, key, stored);
    return encodeWriteAnswer({ ok: true, version: index, previousVersion: previous?.version ?? 0 });
  }

  #get(key: Uint8Array): Uint8Array {
    const problem = keyProblem(key);
    if (problem !== null) return encodeInvalid(problem);
    const stored = this.#entries.get(binaryString(key));
    const writer = beginAnswer(this.#version, (stored?.value.length ?? 0) + 32);
    if (stored === undefined) return writer.varint(0).finish();
    writer.varint(stored.version);
    writePacked(writer, stored.value);
    return writer.finish();
  }

  #list({ prefix, startAfter, limit = LIST_MAX_ENTRIES, keysOnly = false }: ListQuery): Uint8Array {
    for (const part of [prefix, startAfter]) {
      const problem = part === undefined || part.length === 0 ? null : keyProblem(part);
      if (problem !== null) return encodeInvalid(problem);
    }
    const start = binaryString(prefix);
    // Nothing lies between a key and the same with a zero byte added.
    const after = startAfter === undefined ? "" : binaryString(startAfter) + "\0";
    const maxEntries = Math.min(limit, LIST_MAX_ENTRIES);
    const found: (Stored & { readonly key: string })[] = [];
    let bytes = 0;
    let more = false;
    this.#entries.scan(after > start ? after : start, (key, { value, version }) => {
      if (!key.startsWith(start)) return false;
      const shown = keysOnly ? "" : value;
      const full = bytes + key.length + shown.length > LIST_FULL_BYTES;
      more = found.length >= maxEntries || (full && found.length > 0);
      if (more) return false;
      found.push({ key, value: shown, version });
      bytes += key.length + shown.length + LIST_ENTRY_OVERHEAD_BYTES;
      return true;
    });
    // Its size is known, so that no buffer has to grow: a server answers many lists at a time.
    const writer = beginAnswer(this.#version, bytes + 32);
    for (const { key, value, version } of found) {
      writer.byte(LIST_ENTRY_MARK).binary(key).varint(version);
      writePacked(writer, value);
    }
    return writer.byte(more ? 1 : 0).finish();
  }
}
