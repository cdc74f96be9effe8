/**
 * Watching changes. A node keeps a bounded history of them; each watcher is a
 * place in it. So a slow watcher costs nothing: it falls out of the history.
 */

import { abortedError, RaftError } from "../errors.ts";
import { binaryBytes, binaryString, type Packed, unpack } from "./packed.ts";

/** A change of one key. All watchers of a store get the same object: its bytes must not be changed. */
export interface KeyValueChange {
  /** The kind of the change. */
  readonly type: "put" | "delete";
  /** The key that changed. */
  readonly key: Uint8Array;
  /** The new value; `null` after a delete. */
  readonly value: Uint8Array | null;
  /** The log index of the change. */
  readonly version: number;
}

/** Options of {@linkcode KeyValue.watch}. */
export interface WatchOptions {
  /** Ends the watch with an `aborted` error. */
  readonly signal?: AbortSignal | undefined;
}

/** A change as kept: `value` is `null` after a delete. */
interface Change {
  readonly version: number;
  readonly key: string;
  readonly value: Packed | null;
  /** The change as all watchers get it, once one of them has got it. */
  revealed?: KeyValueChange;
}

type Next = IteratorResult<KeyValueChange, undefined>;

/** The latest changes, in order, and who waits for more. */
export class ChangeHistory {
  readonly #maxChanges: number;
  readonly #maxBytes: number;
  /** A ring of `#maxChanges` places; `#first` and `#end` count on, without wrapping. */
  readonly #ring: (Change | undefined)[] = [];
  #first = 0;
  #end = 0;
  #bytes = 0;
  /** The version up to which changes have been discarded. */
  compactedVersion = 0;
  /** The watchers to wake for the next change. */
  readonly idle = new Set<Watcher>();

  constructor(maxChanges: number, maxBytes: number) {
    this.#maxChanges = maxChanges;
    this.#maxBytes = maxBytes;
  }

  /** Adds the newest change. */
  push(version: number, key: string, value: Packed | null): void {
    const change: Change = { version, key, value };
    if (this.#end - this.#first === this.#maxChanges) this.#dropFirst();
    this.#ring[this.#end % this.#maxChanges] = change;
    this.#end++;
    this.#bytes += sizeOf(change);
    while (this.#bytes > this.#maxBytes && this.#end - this.#first > 1) this.#dropFirst();
    for (const watcher of this.idle) {
      if (watcher.wants(change)) watcher.wakeFor(change);
    }
  }

  /** Forgets everything: the state was replaced by one of this version. */
  reset(version: number): void {
    while (this.#first < this.#end) this.#dropFirst();
    this.compactedVersion = version;
    for (const watcher of [...this.idle]) watcher.wake();
  }

  /** See {@linkcode KeyValue.watch}. */
  watch(prefix: Uint8Array, fromVersion: number, options: WatchOptions): AsyncIterableIterator<KeyValueChange> {
    return new Watcher(this, binaryString(prefix), fromVersion, options.signal);
  }

  /** The first change from `version` on that `watcher` wants; `null` if there is none yet. */
  find(watcher: Watcher, version: number): Change | null {
    for (let at = this.#lowerBound(version); at < this.#end; at++) {
      const change = this.#ring[at % this.#maxChanges]!;
      if (watcher.wants(change)) return change;
    }
    return null;
  }

  /** The version of the newest change. */
  get newestVersion(): number {
    return this.#end === this.#first ? this.compactedVersion : this.#ring[(this.#end - 1) % this.#maxChanges]!.version;
  }

  /** Where the first change of `version` or later is. */
  #lowerBound(version: number): number {
    let low = this.#first;
    let high = this.#end;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.#ring[middle % this.#maxChanges]!.version < version) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #dropFirst(): void {
    const place = this.#first % this.#maxChanges;
    const dropped = this.#ring[place]!;
    this.#ring[place] = undefined;
    this.#first++;
    this.#bytes -= sizeOf(dropped);
    this.compactedVersion = dropped.version;
  }
}

/** A place in the history. */
class Watcher implements AsyncIterableIterator<KeyValueChange> {
  readonly #history: ChangeHistory;
  readonly #prefix: string;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.wake();
  #nextVersion: number;
  #done = false;
  readonly #waiting: PromiseWithResolvers<Next>[] = [];

  constructor(history: ChangeHistory, prefix: string, fromVersion: number, signal: AbortSignal | undefined) {
    this.#history = history;
    this.#prefix = prefix;
    // Versions begin at 1.
    this.#nextVersion = Math.max(1, fromVersion);
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Next> {
    const waiting = Promise.withResolvers<Next>();
    this.#waiting.push(waiting);
    this.wake();
    return waiting.promise;
  }

  return(): Promise<Next> {
    this.#finish();
    return Promise.resolve({ done: true, value: undefined });
  }

  wants(change: Change): boolean {
    return change.key.startsWith(this.#prefix);
  }

  /** Goes on with `change`, the first for this watcher since it became idle. */
  wakeFor(change: Change): void {
    this.#nextVersion = Math.max(this.#nextVersion, change.version);
    this.wake();
  }

  /** Answers those who wait, as far as possible. */
  wake(): void {
    while (this.#waiting.length > 0) {
      if (this.#done) return this.#finish();
      const error = this.#failure();
      if (error !== null) {
        this.#waiting.shift()!.reject(error);
        return this.#finish();
      }
      const change = this.#history.find(this, this.#nextVersion);
      if (change === null) {
        // Changes that were passed over are not needed again.
        this.#nextVersion = Math.max(this.#nextVersion, this.#history.newestVersion + 1);
        this.#history.idle.add(this);
        return;
      }
      this.#nextVersion = change.version + 1;
      this.#waiting.shift()!.resolve({ done: false, value: change.revealed ??= reveal(change) });
    }
    this.#history.idle.delete(this);
  }

  #failure(): RaftError | null {
    if (this.#signal?.aborted) return abortedError(this.#signal);
    if (this.#nextVersion > this.#history.compactedVersion) return null;
    return new RaftError(
      "compacted",
      `changes from version ${this.#nextVersion} on are wanted, but only those after ` +
        `${this.#history.compactedVersion} are kept`,
      { hint: "List the keys again, and watch from the list's revision + 1." },
    );
  }

  #finish(): void {
    this.#done = true;
    this.#history.idle.delete(this);
    this.#signal?.removeEventListener("abort", this.#onAbort);
    for (const { resolve } of this.#waiting.splice(0)) resolve({ done: true, value: undefined });
  }
}

function reveal({ version, key, value }: Change): KeyValueChange {
  const bytes = binaryBytes(key);
  return value === null
    ? { type: "delete", key: bytes, value: null, version }
    : { type: "put", key: bytes, value: unpack(value), version };
}

function sizeOf({ key, value }: Change): number {
  return key.length + (value === null ? 0 : value.length);
}
