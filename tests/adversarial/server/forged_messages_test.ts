/**
 * Forged messages of peers over real sockets, as anyone who reaches the port can send
 * them: three servers go on, and keep what they have.
 */

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { PROTOCOL_VERSION } from "../../../lib/transport.ts";
import { startServer } from "../../../server/server.ts";
import type { Server } from "../../../server/server.ts";
import { MemoryStorage } from "../../../storage/memory.ts";
import { eventually } from "../../support/server_processes.ts";

interface Cluster {
  readonly servers: readonly Server[];
  readonly warnings: string[];
}

/** Finds ports that are free now. */
async function freePorts(count: number): Promise<number[]> {
  const probes = Array.from({ length: count }, () => createServer());
  for (const probe of probes) await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const ports = probes.map((probe) => (probe.address() as AddressInfo).port);
  for (const probe of probes) await new Promise((resolve) => probe.close(resolve));
  return ports;
}

/** Runs `test` with three servers, one of which leads. */
async function withCluster(test: (cluster: Cluster) => Promise<void>): Promise<void> {
  const warnings: string[] = [];
  const ports = await freePorts(3);
  const peers = ports.map((port, i) => ({ id: `n${i + 1}`, address: `http://127.0.0.1:${port}` }));
  const servers = await Promise.all(peers.map(({ id }) =>
    startServer({
      id,
      data: "memory",
      storage: new MemoryStorage(),
      peers,
      electionTimeoutMs: 400,
      heartbeatIntervalMs: 50,
      logger: { info() {}, error() {}, warn: (line) => void warnings.push(line) },
    })
  ));
  try {
    for (const server of servers) await server.running;
    await eventually("all follow a leader", () => {
      const leaders = new Set(servers.map((server) => server.status().leader?.id));
      return leaders.size === 1 && !leaders.has(undefined);
    });
    await test({ servers, warnings });
  } finally {
    for (const server of servers) await server.close();
  }
}

function leaderOf({ servers }: Cluster): Server {
  return servers.find((server) => server.status().role === "leader") ?? assert.fail("no server leads");
}

/** Sends a message under the name of a stranger. */
async function forge(to: Server, message: unknown, fromAddress = "127.0.0.1:9"): Promise<number> {
  const { clusterId, id, incarnation } = to.status();
  const response = await fetch(`http://127.0.0.1:${to.port}/raft.v1.PeerService/Send`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      envelopes: [{
        protocolVersion: PROTOCOL_VERSION,
        clusterId,
        from: "evil",
        fromIncarnation: "evil",
        fromAddress,
        to: id,
        toIncarnation: incarnation,
        ...message as Record<string, unknown>,
      }],
    }),
  });
  await response.body?.cancel();
  return response.status;
}

async function put(server: Server, key: string, value: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${server.port}/kv/${key}`, { method: "PUT", body: value });
  await response.body?.cancel();
  return response.status;
}

/** Asserts that every server runs, has the value, and serves a write. */
async function goesOn({ servers }: Cluster): Promise<void> {
  for (const server of servers) {
    assert.equal(server.status().lifecycle, "running");
    await eventually(`${server.id} serves writes`, async () => await put(server, `by-${server.id}`, "yes") < 300);
    await eventually(`${server.id} has its state`, async () => {
      const response = await fetch(`http://127.0.0.1:${server.port}/kv/kept?consistency=stale`);
      return await response.text() === "value";
    });
  }
}

const appendEntries = (term: number, parts: Record<string, unknown> = {}) => ({
  appendEntries: { term, prevLogIndex: 0, prevLogTerm: 0, leaderCommit: 0, round: 1, ...parts },
});

Deno.test("a forged term ends no elections, a second leader stops no node, and both are logged", async () => {
  await withCluster(async (cluster) => {
    const leader = leaderOf(cluster);
    assert.equal(await put(leader, "kept", "value"), 201);
    const { term } = leader.status();
    const far = { term: String(Number.MAX_SAFE_INTEGER), lastLogIndex: 0, lastLogTerm: 0, leadershipTransfer: true };
    for (const server of cluster.servers) {
      assert.equal(await forge(server, appendEntries(term)), 400);
      assert.equal(await forge(server, { requestVote: far }), 400);
    }
    assert.deepEqual([leader.status().role, leader.status().term], ["leader", term]);
    for (const kind of ["claims to lead", "has term 9007199254740991"]) {
      assert.equal(cluster.warnings.filter((line) => line.includes('"evil"') && line.includes(kind)).length, 3, kind);
    }
    await goesOn(cluster);
  });
});

Deno.test("a forged snapshot on every node erases nothing", async () => {
  await withCluster(async (cluster) => {
    const leader = leaderOf(cluster);
    assert.equal(await put(leader, "kept", "value"), 201);
    await eventually(
      "all have it",
      () => new Set(cluster.servers.map((each) => each.status().appliedIndex)).size === 1,
    );
    const { term } = leader.status();
    const membership = {
      voters: ["evil"],
      members: [{ id: "evil", address: "http://127.0.0.1:9", incarnation: "evil" }],
    };
    const snapshot = { id: "s", index: 1_000_000, term: term + 1, membership, size: 0, checksum: 0 };
    for (const server of cluster.servers) {
      await forge(server, { installSnapshot: { term: term + 1, round: 1, snapshot, offset: 0, data: "" } });
    }
    await eventually("all refuse it", () => {
      return cluster.warnings.filter((line) => line.includes("can't be restored")).length === 3;
    });
    for (const server of cluster.servers) assert.ok(server.status().lastIndex < 1000);
    await goesOn(cluster);
  });
});

Deno.test("a client's write never goes to the address of an envelope", async () => {
  await withCluster(async (cluster) => {
    const leader = leaderOf(cluster);
    assert.equal(await put(leader, "kept", "value"), 201);
    const received: string[] = [];
    const thief = createServer((request, response) => {
      received.push(request.url ?? "");
      response.end();
    });
    await new Promise<void>((resolve) => thief.listen(0, "127.0.0.1", resolve));
    try {
      const address = `http://127.0.0.1:${(thief.address() as AddressInfo).port}`;
      const follower = cluster.servers.find((server) => server !== leader)!;
      assert.equal(await forge(follower, appendEntries(leader.status().term + 1), address), 200);
      assert.ok(await put(follower, "secret", "value") < 300, "once there is a leader again");
      assert.deepEqual(received.filter((path) => !path.includes("PeerService")), []);
    } finally {
      thief.closeAllConnections();
      await new Promise((resolve) => thief.close(resolve));
    }
    await goesOn(cluster);
  });
});
