import assert from "node:assert/strict";
import { DemoAdmin } from "../../../browser-demo/live/admin.ts";
import { BootstrappingNode } from "../../../hosting/bootstrapping_node.ts";
import { RaftError } from "../../../mod.ts";
import type { AdminTransport } from "../../../mod.ts";

/** Returns an operator whose requests end with this error. */
function adminFailing(error: RaftError): DemoAdmin {
  const transport: AdminTransport = {
    admin: () => Promise.reject(error),
    status() {
      const node = new BootstrappingNode({ nodeId: "n1", incarnation: "i", clusterId: "c" });
      return Promise.resolve({ ...node.status(), term: 1, leader: { id: "n1", address: "tab:n1" } });
    },
  };
  return new DemoAdmin({ transport, endpoints: ["tab:n1"] });
}

Deno.test("a node that is not a member is removed already; other refusals are errors", async () => {
  await adminFailing(new RaftError("invalid_argument", "n2 is not a member")).remove("n2");
  await assert.rejects(adminFailing(new RaftError("refused", "n2 is the last voter")).remove("n2"), {
    code: "refused",
  });
});
