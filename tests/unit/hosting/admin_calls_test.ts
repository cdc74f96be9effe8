import assert from "node:assert/strict";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { RaftError } from "../../../lib/errors.ts";
import type { NodeStatus } from "../../../lib/node/types.ts";
import type { Admin } from "../../../hosting/admin.ts";
import { AdminCalls, adminService } from "../../../hosting/admin_calls.ts";
import { RemoveMemberResponseSchema } from "../../../transport/wire/gen/raft/v1/admin_pb.ts";

const ANSWERS = {
  "no membership": {},
  "a member without a name": { membership: { members: [{ id: "", address: "tab:n1" }] } },
};

for (const [what, answer] of Object.entries(ANSWERS)) {
  Deno.test(`a leader that answers with ${what} may have carried the change out`, async () => {
    const response = toBinary(RemoveMemberResponseSchema, create(RemoveMemberResponseSchema, answer));
    const status = { role: "follower", lifecycle: "running", leader: { id: "n2", address: "tab:n2" } };
    const calls = new AdminCalls({
      node: {
        status: () => status as NodeStatus,
        transferLeadership: () => Promise.reject(new Error("not asked for")),
        takeSnapshot: () => Promise.reject(new Error("not asked for")),
      },
      admin: {} as Admin,
      callLeader: () => ({ output }) => Promise.resolve(fromBinary(output, response)),
    });
    await assert.rejects(
      calls.call("removeMember", { id: "n3" }, { signal: new AbortController().signal }),
      (error: RaftError) => error.code === "internal" && error.outcome === "unknown",
    );
  });
}

Deno.test("a member without an id is refused where the request arrives, whatever is asked for", async () => {
  const refused = () => Promise.reject(new Error("not asked for"));
  const node = { status: refused as never, transferLeadership: refused, takeSnapshot: refused };
  const calls = new AdminCalls({ node, admin: {} as Admin, callLeader: () => refused });
  const service = adminService(node, calls);
  const context = { signal: new AbortController().signal };
  const request = { id: "", address: "127.0.0.1:7001", incarnation: "", learner: false, forwarded: false } as never;
  const nameless = { voters: [{ id: "", address: "", incarnation: "" }], learners: [], forwarded: false } as never;
  for (
    const refusal of [
      () => service.addMember(request, context),
      () => service.promoteMember(request, context),
      () => service.demoteMember(request, context),
      () => service.removeMember(request, context),
      () => service.changeMembership(nameless, context),
    ]
  ) {
    await assert.rejects(
      refusal,
      (error: RaftError) => error.code === "invalid_argument" && error.message === "a member needs an id",
    );
  }
});
