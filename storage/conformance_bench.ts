/**
 * The tools that the checks of conformance.ts are written with.
 */

import { encodeMembership, membershipOf } from "../lib/raft/membership.ts";
import { StorageError } from "../lib/errors.ts";
import type { Entry, Membership, PersistBatch, SnapshotMeta } from "../lib/raft/types.ts";
import type { Identity, LoadedState, SnapshotReader, SnapshotWriter, Storage } from "../lib/storage.ts";

/** One place where a storage keeps its data. */
export interface StorageFixture {
  /** Returns a storage on this place, not loaded; the one before is closed or has crashed. */
  open(): Storage;
  /**
   * Ends `storage` without closing it, as the end of its process would. Omit it if
   * that can't be simulated.
   */
  crash?(storage: Storage): Promise<void> | void;
  /** Removes the place and its data. */
  dispose(): Promise<void> | void;
}

export const identity: Identity = { nodeId: "n1", incarnation: "i-1", clusterId: "c1" };
export const membership: Membership = membershipOf({
  voters: [{ id: "n1", address: "a1", incarnation: "i-1" }, { id: "n2", address: "a2", incarnation: "i-2" }],
});
export const text = new TextEncoder();

/** The storages of one check, one at a time, with shorthands. */
export class Bench {
  readonly #place: StorageFixture;
  #storage: Storage | null = null;
  #sequence = 0;

  constructor(place: StorageFixture) {
    this.#place = place;
  }

  get storage(): Storage {
    if (this.#storage === null) throw new Error("nothing is open");
    return this.#storage;
  }

  /** Opens a second storage on the same place; the caller closes it. */
  another(): Storage {
    return this.#place.open();
  }

  async load(): Promise<LoadedState> {
    this.#storage = this.#place.open();
    return await this.#storage.load();
  }

  async start(): Promise<void> {
    await this.load();
    await this.storage.initialize(identity);
  }

  async reopen(): Promise<LoadedState> {
    await this.storage.close();
    return await this.load();
  }

  /** Like {@linkcode Bench.reopen}, but crashes the storage if the fixture can do that. */
  async restart(): Promise<LoadedState> {
    if (this.#place.crash === undefined) return await this.reopen();
    await this.#place.crash(this.storage);
    return await this.load();
  }

  async persist(batch: Partial<Omit<PersistBatch, "sequence">>): Promise<void> {
    const { hardState = null, snapshot = null, entries = [] } = batch;
    await this.storage.persist({ sequence: ++this.#sequence, hardState, snapshot, entries });
  }

  async stage(index: number, term: number, content: string): Promise<{ meta: SnapshotMeta; writer: SnapshotWriter }> {
    const bytes = text.encode(content);
    const writer = await this.storage.createSnapshot();
    const half = bytes.length >> 1;
    await writer.write(bytes.subarray(0, half));
    await writer.write(bytes.subarray(half));
    const meta = metaOf(writer, `${content}@${index}`, index, term);
    await writer.stage(meta);
    return { meta, writer };
  }

  async install(index: number, term: number, content: string): Promise<SnapshotMeta> {
    const { meta } = await this.stage(index, term, content);
    await this.persist({ snapshot: meta });
    return meta;
  }

  /** Returns the entries from `from` to `to`, each as `index:term:data`. */
  async log(from: number, to: number): Promise<string> {
    const found: string[] = [];
    while (from <= to) {
      const entries = await this.storage.entries(from, to, 50);
      if (entries.length === 0) throw new Error("entries() returned nothing");
      for (const { index, term, data } of entries) found.push(`${index}:${term}:${new TextDecoder().decode(data)}`);
      from += entries.length;
    }
    return found.join(" ");
  }

  async end(): Promise<void> {
    await this.#storage?.close();
  }
}

/** Makes consecutive commands of one term; the data are `text` and the index. */
export function run(first: number, count: number, term: number, prefix = ""): Entry[] {
  return Array.from({ length: count }, (_, i): Entry => ({
    index: first + i,
    term,
    type: "command",
    data: text.encode(`${prefix}${first + i}`),
  }));
}

export function membershipEntry(index: number, term: number): Entry {
  return { index, term, type: "membership", data: encodeMembership(membership) };
}

/** Describes the bytes written so far. */
export function metaOf(writer: SnapshotWriter, id: string, index: number, term = 1): SnapshotMeta {
  return { id, index, term, membership, size: writer.offset, checksum: writer.checksum };
}

export async function readAll(reader: SnapshotReader | null, piece = 3): Promise<string> {
  if (reader === null) throw new Error("there is no snapshot");
  const bytes = new Uint8Array(reader.meta.size);
  for (let at = 0; at < bytes.length;) {
    const part = await reader.read(at, piece);
    expect(part.length > 0, "a read before the end returns bytes");
    bytes.set(part, at);
    at += part.length;
  }
  expect((await reader.read(reader.meta.size, 10)).length === 0, "a read at the end returns nothing");
  return new TextDecoder().decode(bytes);
}

export function expect(condition: boolean, what: string): void {
  if (!condition) throw new Error(`check failed: ${what}`);
}

export function same(found: unknown, expected: unknown, what: string): void {
  const left = stable(found);
  const right = stable(expected);
  if (left !== right) throw new Error(`${what}: found ${left}, expected ${right}`);
}

/** Returns JSON with the fields in alphabetical order. */
function stable(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part !== "object" || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => a < b ? -1 : 1));
  });
}

export async function rejects(promise: Promise<unknown>, code: string, what: string): Promise<StorageError> {
  try {
    await promise;
  } catch (error) {
    if (!(error instanceof StorageError)) throw new Error(`${what}: not a StorageError`, { cause: error });
    same(error.code, code, what);
    return error;
  }
  throw new Error(`${what}: it did not reject`);
}

/** Checks over a bench whose place is empty, each under the rule that it checks. */
export type Checks = Readonly<Record<string, (bench: Bench) => Promise<void>>>;
