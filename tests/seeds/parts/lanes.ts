/**
 * The transport between servers over simulated streams: lanes, batches, back-off and the detection of peers that
 * hang, each with its promise.
 *
 * @module
 */

import assert from "node:assert/strict";
import { createClient } from "@connectrpc/connect";
import type { Envelope } from "../../../lib/transport.ts";
import { MachineClock } from "../../../simulation/machine/clock.ts";
import { Process } from "../../../simulation/machine/process.ts";
import {
  connectFetchHandler,
  ConnectTransport,
  createRaftRoutes,
  peerService,
} from "../../../transport/connect/mod.ts";
import type { PeerBatch, PeerConnector } from "../../../transport/connect/mod.ts";
import { sampleEnvelope } from "../../../transport/conformance.ts";
import { PeerService } from "../../../transport/wire/gen/raft/v1/peer_pb.ts";
import { ByteNetwork } from "./byte_network.ts";
import { streaming } from "./streams.ts";
import type { PartsResult } from "./world.ts";
import { World } from "./world.ts";

/** The time with faults, the time after it, and the longest silence of a sender, in virtual milliseconds. */
const FAULTS_MS = 6000;
const CALM_MS = 3000;
const SILENCE_MS = 1500;
const IDLE_MS = 4000;

/** The longest time from the cause of a hang to its detection. */
const HANG_CAUSE_MS = 4000;
/** The longest time that a link which is well takes nothing, although something waits. */
const FLOW_MS = 300;
const MEMBERSHIP = {
  voters: ["n1"],
  outgoing: [],
  learners: [],
  learnersNext: [],
  members: [{ id: "n1", address: "n1.example:7001", incarnation: "i" }],
};

const LIMITS = {
  maxQueuedMessages: 64,
  maxQueuedBytes: 60_000,
  maxBatchBytes: 4000,
  maxBatchMessages: 6,
  minBackoffMs: 20,
  maxBackoffMs: 300,
  hangTimeoutMs: 800,
  idleTimeoutMs: IDLE_MS,
};

/** Makes a message; its number is its term. */
function message(from: string, number: number, bytes: number, bulk: boolean): Envelope {
  const data = new Uint8Array(bytes);
  if (!bulk) {
    const entries = bytes === 0 ? [] : [{ index: 1, term: number, type: "command" as const, data }];
    const head = { type: "AppendEntries" as const, term: number, prevLogIndex: 0, prevLogTerm: 0 };
    return sampleEnvelope({ ...head, entries, leaderCommit: 0, round: 0 }, { from });
  }
  const snapshot = { id: "s", index: 1, term: 1, size: bytes, checksum: 0, membership: MEMBERSHIP };
  return sampleEnvelope({ type: "InstallSnapshot", term: number, round: 0, snapshot, offset: 0, data }, { from });
}

function termOf({ message }: NonNullable<PeerBatch["envelopes"]>[number]): number {
  return Number((message as { readonly value: { readonly term: bigint } }).value.term);
}

/** One use of a link: the messages that it carried, in order, and how many of them have arrived. */
class Use {
  readonly carried: number[] = [];
  arrived = 0;
  /** Set once the peer has acknowledged anything. */
  worked = false;
  /** When it became half-open, and until when it must have been given up since then. */
  frozenMs: number | null = null;
  doomedMs: number | null = null;
}

/** The way from one node to another, with its history. */
class Lane {
  readonly from: Peer;
  readonly to: Peer;
  sent = 0;
  /** The last number that a link carried, of each of the two queues. */
  readonly carried = { urgent: 0, bulk: 0 };
  readonly #useOf = new Map<number, Use>();
  readonly #bulk = new Set<number>();
  use: Use | null = null;
  lastArrived = 0;
  /** When the last use ended, and the number of failures since it last worked. */
  #endedMs = -Infinity;
  #failures = 0;
  /** When the first message was sent without a link; `null` if none was. */
  #wantedMs: number | null = null;
  /** The newest message that no queue was too full for. */
  #newest = { number: 0, nowMs: 0 };
  #takenMs = 0;

  constructor(from: Peer, to: Peer) {
    this.from = from;
    this.to = to;
  }

  get name(): string {
    return `${this.from.address} to ${this.to.address}`;
  }

  get #world(): World {
    return this.from.world;
  }

  send(bytes: number, bulk: boolean): void {
    const number = ++this.sent;
    if (bulk) this.#bulk.add(number);
    const { nowMs } = this.#world;
    if (this.use === null) this.#wantedMs ??= nowMs;
    else if (this.use.frozenMs !== null && nowMs >= this.use.frozenMs + LIMITS.hangTimeoutMs / 4) {
      this.use.doomedMs ??= nowMs + LIMITS.hangTimeoutMs + 20;
    }
    this.from.handed++;
    const { dropped } = this.from.transport.counts;
    this.from.transport.send(this.to.address, message(this.from.id, number, bytes, bulk));
    if (!bulk && this.from.transport.counts.dropped === dropped) this.#newest = { number, nowMs };
  }

  /** The longest pause after so many failures. */
  get #stepMs(): number {
    if (this.#failures === 0) return 0;
    return Math.min(LIMITS.maxBackoffMs, LIMITS.minBackoffMs * 2 ** (this.#failures - 1));
  }

  /** Checks the pause before a new use. */
  began(): Use {
    const { nowMs } = this.#world;
    const pausedMs = nowMs - this.#endedMs;
    const tooSoon = pausedMs < this.#stepMs / 2 - 1;
    this.#world.require(!tooSoon, () => `${this.name} is tried again after ${pausedMs} ms, failure ${this.#failures}`);
    this.checkWait();
    this.#wantedMs = null;
    this.#takenMs = nowMs;
    return this.use = new Use();
  }

  /** Checks that messages don't wait for a link longer than the pause. */
  checkWait(): void {
    if (this.#wantedMs === null || this.use !== null) return;
    const lateMs = this.#world.nowMs - Math.max(this.#endedMs + this.#stepMs, this.#wantedMs);
    this.#world.require(lateMs < 5, () => `${this.name} is not tried again, ${lateMs} ms after its pause`);
  }

  /** Checks that a link that is well takes what waits for it. */
  checkFlow(isWell: boolean): void {
    const { nowMs } = this.#world;
    const waits = this.use !== null && this.#newest.number > this.carried.urgent;
    const stuckMs = nowMs - Math.max(this.#newest.nowMs, this.#takenMs);
    this.#world.require(
      !waits || !isWell || stuckMs < FLOW_MS,
      () => `${this.name} has taken nothing for ${stuckMs} ms`,
    );
  }

  /** Checks that a half-open link is given up in time. */
  checkHang(): void {
    const { nowMs } = this.#world;
    const late = nowMs > (this.use?.doomedMs ?? Infinity);
    this.#world.require(!late, () => `${this.name} has been half-open since ${this.use?.frozenMs} ms`);
  }

  ended(use: Use, inOrder: boolean): void {
    this.use = null;
    this.#endedMs = this.#world.nowMs;
    if (use.worked) this.#failures = inOrder ? 0 : 1;
    else this.#failures++;
  }

  /** Notes a batch that a link takes, and checks its limits and order. */
  takes(use: Use, { envelopes = [] }: PeerBatch): void {
    let bulk = 0;
    let urgent = 0;
    this.#takenMs = this.#world.nowMs;
    for (const envelope of envelopes) {
      const number = termOf(envelope);
      const kind = this.#bulk.has(number) ? "bulk" : "urgent";
      if (kind === "bulk") bulk++;
      else urgent++;
      this.#world.require(number > this.carried[kind], () => `${this.name} takes ${kind} ${number} out of order`);
      this.carried[kind] = number;
      this.#useOf.set(number, use);
      use.carried.push(number);
    }
    this.#world.require(bulk <= 1, () => `${this.name} takes ${bulk} chunks of snapshots at once`);
    this.#world.require(urgent <= LIMITS.maxBatchMessages, () => `${this.name} takes ${urgent} messages at once`);
  }

  /** Checks that each use delivers what it carried: in order, once, and without a gap. */
  arrives(number: number): void {
    const use = this.#useOf.get(number);
    const expected = use?.carried[use.arrived];
    if (use !== undefined) use.arrived++;
    this.from.delivered++;
    this.lastArrived = number;
    this.#world.require(expected === number, () => `${this.name} delivers ${number}, and ${expected} was next`);
    this.#world.run.trace.mark("arrived", number);
  }
}

/** One node: a real transport, and the real service that receives. */
class Peer {
  readonly world: World;
  readonly id: string;
  readonly address: string;
  readonly transport: ConnectTransport;
  readonly lanes = new Map<string, Lane>();
  handed = 0;
  delivered = 0;
  readonly #network: ByteNetwork;
  readonly #handler: (request: Request) => Promise<Response>;
  #hung = 0;

  constructor(world: World, network: ByteNetwork, id: string, peers: ReadonlyMap<string, Peer>) {
    this.world = world;
    this.#network = network;
    this.id = id;
    this.address = `http://${id}.test:7001`;
    const { run } = world;
    const clock = new MachineClock(() => run.scheduler.nowUs, 1, 0);
    const host = new Process(run, { name: id }, clock, run.decisions.stream(`host ${id}`));
    this.transport = new ConnectTransport({ connector: this.#connector(), host, ...LIMITS });
    const service = peerService(this.transport, () => assert.fail("no node asks for an identity"));
    const answer = connectFetchHandler(createRaftRoutes({ peer: service }));
    this.#handler = async (request) => await answer(request) ?? new Response(null, { status: 404 });
    void this.transport.start(({ from, message }) => {
      peers.get(from)!.lanes.get(id)!.arrives(message.term);
    });
    this.up(true);
  }

  up(up: boolean): void {
    if (up) this.#network.listen(this.address, this.#handler);
    else this.#network.unlisten(this.address);
  }

  /** Checks what holds at any time. */
  check(): void {
    const { counts } = this.transport;
    const accounted = counts.sent + counts.dropped + counts.queuedMessages;
    this.world.require(accounted === this.handed, () => `${this.address} accounts for ${accounted} of ${this.handed}`);
    const fits = counts.queuedMessages <= this.lanes.size * LIMITS.maxQueuedMessages * 2;
    this.world.require(fits, () => `${this.address} has ${counts.queuedMessages} messages that wait`);
    for (const lane of this.lanes.values()) {
      lane.checkWait();
      lane.checkHang();
      lane.checkFlow(!this.#network.troubled(this.address, lane.to.address, HANG_CAUSE_MS));
    }
  }

  /** Makes links over the simulated network, and watches their use. */
  #connector(): PeerConnector {
    return (address) => ({
      carry: (batches, signal) => this.#carry(address, batches, signal),
      close: () => {},
    });
  }

  async *#carry(address: string, batches: AsyncIterable<PeerBatch>, signal: AbortSignal): AsyncGenerator<number> {
    const lane = [...this.lanes.values()].find(({ to }) => to.address === address)!;
    const use = lane.began();
    this.#network.onHalfOpen(this.address, address, () => use.frozenMs = this.world.nowMs);
    async function* watched(): AsyncGenerator<PeerBatch> {
      for await (const batch of batches) {
        lane.takes(use, batch);
        yield batch;
      }
    }
    let inOrder = false;
    // Also when the transport gives up this iteration.
    const end = (): void => {
      if (lane.use !== use) return;
      lane.ended(use, inOrder);
      const { hung } = this.transport.counts;
      const falsely = hung > this.#hung && !this.#network.troubled(this.address, address, HANG_CAUSE_MS);
      this.world.require(!falsely, () => `${lane.name} is given up as hanging, and is well`);
      this.#hung = hung;
    };
    signal.addEventListener("abort", end);
    try {
      const stream = createClient(PeerService, streaming(address, this.#network.fetch(this.address)))
        .stream(watched(), { signal });
      for await (const { ack } of stream) {
        use.worked = true;
        yield ack;
      }
      inOrder = true;
    } finally {
      end();
    }
  }
}

/** Runs the transports of three nodes over simulated streams, from one seed. */
export async function simulateLanes(seed: number): Promise<PartsResult> {
  const world = new World(seed);
  const { decisions } = world.run;
  const plan = decisions.stream("plan");
  const network = new ByteNetwork(world, {
    leastDelayMs: plan.pick([0.2, 1, 4])!,
    spreadDelayMs: plan.pick([0, 1, 3])!,
    resets: plan.pick([0, 0.2, 0.5])!,
    halfOpen: plan.pick([0, 0.2, 0.5])!,
    pieceBytes: plan.pick([700, 3000, 100_000])!,
  });
  const peers = new Map<string, Peer>();
  return await world.result(async () => {
    for (const id of ["n1", "n2", "n3"]) peers.set(id, new Peer(world, network, id, peers));
    for (const from of peers.values()) {
      for (const [id, to] of peers) if (from !== to) from.lanes.set(id, new Lane(from, to));
    }
    const lanes = [...peers.values()].flatMap((peer) => [...peer.lanes.values()]);
    const faulty = plan.chance(0.9);
    if (!faulty) network.calm = true;
    const senders = [...lanes.entries()].map(([at, lane]) => sendThrough(world, lane, at));
    if (faulty) void trouble(world, network, [...peers.values()]);
    const checks = { on: true };
    void (async () => {
      while (checks.on) {
        await world.sleepMs(10);
        for (const peer of peers.values()) peer.check();
      }
    })();
    await world.sleepMs(FAULTS_MS);
    network.calm = true;
    await Promise.all(senders);
    await settled(world, network, lanes);
    checks.on = false;
    for (const { transport, address } of peers.values()) {
      const { counts } = transport;
      world.require(counts.queuedMessages === 0, () => `${address} has ${counts.queuedMessages} messages when idle`);
      world.require(counts.queuedBytes === 0, () => `${address} has ${counts.queuedBytes} bytes when idle`);
      for (const name of ["connected", "failed", "hung", "dropped"] as const) world.run.trace.count(name, counts[name]);
      await transport.close();
    }
  });
}

/** Checks that every lane works by now, and that nothing is open once all are idle. */
async function settled(world: World, network: ByteNetwork, lanes: readonly Lane[]): Promise<void> {
  for (const lane of lanes) lane.send(10, false);
  await world.sleepMs(200);
  for (const lane of lanes) {
    const { connected } = lane.from.transport.link(lane.to.address) ?? { connected: false };
    world.require(connected, () => `${lane.name} does not work although nothing is wrong`);
    world.require(lane.lastArrived === lane.sent, () => `the last message of ${lane.name} has not arrived`);
  }
  await world.sleepMs(2 * IDLE_MS);
  for (const lane of lanes) {
    const { transport } = lane.from;
    world.require(transport.link(lane.to.address) === undefined, () => `${lane.name} is still open when idle`);
  }
  world.require(network.open === 0, () => `${network.open} connections are open when all is idle`);
}

/** Sends through a lane in bursts, until the end of the calm time. */
async function sendThrough(world: World, lane: Lane, at: number): Promise<void> {
  const chance = world.run.decisions.stream(`sender ${at}`);
  while (world.nowMs < FAULTS_MS + CALM_MS) {
    const burst = chance.next().chance(0.1) ? 40 : chance.between(1, 4);
    for (let i = 0; i < burst; i++) lane.send(chance.pick([0, 0, 100, 900])!, chance.chance(0.1));
    await world.sleepMs(chance.chance(0.05) ? chance.between(100, SILENCE_MS) : chance.between(5, 60));
  }
}

/** Cuts links and ends servers from time to time. */
async function trouble(world: World, network: ByteNetwork, peers: readonly Peer[]): Promise<void> {
  const chance = world.run.decisions.stream("trouble");
  while (!network.calm) {
    await world.sleepMs(chance.next().between(50, 1500));
    const [a, b] = chance.shuffled(peers);
    const forMs = chance.between(20, 2500);
    if (network.calm) return;
    if (chance.chance(0.6)) {
      world.run.trace.count("link cut");
      const mend = network.cut(a!.address, b!.address);
      void untilCalm(world, network, forMs).then(mend);
    } else {
      world.run.trace.count("server down");
      a!.up(false);
      void untilCalm(world, network, forMs).then(() => a!.up(true));
    }
  }
}

async function untilCalm(world: World, network: ByteNetwork, forMs: number): Promise<void> {
  const untilMs = world.nowMs + forMs;
  while (world.nowMs < untilMs && !network.calm) await world.sleepMs(10);
}
