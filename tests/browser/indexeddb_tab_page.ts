/// <reference lib="dom" />
/** The page of the tests of a storage in a tab. */

import { StorageError } from "../../lib/errors.ts";
import type { SnapshotMeta } from "../../lib/raft/types.ts";
import { membership, run } from "../../storage/conformance_bench.ts";
import type { IndexedDbStorage } from "../../storage/indexeddb/mod.ts";
import { lost, openNew, persist, reopen } from "./indexeddb_support.ts";

let storage: IndexedDbStorage;
let last = 0;
const { errors, onLost } = lost();

/** Returns the failure of a write; empty if it succeeds. */
async function outcome(write: Promise<void>): Promise<string> {
  try {
    await write;
    return "";
  } catch (error) {
    if (!(error instanceof StorageError)) return `not a StorageError: ${error}`;
    return `${error.code}, ${error.disk}, ${error.outcome}: ${error.message} ${error.hint}`;
  }
}

async function writeEntry(size: number): Promise<string> {
  // Random, so that it can't be compressed.
  const data = new Uint8Array(size);
  for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(data.subarray(at, at + 65_536));
  const entry = { index: last + 1, term: 1, type: "command", data } as const;
  const failed = await outcome(persist(storage, { entries: [entry] }));
  if (failed === "") last++;
  return failed;
}

async function writeSnapshot(size: number): Promise<string> {
  const writer = await storage.createSnapshot();
  const write = async (): Promise<void> => {
    for (let at = 0; at < size; at += 65_536) await writer.write(crypto.getRandomValues(new Uint8Array(65_536)));
    const meta: SnapshotMeta = {
      id: "s",
      index: 2,
      term: 1,
      membership,
      size: writer.offset,
      checksum: writer.checksum,
    };
    await writer.stage(meta);
    await persist(storage, { snapshot: meta });
  };
  const failed = await outcome(write());
  await writer.abort();
  return failed;
}

Object.assign(globalThis, {
  errors,
  writeEntry,
  written: () => last,
  async writeUntilRefused(size: number): Promise<string> {
    for (;;) {
      const failed = await writeEntry(size);
      if (failed !== "") return failed;
    }
  },
  writeSnapshot,
  async begin(lockWaitMs = 0): Promise<void> {
    storage = await openNew("tab", { onLost, lockWaitMs });
    await persist(storage, { hardState: { term: 1, votedFor: "n1" }, entries: run(1, 3, 1) });
    last = 3;
  },
  /** Opens it again, and reads everything. */
  async restart(): Promise<string> {
    await storage.close();
    storage = reopen("tab");
    const { hardState, lastIndex } = await storage.load();
    const { length } = await storage.entries(1, lastIndex, Infinity);
    return lastIndex === last && length === last ? `${hardState.term} ${hardState.votedFor}` : `${length} of ${last}`;
  },
});
