import assert from "node:assert/strict";
import { Playground } from "../../../browser-demo/live/playground.ts";
import { RaftError } from "../../../mod.ts";
import type { ClientTransport } from "../../../mod.ts";
import { BootstrappingNode } from "../../../hosting/bootstrapping_node.ts";

Deno.test("the playground asks the nodes that run now, when none of those is left with which it began", async () => {
  let running = ["tab:n1", "tab:n2"];
  const asked: string[] = [];
  const client: ClientTransport = {
    propose: () => Promise.reject(new RaftError("unreachable", "nobody is there")),
    read(endpoint) {
      asked.push(`query ${endpoint}`);
      return Promise.reject(new RaftError("invalid_argument", "no more is wanted"));
    },
    status(endpoint) {
      asked.push(`status ${endpoint}`);
      const waiting = new BootstrappingNode({ nodeId: endpoint.slice(4), incarnation: "i", clusterId: "c" });
      return Promise.resolve({ ...waiting.status(), term: 5, leader: { id: "n4", address: "tab:n4" } });
    },
  };
  const playground = new Playground({
    client,
    endpoints: () => running,
    nameOf: (address) => address,
    addressOf: (id) => `tab:${id}`,
  });
  running = ["tab:n4"];
  await assert.rejects(playground.get("a", "linearizable"), { code: "invalid_argument" });
  assert.deepEqual(asked, ["status tab:n4", "query tab:n4"]);
});
