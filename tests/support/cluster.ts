/**
 * A cluster in virtual time, with loss, partitions, crashes and disk faults. One
 * seed gives one run. Two rules are checked at all times: at most one leader per
 * term, and the same command at the same index on every node.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { ProposeResult, RaftNodeOptions } from "../../lib/node/types.ts";
import type { Host } from "../../lib/clock.ts";
import { RaftNode } from "../../lib/node/mod.ts";
import type { Storage } from "../../lib/storage.ts";
import { membershipOf } from "../../lib/raft/mod.ts";
import type { Member, NodeId } from "../../lib/raft/types.ts";
import type { AppliedCommand } from "../../lib/state_machine.ts";
import { MemoryDisk, MemoryStorage } from "../../storage/memory.ts";
import { MemoryNetwork } from "../../transport/memory.ts";
import type { MemoryTransport, NetworkFaults } from "../../transport/memory.ts";
import { bytes, Journal, text } from "./journal.ts";
import { VirtualTime } from "./virtual_time.ts";
import type { VirtualNodeHost } from "./virtual_time.ts";

/** A storage that can lose power. */
export type TestStorage = Storage & { crash(): void };

/** Options of a {@linkcode Cluster}. */
export interface ClusterOptions<S extends TestStorage = MemoryStorage> {
  /** @default 1 */
  readonly seed?: number;
  /** The number of initial voters. @default 3 */
  readonly voters?: number;
  /** Options of every node. */
  readonly node?: Partial<RaftNodeOptions>;
  readonly network?: Partial<NetworkFaults>;
  /** The duration of one write. @default 1 */
  readonly persistMs?: number;
  /** The duration of one command; without it the state machine answers at once. */
  readonly applyMs?: number;
  /** Opens a node's storage, at its first and at every later start. @default a MemoryStorage */
  readonly openStorage?: (id: NodeId, host: Host) => S;
}

/** One node of a {@linkcode Cluster}, with the parts that outlive its crash. */
export interface TestNode<S extends TestStorage = MemoryStorage> {
  readonly id: NodeId;
  readonly disk: MemoryDisk;
  storage: S;
  host: VirtualNodeHost;
  machine: Journal;
  transport: MemoryTransport;
  /** Aborted by a crash, for requests that would wait forever. */
  power: AbortController;
  node: RaftNode;
  up: boolean;
}

/** Returns the record of a node in a membership. */
export function member(id: NodeId): Member {
  return { id, address: id, incarnation: `inc-${id}` };
}

/** A cluster for tests. */
export class Cluster<S extends TestStorage = MemoryStorage> {
  readonly time: VirtualTime;
  readonly network: MemoryNetwork;
  readonly nodes = new Map<NodeId, TestNode<S>>();
  readonly #options: ClusterOptions<S>;
  readonly #leaders = new Map<number, NodeId>();
  readonly #applied = new Map<number, string>();
  readonly #first: readonly Member[];

  constructor(options: ClusterOptions<S>) {
    this.#options = options;
    this.time = new VirtualTime(options.seed ?? 1);
    this.network = new MemoryNetwork({ minDelayMs: 1, maxDelayMs: 5, ...options.network, host: this.time.host() });
    this.#first = Array.from({ length: options.voters ?? 3 }, (_, i) => member(`n${i + 1}`));
  }

  /** Starts the first voters. */
  static async start<S extends TestStorage = MemoryStorage>(options: ClusterOptions<S> = {}): Promise<Cluster<S>> {
    const cluster = new Cluster<S>(options);
    for (const { id } of cluster.#first) await cluster.add(id, true);
    return cluster;
  }

  /** Starts a node on a new disk; without `bootstrap` it waits to be added. */
  async add(id: NodeId, bootstrap = false, incarnation = `inc-${id}`): Promise<TestNode<S>> {
    const disk = new MemoryDisk();
    const test = await this.#launch(id, disk, bootstrap, incarnation);
    this.nodes.set(id, test);
    return test;
  }

  get(id: NodeId): TestNode<S> {
    const test = this.nodes.get(id);
    assert(test, `no node ${id}`);
    return test;
  }

  /** Simulates a power failure: everything that was not durable is lost. */
  async crash(id: NodeId): Promise<void> {
    const test = this.get(id);
    test.up = false;
    test.host.kill();
    test.storage.crash();
    await test.transport.close();
    test.power.abort();
  }

  /** Starts a crashed or closed node on its disk. */
  async restart(id: NodeId): Promise<TestNode<S>> {
    const before = this.get(id);
    assert(!before.up, `${id} runs`);
    const test = await this.#launch(id, before.disk, false, "");
    this.nodes.set(id, test);
    return test;
  }

  /** Closes a node regularly. */
  async close(id: NodeId): Promise<void> {
    const test = this.get(id);
    await this.settle(test.node.close());
    test.up = false;
  }

  /** The running nodes. */
  get running(): TestNode<S>[] {
    return [...this.nodes.values()].filter((test) => test.up && test.node.lifecycle === "running");
  }

  /** The leader with the highest term, if there is one. */
  get leaderNow(): TestNode<S> | undefined {
    return this.running.filter(({ node }) => node.isLeader)
      .sort((a, b) => b.node.status().term - a.node.status().term)[0];
  }

  /** Runs until one node leads, and all `among` (by default all running nodes) follow it. */
  async leader(among?: readonly NodeId[]): Promise<TestNode<S>> {
    let leader: TestNode<S> | undefined;
    await this.until(() => {
      leader = this.leaderNow;
      if (leader === undefined || (among !== undefined && !among.includes(leader.id))) return false;
      const { id, node } = leader;
      const { term, commitIndex } = node.status();
      const followers = among?.map((name) => this.get(name)) ?? this.running;
      return commitIndex > 0 && followers.every((test) => {
        const status = test.node.status();
        return status.leader?.id === id && status.term === term;
      });
    }, "a leader that all follow");
    return leader!;
  }

  /** Proposes texts to a node, and runs until all are answered. */
  async propose(test: TestNode<S>, ...commands: readonly string[]): Promise<ProposeResult[]> {
    return await this.settle(Promise.all(commands.map((command) => test.node.propose(bytes(command)))));
  }

  /** Runs until the promise settles. */
  async settle<T>(promise: Promise<T>, withinMs?: number): Promise<T> {
    promise.catch(() => {});
    const result = await this.time.settle(promise, withinMs);
    this.check();
    return result;
  }

  /** Runs until the condition holds, and checks the rules meanwhile. */
  async until(condition: () => boolean, what = "the condition", withinMs = 60_000): Promise<void> {
    await this.time.until(
      () => {
        this.check();
        return condition();
      },
      withinMs,
      what,
    );
  }

  /** Lets virtual time pass, and checks the rules meanwhile. */
  async pass(durationMs: number): Promise<void> {
    const endMs = this.time.nowMs + durationMs;
    while (this.time.nowMs < endMs) {
      await this.time.pass(Math.min(10, endMs - this.time.nowMs));
      this.check();
    }
  }

  /** Runs until all running nodes have applied the same commands. */
  async converge(withinMs?: number): Promise<void> {
    await this.until(
      () => {
        const [first, ...rest] = this.running.map(({ node }) => node.status());
        return first !== undefined && first.appliedIndex === first.lastIndex &&
          rest.every(({ appliedIndex, lastIndex }) =>
            appliedIndex === first.appliedIndex && lastIndex === first.lastIndex
          );
      },
      "all nodes' applying the same",
      withinMs,
    );
    const [first, ...rest] = this.running.map(({ machine }) => machine.commands);
    for (const commands of rest) assert.deepEqual(commands, first);
  }

  /** Checks election safety (figure 3): at most one leader per term. */
  check(): void {
    for (const { id, node } of this.running) {
      if (!node.isLeader) continue;
      const { term } = node.status();
      const other = this.#leaders.get(term) ?? id;
      assert.equal(other, id, `${other} and ${id} both lead in term ${term}`);
      this.#leaders.set(term, id);
    }
  }

  /** Ends all nodes. */
  async end(): Promise<void> {
    this.network.heal();
    for (const [id, test] of this.nodes) if (test.up) await this.crash(id);
  }

  async #launch(id: NodeId, disk: MemoryDisk, bootstrap: boolean, incarnation: string): Promise<TestNode<S>> {
    const host = this.time.host();
    const { applyMs } = this.#options;
    const storage = this.#options.openStorage?.(id, host) ?? this.#memoryStorage(disk, host) as TestStorage as S;
    const transport = this.network.transport(id);
    const machine = new Journal({
      observe: (command) => this.#observe(id, command),
      ...applyMs === undefined ? {} : {
        delay: () => new Promise((resolve) => void host.clock.setTimer(applyMs, resolve)),
      },
    });
    const node = await this.time.settle(RaftNode.start({
      // The journal grows as fast as the log.
      snapshotRatio: 0,
      ...this.#options.node,
      id,
      address: id,
      stateMachine: machine,
      storage,
      transport: {
        // A paused process receives nothing.
        start: (receive) => transport.start((envelope) => host.receive(() => receive(envelope))),
        send: (address, envelope) => transport.send(address, envelope),
        close: () => transport.close(),
      },
      host,
      incarnation,
      ...bootstrap ? { bootstrap: { clusterId: "c1", membership: membershipOf({ voters: this.#first }) } } : {},
    }));
    return { id, disk, storage, host, machine, transport, power: new AbortController(), node, up: true };
  }

  #memoryStorage(disk: MemoryDisk, host: Host): MemoryStorage {
    const { persistMs = 1 } = this.#options;
    return new MemoryStorage(disk, {
      delay: (operation) =>
        operation === "persist" && persistMs > 0
          ? new Promise((resolve) => void host.clock.setTimer(persistMs, resolve))
          : undefined,
    });
  }

  /** Checks state machine safety (figure 3): no two nodes apply different commands at the same index. */
  #observe(id: NodeId, { index, term, data }: AppliedCommand): void {
    const command = `${term}:${text(data)}`;
    const other = this.#applied.get(index) ?? command;
    assert.equal(command, other, `${id} applies another command at ${index}`);
    this.#applied.set(index, command);
  }
}

/** Asserts that the promise rejects with this code and outcome, and returns the error. */
export async function rejection<S extends TestStorage>(
  cluster: Cluster<S>,
  promise: Promise<unknown>,
): Promise<{ code: string; outcome: string; message: string }> {
  try {
    await cluster.settle(promise);
  } catch (error) {
    if (error instanceof Error && "code" in error && "outcome" in error) {
      return { code: String(error.code), outcome: String(error.outcome), message: error.message };
    }
    throw error;
  }
  return assert.fail("the promise should have been rejected");
}
