import assert from "node:assert/strict";
import type { AdminTransport } from "../../../lib/client/client_transport.ts";
import { ClusterAdmin } from "../../../lib/client/cluster_admin.ts";
import { RaftError } from "../../../lib/errors.ts";
import type { NodeStatus } from "../../../lib/node/types.ts";
import { emptyMembership } from "../../../lib/raft/membership.ts";
import { VirtualHost } from "../../support/virtual_host.ts";

interface Call {
  readonly endpoint: string;
  readonly timeoutMs: number | undefined;
  readonly atMs: number;
}

/** An operator's client of nodes that all name n1 as the leader; `answer` decides what becomes of each call. */
function operator(answer: (call: Call, index: number) => Promise<unknown>) {
  const host = new VirtualHost(5);
  const calls: Call[] = [];
  const endpoints = ["n1", "n2", "n3"];
  const transport: AdminTransport = {
    status: (id) => {
      const members = endpoints.map((id) => ({ id, address: id }));
      const leader = { id: "n1", address: "n1" };
      return Promise.resolve({ id, lifecycle: "running", term: 1, leader, members } as unknown as NodeStatus);
    },
    admin: (endpoint, _method, _request, { timeoutMs } = {}) => {
      const call = { endpoint, timeoutMs, atMs: host.now };
      calls.push(call);
      return answer(call, calls.length) as Promise<never>;
    },
  };
  return {
    host,
    calls,
    admin: new ClusterAdmin({ endpoints, transport, host, timeoutMs: 60_000, attemptTimeoutMs: 5000 }),
  };
}

const unreachable = () => Promise.reject(new RaftError("unreachable", "no answer", { outcome: "rejected" }));

Deno.test("an operator's request that is aborted while it is under way has an unknown outcome", async () => {
  const { host, admin } = operator(() => new Promise(() => {}));
  const controller = new AbortController();
  const moved = admin.transferLeadership(undefined, { signal: controller.signal });
  moved.catch(() => {});
  await host.runFor(100);
  controller.abort();
  await assert.rejects(host.run(moved), { code: "aborted", outcome: "unknown" });
});

Deno.test("a change that can't be repeated has all the time of its request, others that of an attempt", async () => {
  const { host, admin, calls } = operator(() => Promise.resolve(emptyMembership));
  await host.run(admin.change({ voters: [] }, { timeoutMs: 30_000 }));
  await host.run(admin.promote("n2", { timeoutMs: 30_000 }));
  assert.deepEqual(calls.map(({ timeoutMs }) => timeoutMs), [30_000, 5000]);
});

Deno.test("an operator's request follows a hint at once, and makes one detour around a leader it can't reach", async () => {
  const hint = new RaftError("not_leader", "no", { leader: { id: "n3", address: "n3" } });
  const hinted = operator(({ endpoint }) =>
    endpoint === "n1" ? Promise.reject(hint) : Promise.resolve(emptyMembership)
  );
  await hinted.host.run(hinted.admin.promote("n2"));
  assert.deepEqual(hinted.calls.map(({ endpoint }) => endpoint), ["n1", "n3"]);
  assert.equal(hinted.calls[0]!.atMs, hinted.calls[1]!.atMs);
  const around = operator((_, index) => index <= 4 ? unreachable() : Promise.resolve(emptyMembership));
  await around.host.run(around.admin.promote("n2"));
  const [leader, detour] = [0, 1].map((odd) => around.calls.filter((_, at) => at % 2 === odd));
  assert.deepEqual(leader!.map(({ endpoint }) => endpoint), ["n1", "n1", "n1"]);
  assert.equal(new Set(detour!.map(({ endpoint }) => endpoint)).size, 2, "each time by another node");
});
