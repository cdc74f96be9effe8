import assert from "node:assert/strict";
import { DemoClient } from "../../../browser-demo/live/demo_client.ts";
import { RaftError } from "../../../mod.ts";
import type { ClientTransport } from "../../../mod.ts";
import { BootstrappingNode } from "../../../hosting/bootstrapping_node.ts";

Deno.test("the client asks the nodes that run now, even if no founder is left", async () => {
  let running = ["tab:n1", "tab:n2"];
  const asked: string[] = [];
  const client: ClientTransport = {
    propose: () => Promise.reject(new RaftError("unreachable", "no node runs")),
    read(endpoint) {
      asked.push(`read ${endpoint}`);
      return Promise.reject(new RaftError("invalid_argument", "the test ends here"));
    },
    status(endpoint) {
      asked.push(`status ${endpoint}`);
      const waiting = new BootstrappingNode({ nodeId: endpoint.slice(4), incarnation: "i", clusterId: "c" });
      return Promise.resolve({ ...waiting.status(), term: 5, leader: { id: "n4", address: "tab:n4" } });
    },
  };
  const demo = new DemoClient({
    client,
    endpoints: () => running,
    nameOf: (address) => address,
    addressOf: (id) => `tab:${id}`,
  });
  running = ["tab:n4"];
  await assert.rejects(demo.get("a", "linearizable"), { code: "invalid_argument" });
  assert.deepEqual(asked, ["status tab:n4", "read tab:n4"]);
});
