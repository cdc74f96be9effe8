/**
 * The transport between tabs over simulated channels and locks: tabs are killed, frozen, reloaded, duplicated and closed.
 *
 * @module
 */

import { RaftError } from "../../../mod.ts";
import type { Stream } from "../../../simulation/decisions.ts";
import { MachineClock } from "../../../simulation/machine/clock.ts";
import { Process } from "../../../simulation/machine/process.ts";
import { sampleEnvelope } from "../../../transport/conformance.ts";
import { BroadcastChannelTransport } from "../../../transport/tab/mod.ts";
import { LOCKS_FREE_MS, Origin } from "./origin.ts";
import type { Tab } from "./origin.ts";
import type { PartsResult } from "./world.ts";
import { World } from "./world.ts";

/** The time with faults, and then until all tabs have met, in virtual milliseconds. */
const [FAULTS_MS, SETTLING_MS] = [6000, 500];
/** How long a tab waits for another at its address. */
const TAKE_OVER_MS = 200;
const CALL_TIMEOUT_MS = 800;
/** The largest data of a message. */
const MESSAGE_BYTES = 300;

/** Runs some tabs from one seed. */
export function simulateTabs(seed: number): Promise<PartsResult> {
  const world = new World(seed);
  return world.result(() => new Tabs(world).live());
}

/** A call of a tab, and what became of it. */
interface Call {
  readonly caller: Life;
  executed: number;
  outcome: "done" | "rejected" | "unknown" | null;
}

/** The messages from one life to another. */
interface Way {
  /** The numbers that the transport took, and that have not arrived. */
  readonly unread: number[];
  /** The sizes of those. */
  readonly bytes: Map<number, number>;
  last: number;
}

/** One life of a tab, from its start to its end. */
class Life implements Tab {
  readonly address: string;
  readonly name: string;
  readonly process: Process;
  readonly transport: BroadcastChannelTransport;
  readonly #tabs: Tabs;
  /** The peers that were reported as arrived, and not as departed. */
  readonly present = new Set<string>();
  readonly ways = new Map<string, Way>();
  started = false;
  closed = false;
  /** The time since which it has not been frozen. */
  awakeMs: number;
  startedMs = Infinity;
  endedMs = Infinity;
  sent = 0;

  constructor(tabs: Tabs, address: string, number: number) {
    const { world, origin, limits } = tabs;
    this.#tabs = tabs;
    this.address = address;
    this.name = `${address}.${number}`;
    this.awakeMs = world.nowMs;
    const clock = new MachineClock(() => world.run.scheduler.nowUs, 1, 0);
    this.process = new Process(world.run, { name: this.name }, clock, world.run.decisions.stream(`host ${this.name}`));
    this.transport = new BroadcastChannelTransport({
      clusterId: "tabs",
      address,
      host: this.process,
      locks: tabs.hasLocks ? origin.locksOf(this) : null,
      takeOverMs: TAKE_OVER_MS,
      callTimeoutMs: CALL_TIMEOUT_MS,
      onArrived: (peer) => {
        world.require(!this.present.has(peer), () => `${this.name} is told twice that ${peer} has arrived`);
        this.present.add(peer);
      },
      onDeparted: (peer) => {
        world.require(
          this.present.delete(peer),
          () => `${this.name} is told that ${peer} has departed, which was not there`,
        );
      },
      ...limits,
    });
    this.transport.serve(async (_method, request, { signal }) => {
      const call = tabs.calls[Number(new TextDecoder().decode(request))]!;
      call.executed++;
      const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve));
      await Promise.race([world.sleepMs(tabs.chance.next().between(0, 400)), aborted]);
      const { caller } = call;
      const gone = !caller.process.alive && world.nowMs - caller.endedMs > tabs.noticeMs;
      const isAwake = this.works && world.nowMs - this.awakeMs > tabs.noticeMs;
      world.require(
        !gone || !isAwake || signal.aborted,
        () => `${this.name} goes on for ${caller.name}, which is gone`,
      );
      return request;
    });
  }

  /** True if it runs, and is not frozen. */
  get works(): boolean {
    return this.started && !this.closed && this.process.alive && !this.process.frozen;
  }

  async start(): Promise<boolean> {
    const { world, origin } = this.#tabs;
    try {
      origin.settle(this);
      await this.transport.start((envelope) => {
        world.require(!this.closed, () => `${this.name} receives after it was closed`);
        this.#received(envelope.fromIncarnation, Number(envelope.message.term));
      });
      this.started = true;
      this.startedMs = world.nowMs;
      return true;
    } catch (error) {
      if (!(error instanceof RaftError) || error.code !== "refused") throw error;
      world.run.trace.count("tab refused");
      return false;
    }
  }

  #received(from: string, number: number): void {
    const { world } = this.#tabs;
    world.run.trace.count("message received");
    world.run.trace.mark("arrived", number);
    const way = this.#tabs.way(from, this);
    world.require(number > way.last, () => `${this.name} receives ${number} of ${from} after ${way.last}`);
    const isFirst = way.last === 0;
    way.last = number;
    const at = way.unread.indexOf(number);
    world.require(at >= 0, () => `${this.name} receives ${number} of ${from}, which was not sent to it`);
    // Before the first one, some went to an earlier life at this address.
    world.require(isFirst || at === 0, () => `${this.name} receives ${number} of ${from} without ${way.unread[0]}`);
    way.unread.splice(0, at + 1);
  }

  /** Sends a message; returns false if there was no room for it, or no receiver. */
  send(to: Life, bytes: number): boolean {
    const { world, limits } = this.#tabs;
    const number = ++this.sent;
    const { sent } = this.transport.counts;
    const envelope = sampleEnvelope({
      type: "AppendEntries",
      term: number,
      prevLogIndex: 0,
      prevLogTerm: 0,
      entries: [{ index: 1, term: 1, type: "command", data: new Uint8Array(bytes) }],
      leaderCommit: 0,
      round: 0,
    }, { fromIncarnation: this.name });
    this.transport.send(to.address, envelope);
    const isTaken = this.transport.counts.sent > sent;
    world.run.trace.count(isTaken ? "message taken" : "message dropped");
    if (!isTaken) return false;
    const way = this.#tabs.way(this.name, to);
    way.unread.push(number);
    way.bytes.set(number, bytes);
    const { length } = way.unread;
    const sum = way.unread.reduce((sum, each) => sum + way.bytes.get(each)!, 0);
    const { maxInflightMessages, maxInflightBytes } = limits;
    const tooMany = way.last > 0 && (length > maxInflightMessages || (length > 1 && sum > maxInflightBytes));
    world.require(!tooMany, () => `${this.name} has ${length} messages of ${sum} bytes on their way to ${to.name}`);
    return true;
  }

  async call(to: Life): Promise<boolean> {
    const { world, calls } = this.#tabs;
    const call: Call = { caller: this, executed: 0, outcome: null };
    const request = new TextEncoder().encode(String(calls.push(call) - 1));
    const beganMs = Math.max(world.nowMs, this.awakeMs);
    try {
      const answer = await this.transport.call(to.address, "echo", request);
      world.require(String(answer) === String(request), () => `${this.name} receives another call's answer`);
      call.outcome = "done";
    } catch (error) {
      if (!(error instanceof RaftError)) throw error;
      world.run.trace.count(`call: ${error.code}`);
      call.outcome = error.outcome;
    }
    world.run.trace.count(`call ${call.outcome}`);
    const tookMs = world.nowMs - Math.max(beganMs, this.awakeMs);
    world.require(tookMs <= CALL_TIMEOUT_MS + 1, () => `a call of ${this.name} takes ${tookMs} ms`);
    const inVainMs = this.works ? world.nowMs - Math.max(beganMs, this.awakeMs, to.endedMs) : 0;
    world.require(
      inVainMs < this.#tabs.noticeMs,
      () => `${this.name} waits for ${to.name} ${inVainMs} ms after its end`,
    );
    return call.outcome === "done";
  }

  /** Ends it without a goodbye, as a tab whose process is killed. */
  kill(): void {
    this.process.kill();
    this.endedMs = this.#tabs.world.nowMs;
    this.#tabs.origin.end(this);
  }

  async close(): Promise<void> {
    const closing = this.transport.close();
    this.closed = true;
    this.endedMs = this.#tabs.world.nowMs;
    await closing;
    const { world, origin } = this.#tabs;
    const left = this.process.retire();
    world.require(left === null, () => `${this.name} was closed, but ${left}`);
    const has = origin.leftOf(this);
    world.require(has === null, () => `${this.name} was closed, and has ${has}`);
    this.process.kill();
    this.#tabs.origin.end(this);
  }
}

class Tabs {
  readonly world: World;
  readonly origin: Origin;
  readonly chance: Stream;
  readonly calls: Call[] = [];
  readonly limits: { readonly maxInflightMessages: number; readonly maxInflightBytes: number };
  /** False on a page that came by plain HTTP: then no tab learns of the sudden end of another, or of its duplicate. */
  readonly hasLocks: boolean;
  /** The time in which two tabs meet, and in which one notices that another has ended. */
  readonly meetingMs: number;
  readonly noticeMs: number;
  readonly #addresses: readonly string[];
  readonly #lives = new Map<string, Life>();
  readonly #all: Life[] = [];
  #calm = false;

  constructor(world: World) {
    const chance = world.run.decisions.stream("plan");
    const spreadMs = chance.pick([0.5, 5, 30])!;
    this.world = world;
    this.chance = world.run.decisions.stream("served");
    this.origin = new Origin(world, spreadMs);
    this.hasLocks = chance.chance(0.7);
    this.meetingMs = LOCKS_FREE_MS + 4 * spreadMs + 10;
    this.noticeMs = this.hasLocks ? this.meetingMs : Infinity;
    this.limits = {
      maxInflightMessages: chance.pick([2, 8, 4096])!,
      maxInflightBytes: chance.pick([500, 5000, 2 ** 25])!,
    };
    this.#addresses = ["tab:t1", "tab:t2", "tab:t3", "tab:t4"].slice(0, chance.between(2, 4));
  }

  way(from: string, to: Life): Way {
    let way = to.ways.get(from);
    if (way === undefined) to.ways.set(from, way = { unread: [], bytes: new Map(), last: 0 });
    return way;
  }

  async live(): Promise<void> {
    const { world } = this;
    const restore = this.origin.install();
    try {
      for (const address of this.#addresses) void this.#open(address);
      const sending = this.#addresses.map((address) => this.#send(address));
      await Promise.all([this.#trouble(), ...sending]);
      await this.#recover();
      await world.sleepMs(CALL_TIMEOUT_MS + 400);
      this.#checkEnd();
      await Promise.all([...this.#lives.values()].map((life) => life.close()));
    } finally {
      restore();
    }
  }

  /** Opens a tab at an address; it is refused if another one stays there. */
  async #open(address: string): Promise<void> {
    const before = this.#lives.get(address);
    const life = new Life(this, address, this.#all.length + 1);
    this.#all.push(life);
    const stays = (): boolean => before !== undefined && before.process.alive;
    const wasThere = stays();
    if (!await life.start()) {
      this.world.require(wasThere, () => `${life.name} is refused, although it is alone`);
      if (before !== undefined) this.origin.settle(before);
      return life.kill();
    }
    this.world.require(!this.hasLocks || !stays(), () => `${life.name} starts beside ${before!.name}`);
    this.world.run.trace.count("tab started");
    this.#lives.set(address, life);
  }

  async #send(address: string): Promise<void> {
    const chance = this.world.run.decisions.stream(`sender ${address}`);
    while (!this.#calm) {
      await this.world.sleepMs(chance.next().between(1, 40));
      const from = this.#lives.get(address);
      const to = this.#lives.get(chance.pick(this.#addresses.filter((other) => other !== address))!);
      if (from === undefined || to === undefined || !from.works) continue;
      if (chance.chance(0.1)) void from.call(to);
      else for (let left = chance.between(1, 6); left > 0; left--) from.send(to, chance.below(MESSAGE_BYTES));
      this.#checkPresence(from);
    }
  }

  /** Checks that a tab no longer counts on one that has ended. */
  #checkPresence(life: Life): void {
    const { nowMs } = this.world;
    const { peers } = life.transport;
    const isTold = peers.length === life.present.size && peers.every((peer) => life.present.has(peer));
    this.world.require(isTold, () => `${life.name} has the peers ${peers}, and told of ${[...life.present]}`);
    if (nowMs - life.awakeMs < this.meetingMs) return;
    for (const other of this.#lives.values()) {
      const met = other === life || !other.works || nowMs - Math.max(other.awakeMs, other.startedMs) < this.meetingMs ||
        nowMs - life.startedMs < this.meetingMs;
      this.world.require(met || peers.includes(other.address), () => `${life.name} has not met ${other.name}`);
    }
    for (const peer of peers) {
      const other = this.#lives.get(peer)!;
      const gone = !other.process.alive && nowMs - other.endedMs > this.noticeMs;
      const isComing = this.#all.some(({ address, process }) => address === peer && process.alive);
      this.world.require(!gone || isComing, () => `${life.name} counts on ${peer}, which ended at ${other.endedMs} ms`);
    }
  }

  async #trouble(): Promise<void> {
    const { world } = this;
    const chance = world.run.decisions.stream("trouble");
    while (world.nowMs < FAULTS_MS) {
      await world.sleepMs(chance.next().between(50, 700));
      const address = chance.pick(this.#addresses)!;
      const life = this.#lives.get(address);
      const forMs = chance.between(5, 600);
      const kind = chance.pick(["kill", "reload", "close", "freeze", "duplicate"] as const)!;
      if (life === undefined || !life.works || (kind === "duplicate" && !this.hasLocks)) continue;
      world.run.trace.count(`tab: ${kind}`);
      if (kind === "freeze") {
        life.process.freeze();
        await world.sleepMs(forMs);
        life.awakeMs = world.nowMs;
        life.process.thaw();
      } else if (kind === "duplicate") {
        await this.#open(address);
      } else {
        const closed = kind === "close" ? life.close() : life.kill();
        // A page that is reloaded comes up before the browser has freed the locks of the former one.
        if (kind === "kill" || chance.chance(0.5)) await world.sleepMs(forMs);
        await this.#open(address);
        await closed;
      }
    }
    this.#calm = true;
  }

  /** Checks that all tabs find each other, and what they send arrives. */
  async #recover(): Promise<void> {
    const { world } = this;
    await world.sleepMs(SETTLING_MS);
    const lives = [...this.#lives.values()];
    for (const life of lives) {
      const others = this.#addresses.filter((address) => address !== life.address).join();
      const peers = life.transport.peers.toSorted().join();
      world.require(peers === others, () => `${life.name} has the peers ${peers} when all is well`);
      for (const other of lives) {
        if (other === life) continue;
        const taken = life.send(other, MESSAGE_BYTES);
        world.require(taken, () => `${life.name} has no room for a message to ${other.name} although all is well`);
        // Few may be on their way at a time.
        await world.sleepMs(this.meetingMs);
        world.require(
          await life.call(other),
          () => `${life.name} gets no answer of ${other.name} although all is well`,
        );
      }
    }
  }

  #checkEnd(): void {
    const { world } = this;
    for (const life of this.#lives.values()) {
      const { pendingCalls: left } = life.transport.counts;
      world.require(left === 0, () => `${life.name} is idle, and has ${left} calls`);
      for (const [from, { unread }] of life.ways) {
        const isLate = unread.length > 0 && [...this.#lives.values()].some(({ name }) => name === from);
        world.require(!isLate, () => `${life.name} has not received ${unread.length} messages of ${from}`);
      }
    }
    for (const { caller, executed, outcome } of this.calls) {
      world.require(executed <= 1, () => `a call of ${caller.name} was answered ${executed} times`);
      world.require(
        outcome !== "rejected" || executed === 0,
        () => `a call of ${caller.name} was rejected, and answered`,
      );
    }
  }
}
