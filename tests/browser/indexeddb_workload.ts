/**
 * The workload of the crash tests: a run of batches that follows from a seed, and the
 * expected state after each. A step is one batch, so a crash leaves the state
 * before it or after it.
 */

import { crc32c } from "../../lib/crc32c.ts";
import { encodeMembership } from "../../lib/raft/membership.ts";
import type { Entry, EntryType, HardState, PersistBatch, SnapshotMeta } from "../../lib/raft/types.ts";
import type { LoadedState, Storage } from "../../lib/storage.ts";
import { membership } from "../../storage/conformance_bench.ts";
import { generator } from "../adversarial/storage/random.ts";

const KiB = 1024;

function bytesOf(size: number, seed: number): Uint8Array {
  return new Uint8Array(size).fill(seed * 37 & 0xff);
}

function describe({ index, term, type, data }: Entry): string {
  return `${index}:${term}:${type}:${data.length}:${crc32c(data)}`;
}

/** The run of a seed, a step at a time. */
export class Workload {
  readonly #random: () => number;
  #steps = 0;
  #hardState: HardState = { term: 1, votedFor: null };
  #snapshot: SnapshotMeta | null = null;
  /** The entries after the snapshot. */
  #log: Entry[] = [];

  constructor(seed: number) {
    this.#random = generator(seed);
  }

  /** Steps so far. */
  get steps(): number {
    return this.#steps;
  }

  /** The state of a storage after these steps, as {@linkcode observe} returns it. */
  get state(): string {
    return JSON.stringify([this.#hardState, this.#snapshot?.id ?? "", this.#log.map(describe)]);
  }

  /** Plans the next step, and returns a function that carries it out. */
  next(): (storage: Storage) => Promise<void> {
    this.#steps++;
    const kind = this.#below(10);
    if (kind === 0 || this.#log.length > 60) return this.#install();
    if (kind === 1) {
      return this.#batch({ hardState: { term: this.#hardState.term + 1, votedFor: `n${this.#below(5)}` } });
    }
    if (kind <= 4 && this.#log.length > 1) return this.#overwrite();
    if (kind === 5) return this.#abandon();
    return this.#batch({ entries: this.#entries(this.#lastIndex + 1) });
  }

  get #lastIndex(): number {
    return this.#log.at(-1)?.index ?? this.#snapshot?.index ?? 0;
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  /** Returns a few entries of the current term, now and then one that IndexedDB stores in a file of its own. */
  #entries(first: number): Entry[] {
    return Array.from({ length: 1 + this.#below(8) }, (_, i): Entry => {
      const types: EntryType[] = ["command", "command", "command", "noop", "membership"];
      const type = types[this.#below(types.length)]!;
      const size = this.#below(20) === 0 ? 70 * KiB : this.#below(300);
      const data = type === "command" ? bytesOf(size, first + i + this.#steps) : new Uint8Array();
      return {
        index: first + i,
        term: this.#hardState.term,
        type,
        data: type === "membership" ? encodeMembership(membership) : data,
      };
    });
  }

  #overwrite(): (storage: Storage) => Promise<void> {
    const hardState = { term: this.#hardState.term + 1, votedFor: null };
    this.#hardState = hardState;
    const from = this.#log[this.#below(this.#log.length)]!.index;
    return this.#batch({ hardState, entries: this.#entries(from) });
  }

  #batch(parts: Partial<PersistBatch>): (storage: Storage) => Promise<void> {
    const batch: PersistBatch = { sequence: this.#steps, hardState: null, snapshot: null, entries: [], ...parts };
    if (batch.hardState !== null) this.#hardState = batch.hardState;
    this.#append(batch.entries);
    return (storage) => storage.persist(batch);
  }

  #append(entries: readonly Entry[]): void {
    const first = entries[0]?.index ?? Infinity;
    this.#log = [...this.#log.filter(({ index }) => index < first), ...entries];
  }

  /** Plans a snapshot of a part of the log, or of a longer log than this node's. */
  #install(): (storage: Storage) => Promise<void> {
    const keeps = this.#log.length > 0 && this.#below(3) > 0;
    const covered = keeps ? this.#log[this.#below(this.#log.length)]! : undefined;
    const bytes = bytesOf(this.#below(600 * KiB), this.#steps);
    const meta: SnapshotMeta = {
      id: `s${this.#steps}`,
      index: covered?.index ?? this.#lastIndex + 3,
      term: covered?.term ?? this.#hardState.term,
      membership,
      size: bytes.length,
      checksum: crc32c(bytes),
    };
    this.#snapshot = meta;
    this.#log = keeps ? this.#log.filter(({ index }) => index > meta.index) : [];
    const entries = keeps ? [] : this.#entries(meta.index + 1);
    const persist = this.#batch({ snapshot: meta, entries });
    const trailing = this.#below(5);
    return async (storage) => {
      const writer = await storage.createSnapshot();
      await writer.write(bytes);
      await writer.stage(meta);
      await persist(storage);
      await storage.compact(meta.index - trailing);
    };
  }

  #abandon(): (storage: Storage) => Promise<void> {
    const persist = this.#batch({ entries: this.#entries(this.#lastIndex + 1) });
    return async (storage) => {
      const writer = await storage.createSnapshot();
      await writer.write(new Uint8Array(300 * KiB));
      await writer.abort();
      await persist(storage);
    };
  }
}

/** Reads the whole state of a loaded storage. */
export async function observe(storage: Storage, state: LoadedState): Promise<string> {
  const log: string[] = [];
  for (let index = (state.snapshot?.index ?? 0) + 1; index <= state.lastIndex;) {
    const entries = await storage.entries(index, state.lastIndex, 10 * KiB);
    log.push(...entries.map(describe));
    index += entries.length;
  }
  const reader = await storage.openSnapshot();
  for (let at = 0; reader !== null && at < reader.meta.size;) at += (await reader.read(at, 100 * KiB)).length;
  await reader?.close();
  return JSON.stringify([state.hardState, reader?.meta.id ?? "", log]);
}
