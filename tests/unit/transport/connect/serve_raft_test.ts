import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { Coordinator, KeyValue, KeyValueClient, membershipOf, RaftNode, Sessions } from "../../../../mod.ts";
import { listen, type Listener } from "../../../../server/mod.ts";
import { createFileStorage } from "../../../../storage/file/mod.ts";
import {
  ConnectTransport,
  createConnectClientTransport,
  http2Connector,
  serveRaft,
} from "../../../../transport/connect/mod.ts";
import { fetchTransport } from "../../../../transport/connect/http_client.ts";
import { fromConnectError } from "../../../../transport/wire/connect_errors.ts";
import { KeyValueService } from "../../../../transport/wire/gen/raft/v1/kv_pb.ts";
import { until } from "./connect_fixture.ts";

/** Three nodes in parts: their handlers stand before the nodes do, as ports are chosen by the system. */
async function threeNodes(dir: string): Promise<{ nodes: RaftNode[]; addresses: string[]; close(): Promise<void> }> {
  const handlers: ((request: Request) => Promise<Response>)[] = [];
  const listeners: Listener[] = [];
  for (const index of [0, 1, 2]) {
    const handler = async (request: Request) => await handlers[index]?.(request) ?? new Response(null, { status: 503 });
    listeners.push(await listen({ hostname: "127.0.0.1", port: 0, handler }));
  }
  const addresses = listeners.map(({ port }) => `127.0.0.1:${port}`);
  const voters = addresses.map((address, index) => ({ id: `n${index + 1}`, address, incarnation: "" }));
  const bootstrap = { clusterId: "parts", membership: membershipOf({ voters }) };
  const nodes: RaftNode[] = [];
  for (const { id, address } of voters) {
    const transport = new ConnectTransport({ connector: http2Connector() });
    const node = await RaftNode.start({
      id,
      address,
      stateMachine: new Sessions(new KeyValue()),
      storage: createFileStorage(join(dir, id)),
      transport,
      bootstrap,
      electionTimeoutMs: 500,
    });
    nodes.push(node);
    handlers.push(serveRaft({ node, transport, address }));
  }
  return {
    nodes,
    addresses,
    async close() {
      for (const node of nodes) await node.close();
      for (const listener of listeners) await listener.close(0);
    },
  };
}

async function withThreeNodes(
  body: (nodes: readonly RaftNode[], addresses: readonly string[]) => Promise<void>,
): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "raft-parts-"));
  const cluster = await threeNodes(dir);
  try {
    await body(cluster.nodes, cluster.addresses);
  } finally {
    await cluster.close();
    await rm(dir, { recursive: true });
  }
}

Deno.test("three nodes in parts elect a leader over serveRaft, and a Coordinator writes and reads", async () => {
  await withThreeNodes(async (nodes, endpoints) => {
    const coordinator = new Coordinator({ transport: createConnectClientTransport(), endpoints });
    const store = new KeyValueClient(coordinator);
    await store.put("key", "value");
    assert.equal(new TextDecoder().decode((await store.get("key"))!.value), "value");
    await until(() => nodes.every((node) => node.status().appliedIndex >= 2), "every node applies the write");
    await coordinator.close();
  });
});

Deno.test("a node behind serveRaft that doesn't lead names the leader", async () => {
  await withThreeNodes(async (nodes, addresses) => {
    await until(() => nodes.every((node) => node.status().leader !== null), "every node knows the leader");
    const leader = nodes[0]!.status().leader!;
    const other = addresses.find((address) => address !== leader.address)!;
    const client = createConnectClientTransport();
    const [result] = await client.propose(other, [new Uint8Array(1)]);
    assert(result?.ok === false);
    assert.equal(result.error.code, "not_leader");
    assert.deepEqual(result.error.leader, leader);
    assert.equal((await client.status(other)).clusterId, "parts");
  });
});

Deno.test("serveRaft answers an unknown path with 404 and an error that clients understand", async () => {
  await withThreeNodes(async (_nodes, [address]) => {
    const response = await fetch(`http://${address}/nothing`);
    assert.equal(response.status, 404);
    assert.equal((await response.json()).code, "unimplemented");
    const call = createClient(KeyValueService, fetchTransport(address!)).get({});
    assert.equal(fromConnectError(await call.catch((error) => error)).code, "unsupported");
  });
});
