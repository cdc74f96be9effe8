import assert from "node:assert/strict";
import { LeaderFinder } from "../../../lib/client/leader_finder.ts";
import { VirtualHost } from "../../support/virtual_host.ts";
import { Counter, FakeCluster } from "./fake_cluster.ts";

function finderOf(removed: readonly string[], endpoints: readonly string[]) {
  const host = new VirtualHost();
  const cluster = new FakeCluster(host, new Counter());
  for (const id of removed) {
    cluster.removed.add(id);
    cluster.beliefs.set(id, null);
  }
  const finder = new LeaderFinder({ transport: cluster, host, endpoints, attemptTimeoutMs: 500 });
  return { host, cluster, finder };
}

Deno.test("leader finder: a node that was removed leads to the members that it knows", async () => {
  const { host, cluster, finder } = finderOf(["n3"], ["n3"]);
  cluster.elect("n1");
  assert.equal((await host.run(finder.search())).id, "n1");
});

Deno.test("leader finder: only removed nodes answer", async () => {
  const { host, cluster, finder } = finderOf(["n3"], ["n3"]);
  cluster.elect(null);
  cluster.fault = (_, endpoint) => endpoint === "n3" ? "none" : "refused";
  await assert.rejects(host.run(finder.search()), { code: "not_a_member", message: "n3 was removed from the cluster" });
});

Deno.test("leader finder: without a leader a member beside a removed node is worth waiting for", async () => {
  const { host, cluster, finder } = finderOf(["n3"], ["n1", "n3"]);
  cluster.elect(null);
  await assert.rejects(host.run(finder.search()), { code: "no_leader" });
});
