/**
 * Whole servers over simulated streams: forwarding, REST with its conditions, watches and the guard, each with its
 * promise.
 *
 * @module
 */

import { Coordinator, KeyValueClient, RaftError } from "../../../mod.ts";
import { checkLinearizable, keyValueModel } from "../../../simulation/mod.ts";
import { createConnectClientTransport } from "../../../transport/connect/mod.ts";
import { ByteNetwork } from "./byte_network.ts";
import { Record, RestClient } from "./rest_client.ts";
import { ServerNode } from "./server_node.ts";
import type { ServerPlan } from "./server_node.ts";
import { Watcher } from "./watcher.ts";
import type { Seen } from "./watcher.ts";
import type { PartsResult } from "./world.ts";
import { World } from "./world.ts";

/** The time with faults, and the time that everything may take to recover, in virtual milliseconds. */
const FAULTS_MS = 5000;
const RECOVERY_MS = 8000;
/** The time in which broken connections are found, and the longest time of a request when nothing is wrong. */
const DETECTION_MS = 2500;
const ANSWER_MS = 1500;

/** Runs a cluster of servers from one seed. */
export async function simulateServers(seed: number): Promise<PartsResult> {
  const world = new World(seed);
  return await world.result(() => new Servers(world).live());
}

class Servers {
  readonly #world: World;
  readonly #plan: ServerPlan;
  readonly #network: ByteNetwork;
  readonly #servers: ServerNode[];
  readonly #record = new Record();
  readonly #seen: Seen = new Map();
  readonly #clients: RestClient[];
  readonly #watchers: Watcher[];
  readonly #faulty: boolean;
  #ends = false;

  constructor(world: World) {
    const chance = world.run.decisions.stream("plan");
    const plan = this.#plan = {
      nodes: chance.pick([1, 2, 3, 3])!,
      snapshotEntries: chance.pick([0, 30])!,
      historyChanges: chance.pick([5, 40, 10_000])!,
      requestTimeoutMs: chance.pick([800, 2000])!,
    };
    const network = new ByteNetwork(world, {
      leastDelayMs: chance.pick([0.2, 1, 3])!,
      spreadDelayMs: chance.pick([0, 1, 3])!,
      resets: chance.pick([0, 0.05, 0.2])!,
      halfOpen: chance.pick([0, 0.05, 0.1])!,
      pieceBytes: chance.pick([3000, 60_000])!,
    });
    this.#world = world;
    this.#network = network;
    this.#faulty = chance.chance(0.85);
    network.calm = !this.#faulty;
    this.#servers = Array.from({ length: plan.nodes }, (_, at) => new ServerNode(world, network, plan, `n${at + 1}`));
    this.#clients = ["c1", "c2", "c3"].map((name) => new RestClient(world, network, plan, this.#record, name));
    this.#watchers = ["w1", "w2"].map((name) => new Watcher(world, network, plan, this.#seen, name));
  }

  async live(): Promise<void> {
    const world = this.#world;
    await Promise.all(this.#servers.map((server) => server.start()));
    const clients = this.#clients.map((client) => client.live(() => world.nowMs < FAULTS_MS));
    const session = this.#coordinate();
    const watching = this.#watchers.map((watcher) => watcher.live(() => !this.#ends));
    const trouble = this.#faulty ? this.#trouble() : Promise.resolve();
    await world.sleepMs(FAULTS_MS - world.nowMs);
    this.#network.calm = true;
    await Promise.all([...clients, session, trouble]);
    await this.#recover();
    this.#ends = true;
    for (const watcher of this.#watchers) watcher.leave();
    await Promise.all(watching);
    await this.#idle();
    this.#checkHistory();
  }

  /** Kills servers and cuts links from time to time; all is well again at the end. */
  async #trouble(): Promise<void> {
    const world = this.#world;
    const chance = world.run.decisions.stream("trouble");
    const ends: (() => void | Promise<void>)[] = [];
    while (!this.#network.calm) {
      await world.sleepMs(chance.next().between(100, 1500));
      const forMs = chance.between(50, 1500);
      if (this.#network.calm) break;
      const server = chance.pick(this.#servers)!;
      const others = [...this.#servers.map(({ address }) => address), "http://c1.client", "http://w1.client"];
      if (chance.chance(0.4) && server.up) {
        server.kill();
        await world.sleepMs(forMs);
        await server.start();
      } else {
        const other = chance.pick(others.filter((address) => address !== server.address))!;
        world.run.trace.count("link cut");
        const mend = this.#network.cut(server.address, other);
        ends.push(mend);
        void world.sleepMs(forMs).then(mend);
      }
    }
    for (const end of ends) await end();
  }

  /** Writes through a coordinator, with a session. */
  async #coordinate(): Promise<void> {
    const world = this.#world;
    const chance = world.run.decisions.stream("coordinator");
    const transport = createConnectClientTransport({
      fetch: this.#network.fetch("http://s1.client"),
      forward: chance.chance(0.5),
    });
    const endpoints = this.#servers.map(({ address }) => address);
    const cluster = new Coordinator({ transport, endpoints, timeoutMs: 3000, attemptTimeoutMs: 700 });
    const keys = new KeyValueClient(cluster);
    for (let n = 1; world.nowMs < FAULTS_MS; n++) {
      await world.sleepMs(chance.next().between(20, 200));
      const [key, value, call] = ["a", `s1.${n}`, world.nowMs];
      const operation = { client: "s1", input: { type: "put", key, value } as const, call };
      this.#record.written.add(value);
      try {
        const { version, previousVersion } = await keys.put(key, value);
        const output = { version, previousVersion };
        this.#record.operations.push({ ...operation, output, return: world.nowMs });
        this.#record.acknowledged.push({ key, value, version });
        world.run.trace.count("put with a session");
      } catch (error) {
        if (!(error instanceof RaftError)) throw error;
        const bad = ["internal", "invalid_argument", "unsupported"].includes(error.code);
        world.require(!bad, () => `a coordinator received ${error.stack}`);
        if (error.outcome === "unknown") this.#record.operations.push({ ...operation, return: Infinity });
      }
    }
    await cluster.close();
  }

  /** Waits until each node answers, and checks that from then on each request is answered in time. */
  async #recover(): Promise<void> {
    const world = this.#world;
    const untilMs = world.nowMs + RECOVERY_MS;
    const [client] = this.#clients;
    for (const { id } of this.#servers) {
      while ([0, 503].includes(await client!.ask(id))) {
        if (world.nowMs > untilMs) return world.fail(`${id} answers no request although nothing is wrong`);
        await world.sleepMs(50);
      }
    }
    await world.sleepMs(DETECTION_MS);
    for (const { id } of this.#servers) {
      for (let n = 0; n < 4; n++) {
        const beganMs = world.nowMs;
        const status = await client!.ask(id);
        const tookMs = world.nowMs - beganMs;
        world.require(![0, 503].includes(status), () => `${id} answers ${status} although nothing is wrong`);
        world.require(tookMs < ANSWER_MS, () => `${id} takes ${tookMs} ms for an answer although nothing is wrong`);
      }
    }
    const last = Math.max(0, ...this.#record.acknowledged.map(({ version }) => version));
    for (const watcher of this.#watchers) {
      while (watcher.last < last) {
        if (world.nowMs > untilMs + RECOVERY_MS) return world.fail(`${watcher.name} does not see ${last}`);
        await world.sleepMs(50);
      }
    }
  }

  /** Checks that nothing is left of requests that have ended. */
  async #idle(): Promise<void> {
    await this.#world.sleepMs(500);
    for (const server of this.#servers) {
      for (const leak of server.leaks()) this.#world.fail(`${server.id} has ${leak} when idle`);
    }
    const { open } = this.#network;
    const links = this.#plan.nodes * (this.#plan.nodes - 1);
    this.#world.require(
      open <= links,
      () => `${open} connections are open when idle, between ${this.#plan.nodes} nodes`,
    );
  }

  #checkHistory(): void {
    const world = this.#world;
    const { operations, acknowledged } = this.#record;
    for (const { key, value, version } of acknowledged) {
      const seen = this.#seen.get(version);
      const wanted = value === null ? "delete" : "put";
      const fits = seen === undefined || (seen.startsWith(`${wanted} `) && seen.includes(JSON.stringify(key)));
      world.require(fits, () => `${wanted} ${key} at ${version} was seen as ${seen}`);
    }
    const changes = acknowledged.map(({ version }) => version).filter((version) => version > 0);
    for (const watcher of this.#watchers) watcher.check([...changes, ...this.#seen.keys()]);
    const found = checkLinearizable(keyValueModel, operations, { maxSteps: 500_000 });
    world.run.trace.count(`search: ${found.verdict}`);
    if (found.verdict !== "violation") return;
    const { client, input } = found.wrong;
    world.fail(`no order explains the answer to ${client}: ${JSON.stringify(input).slice(0, 200)}`);
  }
}
