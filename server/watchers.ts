/**
 * The watchers of a server, and the memory that they may take. A change is encoded once for all of them; a watcher
 * holds the one change that its client is reading, so a client that doesn't read delays no other and costs little.
 */

import { RaftError } from "../lib/errors.ts";
import type { KeyValueChange } from "../lib/kv/watch.ts";

/** Limits of {@linkcode Watchers}. */
export interface WatchLimits {
  /** Watchers at the same time, at most; more are refused as `busy`. @default 2000 */
  readonly maxWatchers?: number;
  /** The bytes of encoded changes that are kept or being sent, at most; the slowest watchers end for it. @default 32 MiB */
  readonly maxWatchBytes?: number;
  /** The time in which a watcher must read something of a change, in milliseconds. @default 30000 */
  readonly watchStallTimeoutMs?: number;
}

/** The formats of changes: server-sent events, and messages of the key-value service. */
export type ChangeFormat = "events" | "proto" | "json";

/** The stream to a watching client. */
export interface WatchStream {
  /** Counts a look at it; returns how many there were since the client last read, 0 if nothing waits for it. */
  look(): number;
  /** Ends the stream though the client does not read. */
  cut(error: RaftError): void | Promise<void>;
}

/** Counts of {@linkcode Watchers}, for metrics. */
export interface WatchCounts {
  /** The clients that watch. */
  readonly watchers: number;
  /** The bytes of encoded changes that are kept or being sent. */
  readonly bufferedBytes: number;
  /** Watches refused because there were too many. */
  readonly refused: number;
  /** Watches ended because their client did not read. */
  readonly slow: number;
}

/** An encoded change. */
export interface EncodedChange {
  /** Its format and version. */
  readonly id: string;
  /** The change in its format. */
  readonly bytes: Uint8Array;
  /** The watchers whose clients are reading it. */
  readonly readers: Set<Watcher>;
}

/** The cost of an encoded change or a watcher's place beside its bytes. */
const OVERHEAD_BYTES = 512;

/** The looks at a stream in the time in which its client must read something. */
const STALLED_LOOKS = 4;

/** All watchers of a server. */
export class Watchers {
  readonly #limits: Required<WatchLimits>;
  readonly #watchers = new Set<Watcher>();
  /** The changes that clients are reading, and others that may be wanted again; the oldest first. */
  readonly #read = new Map<string, EncodedChange>();
  readonly #kept = new Map<string, EncodedChange>();
  #bytes = 0;
  #refused = 0;
  #slow = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Creates the set of the watchers of one server. */
  constructor(
    { maxWatchers = 2000, maxWatchBytes = 32 * 1024 * 1024, watchStallTimeoutMs = 30_000 }: WatchLimits = {},
  ) {
    this.#limits = { maxWatchers, maxWatchBytes, watchStallTimeoutMs };
  }

  /** See {@linkcode WatchCounts}. */
  get counts(): WatchCounts {
    const { size: watchers } = this.#watchers;
    return { watchers, bufferedBytes: this.#bytes, refused: this.#refused, slow: this.#slow };
  }

  /** Adds a watcher. @throws {RaftError} `busy` if there are too many */
  open(stream: WatchStream): Watcher {
    const { maxWatchers, watchStallTimeoutMs } = this.#limits;
    if (this.#watchers.size >= maxWatchers) {
      this.#refused++;
      throw new RaftError("busy", `this node has ${maxWatchers} watchers, as many as it takes`, {
        hint: "Watch at another node, or try again later.",
      });
    }
    const watcher = new Watcher(this, stream);
    this.#watchers.add(watcher);
    this.#timer ??= setInterval(() => this.#endStalled(), watchStallTimeoutMs / STALLED_LOOKS);
    return watcher;
  }

  /** Returns a change in a format, for a watcher whose client reads it until {@linkcode Watchers.done}. */
  take(
    reader: Watcher,
    change: KeyValueChange,
    format: ChangeFormat,
    encode: (change: KeyValueChange) => Uint8Array,
  ): EncodedChange {
    const id = `${format} ${change.version}`;
    const known = this.#read.get(id) ?? this.#kept.get(id);
    const encoded = known ?? { id, bytes: encode(change), readers: new Set() };
    encoded.readers.add(reader);
    this.#kept.delete(id);
    this.#read.set(id, encoded);
    if (known === undefined) {
      this.#bytes += sizeOf(encoded);
      this.#makeRoom(reader);
    }
    return encoded;
  }

  /** Ends a watcher's use of a change. */
  done(reader: Watcher, encoded: EncodedChange): void {
    const { id, readers } = encoded;
    if (!readers.delete(reader) || readers.size > 0) return;
    this.#read.delete(id);
    this.#kept.set(id, encoded);
    this.#makeRoom(reader);
  }

  /** Removes a watcher. */
  closed(watcher: Watcher): void {
    if (!this.#watchers.delete(watcher) || this.#watchers.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    // No watcher is left to want them.
    for (const { id } of [...this.#kept.values()]) this.#forget(id);
  }

  /** Forgets changes that no client reads, then ends those that read the oldest. */
  #makeRoom(but: Watcher): void {
    const { maxWatchBytes } = this.#limits;
    for (const id of this.#kept.keys()) {
      if (this.#bytes <= maxWatchBytes) return;
      this.#forget(id);
    }
    for (const { readers } of this.#read.values()) {
      if (this.#bytes <= maxWatchBytes) return;
      if (readers.has(but)) continue;
      for (const reader of [...readers]) this.#end(reader, "the changes being sent take too much memory");
    }
  }

  #forget(id: string): void {
    const encoded = this.#kept.get(id);
    if (encoded === undefined) return;
    this.#kept.delete(id);
    this.#bytes -= sizeOf(encoded);
  }

  #endStalled(): void {
    const { watchStallTimeoutMs } = this.#limits;
    for (const watcher of [...this.#watchers]) {
      if (watcher.stream.look() <= STALLED_LOOKS) continue;
      this.#end(watcher, `the client has read nothing for ${watchStallTimeoutMs} ms`);
    }
  }

  #end(watcher: Watcher, why: string): void {
    this.#slow++;
    watcher.end(why);
  }
}

/** One watcher. */
export class Watcher {
  /** Carries its changes to the client. */
  readonly stream: WatchStream;
  readonly #watchers: Watchers;
  #current: EncodedChange | null = null;
  #nextVersion = 0;
  #ended: RaftError | null = null;

  /** Made by {@linkcode Watchers}. */
  constructor(watchers: Watchers, stream: WatchStream) {
    this.#watchers = watchers;
    this.stream = stream;
  }

  /** Yields changes in a format, each once the client has read the one before. Closes the watcher at the end. */
  async *encoded(
    changes: AsyncIterable<KeyValueChange>,
    format: ChangeFormat,
    encode: (change: KeyValueChange) => Uint8Array,
  ): AsyncGenerator<Uint8Array> {
    try {
      for await (const change of changes) {
        if (this.#ended !== null) throw this.#ended;
        this.#nextVersion = change.version + 1;
        this.#current = this.#watchers.take(this, change, format, encode);
        yield this.#current.bytes;
        this.#release();
        if (this.#ended !== null) throw this.#ended;
      }
    } finally {
      this.close();
    }
  }

  /** Ends a watcher whose client is too slow. */
  end(why: string): void {
    this.#ended = new RaftError("busy", `this watch was ended: ${why}`, {
      hint: `No change is lost: continue from revision ${this.#nextVersion}, and read faster than changes are made.`,
    });
    this.close();
    void this.stream.cut(this.#ended);
  }

  /** Gives back what it takes. Does nothing the second time. */
  close(): void {
    this.#release();
    this.#watchers.closed(this);
  }

  #release(): void {
    const current = this.#current;
    this.#current = null;
    if (current !== null) this.#watchers.done(this, current);
  }
}

function sizeOf({ bytes }: EncodedChange): number {
  return bytes.length + OVERHEAD_BYTES;
}
