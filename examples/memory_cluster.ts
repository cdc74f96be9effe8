/**
 * Three nodes of a replicated key-value store in one process, in memory, for
 * experiments and as the beginning of a test. It needs only `mod.ts`, so it can be
 * imported from a URL, too.
 *
 * @module
 */

import {
  Coordinator,
  DirectClientTransport,
  KeyValue,
  membershipOf,
  MemoryNetwork,
  MemoryStorage,
  RaftNode,
  Sessions,
} from "../mod.ts";

/** A running cluster. */
export interface MemoryCluster extends AsyncDisposable {
  /** The nodes by name, which is also their address. */
  readonly nodes: Map<string, RaftNode>;
  /** The network between the nodes, which can cut links, and lose or delay messages. */
  readonly network: MemoryNetwork;
  /** A client that finds the leader. */
  readonly client: Coordinator;
  /** Closes client and nodes. */
  close(): Promise<void>;
}

/**
 * Starts a node for each name. They elect a leader by themselves; the client
 * waits for it.
 *
 * @example
 * ```ts
 * import { KeyValueClient } from "./mod.ts";
 * import { startMemoryCluster } from "./examples/memory_cluster.ts";
 *
 * await using cluster = await startMemoryCluster(["n1", "n2", "n3"]);
 * await new KeyValueClient(cluster.client).put("greeting", "hello");
 * ```
 */
export async function startMemoryCluster(ids: readonly string[]): Promise<MemoryCluster> {
  const network = new MemoryNetwork();
  const membership = membershipOf({ voters: ids.map((id) => ({ id, address: id, incarnation: "" })) });
  const nodes = new Map<string, RaftNode>();
  for (const id of ids) {
    const node = await RaftNode.start({
      id,
      address: id,
      stateMachine: new Sessions(new KeyValue()),
      storage: new MemoryStorage(),
      transport: network.transport(id),
      bootstrap: { clusterId: "memory", membership },
      // Nothing here takes longer than a turn of the task queue.
      electionTimeoutMs: 100,
      heartbeatIntervalMs: 20,
    });
    nodes.set(id, node);
  }
  const client = new Coordinator({ endpoints: ids, transport: new DirectClientTransport(nodes) });
  const close = async (): Promise<void> => {
    await client.close();
    await Promise.all([...nodes.values()].map((node) => node.close()));
  };
  return { nodes, network, client, close, [Symbol.asyncDispose]: close };
}
