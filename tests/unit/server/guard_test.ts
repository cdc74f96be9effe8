import assert from "node:assert/strict";
import { BootstrappingNode } from "../../../hosting/bootstrapping_node.ts";
import { RaftError } from "../../../lib/errors.ts";
import { createApp } from "../../../server/app.ts";
import { readiness } from "../../../server/health.ts";
import type { NodeStatus } from "../../../lib/node/types.ts";

const node = new BootstrappingNode({ nodeId: "n1", incarnation: "i", clusterId: "c" });
const none = () => Promise.reject(new RaftError("unsupported", "nothing is called"));
const PEER = "/raft.v1.PeerService/Send";
const ADMIN = "/raft.v1.AdminService/AddMember";
const CLIENT = "/raft.v1.ClientService/Read";

function appOf(origins: readonly string[] = [], adminOrigins: readonly string[] = []) {
  return createApp({
    node,
    client: { propose: none, read: none, status: none },
    services: () => new Response("served"),
    hosts: ["node.example"],
    origins,
    adminOrigins,
  });
}

async function statusOf(app: ReturnType<typeof appOf>, path: string, headers: Record<string, string>): Promise<number> {
  return (await app.request(path, { headers: { host: "node.example:7001", ...headers } })).status;
}

Deno.test("a page of the server's own origin may call it, over HTTP or a proxy's HTTPS, in any case", async () => {
  const app = appOf();
  for (const origin of ["http://node.example:7001", "https://node.example:7001", "HTTP://Node.Example:7001"]) {
    for (const path of ["/livez", CLIENT, ADMIN, PEER]) {
      assert.equal(await statusOf(app, path, { origin }), 200, origin);
    }
  }
  assert.equal(await statusOf(app, "/livez", { host: "NODE.example:7001", origin: "http://node.example:7001" }), 200);
});

Deno.test("an origin that only begins or ends like the server's own is foreign", async () => {
  const app = appOf();
  const foreign = [
    "http://node.example:7001.evil.example",
    "http://node.example:70010",
    "http://node.example:7001@evil.example",
    "http://node.example",
    "http://node.example:700",
    "http://evil.node.example:7001",
    "ftp://node.example:7001",
  ];
  for (const origin of foreign) assert.equal(await statusOf(app, "/livez", { origin }), 403, origin);
  for (const host of ["node.example:65536", "node.example:99999"]) {
    assert.equal(await statusOf(app, "/livez", { host }), 403, host);
  }
});

Deno.test("a request without an origin is refused if the browser says that it comes from another site", async () => {
  for (
    const [site, status] of [["cross-site", 403], ["same-site", 403], ["same-origin", 200], ["none", 200]] as const
  ) {
    assert.equal(await statusOf(appOf(), "/livez", { "sec-fetch-site": site }), status, site);
    assert.equal(await statusOf(appOf(["*"]), "/livez", { "sec-fetch-site": site }), 200, site);
  }
});

Deno.test("pages that may call are no peers, and administer only if they may do that, too", async () => {
  const [page, admin] = ["https://page.example", "https://admin.example"];
  for (const app of [appOf([page], [admin]), appOf(["*"], [admin])]) {
    for (const origin of [page, admin]) {
      assert.equal(await statusOf(app, CLIENT, { origin }), 200);
      assert.equal(await statusOf(app, PEER, { origin }), 403);
      assert.equal(await statusOf(app, `/mounted${PEER}`, { origin }), 403);
      assert.equal(await statusOf(app, ADMIN, { origin }), origin === admin ? 200 : 403);
    }
  }
});

Deno.test("pages may read the headers that a client needs", async () => {
  const headers = { host: "node.example:7001", origin: "https://page.example" };
  const answer = await appOf(["https://page.example"]).request("/livez", { headers });
  const exposed = answer.headers.get("access-control-expose-headers")?.toLowerCase().split(",");
  assert.deepEqual(exposed?.sort(), ["etag", "raft-revision", "retry-after"]);
});

const member = { id: "n1", address: "http://h:1", incarnation: "i", suffrage: "voter" as const };
const ready: NodeStatus = {
  ...node.status(),
  leader: { id: "n2", address: "http://h:2" },
  term: 3,
  members: [member],
  commitIndex: 20_000,
  appliedIndex: 10_000,
};

Deno.test("readiness: each check fails alone", () => {
  const failing = (change: Partial<NodeStatus>) =>
    readiness({ ...ready, ...change }).filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`);
  assert.deepEqual(failing({}), []);
  assert.deepEqual(failing({ lifecycle: "stopped" }), ["running: stopped"]);
  assert.deepEqual(failing({ storage: { healthy: false, error: "EIO" } }), ["storage: EIO"]);
  assert.deepEqual(failing({ removed: true }), ["member: removed from its cluster"]);
  assert.deepEqual(failing({ members: [{ ...member, id: "n2" }] }), ["member: not a member of a cluster (yet)"]);
  assert.deepEqual(failing({ leader: null }), ["leader: no leader is known"]);
  assert.deepEqual(failing({ appliedIndex: 9_999 }), ["applied: 10001 committed entries are not applied yet"]);
});
