/**
 * A random run of a cluster with all kinds of faults: loss, crashes, partitions,
 * pauses, failing and hanging disks, membership changes, transfers. One seed gives
 * one run.
 *
 * These rules are checked: every request ends; acknowledged commands are applied
 * once, rejected ones never, all others at most once; a linearizable read sees
 * everything acknowledged or read before it began; the cluster makes progress once
 * the faults stop.
 *
 * @module
 */

import assert from "node:assert/strict";
import { RaftError } from "../../lib/errors.ts";
import type { Consistency } from "../../lib/node/types.ts";
import type { Member, NodeId } from "../../lib/raft/types.ts";
import { Cluster } from "./cluster.ts";
import type { TestNode } from "./cluster.ts";
import { bytes, text } from "./journal.ts";

/** Options of {@linkcode RoughLife}. */
export interface RoughLifeOptions {
  readonly seed: number;
  /** @default 80 */
  readonly rounds?: number;
}

/** One random run. */
export class RoughLife {
  readonly cluster: Cluster;
  readonly #rounds: number;
  /** The probability of a fault in each round. */
  readonly #roughness: number;
  readonly #random: () => number;
  readonly #done: string[] = [];
  readonly #rejected: string[] = [];
  readonly #incarnations = new Map<NodeId, string>();
  readonly #paused = new Set<NodeId>();
  readonly #hung = new Set<NodeId>();
  readonly #problems: string[] = [];
  /** The largest number of applied commands in any answer so far. */
  #known = 0;
  #commands = 0;
  #open = 0;
  /** The number of events of each kind, so that a test can check that it is not idle. */
  readonly counts: Record<string, number> = {};

  private constructor(cluster: Cluster, { seed, rounds = 80 }: RoughLifeOptions) {
    this.cluster = cluster;
    this.#rounds = rounds;
    this.#roughness = [0.15, 0.3, 0.5][seed % 3]!;
    this.#random = cluster.time.random;
    for (const id of cluster.nodes.keys()) this.#incarnations.set(id, `inc-${id}`);
  }

  /** Runs one seed to its end. */
  static async live(options: RoughLifeOptions): Promise<RoughLife> {
    const { seed } = options;
    const cluster = await Cluster.start({
      seed,
      ...seed % 3 === 0 ? { applyMs: 3 } : {},
      voters: seed % 2 === 0 ? 3 : 5,
      persistMs: seed % 5 === 0 ? 20 : 1,
      node: {
        snapshotEntries: 40,
        trailingEntries: seed % 4 === 0 ? 0 : 10,
        maxCachedBytes: 200,
        maxBatchBytes: 100,
        snapshotChunkBytes: 200,
        leaseReads: true,
        storageStallTimeoutMs: 4_000,
      },
      network: {
        loss: 0.05,
        duplication: 0.05,
        reordering: 0.1,
        lateByMs: seed % 7 === 0 ? 3_000 : 100,
        maxDelayMs: 20,
      },
    });
    const life = new RoughLife(cluster, options);
    await life.#live();
    return life;
  }

  async #live(): Promise<void> {
    for (let round = 0; round < this.#rounds; round++) {
      this.#propose(5);
      this.#read(2);
      if (this.#random() < this.#roughness) await this.#misfortune();
      await this.cluster.pass(this.#random() * 400);
      this.#requireNoProblem();
    }
    await this.#recover();
    await this.#account();
    await this.cluster.end();
  }

  // Requests of clients

  #target(): TestNode | undefined {
    const { running } = this.cluster;
    const leaders = running.filter(({ node }) => node.isLeader);
    return this.#pick(leaders.length > 0 ? leaders : running);
  }

  #propose(count: number): void {
    for (let i = 0; i < count; i++) {
      const target = this.#target();
      if (target === undefined) return;
      const command = `c${this.#commands++}`;
      const before = this.#known;
      this.#begin(
        target.node.propose(bytes(command), { signal: this.#signal(target) }).then(({ result }) => {
          const at = Number(text(result));
          if (at <= before) this.#problems.push(`${command} is number ${at}, and ${before} were known before`);
          this.#known = Math.max(this.#known, at);
          this.#done.push(command);
          this.#count("done");
        }, (error) => {
          this.#note(error);
          if (error.outcome === "rejected") this.#rejected.push(command);
          this.#count(error.outcome);
        }),
      );
    }
  }

  #read(count: number): void {
    for (let i = 0; i < count; i++) {
      const target = this.#target();
      if (target === undefined) return;
      const consistency: Consistency = this.#random() < 0.5 ? "linearizable" : "lease";
      const before = this.#known;
      this.#begin(
        target.node.read(bytes("all"), { consistency, signal: target.power.signal }).then(({ result }) => {
          const all = text(result);
          const seen = all === "" ? 0 : all.split("\n").length;
          if (seen < before) this.#problems.push(`a ${consistency} read saw ${seen} of ${before} at ${target.id}`);
          this.#known = Math.max(this.#known, seen);
          this.#count("read");
        }, (error) => this.#note(error)),
      );
    }
  }

  /** Returns the signal of a request; some clients give up by themselves. */
  #signal(target: TestNode): AbortSignal {
    if (this.#random() > 0.1) return target.power.signal;
    const impatience = new AbortController();
    target.power.signal.addEventListener("abort", () => impatience.abort());
    this.cluster.time.host().clock.setTimer(this.#random() * 200, () => impatience.abort());
    return impatience.signal;
  }

  #begin(request: Promise<void>): void {
    this.#open++;
    request.finally(() => this.#open--);
  }

  #note(error: unknown): asserts error is RaftError {
    if (!(error instanceof RaftError) || error.code === "internal") this.#problems.push(String(error));
  }

  // Faults

  async #misfortune(): Promise<void> {
    const victim = this.#pick([...this.cluster.nodes.values()])!;
    const { id } = victim;
    const up = victim.up && victim.node.lifecycle === "running";
    const kinds: Record<string, (() => Promise<void> | void) | null> = {
      crash: up && this.#down().length < 2 ? () => this.#crash(id) : null,
      restart: !up ? () => this.#restart(id) : null,
      restartAgain: !up ? () => this.#restart(id) : null,
      isolate: () => this.cluster.network.isolate(id),
      block: () => this.cluster.network.block(id, this.#pick([...this.cluster.nodes.keys()])!),
      heal: () => this.cluster.network.heal(),
      healAgain: () => this.cluster.network.heal(),
      fail: up ? () => victim.storage.failNextPersist("unchanged") : null,
      failLeader: () => this.cluster.leaderNow?.storage.failNextPersist("unchanged"),
      doubt: up && this.#random() < 0.5 ? () => victim.storage.failNextPersist("in_doubt", this.#random() < 0.5) : null,
      hang: up ? () => this.#hang(victim) : null,
      hangLeader: () => {
        const leader = this.cluster.leaderNow;
        if (leader !== undefined) this.#hang(leader);
      },
      resume: () => this.#resume(),
      resumeAgain: () => this.#resume(),
      pause: up ? () => this.#pause(victim) : null,
      pauseLeader: () => {
        const leader = this.cluster.leaderNow;
        if (leader !== undefined) this.#pause(leader);
      },
      clock: () => victim.host.shiftWallMs((this.#random() - 0.5) * 20_000),
      freeze: () => this.cluster.time.freeze(this.#random() * 3_000),
      transfer: () => this.#admin((leader) => leader.node.transferLeadership({ signal: leader.power.signal })),
      transferTo: () =>
        this.#admin((leader) => leader.node.transferLeadership({ to: id, signal: leader.power.signal })),
      change: () => this.#change(),
      changeAgain: () => this.#change(),
      add: this.cluster.nodes.size < 6 ? () => this.#add() : null,
      replace: up ? () => this.#replace(id) : null,
      snapshot: up
        ? () => this.#begin(victim.node.takeSnapshot({ signal: victim.power.signal }).then(() => {}, () => {}))
        : null,
    };
    const possible = Object.entries(kinds).filter(([, act]) => act !== null);
    const [name, act] = this.#pick(possible)!;
    this.#count(name);
    await act!();
  }

  #down(): TestNode[] {
    return [...this.cluster.nodes.values()].filter(({ up, node }) => !up || node.lifecycle !== "running");
  }

  async #crash(id: NodeId): Promise<void> {
    this.#hung.delete(id);
    this.#paused.delete(id);
    await this.cluster.crash(id);
  }

  async #restart(id: NodeId): Promise<void> {
    if (this.cluster.get(id).up) await this.#crash(id);
    await this.cluster.restart(id);
  }

  #hang({ id, storage }: TestNode): void {
    this.#hung.add(id);
    storage.hang();
  }

  #pause({ id, host }: TestNode): void {
    this.#paused.add(id);
    host.pause();
  }

  #resume(): void {
    for (const id of this.#hung) this.cluster.get(id).storage.resume();
    for (const id of this.#paused) this.cluster.get(id).host.resume();
    this.#hung.clear();
    this.#paused.clear();
  }

  #admin(act: (leader: TestNode) => Promise<unknown>): void {
    const leader = this.cluster.leaderNow;
    if (leader === undefined) return;
    this.#begin(act(leader).then(() => this.#count("administered"), (error) => this.#note(error)));
  }

  #member(id: NodeId): Member {
    return { id, address: id, incarnation: this.#incarnations.get(id)! };
  }

  /** Makes each node a voter, a learner, or neither, at random, with at least three voters. */
  #change(): void {
    const ids = this.#shuffled([...this.cluster.nodes.keys()]);
    const one = this.#random() < 0.5;
    this.#admin((leader) => {
      const { members } = leader.node.status();
      let voters = members.filter(({ suffrage }) => suffrage === "voter").map(({ id }) => id);
      let learners = members.filter(({ suffrage }) => suffrage === "learner").map(({ id }) => id);
      if (one) {
        const id = ids[0]!;
        const add = !voters.includes(id);
        voters = add ? [...voters, id] : voters.filter((other) => other !== id);
        learners = learners.filter((other) => other !== id);
        if (!add && voters.length < 3) return Promise.resolve();
      } else {
        const count = 3 + Math.floor(this.#random() * (ids.length - 2));
        voters = ids.slice(0, count);
        learners = ids.slice(count, count + Math.floor(this.#random() * 2));
      }
      return leader.node.changeMembership({
        voters: voters.map((id) => this.#member(id)),
        learners: learners.map((id) => this.#member(id)),
      }, { signal: leader.power.signal });
    });
  }

  async #add(): Promise<void> {
    const id = `n${this.cluster.nodes.size + 1}`;
    this.#incarnations.set(id, `inc-${id}`);
    await this.cluster.add(id);
    this.#admin((leader) => {
      const { members } = leader.node.status();
      const plain = members.map(({ id, address, incarnation }) => ({ id, address, incarnation }));
      const learners = plain.filter((_, at) => members[at]!.suffrage === "learner");
      return leader.node.changeMembership({
        voters: plain.filter((_, at) => members[at]!.suffrage === "voter"),
        learners: [...learners, this.#member(id)],
      }, { signal: leader.power.signal });
    });
  }

  /** Replaces a removed member by one with an empty disk of another incarnation. */
  async #replace(id: NodeId): Promise<void> {
    const leader = this.cluster.leaderNow;
    if (leader === undefined || leader.id === id) return;
    const { members, membershipCommitted, membership } = leader.node.status();
    if (!membershipCommitted || membership.outgoing.length > 0) return;
    const plain = members.map(({ id, address, incarnation }) => ({ id, address, incarnation }));
    const is = (suffrage: string) => plain.filter((_, at) => members[at]!.suffrage === suffrage);
    if (plain.some((member) => member.id === id)) {
      if (is("voter").length < 4) return;
      const rest = (list: readonly Member[]) => list.filter((member) => member.id !== id);
      const change = { voters: rest(is("voter")), learners: rest(is("learner")) };
      const { signal } = leader.power;
      let removed = false;
      const done = leader.node.changeMembership(change, { signal }).then(() => removed = true, (e) => this.#note(e));
      this.#begin(done.then(() => {}));
      await this.cluster.pass(300);
      if (!removed) return;
    }
    this.#count("replaced");
    await this.#crash(id);
    this.#incarnations.set(id, `inc-${id}-${this.cluster.time.nowMs}`);
    await this.cluster.add(id, false, this.#incarnations.get(id)!);
  }

  // The end

  async #recover(): Promise<void> {
    this.#resume();
    this.cluster.network.heal();
    this.cluster.network.setFaults({ loss: 0, duplication: 0, reordering: 0 });
    await this.cluster.pass(6_000);
    for (const { id } of this.#down()) await this.#restart(id);
    // A fault may still be waiting for a write.
    for (let i = 0; i < 10; i++) {
      await this.cluster.pass(5_000);
      this.#propose(1);
      for (const { id } of this.#down()) await this.#restart(id);
    }
    this.#requireNoProblem();
    const all = [...this.cluster.nodes.keys()].map((id) => this.#member(id));
    for (let i = 0;; i++) {
      assert(i < 50, "a last change of membership succeeds once the faults stop");
      const leader = this.cluster.leaderNow;
      if (leader === undefined) {
        await this.cluster.pass(1_000);
        continue;
      }
      const { members } = leader.node.status();
      const learners = members.some(({ suffrage }) => suffrage === "learner");
      const changed = await this.cluster.settle(
        leader.node.changeMembership({ voters: all }).then(() => !learners || i > 0, () => false),
      );
      if (changed) break;
      await this.cluster.pass(1_000);
    }
    const before = this.#done.length;
    for (let round = 0; round < 20; round++) {
      this.#propose(1);
      await this.cluster.pass(100);
    }
    assert(this.#done.length >= before + 10, "progress once the faults stop");
    await this.cluster.pass(5_000);
    await this.cluster.converge();
  }

  #account(): void {
    this.#requireNoProblem();
    assert.equal(this.#open, 0, "every request has ended");
    const times = new Map<string, number>();
    const { machine } = this.cluster.running[0]!;
    for (const command of machine.commands) times.set(command, (times.get(command) ?? 0) + 1);
    for (const command of this.#done) assert.equal(times.get(command), 1, `acknowledged ${command}`);
    for (const command of this.#rejected) assert.equal(times.get(command), undefined, `rejected ${command}`);
    for (const [command, count] of times) assert.equal(count, 1, `${command} was applied twice`);
    for (const { id, node } of this.cluster.running) assert(node.status().storage.healthy, `the disk of ${id}`);
  }

  #requireNoProblem(): void {
    assert.deepEqual(this.#problems, []);
    for (const { id, node } of this.cluster.nodes.values()) {
      const { error } = node.status().storage;
      if (node.lifecycle === "stopped") assert(error !== null, `${id} stopped, and not for its disk`);
    }
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  #pick<T>(list: readonly T[]): T | undefined {
    return list[Math.floor(this.#random() * list.length)];
  }

  #shuffled<T>(list: T[]): T[] {
    for (let i = list.length - 1; i > 0; i--) {
      const j = Math.floor(this.#random() * (i + 1));
      [list[i], list[j]] = [list[j]!, list[i]!];
    }
    return list;
  }
}
