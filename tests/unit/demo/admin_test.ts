import assert from "node:assert/strict";
import { removeMember } from "../../../browser-demo/live/admin.ts";
import { BootstrappingNode } from "../../../hosting/bootstrapping_node.ts";
import { ClusterAdmin, RaftError } from "../../../mod.ts";
import type { AdminTransport } from "../../../mod.ts";

/** Removes n2, by requests that end with this error. */
async function remove(error: RaftError): Promise<void> {
  const transport: AdminTransport = {
    admin: () => Promise.reject(error),
    status() {
      const node = new BootstrappingNode({ nodeId: "n1", incarnation: "i", clusterId: "c" });
      return Promise.resolve({ ...node.status(), term: 1, leader: { id: "n1", address: "tab:n1" } });
    },
  };
  await removeMember(new ClusterAdmin({ transport, endpoints: ["tab:n1"] }), "n2");
}

Deno.test("a node that is not a member is removed already; other refusals are errors", async () => {
  await remove(new RaftError("invalid_argument", "n2 is not a member"));
  await assert.rejects(remove(new RaftError("refused", "n2 is the last voter")), { code: "refused" });
});
