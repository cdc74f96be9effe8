import { create } from "@bufbuild/protobuf";
import assert from "node:assert/strict";
import { atLeader } from "../../../../hosting/forward.ts";
import { BootstrappingNode } from "../../../../hosting/bootstrapping_node.ts";
import type { ClientTransport } from "../../../../lib/client/mod.ts";
import { RaftError } from "../../../../lib/errors.ts";
import type { NodeStatus } from "../../../../lib/node/types.ts";
import { clientService } from "../../../../transport/wire/client_service.ts";
import { ProposeRequestSchema, ReadRequestSchema } from "../../../../transport/wire/gen/raft/v1/client_pb.ts";
import { consistencyToWire } from "../../../../transport/wire/status_codec.ts";

const base = new BootstrappingNode({ nodeId: "n1", incarnation: "i", clusterId: "c" }).status();
const n2 = { id: "n2", address: "n2:1" };
const never = () => Promise.reject(new Error("must not be called"));

/** Returns the service of a node that follows n2, whose answers are given. */
function follower(leader: Partial<ClientTransport>, own: Partial<NodeStatus> = {}) {
  const node = { status: () => ({ ...base, leader: n2, ...own }), propose: never, read: never };
  const client = { propose: never, read: never, status: never, ...leader };
  const run: NonNullable<Parameters<typeof clientService>[0]["forwarding"]>["run"] = (work, call) =>
    atLeader(node, work, { timeoutMs: 5000, ...call });
  return clientService({ node, forwarding: { client, run } });
}

const query = (forwarded = false) =>
  create(ReadRequestSchema, { query: new Uint8Array(1), consistency: consistencyToWire("lease"), forwarded });
const open = () => ({ signal: new AbortController().signal });

Deno.test("a forwarded read is answered by the leader, as consistent as it was asked for", async () => {
  const asked: unknown[] = [];
  const service = follower({
    read(address, _query, { consistency } = {}) {
      asked.push([address, consistency]);
      return Promise.resolve({ result: new Uint8Array([7]), appliedIndex: 9 });
    },
  });
  assert.deepEqual(await service.read(query(), open()), { result: new Uint8Array([7]), appliedIndex: 9n });
  assert.deepEqual(asked, [["n2:1", "lease"]]);
});

Deno.test("a forwarded read that fails has no effect: it is tried again, or rejected", async () => {
  let calls = 0;
  const answers = [
    () => Promise.reject(new RaftError("unreachable", "", { outcome: "unknown" })),
    () => Promise.reject(new RaftError("too_large", "", { outcome: "unknown" })),
  ];
  const service = follower({ read: () => answers[calls++]!() });
  await assert.rejects(service.read(query(), open()), { code: "too_large", outcome: "rejected" });
  assert.equal(calls, 2);
});

Deno.test("a forwarded command whose connection fails may have been executed, and is not sent again", async () => {
  let calls = 0;
  const service = follower({
    propose() {
      calls++;
      return Promise.reject(new RaftError("unreachable", "", { outcome: "unknown" }));
    },
  });
  const request = create(ProposeRequestSchema, { commands: [new Uint8Array(1)] });
  await assert.rejects(service.propose(request, open()), { code: "unreachable", outcome: "unknown" });
  assert.equal(calls, 1);
});

Deno.test("what another node has forwarded goes no further", async () => {
  const service = follower({});
  const request = create(ProposeRequestSchema, { commands: [new Uint8Array(1)], forwarded: true });
  await assert.rejects(service.propose(request, open()), { code: "not_leader", outcome: "rejected", leader: n2 });
  await assert.rejects(service.read(query(true), open()), { code: "not_leader", outcome: "rejected", leader: n2 });
});

Deno.test("a caller that is gone gives a forwarded command up at the leader, too", async () => {
  const caller = new AbortController();
  const service = follower({
    propose(_address, _commands, { signal } = {}) {
      return new Promise((_, reject) => {
        signal?.addEventListener("abort", () => reject(new RaftError("aborted", "", { outcome: "unknown" })));
        caller.abort();
      });
    },
  });
  const request = create(ProposeRequestSchema, { commands: [new Uint8Array(1)] });
  await assert.rejects(service.propose(request, caller), { code: "aborted", outcome: "unknown" });
});
