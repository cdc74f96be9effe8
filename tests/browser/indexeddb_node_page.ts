/// <reference lib="dom" />
/** Checks of nodes on IndexedDB whose storage fails. */

import { RaftError } from "../../lib/errors.ts";
import {
  Coordinator,
  DirectClientTransport,
  KeyValue,
  KeyValueClient,
  membershipOf,
  MemoryNetwork,
  RaftNode,
  Sessions,
} from "../../mod.ts";
import { expect, same } from "../../storage/conformance_bench.ts";
import { createIndexedDbStorage } from "../../storage/indexeddb/mod.ts";
import { done, intercept } from "./indexeddb_support.ts";
import { offer } from "./suite_page.ts";
import type { PageCheck } from "./suite_page.ts";

/** Nodes on this page, each with a database of its own. */
class Cluster implements AsyncDisposable {
  readonly nodes = new Map<string, RaftNode>();
  readonly client: Coordinator;
  readonly keys: KeyValueClient;
  readonly #network = new MemoryNetwork();
  readonly #clusterId: string;

  constructor(clusterId: string, ids: readonly string[]) {
    this.#clusterId = clusterId;
    this.client = new Coordinator({ endpoints: ids, transport: new DirectClientTransport(this.nodes) });
    this.keys = new KeyValueClient(this.client);
  }

  storage(id: string) {
    return createIndexedDbStorage({ clusterId: this.#clusterId, nodeId: id });
  }

  async start(id: string, voters: readonly string[]): Promise<RaftNode> {
    const members = voters.map((voter) => ({ id: voter, address: voter, incarnation: `i-${voter}` }));
    const node = await RaftNode.start({
      id,
      address: id,
      stateMachine: new Sessions(new KeyValue()),
      storage: this.storage(id),
      transport: this.#network.transport(id),
      ...(voters.length === 0 ? {} : {
        incarnation: `i-${id}`,
        bootstrap: { clusterId: this.#clusterId, membership: membershipOf({ voters: members }) },
      }),
      electionTimeoutMs: 300,
      heartbeatIntervalMs: 50,
    });
    this.nodes.set(id, node);
    return node;
  }

  async leader(): Promise<RaftNode> {
    for (;;) {
      const found = [...this.nodes.values()].find((node) => node.isLeader);
      if (found !== undefined) return found;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    for (const node of this.nodes.values()) await node.close();
  }
}

const checks: PageCheck[] = [
  {
    name: "a node keeps its state when it is closed and started again",
    run: async () => {
      await using cluster = new Cluster("restarted", ["n1"]);
      const node = await cluster.start("n1", ["n1"]);
      await cluster.keys.put("a", "before");
      const { term, incarnation } = node.status();
      await node.close();
      const again = await cluster.start("n1", ["n1"]);
      const { value } = (await cluster.keys.get("a"))!;
      same(new TextDecoder().decode(value), "before", "the value");
      same(again.status().incarnation, incarnation, "the incarnation");
      expect(again.status().term > term, "the term went on");
    },
  },
  {
    name: "a leader whose write was aborted gives up leadership, continues, and leads again",
    run: async () => {
      await using cluster = new Cluster("aborted write", ["n1"]);
      const node = await cluster.start("n1", ["n1"]);
      await cluster.keys.put("a", "1");
      intercept((transaction) => transaction.commit = transaction.abort);
      const failure = await node.propose(new Uint8Array([1])).then(() => undefined, (error) => error);
      expect(failure instanceof RaftError, `a RaftError: ${failure}`);
      same([failure.code, failure.outcome], ["storage", "rejected"], "what became of the proposal");
      same([node.lifecycle, node.isLeader], ["running", false], "the node");
      await cluster.keys.put("a", "2");
      same(node.status().storage, { healthy: true, error: null }, "its storage");
    },
  },
  {
    name: "a leader whose database is deleted stops; the others continue, and its replacement is a new node",
    run: async () => {
      const ids = ["n1", "n2", "n3"];
      await using cluster = new Cluster("deleted database", ids);
      await Promise.all(ids.map((id) => cluster.start(id, ids)));
      await cluster.keys.put("a", "before");
      const victim = await cluster.leader();
      await done(indexedDB.deleteDatabase(cluster.storage(victim.id).name));
      await cluster.keys.put("a", "after");
      same(victim.lifecycle, "stopped", "the node without a database");
      expect(victim.status().storage.error?.includes("is lost") === true, `why: ${victim.status().storage.error}`);
      expect((await cluster.leader()).id !== victim.id, "another one leads");
      await victim.close();
      const successor = await cluster.start(victim.id, []);
      await cluster.keys.put("a", "later");
      const { incarnation, members, lastIndex, term } = successor.status();
      expect(incarnation !== `i-${victim.id}`, "it has an incarnation of its own");
      same([members, lastIndex, term], [[], 0, 0], "it is not a voter, and has received nothing");
    },
  },
];

offer(checks);
