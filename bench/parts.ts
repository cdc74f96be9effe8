/**
 * Measurements of each part by itself, in one thread.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startMemoryCluster } from "../examples/memory_cluster.ts";
import { KeyValueClient } from "../lib/kv/client.ts";
import { encodePut } from "../lib/kv/commands.ts";
import { KeyValue } from "../lib/kv/key_value.ts";
import { encodeMembership, membershipOf, Raft } from "../lib/raft/mod.ts";
import type { Entry, PersistBatch } from "../lib/raft/types.ts";
import { encodePlain, encodeRegister, encodeSessionCommand } from "../lib/sessions/session_codec.ts";
import { Sessions } from "../lib/sessions/sessions.ts";
import type { StateMachine } from "../lib/state_machine.ts";
import type { Envelope } from "../lib/transport.ts";
import { PROTOCOL_VERSION } from "../lib/transport.ts";
import { createFileStorage } from "../storage/file/mod.ts";
import { decodeEnvelope, encodeEnvelope } from "../transport/wire/codec.ts";
import { load } from "./load.ts";
import type { Row } from "./table.ts";
import { number, rate } from "./table.ts";

const KEYS = Array.from({ length: 1000 }, (_, n) => new TextEncoder().encode(`key-${n}`));
const VALUE = new Uint8Array(100).fill(7);
const PUTS = KEYS.map((key) => encodePut(key, VALUE));
const MIB = 1024 * 1024;

function microseconds(perSecond: number): string {
  return `${number(1e6 / perSecond)} µs each`;
}

/** Measures a leader without peers: the cost of the protocol itself. */
export async function core(ms: number): Promise<Row> {
  const membership = membershipOf({ voters: [{ id: "n1", address: "", incarnation: "" }], learners: [] });
  const limits = { maxBatchBytes: MIB, maxInflightMessages: 128, maxInflightBytes: 8 * MIB };
  const raft = new Raft({
    id: "n1",
    incarnation: "",
    electionTicks: 10,
    heartbeatTicks: 1,
    seed: 1,
    ...limits,
    maxUncommittedBytes: 64 * MIB,
    maxCachedBytes: 32 * MIB,
  }, {
    hardState: { term: 1, votedFor: null },
    snapshot: null,
    lastIndex: 1,
    termStarts: [{ term: 1, index: 1 }],
    memberships: [{ index: 1, term: 1, type: "membership", data: encodeMembership(membership) }],
  });
  const persistAll = (): void => {
    for (let batch = raft.takePersist(); batch !== null; batch = raft.takePersist()) raft.persisted(batch);
    raft.takeEffects();
    raft.applied(raft.applicableIndex);
  };
  while (raft.role !== "leader") {
    raft.tick();
    persistAll();
  }
  const batch = PUTS.slice(0, 100);
  const perSecond = await rate(ms, 100, () => {
    if (!raft.propose(batch).ok) throw new Error("the leader refuses");
    persistAll();
  });
  return { name: "core: proposals, batches of 100", figure: `${number(perSecond)} /s`, note: microseconds(perSecond) };
}

/** Measures durable writes to the log of a file storage, with `count` entries each. */
export async function writeAheadLog(ms: number, count: number): Promise<Row> {
  const folder = await mkdtemp(join(tmpdir(), "raft-core-bench-"));
  try {
    const storage = createFileStorage(join(folder, "data"));
    await storage.load();
    await storage.initialize({ nodeId: "n1", incarnation: "bench", clusterId: "" });
    let index = 0;
    let sequence = 0;
    const perSecond = await rate(ms, 1, async () => {
      const entries = Array.from({ length: count }, (): Entry => {
        index++;
        return { index, term: 1, type: "command", data: PUTS[index % PUTS.length]! };
      });
      const first = sequence === 0;
      const batch: PersistBatch = {
        sequence: ++sequence,
        hardState: first ? { term: 1, votedFor: null } : null,
        snapshot: null,
        entries,
      };
      await storage.persist(batch);
    });
    await storage.close();
    const note = count === 1 ? microseconds(perSecond) : `${number(perSecond * count)} entries/s, by group commit`;
    return { name: `log: durable writes of ${count}`, figure: `${number(perSecond)} /s`, note };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Measures encoding and decoding of AppendEntries. */
export async function codec(ms: number, count: number): Promise<Row> {
  const entries = Array.from({ length: count }, (_, n): Entry => {
    return { index: 1000 + n, term: 7, type: "command", data: PUTS[n % PUTS.length]! };
  });
  const envelope: Envelope = {
    protocolVersion: PROTOCOL_VERSION,
    clusterId: "a-cluster",
    from: "n1",
    fromIncarnation: "one",
    fromAddress: "http://127.0.0.1:7001",
    to: "n2",
    toIncarnation: "two",
    message: {
      type: "AppendEntries",
      term: 7,
      prevLogIndex: 999,
      prevLogTerm: 7,
      entries,
      leaderCommit: 990,
      round: 3,
    },
  };
  const perSecond = await rate(ms, 10, () => {
    for (let n = 0; n < 10; n++) decodeEnvelope(encodeEnvelope(envelope));
  });
  const name = `codec: messages of ${count} ${count === 1 ? "entry" : "entries"}, there and back`;
  return { name, figure: `${number(perSecond)} /s`, note: microseconds(perSecond) };
}

async function applied(name: string, machine: StateMachine, ms: number, make: (n: number) => Uint8Array): Promise<Row> {
  let index = 1;
  const perSecond = await rate(ms, 1000, async () => {
    for (let n = 0; n < 1000; n++) {
      const given = machine.apply({ index: ++index, term: 1, data: make(index) });
      if (given instanceof Promise) await given;
    }
  });
  return { name, figure: `${number(perSecond)} /s`, note: microseconds(perSecond) };
}

/** Measures puts into the key-value state machine. */
export async function keyValue(ms: number): Promise<Row> {
  return await applied("key-value: puts applied", new KeyValue(), ms, (n) => PUTS[n % PUTS.length]!);
}

/** Measures the same through sessions, each exactly once. */
export async function sessions(ms: number): Promise<Row[]> {
  const plain = PUTS.map((put) => encodePlain(put));
  const machine = new Sessions(new KeyValue());
  await machine.apply({ index: 1, term: 1, data: encodeRegister() });
  const numbered = (n: number): Uint8Array =>
    encodeSessionCommand({
      session: 1,
      sequence: n,
      lowestOutstanding: Math.max(1, n - 100),
      command: PUTS[n % PUTS.length]!,
    });
  return [
    await applied("sessions: the same without one", new Sessions(new KeyValue()), ms, (n) => plain[n % plain.length]!),
    await applied("sessions: the same exactly once", machine, ms, numbered),
  ];
}

/** Measures three real nodes and a client in one process, over memory: everything except disk and network. */
export async function memoryCluster(seconds: number): Promise<Row> {
  await using cluster = await startMemoryCluster(["n1", "n2", "n3"]);
  const kv = new KeyValueClient(cluster.client);
  const { perSecond, medianMs } = await load(256, seconds, Infinity, (n) => kv.put(KEYS[n % KEYS.length]!, VALUE));
  return {
    name: "three nodes in one process: writes, 256 writers",
    figure: `${number(perSecond)} /s`,
    note: `median ${number(medianMs)} ms`,
  };
}
