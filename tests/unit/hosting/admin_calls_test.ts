import assert from "node:assert/strict";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { RaftError } from "../../../lib/errors.ts";
import type { NodeStatus } from "../../../lib/node/types.ts";
import type { Admin } from "../../../hosting/admin.ts";
import { AdminCalls } from "../../../hosting/admin_calls.ts";
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
