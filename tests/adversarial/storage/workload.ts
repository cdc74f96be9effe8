/** A script that uses every kind of write of the file storage, with the expected state after each step. */

import { encodeMembership, membershipOf } from "../../../lib/raft/membership.ts";
import type { Entry, HardState, SnapshotMeta } from "../../../lib/raft/types.ts";
import type { LoadedState, Storage } from "../../../lib/storage.ts";

/** The state that a restart must find; `log` has the entries after the snapshot. */
export interface Expected {
  readonly identity: string;
  readonly hardState: HardState;
  readonly snapshot: string;
  readonly log: readonly string[];
}

/** The durable state, and the state after the call under way. */
export interface Progress {
  acknowledged: Expected;
  inFlight: Expected;
  /** True once all steps were done. */
  finished: boolean;
}

export const nothing: Expected = {
  identity: "",
  hardState: { term: 0, votedFor: null },
  snapshot: "",
  log: [],
};

export const membership = membershipOf({ voters: [{ id: "n1", address: "a", incarnation: "i" }] });

export function entry(index: number, term: number, size: number): Entry {
  return { index, term, type: "command", data: new Uint8Array(size).fill((index * 31 + term) & 0xff) };
}

/** Returns the first entry of every log. */
export function firstEntry(term: number): Entry {
  return { index: 1, term, type: "membership", data: encodeMembership(membership) };
}

export function describeEntry({ index, term, data }: Entry): string {
  return `${index}:${term}:${data.length}:${data[0] ?? ""}`;
}

/** One step: its operation, and the expected state after it. */
type Step = (expected: Expected) => { readonly next: Expected; readonly act: (storage: Storage) => Promise<void> };

let sequence = 0;

function initialize(clusterId: string): Step {
  return (expected) => ({
    next: { ...expected, identity: `n1/i/${clusterId}` },
    act: (storage) => storage.initialize({ nodeId: "n1", incarnation: "i", clusterId }),
  });
}

function persist(entries: readonly Entry[], hardState: HardState | null = null): Step {
  return (expected) => ({
    next: {
      ...expected,
      hardState: hardState ?? expected.hardState,
      log: overwrite(expected.log, entries),
    },
    act: (storage) => storage.persist({ sequence: ++sequence, hardState, snapshot: null, entries }),
  });
}

function overwrite(log: readonly string[], entries: readonly Entry[]): readonly string[] {
  const first = entries[0]?.index ?? Infinity;
  return [...log.filter((each) => Number.parseInt(each) < first), ...entries.map(describeEntry)];
}

function snapshot(index: number, term: number, size: number, entries: readonly Entry[] = []): Step {
  return (expected) => {
    const keeps = expected.log.some((each) => each.startsWith(`${index}:${term}:`));
    const log = keeps ? expected.log.filter((each) => Number.parseInt(each) > index) : [];
    return {
      next: { ...expected, snapshot: `${index}:${term}:${size}`, log: overwrite(log, entries) },
      act: async (storage) => {
        const writer = await storage.createSnapshot();
        const bytes = new Uint8Array(size).fill(index);
        await writer.write(bytes.subarray(0, 100));
        await writer.write(bytes.subarray(100));
        const meta: SnapshotMeta = {
          id: `s${index}`,
          index,
          term,
          membership,
          size: writer.offset,
          checksum: writer.checksum,
        };
        await writer.stage(meta);
        await storage.persist({ sequence: ++sequence, hardState: null, snapshot: meta, entries });
      },
    };
  };
}

function compact(index: number): Step {
  return (expected) => ({ next: expected, act: (storage) => storage.compact(index) });
}

function abandonSnapshot(): Step {
  return (expected) => ({
    next: expected,
    act: async (storage) => {
      const writer = await storage.createSnapshot();
      await writer.write(new Uint8Array(700));
      await writer.abort();
    },
  });
}

/** The steps. With segments of about 1,500 bytes the log begins several files. */
export const script: readonly Step[] = [
  initialize(""),
  persist([firstEntry(1)], { term: 1, votedFor: null }),
  initialize("c"),
  persist([entry(2, 1, 600), entry(3, 1, 700), entry(4, 1, 0)]),
  persist([], { term: 2, votedFor: "n1" }),
  persist([entry(5, 2, 1200)]),
  persist([entry(4, 2, 90), entry(5, 2, 90), entry(6, 2, 90)]),
  persist([entry(5, 3, 20)], { term: 3, votedFor: "n2" }),
  snapshot(3, 1, 900),
  compact(3),
  persist([entry(6, 3, 400), entry(7, 3, 400)]),
  persist([entry(8, 3, 800)]),
  abandonSnapshot(),
  snapshot(7, 3, 300),
  compact(6),
  persist([entry(9, 3, 900), entry(10, 3, 900)]),
  persist([], { term: 4, votedFor: null }),
  snapshot(20, 4, 1500, [entry(21, 4, 50), entry(22, 4, 50)]),
  persist([entry(23, 4, 10)]),
  compact(20),
  persist([entry(21, 5, 1600)], { term: 5, votedFor: "n1" }),
  persist([entry(22, 5, 10)]),
];

/** Returns every state that the script passes through. */
export function history(): readonly Expected[] {
  const states = [nothing];
  for (const step of script) states.push(step(states.at(-1)!).next);
  return states;
}

/** Runs the script. It never resolves if the disk stops answering; `progress` is valid then. */
export async function play(storage: Storage, progress: Progress): Promise<void> {
  await storage.load();
  for (const step of script) {
    const { next, act } = step(progress.acknowledged);
    progress.inFlight = next;
    await act(storage);
    progress.acknowledged = next;
  }
  progress.finished = true;
  await storage.close();
}

/** Returns the state of a loaded storage, in the script's form. */
export async function observe(storage: Storage, state: LoadedState): Promise<Expected> {
  const { identity, hardState, lastIndex } = state;
  const log: string[] = [];
  for (let index = (state.snapshot?.index ?? 0) + 1; index <= lastIndex;) {
    const entries = await storage.entries(index, lastIndex, 500);
    for (const { index, term, type, data } of entries) {
      const isFilled = type !== "command" || data.every((byte) => byte === ((index * 31 + term) & 0xff));
      if (!isFilled) throw new Error(`entry ${index} has other bytes`);
    }
    log.push(...entries.map(describeEntry));
    index += entries.length;
  }
  return {
    identity: identity === null ? "" : `${identity.nodeId}/${identity.incarnation}/${identity.clusterId}`,
    hardState,
    snapshot: await observeSnapshot(storage, state.snapshot),
    log,
  };
}

async function observeSnapshot(storage: Storage, meta: SnapshotMeta | null): Promise<string> {
  const reader = await storage.openSnapshot();
  if (reader === null || meta === null) {
    if (reader !== null || meta !== null) throw new Error("meta and snapshot don't agree");
    return "";
  }
  const bytes = await reader.read(0, reader.meta.size + 1);
  await reader.close();
  if (bytes.length !== meta.size || bytes.some((byte) => byte !== meta.index)) throw new Error("a wrong snapshot");
  return `${meta.index}:${meta.term}:${bytes.length}`;
}
