/**
 * A cluster of cores in one process: a simulated disk each, a network that
 * loses, repeats, delays and reorders, crashes that lose what is not on disk,
 * and writes that are slow or fail. Everything follows from one seed.
 *
 * @module
 */

import assert from "node:assert/strict";
import { isJoint, Raft } from "../../../lib/raft/mod.ts";
import { SeededRandom } from "../../../lib/raft/random.ts";
import type {
  Effects,
  InstallSnapshot,
  InstallSnapshotResponse,
  Message,
  NodeId,
  PersistBatch,
  SnapshotMeta,
} from "../../../lib/raft/types.ts";
import { bytes, config, Disk, ELECTION_TICKS, members, membership, membershipEntry } from "./harness.ts";
import { Invariants } from "./invariants.ts";

/** The faults of a run; all chances are per mille and step. */
export interface Faults {
  loss: number;
  duplicate: number;
  maxDelay: number;
  crash: number;
  partition: number;
  slowDisk: number;
  failedWrite: number;
  slowClock: number;
  pause: number;
}

export const NO_FAULTS: Faults = {
  loss: 0,
  duplicate: 0,
  maxDelay: 1,
  crash: 0,
  partition: 0,
  slowDisk: 0,
  failedWrite: 0,
  slowClock: 0,
  pause: 0,
};

/** The state of a state machine: the last index, and a digest of everything applied. */
interface Applied {
  readonly index: number;
  readonly digest: number;
}

interface Job {
  readonly at: number;
  readonly run: () => void;
}

interface Outgoing {
  readonly meta: SnapshotMeta;
  offset: number;
  since: number;
}

/** One process: a core, its disk, and the state of its driver. */
export class Process {
  readonly id: NodeId;
  readonly disk = new Disk();
  raft: Raft;
  up = true;
  applied: Applied = { index: 0, digest: 0 };
  /** The end of a pause, in which the process neither ticks nor receives. */
  pausedUntil = 0;
  /** Counts starts, so that a task from before a crash does nothing. */
  life = 0;
  inflight: { batch: PersistBatch; since: number } | null = null;
  readonly outgoing = new Map<NodeId, Outgoing>();
  staging: { id: string; offset: number } | null = null;
  takingSnapshot = false;
  /** The commit index of the cluster when each read began. */
  reads = new Map<number, number>();

  constructor(id: NodeId) {
    this.id = id;
    this.raft = new Raft(config(id), this.disk.restored());
  }
}

const SNAPSHOT_BYTES = 8;

export class Network {
  readonly processes = new Map<NodeId, Process>();
  readonly invariants: Invariants;
  readonly random: SeededRandom;
  faults: Faults;
  now = 0;
  /** Counts of the events that a good run must contain. */
  readonly counts: Record<string, number> = {};
  #jobs: Job[] = [];
  readonly #cut = new Set<string>();
  readonly #snapshots = new Map<string, Applied>();
  #nextId = 1;
  readonly #seed: number;

  constructor(seed: number, voters: number, spares: number, faults: Faults) {
    this.#seed = seed;
    this.random = new SeededRandom(seed);
    this.faults = faults;
    const ids = Array.from({ length: voters + spares }, (_, i) => `n${i + 1}`);
    const first = membership(ids.slice(0, voters));
    for (const id of ids) {
      const process = new Process(id);
      if (first.voters.includes(id)) {
        process.disk.hardState = { term: 1, votedFor: null };
        process.disk.entries = [membershipEntry(1, 1, first)];
      }
      this.processes.set(id, process);
    }
    this.invariants = new Invariants(() => this.processes.values(), ELECTION_TICKS);
    this.invariants.committed.push(1);
    for (const process of this.processes.values()) this.#start(process);
  }

  alive(): Process[] {
    return [...this.processes.values()].filter((process) => process.up);
  }

  get leaders(): Process[] {
    return this.alive().filter((process) => process.raft.role === "leader");
  }

  chance(perMille: number): boolean {
    return perMille > 0 && this.random.below(1000) < perMille;
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items[this.random.below(Math.max(1, items.length))];
  }

  count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  /** Advances the time by one step: clocks tick, and due tasks run. */
  step(): void {
    this.now++;
    this.invariants.now = this.now;
    if (this.faults.partition > 0 && this.chance(this.faults.partition)) this.#partition();
    for (const process of this.alive()) {
      if (this.chance(this.faults.pause)) process.pausedUntil = this.now + this.random.below(3 * ELECTION_TICKS);
      if (this.chance(this.faults.crash)) this.crash(process);
      else if (process.pausedUntil <= this.now && !this.chance(this.faults.slowClock)) {
        this.act(process, () => process.raft.tick());
      }
      this.#watchDisk(process);
    }
    for (const process of this.processes.values()) {
      if (!process.up && (this.faults.crash === 0 || this.chance(60))) this.#start(process);
    }
    const due = this.#jobs.filter((job) => job.at <= this.now);
    this.#jobs = this.#jobs.filter((job) => job.at > this.now);
    while (due.length > 0) due.splice(this.random.below(due.length), 1)[0]!.run();
  }

  run(steps: number): void {
    for (let i = 0; i < steps; i++) this.step();
  }

  /** Gives a core an input, carries out its effects, and checks everything. */
  act(process: Process, input: () => void): void {
    if (!process.up) return;
    const { raft } = process;
    const membershipBefore = { index: raft.membershipIndex, membership: raft.membership };
    input();
    // Before a retiring leader steps down.
    this.invariants.check(process);
    this.#carryOut(process, raft.takeEffects(), membershipBefore);
    if (!process.up || process.raft !== raft) return;
    this.#write(process);
    this.#apply(process);
    this.invariants.check(process);
  }

  crash(process: Process): void {
    this.count("crash");
    // The write may have reached the disk although the process did not learn of it.
    if (process.inflight !== null && this.random.below(2) === 0) this.#toDisk(process, process.inflight.batch);
    process.up = false;
    process.life++;
    process.inflight = null;
    process.outgoing.clear();
    process.staging = null;
    process.takingSnapshot = false;
    process.reads.clear();
  }

  heal(): void {
    this.#cut.clear();
  }

  #start(process: Process): void {
    process.life++;
    process.up = true;
    const seed = this.#seed * 31 + this.random.below(1 << 30);
    const limits = { maxBatchBytes: 120, maxInflightMessages: 3, maxInflightBytes: 400, maxCachedBytes: 200 };
    const restored = process.disk.restored();
    process.raft = new Raft(config(process.id, { seed, maxUncommittedBytes: 2000, ...limits }), restored);
    process.applied = restored.snapshot === null ? { index: 0, digest: 0 } : this.#snapshots.get(restored.snapshot.id)!;
    process.raft.applied(process.applied.index);
    this.invariants.check(process);
  }

  #partition(): void {
    this.#cut.clear();
    if (this.random.below(3) === 0) return;
    this.count("partition");
    const side = new Set([...this.processes.keys()].filter(() => this.random.below(2) === 0));
    const oneWay = this.random.below(4) === 0;
    for (const a of side) {
      for (const b of this.processes.keys()) {
        if (side.has(b)) continue;
        this.#cut.add(`${a} ${b}`);
        if (!oneWay) this.#cut.add(`${b} ${a}`);
      }
    }
  }

  #later(process: Process, delay: number, run: () => void): void {
    const { life } = process;
    this.#at(process, this.now + delay, () => process.up && process.life === life && run());
  }

  #at(process: Process, at: number, run: () => void): void {
    const runOrWait = () => {
      if (process.pausedUntil > this.now) this.#jobs.push({ at: process.pausedUntil, run: runOrWait });
      else run();
    };
    this.#jobs.push({ at, run: runOrWait });
  }

  #send(from: Process, to: NodeId, message: Message): void {
    this.invariants.leaves(from, { to, message });
    const receiver = this.processes.get(to);
    if (receiver === undefined || this.#cut.has(`${from.id} ${to}`) || this.chance(this.faults.loss)) return;
    const copies = this.chance(this.faults.duplicate) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      // A few messages are very late.
      const late = this.faults.duplicate > 0 && this.random.below(40) === 0 ? this.random.below(120) : 0;
      const at = this.now + 1 + this.random.below(this.faults.maxDelay) + late;
      this.#at(receiver, at, () =>
        this.act(receiver, () => {
          const refusal = receiver.raft.step(from.id, message);
          if (refusal !== null) throw new Error(`${receiver.id} refused ${from.id}: ${refusal.reason}`);
        }));
    }
  }

  #carryOut(process: Process, effects: Effects, before: { index: number; membership: Raft["membership"] }): void {
    const { id, raft } = process;
    for (const event of effects.events) {
      this.count(event.type);
      this.invariants.event(process, event);
      if (event.type !== "membershipChanged" || event.reason !== "appended") continue;
      if (raft.role === "leader" && raft.termAt(event.index) === raft.term) {
        this.invariants.membershipAppended(id, event.index, before);
        this.count(isJoint(event.membership) ? "joint" : "plain");
      }
    }
    if (effects.roundStarted > 0) this.invariants.roundStarted(process, effects.roundStarted);
    for (const { to, message } of effects.messages) this.#send(process, to, message);
    for (const read of effects.reads) {
      assert.ok(read.index >= process.reads.get(read.id)!, `${id} confirmed a stale read`);
      this.count("read");
      process.reads.delete(read.id);
    }
    for (const read of effects.rejectedReads) {
      assert.ok(process.reads.delete(read), "only pending reads are rejected");
      this.count("rejectedRead");
    }
    for (const read of effects.entryReads) {
      this.#later(process, this.random.below(3), () => {
        const last = Math.min(read.to, read.from + this.random.below(4));
        const found = process.disk.entries.filter(({ index }) => index >= read.from && index <= last);
        const entries = found[0]?.index === read.from ? found : [];
        this.act(process, () => raft.entriesRead(read, entries));
      });
    }
    for (const peer of effects.snapshotSends) {
      process.outgoing.set(peer, { meta: process.disk.snapshot!, offset: 0, since: this.now });
      this.#sendChunk(process, peer);
    }
    for (const { from, message } of effects.snapshotResponses) this.#snapshotAnswered(process, from, message);
    for (const { from, message } of effects.snapshotChunks) this.#storeChunk(process, from, message);
  }

  #sendChunk(process: Process, peer: NodeId): void {
    const transfer = process.outgoing.get(peer);
    if (transfer === undefined) return;
    const data = new Uint8Array(SNAPSHOT_BYTES / 2);
    const message = process.raft.snapshotMessage(peer, transfer.meta, transfer.offset, data);
    if (message === null) process.outgoing.delete(peer);
    else this.#send(process, peer, message);
  }

  #snapshotAnswered(process: Process, from: NodeId, message: InstallSnapshotResponse): void {
    const transfer = process.outgoing.get(from);
    if (transfer === undefined || transfer.meta.id !== message.snapshotId) return;
    if (message.status === "installed") process.outgoing.delete(from);
    else {
      transfer.offset = message.status === "failed" ? 0 : message.offset;
      transfer.since = this.now;
      this.#sendChunk(process, from);
    }
  }

  #storeChunk(process: Process, from: NodeId, message: InstallSnapshot): void {
    const { snapshot, offset, round } = message;
    if (process.staging?.id !== snapshot.id) process.staging = { id: snapshot.id, offset: 0 };
    const staging = process.staging;
    if (offset === staging.offset) staging.offset += message.data.length;
    const got = staging.offset;
    // The bytes go to disk first, and the cluster continues meanwhile.
    this.#later(
      process,
      1 + this.random.below(this.chance(this.faults.slowDisk) ? 60 : 3),
      () =>
        this.act(process, () => {
          if (got < SNAPSHOT_BYTES) process.raft.snapshotProgress(from, snapshot.id, got, "accepted", round);
          else if (process.raft.installSnapshot(from, snapshot, round)) this.count("install");
        }),
    );
  }

  /** A write that hangs deposes a leader (rule 9), and a transfer that hangs is given up. */
  #watchDisk(process: Process): void {
    const { inflight, raft } = process;
    if (inflight !== null && this.now - inflight.since > ELECTION_TICKS && raft.role === "leader") {
      this.count("stepDown");
      this.act(process, () => raft.stepDown("a write does not return"));
    }
    for (const [peer, transfer] of process.outgoing) {
      if (this.now - transfer.since === 8) this.#sendChunk(process, peer);
      if (this.now - transfer.since < 20) continue;
      process.outgoing.delete(peer);
      this.act(process, () => raft.snapshotFailed(peer));
    }
  }

  #write(process: Process): void {
    if (process.inflight !== null) return;
    const batch = process.raft.takePersist();
    if (batch === null) return;
    process.inflight = { batch, since: this.now };
    const delay = this.chance(this.faults.slowDisk) ? this.random.below(4 * ELECTION_TICKS) : this.random.below(2);
    this.#later(process, delay, () => {
      process.inflight = null;
      if (this.chance(this.faults.failedWrite)) return this.#writeFailed(process, batch);
      this.#toDisk(process, batch);
      this.act(process, () => process.raft.persisted(batch));
    });
  }

  #writeFailed(process: Process, batch: PersistBatch): void {
    const { raft } = process;
    const goesOn = raft.persistFailed(batch);
    this.count(goesOn ? "failedWrite" : "stopped");
    if (!goesOn) return this.crash(process);
    assert.equal(raft.role === "leader", false, "a leader that can't write steps down");
    this.invariants.check(process, true);
    this.act(process, () => {});
  }

  #toDisk(process: Process, batch: PersistBatch): void {
    process.disk.write(batch);
  }

  #apply(process: Process): void {
    const { raft, disk } = process;
    const { snapshot } = disk;
    if (snapshot !== null && raft.snapshot?.id === snapshot.id && snapshot.index > process.applied.index) {
      process.applied = this.#snapshots.get(snapshot.id)!;
      raft.applied(snapshot.index);
    }
    let { index, digest } = process.applied;
    while (index < raft.applicableIndex) {
      const entry = disk.entry(++index);
      assert.ok(entry !== undefined, `${process.id} may apply entry ${index}, which is not on its disk`);
      this.invariants.applied(process.id, entry);
      digest = entry.data.reduce((sum, byte) => (Math.imul(sum, 31) + byte + entry.term) | 0, digest + index);
    }
    process.applied = { index, digest };
    raft.applied(index);
    if (process.takingSnapshot || (raft.snapshot?.index ?? 0) > index) return;
    if (index - (disk.snapshot?.index ?? 0) >= 12) this.#takeSnapshot(process);
  }

  #takeSnapshot(process: Process): void {
    const { raft, applied } = process;
    const meta: SnapshotMeta = {
      id: `${process.id}-${this.#nextId++}`,
      index: applied.index,
      term: raft.termAt(applied.index)!,
      membership: raft.membershipAt(applied.index),
      size: SNAPSHOT_BYTES,
      checksum: 0,
    };
    this.#snapshots.set(meta.id, applied);
    process.takingSnapshot = true;
    this.#later(process, 1 + this.random.below(10), () => {
      process.takingSnapshot = false;
      const newest = Math.max(process.disk.snapshot?.index ?? 0, raft.snapshot?.index ?? 0);
      if (meta.index <= newest || process.inflight?.batch.snapshot) return;
      this.count("snapshot");
      this.act(process, () => {
        process.disk.saveSnapshot(meta);
        raft.snapshotTaken(meta);
        const upTo = meta.index - this.random.below(6);
        raft.compact(upTo);
        process.disk.compact(Math.max(process.disk.base, Math.min(upTo, meta.index)));
      });
    });
  }

  // Requests of clients

  propose(process: Process): void {
    this.act(process, () => {
      const commands = Array.from({ length: 1 + this.random.below(3) }, () => bytes(`c${this.#nextId++}`));
      if (process.raft.propose(commands).ok) this.count("propose");
    });
  }

  read(process: Process): void {
    this.act(process, () => {
      const id = this.#nextId++;
      if (process.raft.readIndex(id) === null) process.reads.set(id, this.invariants.commitIndex);
    });
  }

  transfer(process: Process): void {
    this.act(process, () => {
      process.raft.transferLeadership(this.random.below(2) === 0 ? null : this.pick([...this.processes.keys()])!);
    });
  }

  /** Requests a random membership of at least one voter. */
  changeMembership(process: Process): void {
    const roles = [...this.processes.keys()].map((id) => ({ id, role: this.random.below(4) }));
    const voters = roles.filter(({ role }) => role >= 2).map(({ id }) => id);
    const learners = roles.filter(({ role }) => role === 1).map(({ id }) => id);
    if (voters.length === 0) return;
    this.act(process, () => {
      const wanted = { voters: members(...voters), learners: members(...learners) };
      if (process.raft.changeMembership(wanted).ok) this.count("change");
    });
  }

  /** Requests one voter more or less. */
  changeOne(process: Process): void {
    const { voters } = process.raft.membership;
    const id = this.pick([...this.processes.keys()])!;
    const wanted = voters.includes(id) ? voters.filter((voter) => voter !== id) : [...voters, id];
    if (wanted.length === 0) return;
    this.act(process, () => {
      const result = process.raft.changeMembership({ voters: members(...wanted), learners: [] });
      if (result.ok) this.count("change");
    });
  }
}
