import assert from "node:assert/strict";
import type { AdminMethod } from "../../../lib/client/admin_calls.ts";
import type { AdminTransport } from "../../../lib/client/client_transport.ts";
import { ClusterAdmin } from "../../../lib/client/cluster_admin.ts";
import { RaftError, type RaftErrorCode } from "../../../lib/errors.ts";
import { KeyValue } from "../../../lib/kv/key_value.ts";
import { Admin } from "../../../hosting/admin.ts";
import { AdminCalls } from "../../../hosting/admin_calls.ts";
import { RaftNode } from "../../../lib/node/mod.ts";
import type { NodeStatus } from "../../../lib/node/types.ts";
import { emptyMembership, membershipOf } from "../../../lib/raft/mod.ts";
import { SERVER_HINTS } from "../../../server/hints.ts";
import { MemoryStorage } from "../../../storage/memory.ts";
import { eventually } from "../../support/server_processes.ts";
import { VirtualHost } from "../../support/virtual_host.ts";
import { BootstrappingNode } from "../../../hosting/bootstrapping_node.ts";
import { MemoryNetwork, MemoryTransport } from "../../../transport/memory.ts";

const leaderless = new BootstrappingNode({ nodeId: "n1", incarnation: "n1", clusterId: "c" }).status();
const member = (id: string) => ({ id, address: id, incarnation: id });

async function startNodes(bootstrapped: readonly string[], others: readonly string[]) {
  const network = new MemoryNetwork();
  const membership = membershipOf({ voters: bootstrapped.map(member), learners: [] });
  const nodes = new Map<string, RaftNode>();
  for (const id of [...bootstrapped, ...others]) {
    const options = {
      id,
      address: id,
      incarnation: id,
      electionTimeoutMs: 100,
      heartbeatIntervalMs: 10,
      storage: new MemoryStorage(),
      transport: new MemoryTransport(network, id),
      stateMachine: new KeyValue(),
      ...(others.includes(id) ? {} : { bootstrap: { clusterId: "c", membership } }),
    };
    nodes.set(id, await RaftNode.start(options));
  }
  return nodes;
}

/** A transport to nodes in this process: each carries out an operator's calls as a server does. */
function transportTo(nodes: ReadonlyMap<string, RaftNode>): AdminTransport {
  const signal = new AbortController().signal;
  const identify = (address: string) => {
    const { id: nodeId, incarnation, clusterId, lastIndex } = nodes.get(address)!.status();
    return Promise.resolve({ nodeId, incarnation, clusterId, empty: lastIndex === 0 });
  };
  const callsOf = (node: RaftNode) =>
    new AdminCalls({
      node,
      admin: new Admin({ node, identify, hints: SERVER_HINTS, pollIntervalMs: 1 }),
      callLeader: () => () => Promise.reject(new RaftError("unsupported", "nothing is forwarded")),
    });
  return {
    status: (endpoint) => Promise.resolve(nodes.get(endpoint)!.status()),
    admin: (endpoint, method, request) =>
      callsOf(nodes.get(endpoint)!).call(method, request, { signal, forwarded: true }),
  };
}

Deno.test("an operator adds, promotes, demotes and removes members, and moves the leadership", async () => {
  const nodes = await startNodes(["n1", "n2"], ["n3"]);
  const transport = transportTo(nodes);
  const admin = new ClusterAdmin({ endpoints: ["n1", "n2"], transport, timeoutMs: 20_000, minBackoffMs: 5 });
  assert.deepEqual((await admin.add({ id: "n3", address: "n3", learner: true })).learners, ["n3"]);
  assert.deepEqual((await admin.promote("n3", { waitUntilReady: true })).voters.toSorted(), ["n1", "n2", "n3"]);
  assert.deepEqual((await admin.promote("n3", { waitUntilReady: true })).voters.toSorted(), ["n1", "n2", "n3"]);
  assert.deepEqual((await admin.demote("n3")).learners, ["n3"]);
  assert.deepEqual((await admin.add({ id: "n3", address: "n3" })).voters.toSorted(), ["n1", "n2", "n3"]);
  const to = nodes.get("n1")!.isLeader ? "n2" : "n1";
  assert.equal(await admin.transferLeadership(to), to);
  assert.equal((await admin.members()).leader?.id, to);
  assert.ok(await admin.takeSnapshot("n3") > 0);
  // A removal is refused until the new leader has received answers from a quorum of the rest.
  await eventually("the peers answer", () => {
    return Promise.resolve(nodes.get(to)!.status().peers.every(({ lastContactMs }) => lastContactMs !== null));
  });
  assert.deepEqual((await admin.remove("n3", { waitUntilReady: true })).members.map(({ id }) => id).toSorted(), [
    "n1",
    "n2",
  ]);
  await assert.rejects(admin.remove("n3"), { code: "invalid_argument", outcome: "rejected" });
  const target = { voters: ["n1", "n2"].map(member), learners: [] };
  assert.deepEqual((await admin.change(target)).voters.toSorted(), ["n1", "n2"]);
  await Promise.all([...nodes.values()].map((node) => node.close()));
});

/** A cluster that answers each call with the next of the given errors, and then with success. */
function answering(...errors: [RaftErrorCode, "rejected" | "unknown"][]) {
  const calls: AdminMethod[] = [];
  const status = { leader: { id: "n1", address: "n1" }, id: "n1", term: 1, lifecycle: "running", members: [] };
  const transport: AdminTransport = {
    status: () => Promise.resolve({ ...status, membership: emptyMembership } as Partial<NodeStatus> as NodeStatus),
    admin: (_endpoint, method) => {
      calls.push(method);
      const error = errors.shift();
      if (error !== undefined) return Promise.reject(new RaftError(error[0], "no", { outcome: error[1] }));
      return Promise.resolve(emptyMembership as never);
    },
  };
  const options = { endpoints: ["n1"], transport, timeoutMs: 2000, minBackoffMs: 1, maxBackoffMs: 2 };
  return { admin: new ClusterAdmin(options), calls };
}

Deno.test("an operator's request is repeated after an unknown outcome only where that does no harm", async () => {
  const lost: ["leadership_lost", "unknown"] = ["leadership_lost", "unknown"];
  for (const name of ["promote", "demote"] as const) {
    const { admin, calls } = answering(lost);
    await admin[name]("n2");
    assert.equal(calls.length, 2);
  }
  const change = answering(lost);
  await assert.rejects(change.admin.change({ voters: [] }), { code: "leadership_lost", outcome: "unknown" });
  const anyone = answering(lost);
  await assert.rejects(anyone.admin.transferLeadership(), { code: "leadership_lost", outcome: "unknown" });
  assert.deepEqual([change.calls.length, anyone.calls.length], [1, 1]);
  await answering(lost).admin.transferLeadership("n2");
});

Deno.test("a transfer that the node has given up is not repeated until the deadline", async () => {
  for (const outcome of ["rejected", "unknown"] as const) {
    const { admin, calls } = answering(["not_ready", outcome]);
    await assert.rejects(admin.transferLeadership("n2"), { code: "not_ready", outcome });
    assert.equal(calls.length, 1);
  }
});

Deno.test("a member that is gone after a lost answer was removed by it", async () => {
  const { admin } = answering(["unreachable", "unknown"], ["invalid_argument", "rejected"]);
  assert.equal(await admin.remove("n2"), emptyMembership);
});

Deno.test("promote reports at once that a learner is behind, unless it waits for that", async () => {
  const hasty = answering(["not_ready", "rejected"]);
  await assert.rejects(hasty.admin.promote("n2"), { code: "not_ready", outcome: "rejected" });
  const retried: string[] = [];
  const patient = answering(["not_ready", "rejected"], ["membership_change_in_progress", "rejected"]);
  await patient.admin.promote("n2", { waitUntilReady: true, onRetry: ({ code }) => retried.push(code) });
  assert.deepEqual(retried, ["not_ready", "membership_change_in_progress"]);
});

Deno.test("an operator's request ends with what the cluster refuses, with its deadline, or with its signal", async () => {
  const refused = answering(["no_leader", "rejected"], ["refused", "rejected"]);
  await assert.rejects(refused.admin.remove("n2"), { code: "refused", outcome: "rejected" });
  const late = answering(...Array.from({ length: 1000 }, (): ["no_leader", "unknown"] => ["no_leader", "unknown"]));
  await assert.rejects(late.admin.promote("n2", { timeoutMs: 30 }), { code: "no_leader", outcome: "unknown" });
  const { admin, calls } = answering();
  await assert.rejects(admin.promote("n2", { signal: AbortSignal.abort() }), { code: "aborted", outcome: "rejected" });
  assert.equal(calls.length, 0);
});

Deno.test("an operator waits 10 s for a leader, from when there is none", async () => {
  const host = new VirtualHost();
  const { clock } = host;
  /** The times between which no node leads. */
  let [fromMs, toMs] = [12_000, 15_000];
  const leads = () => clock.monotonicMs() < fromMs || clock.monotonicMs() >= toMs;
  const leader = { id: "n1", address: "n1" };
  const transport: AdminTransport = {
    status: () => Promise.resolve({ ...leaderless, leader: leads() ? leader : null } as NodeStatus),
    admin: () => {
      const code = !leads() ? "no_leader" : clock.monotonicMs() < 20_000 ? "not_ready" : null;
      return code === null ? Promise.resolve(emptyMembership as never) : Promise.reject(new RaftError(code, code));
    },
  };
  const admin = new ClusterAdmin({ endpoints: ["n1"], transport, host });
  await host.run(admin.add({ id: "n2", address: "n2" }));
  assert.ok(clock.monotonicMs() >= 20_000, "an election meanwhile does not end it");
  [fromMs, toMs] = [0, Infinity];
  const began = clock.monotonicMs();
  await assert.rejects(host.run(admin.remove("n2")), { code: "no_leader" });
  const tookMs = clock.monotonicMs() - began;
  assert.ok(tookMs >= 8000 && tookMs <= 11_000, `${tookMs}`);
});

Deno.test("a node that gives a request up at its deadline is asked again, unless the caller has given up", async () => {
  const { admin, calls } = answering(["aborted", "unknown"], ["aborted", "unknown"]);
  await admin.add({ id: "n2", address: "n2" });
  assert.equal(calls.length, 3);
  const { admin: change } = answering(["aborted", "unknown"]);
  await assert.rejects(change.change({ voters: [member("n1")] }), { code: "timeout", outcome: "unknown" });
});
