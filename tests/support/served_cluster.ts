/**
 * A small cluster in one process, each node behind the server's HTTP app, for tests
 * of the app without a port or a disk.
 *
 * @module
 */

import type { ClientTransport } from "../../lib/client/client_transport.ts";
import { RaftError } from "../../lib/errors.ts";
import { KeyValue } from "../../lib/kv/key_value.ts";
import { RaftNode } from "../../lib/node/mod.ts";
import { membershipOf } from "../../lib/raft/membership.ts";
import { Sessions } from "../../lib/sessions/sessions.ts";
import { createApp } from "../../server/app.ts";
import type { App, AppOptions } from "../../server/app.ts";
import { MemoryStorage } from "../../storage/memory.ts";
import { MemoryNetwork } from "../../transport/memory.ts";
import { eventually } from "./server_processes.ts";

/** One node and its app. */
export interface Served {
  readonly id: string;
  readonly node: RaftNode;
  readonly app: App;
  readonly store: KeyValue;
  /** Reaches all nodes. */
  readonly client: ClientTransport;
  /** The requests that other nodes forwarded to this one. */
  readonly passedOn: { proposals: number; queries: number };
}

/** A client that calls nodes of the same process by their address; like the real one, it never forwards. */
class DirectClient implements ClientTransport {
  readonly #served: ReadonlyMap<string, Served>;

  constructor(served: ReadonlyMap<string, Served>) {
    this.#served = served;
  }

  async propose(endpoint: string, commands: readonly Uint8Array[], options = {}) {
    const { node, passedOn } = this.#at(endpoint);
    passedOn.proposals += commands.length;
    return await Promise.all(commands.map(async (command) => {
      const { index, result } = await node.propose(command, options);
      return { ok: true as const, index, result };
    }));
  }

  async read(endpoint: string, query: Uint8Array, options = {}) {
    const { node, passedOn } = this.#at(endpoint);
    passedOn.queries++;
    return await node.read(query, options);
  }

  status(endpoint: string) {
    return Promise.resolve(this.#at(endpoint).node.status());
  }

  #at(endpoint: string): Served {
    const served = this.#served.get(endpoint);
    if (served === undefined) throw new RaftError("unreachable", `no node answers at ${endpoint}`);
    return served;
  }
}

/** A cluster, for `await using`. */
export class ServedCluster {
  readonly served: Map<string, Served> = new Map<string, Served>();
  readonly network: MemoryNetwork = new MemoryNetwork();

  /** Starts n1, n2, …; resolves once one of them leads and all follow it. */
  static async start(size = 3, options: Partial<AppOptions> = {}): Promise<ServedCluster> {
    const cluster = new ServedCluster();
    const ids = Array.from({ length: size }, (_, at) => `n${at + 1}`);
    const membership = membershipOf({ voters: ids.map((id) => ({ id, address: id, incarnation: "" })) });
    const client = new DirectClient(cluster.served);
    for (const id of ids) {
      const store = new KeyValue();
      const node = await RaftNode.start({
        id,
        address: id,
        stateMachine: new Sessions(store),
        storage: new MemoryStorage(),
        transport: cluster.network.transport(id),
        bootstrap: { clusterId: "test", membership },
        electionTimeoutMs: 150,
        heartbeatIntervalMs: 30,
      });
      const app = createApp({ node, store, client, requestTimeoutMs: 2000, ...options });
      cluster.served.set(id, { id, node, app, store, client, passedOn: { proposals: 0, queries: 0 } });
    }
    await cluster.leader();
    return cluster;
  }

  /** Resolves with the leader, once every open node follows it. */
  async leader(): Promise<Served> {
    return await eventually("a leader whom all follow", () => {
      const open = [...this.served.values()].filter(({ node }) => node.lifecycle === "running");
      const leader = open.find(({ node }) => node.isLeader);
      const followed = open.every(({ node }) => node.status().leader?.id === leader?.id);
      return leader !== undefined && followed ? leader : undefined;
    });
  }

  /** Resolves with a node that doesn't lead. */
  async follower(): Promise<Served> {
    const leader = await this.leader();
    const follower = [...this.served.values()].find((served) =>
      served !== leader && served.node.lifecycle === "running"
    );
    if (follower === undefined) throw new Error("there is no follower");
    return follower;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.served.values()].map(({ node }) => node.close()));
  }
}
