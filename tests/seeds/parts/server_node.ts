/**
 * A whole node over simulated streams: the real transport, relay, services and HTTP app, with a storage in memory.
 *
 * @module
 */

import { createClient } from "@connectrpc/connect";
import { ForwardBudget } from "../../../hosting/forward_budget.ts";
import { KeyValue } from "../../../lib/kv/key_value.ts";
import { RaftNode } from "../../../lib/node/mod.ts";
import { membershipOf } from "../../../lib/raft/membership.ts";
import { Sessions } from "../../../lib/sessions/sessions.ts";
import { Answers } from "../../../server/answers.ts";
import { Metrics } from "../../../server/metrics.ts";
import { nodeHandler } from "../../../server/node_handler.ts";
import { ServerRelay } from "../../../server/relay.ts";
import { Watchers } from "../../../server/watchers.ts";
import { MachineClock } from "../../../simulation/machine/clock.ts";
import { Process } from "../../../simulation/machine/process.ts";
import { MemoryDisk, MemoryStorage } from "../../../storage/memory.ts";
import { BodyReceiver, ConnectTransport, createConnectClientTransport } from "../../../transport/connect/mod.ts";
import { PeerService } from "../../../transport/wire/gen/raft/v1/peer_pb.ts";
import type { ByteNetwork } from "./byte_network.ts";
import { streaming } from "./streams.ts";
import type { World } from "./world.ts";

/** The settings that all nodes of a run share. */
export interface ServerPlan {
  readonly nodes: number;
  readonly snapshotEntries: number;
  /** The changes that a node keeps for watchers. */
  readonly historyChanges: number;
  readonly requestTimeoutMs: number;
}

/** The origin of pages that may call, and of pages that may not. */
export const ALLOWED_ORIGIN = "https://page.example";

export function addressOf(id: string): string {
  return `http://${id}.test:7001`;
}

/** The parts of a running node that have counters. */
interface Running {
  readonly process: Process;
  readonly storage: MemoryStorage;
  readonly transport: ConnectTransport;
  readonly watchers: Watchers;
  readonly forwards: ForwardBudget;
  readonly answers: Answers;
  readonly receiver: BodyReceiver;
}

export class ServerNode {
  readonly id: string;
  readonly address: string;
  node: RaftNode | null = null;
  readonly #world: World;
  readonly #network: ByteNetwork;
  readonly #plan: ServerPlan;
  readonly #disk = new MemoryDisk();
  #running: Running | null = null;
  #starts = 0;

  constructor(world: World, network: ByteNetwork, plan: ServerPlan, id: string) {
    this.#world = world;
    this.#network = network;
    this.#plan = plan;
    this.id = id;
    this.address = addressOf(id);
  }

  async start(): Promise<void> {
    const { run } = this.#world;
    const plan = this.#plan;
    const clock = new MachineClock(() => run.scheduler.nowUs, 1, 0);
    const host = run.decisions.stream(`host ${this.id} ${++this.#starts}`);
    const process = new Process(run, { name: this.id }, clock, host);
    const fetch = this.#network.fetch(this.address);
    const transport = new ConnectTransport({
      host: process,
      hangTimeoutMs: 1000,
      maxBackoffMs: 300,
      connector: (address) => ({
        async *carry(batches, signal) {
          const stream = createClient(PeerService, streaming(address, fetch)).stream(batches, { signal });
          for await (const { ack } of stream) yield ack;
        },
        close: () => {},
      }),
    });
    const ids = Array.from({ length: plan.nodes }, (_, at) => `n${at + 1}`);
    const members = ids.map((id) => ({ id, address: addressOf(id), incarnation: id }));
    const relay = new ServerRelay({
      address: this.address,
      members: () => members.map(({ address }) => address),
      transport,
      client: createConnectClientTransport({ fetch }),
    });
    const store = new KeyValue({ historyChanges: plan.historyChanges });
    const storage = new MemoryStorage(this.#disk);
    const [watchers, forwards, answers, receiver] = [
      new Watchers(),
      new ForwardBudget(),
      new Answers(),
      new BodyReceiver(),
    ];
    this.#running = { process, storage, transport, watchers, forwards, answers, receiver };
    const node = await RaftNode.start({
      id: this.id,
      address: this.address,
      incarnation: this.id,
      host: process,
      stateMachine: new Sessions(store),
      storage,
      transport: relay.transport,
      bootstrap: { clusterId: "parts", membership: membershipOf({ voters: members }) },
      electionTimeoutMs: 300,
      heartbeatIntervalMs: 60,
      snapshotEntries: plan.snapshotEntries,
      snapshotRatio: 0,
      trailingEntries: 20,
    });
    if (!process.alive) return;
    this.node = node;
    const metrics = new Metrics(() => node.status());
    metrics.observe(node);
    const handler = nodeHandler({
      node,
      store,
      transport,
      relay,
      receiver,
      metrics,
      watchers,
      forwards,
      answers,
      address: this.address,
      hosts: [`${this.id}.test`],
      origins: [ALLOWED_ORIGIN],
      adminOrigins: [],
      requestTimeoutMs: plan.requestTimeoutMs,
      electionTimeoutMs: 300,
      reason: () => undefined,
      logger: { info: () => {}, warn: () => {}, error: (message) => this.#world.fail(`${this.id} logs: ${message}`) },
    });
    this.#network.listen(this.address, handler);
  }

  /** Kills its process; what is durable stays. */
  kill(): void {
    const running = this.#running;
    if (running === null) return;
    this.#world.run.trace.count("server killed");
    this.#running = null;
    this.node = null;
    this.#network.unlisten(this.address);
    running.process.kill();
    running.storage.crash();
    void running.transport.close();
  }

  get up(): boolean {
    return this.node !== null;
  }

  /** Returns each counter that is not zero although nothing is under way. */
  leaks(): string[] {
    if (this.#running === null) return [];
    const { watchers, forwards, answers, receiver } = this.#running;
    const counters = {
      watchers: watchers.counts.watchers,
      "bytes of watchers": watchers.counts.bufferedBytes,
      "forwarded requests": forwards.counts.requests,
      "bytes of forwarded requests": forwards.counts.bytes,
      "bytes of answers": answers.counts.bytes,
      // The streams of peers stay open, and hold what has arrived of their next message.
      "bytes of requests": receiver.budget.usedBytes > 4096 ? receiver.budget.usedBytes : 0,
    };
    return Object.entries(counters).filter(([, count]) => count !== 0).map(([name, count]) => `${count} ${name}`);
  }
}
