import assert from "node:assert/strict";
import { Hono } from "hono";
import { eventually } from "../../support/server_processes.ts";
import type { Served } from "../../support/served_cluster.ts";
import { ServedCluster } from "../../support/served_cluster.ts";

const one = () => ServedCluster.start(1);

async function problemOf(response: Response): Promise<Record<string, unknown>> {
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  const problem = await response.json();
  assert.equal(problem.status, response.status);
  for (const field of ["type", "title", "detail", "code", "outcome"]) assert.equal(typeof problem[field], "string");
  return problem;
}

function put({ app }: Served, path: string, body: BodyInit, headers: Record<string, string> = {}) {
  return app.request(path, { method: "PUT", body, headers });
}

Deno.test("put, get, delete: raw bytes, and the version as ETag", async () => {
  await using cluster = await one();
  const served = await cluster.leader();
  const { app } = served;
  const absent = await app.request("/kv/a");
  assert.equal(absent.status, 404);
  assert.equal((await problemOf(absent))["code"], "not_found");

  const created = await put(served, "/kv/a", new Uint8Array([0, 255, 10]));
  assert.equal(created.status, 201);
  const { version, previousVersion } = await created.json();
  assert.equal(previousVersion, 0);
  assert.equal(created.headers.get("etag"), `"${version}"`);

  const got = await app.request("/kv/a");
  assert.equal(got.status, 200);
  assert.equal(got.headers.get("etag"), `"${version}"`);
  assert.equal(got.headers.get("content-type"), "application/octet-stream");
  assert.equal(got.headers.get("x-content-type-options"), "nosniff");
  assert.deepEqual([...await got.bytes()], [0, 255, 10]);
  assert.equal((await app.request("/kv/a", { headers: { "if-none-match": `"${version}"` } })).status, 304);
  const head = await app.request("/kv/a", { method: "HEAD" });
  assert.equal(head.headers.get("etag"), `"${version}"`);

  assert.equal((await put(served, "/kv/a", "two")).status, 200);
  const deleted = await app.request("/kv/a", { method: "DELETE" });
  assert.equal(deleted.status, 200);
  assert.equal((await app.request("/kv/a")).status, 404);
  assert.equal((await app.request("/kv/a", { method: "DELETE" })).status, 404);
});

Deno.test("compare-and-set with If-Match and If-None-Match", async () => {
  await using cluster = await one();
  const served = await cluster.leader();
  const { app } = served;
  const fresh = await put(served, "/kv/a", "1", { "if-none-match": "*" });
  assert.equal(fresh.status, 201);
  const etag = fresh.headers.get("etag") ?? "";

  const again = await put(served, "/kv/a", "2", { "if-none-match": "*" });
  assert.equal(again.status, 412);
  assert.equal(again.headers.get("etag"), etag);
  const problem = await problemOf(again);
  assert.equal(problem["code"], "precondition_failed");
  assert.equal(problem["outcome"], "rejected");

  const next = await put(served, "/kv/a", "2", { "if-match": etag });
  assert.equal(next.status, 200);
  assert.equal((await put(served, "/kv/a", "3", { "if-match": etag })).status, 412);
  assert.equal((await put(served, "/kv/a", "3", { "if-match": "*" })).status, 200);
  assert.equal((await put(served, "/kv/none", "3", { "if-match": "*" })).status, 412);
  assert.equal((await app.request("/kv/a", { method: "DELETE", headers: { "if-match": etag } })).status, 412);
  assert.equal(await (await app.request("/kv/a")).text(), "3");
  for (const bad of ["7", '"x"', '"1", "2"', 'W/"1"', '"0"', '"9007199254740993"', '"18446744073709551615"']) {
    const refused = await put(served, "/kv/a", "4", { "if-match": bad });
    assert.equal(refused.status, 400, bad);
    assert.equal((await problemOf(refused))["code"], "invalid_argument");
  }
  assert.equal((await put(served, "/kv/a", "4", { "if-none-match": etag })).status, 400);
  assert.equal((await put(served, "/kv/a", "4", { "if-none-match": "*", "if-match": etag })).status, 400);
});

Deno.test("the key is the rest of the path, percent-decoded to bytes", async () => {
  await using cluster = await one();
  const served = await cluster.leader();
  for (const path of ["/kv/a/b/c", "/kv/a%2Fb%00%FF", "/kv/%F0%9F%98%80", "/kv/%25", "/kv/a%20b%3Fc", "/kv//"]) {
    assert.equal((await put(served, path, path)).status, 201, path);
    assert.equal(await (await served.app.request(path)).text(), path);
  }
  const listed = await (await served.app.request("/kv")).json();
  assert.deepEqual(listed.entries.map((entry: Record<string, unknown>) => entry["key"] ?? entry["keyBase64"]), [
    "%",
    "/",
    "a b?c",
    "YS9iAP8=",
    "a/b/c",
    "😀",
  ]);
});

Deno.test("list: prefix, limit, continuing after a key, keys only", async () => {
  await using cluster = await one();
  const served = await cluster.leader();
  for (const key of ["a1", "a2", "a3", "b1"]) await put(served, `/kv/${key}`, `value of ${key}`);
  await put(served, "/kv/a4", new Uint8Array([0xff]));
  const list = async (query: string) => await (await served.app.request(`/kv?${query}`)).json();
  const page = await list("prefix=a&limit=2");
  assert.deepEqual(page.entries.map((entry: { key: string; value: string }) => [entry.key, entry.value]), [
    ["a1", "value of a1"],
    ["a2", "value of a2"],
  ]);
  assert.equal(page.more, true);
  const rest = await list("prefix=a&after=a2");
  assert.deepEqual(rest.entries.map((entry: { key: string }) => entry.key), ["a3", "a4"]);
  assert.equal(rest.entries[1].valueBase64, "/w==");
  assert.equal(rest.more, false);
  assert.ok(rest.revision >= 5);
  for (const query of ["prefix=b&keys", "prefix=b&keys=true"]) {
    assert.deepEqual(Object.keys((await list(query)).entries[0]), ["key", "version"]);
  }
  assert.deepEqual(Object.keys((await list("prefix=b&keys=false&watch=false")).entries[0]), [
    "key",
    "value",
    "version",
  ]);
  const bad = ["limit=0", "limit=10001", "limit=x", "limit=-1", "consistency=eventual", "prefix=%zz", "keys=1"];
  for (const query of [...bad, "perfix=a", "from=1", "watch&limit=1"]) {
    assert.equal((await served.app.request(`/kv?${query}`)).status, 400, query);
  }
  // Misspelt or misplaced: it would drop the condition of a write.
  for (const method of ["PUT", "DELETE"]) {
    const refused = await served.app.request("/kv/a1?ifVersion=7", { method });
    assert.equal(refused.status, 400, method);
    assert.equal((await problemOf(refused))["code"], "invalid_argument");
  }
  assert.equal((await served.app.request("/kv/a1?consistancy=stale")).status, 400);
  assert.equal(await (await served.app.request("/kv/a1?consistency=stale")).text(), "value of a1");
});

Deno.test("watch: changes as server-sent events, from a version on", async () => {
  await using cluster = await one();
  const served = await cluster.leader();
  const { version } = await (await put(served, "/kv/w1", "first")).json();
  const response = await served.app.request(`/kv?watch&prefix=w&from=${version}`);
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  await put(served, "/kv/other", "not watched");
  await put(served, "/kv/w2", "second");
  await served.app.request("/kv/w1", { method: "DELETE" });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("event: delete")) text += (await reader.read()).value ?? assert.fail("ended");
  await reader.cancel();
  const events = text.split("\n\n").filter((event) => event.startsWith("id: "));
  assert.deepEqual(
    events.map((event) => /event: (\w+)\ndata: (.*)/.exec(event)?.slice(1)).map((found) => [
      found?.[0],
      JSON.parse(found?.[1] ?? "").key,
      JSON.parse(found?.[1] ?? "").value,
    ]),
    [["put", "w1", "first"], ["put", "w2", "second"], ["delete", "w1", undefined]],
  );
});

Deno.test("watch: a node that was removed reports it instead of staying silent", async () => {
  await using cluster = await ServedCluster.start(3, { requestTimeoutMs: 500 });
  const follower = await cluster.follower();
  const response = await follower.app.request("/kv?watch");
  const stream = response.text();
  await put(follower, "/kv/a", "1");
  const leader = await cluster.leader();
  const others = [...cluster.served.keys()].filter((id) => id !== follower.id);
  await leader.node.changeMembership({ voters: others.map((id) => ({ id, address: id, incarnation: "" })) });
  await put(leader, "/kv/b", "2");
  const text = await stream;
  assert.match(text, /event: put\ndata: {"key":"a"/);
  assert.match(text, /event: problem\ndata: .*"code":"not_a_member"/);
  const refused = await follower.app.request("/kv/a");
  assert.deepEqual([refused.status, (await refused.json()).code], [503, "not_a_member"]);
  const ready = await follower.app.request("/readyz");
  assert.match(await ready.text(), /\[-\]member failed: removed from its cluster/);
});

Deno.test("a follower forwards writes and reads once, and answers a stale read itself", async () => {
  await using cluster = await ServedCluster.start(3);
  const leader = await cluster.leader();
  const follower = await cluster.follower();
  assert.equal((await put(follower, "/kv/a", "1")).status, 201);
  assert.equal(leader.passedOn.proposals, 1);
  assert.equal(await (await follower.app.request("/kv/a")).text(), "1");
  assert.equal(await (await follower.app.request("/kv/a?consistency=lease")).text(), "1");
  assert.equal(leader.passedOn.queries, 2);
  await follower.app.request("/kv/a?consistency=stale");
  assert.equal(leader.passedOn.queries, 2);
  assert.equal((await follower.app.request("/kv/a?consistency=none")).status, 400);
});

Deno.test("a request waits for the next leader", async () => {
  await using cluster = await ServedCluster.start(3);
  const leader = await cluster.leader();
  const follower = await cluster.follower();
  await put(follower, "/kv/a", "1");
  await leader.node.close();
  cluster.served.delete(leader.id);
  assert.equal(await (await follower.app.request("/kv/a")).text(), "1");
});

Deno.test("without a quorum: no leader, 503, no effect, and a time to retry", async () => {
  await using cluster = await ServedCluster.start(3, { requestTimeoutMs: 1500 });
  const leader = await cluster.leader();
  for (const { id, node } of [...cluster.served.values()]) {
    if (node === leader.node) continue;
    await node.close();
    cluster.served.delete(id);
  }
  const response = await leader.app.request("/kv/a");
  assert.equal(response.status, 503);
  assert.equal((await problemOf(response))["outcome"], "rejected");
  assert.equal(response.headers.get("retry-after"), "1");
  assert.equal((await leader.app.request("/livez")).status, 200);
});

Deno.test("a write with an unknown outcome says so", async () => {
  await using cluster = await ServedCluster.start(3, { requestTimeoutMs: 100 });
  const leader = await cluster.leader();
  // Sent, and can't be taken back; there is no client left to answer.
  await Promise.all([...cluster.served.values()].filter((served) => served !== leader).map(({ node }) => node.close()));
  const response = await put(leader, "/kv/a", "1");
  assert.equal(response.status, 503);
  const problem = await problemOf(response);
  assert.equal(problem["outcome"], "unknown");
  assert.equal(response.headers.get("retry-after"), null);
});

Deno.test("the status has all documented fields", async () => {
  await using cluster = await ServedCluster.start(3);
  const leader = await cluster.leader();
  const status = await (await leader.app.request("/status")).json();
  assert.equal(status.role, "leader");
  assert.equal(status.leader.id, leader.id);
  assert.equal(status.clusterId, "test");
  assert.equal(status.members.length, 3);
  assert.deepEqual(Object.keys(status.members[0]).sort(), ["address", "id", "incarnation", "suffrage"]);
  assert.equal(status.peers.length, 2);
  for (const field of ["id", "matchIndex", "nextIndex", "state", "lastContactMs"]) assert.ok(field in status.peers[0]);
  for (const field of ["term", "commitIndex", "appliedIndex", "lastIndex", "snapshotIndex", "uptimeMs"]) {
    assert.equal(typeof status[field], "number", field);
  }
  assert.deepEqual(status.storage, { healthy: true, error: null });
  assert.match(status.version, /^\d/);
});

Deno.test("health checks", async () => {
  await using cluster = await one();
  const { app, node } = await cluster.leader();
  assert.equal(await (await app.request("/livez")).text(), "ok\n");
  assert.equal(await (await app.request("/readyz")).text(), "ok\n");
  const verbose = await (await app.request("/readyz?verbose")).text();
  for (const name of ["running", "storage", "member", "leader", "applied"]) {
    assert.match(verbose, new RegExp(`\\[\\+\\]${name} ok`));
  }
  await node.close();
  assert.equal((await app.request("/livez")).status, 503);
  assert.equal((await app.request("/status")).status, 503);
  const ready = await app.request("/readyz");
  assert.equal(ready.status, 503);
  assert.match(await ready.text(), /\[-\]running failed: closed/);
});

Deno.test("metrics", async () => {
  await using cluster = await ServedCluster.start(3);
  const leader = await cluster.leader();
  for (let n = 0; n < 3; n++) await put(leader, "/kv/a", "1");
  // Counted in a task of its own, so that an observer never delays the node.
  const text = await eventually("all are counted", async () => {
    const all = await (await leader.app.request("/metrics")).text();
    return all.includes('raft_proposals_total{result="committed"} 3') ? all : null;
  });
  const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
  assert.equal(value("raft_has_leader"), 1);
  assert.equal(value("raft_is_leader"), 1);
  assert.ok(value("raft_term") >= 1);
  assert.ok(value("raft_commit_index") >= 4);
  assert.ok(value("raft_applied_index") >= 4);
  assert.equal(value('raft_proposals_total\\{result="committed"\\}'), 3);
  assert.equal(value("raft_proposal_duration_seconds_count"), 3);
  assert.ok(value("raft_persist_duration_seconds_count") >= 3);
  assert.ok(value("raft_log_bytes") >= 0);
  for (const name of ["retained_bytes", "snapshot_transfers", "snapshot_sent_bytes_total", "entries_dropped_total"]) {
    assert.equal(value(`raft_${name}`), 0, name);
  }
  const { size } = await leader.node.takeSnapshot();
  await eventually("the snapshot is counted", async () => {
    const all = await (await leader.app.request("/metrics")).text();
    return all.includes(`raft_snapshot_bytes_total{reason="taken"} ${size}`) &&
      all.includes(`raft_snapshot_bytes ${size}`);
  });
  assert.match(text, /raft_peer_lag_entries\{peer="n\d"\} 0/);
});

Deno.test("foreign Host and Origin are refused", async () => {
  await using cluster = await ServedCluster.start(1, { hosts: ["node.example"], origins: ["https://app.example"] });
  const { app } = await cluster.leader();
  const get = (headers: Record<string, string>) => app.request("/status", { headers });
  for (
    const host of ["localhost:7001", "127.0.0.1", "[::1]:7001", "node.example", "NODE.EXAMPLE:80", "node.example."]
  ) {
    assert.equal((await get({ host })).status, 200, host);
  }
  for (const host of ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "a b", "localhost:x", ""]) {
    const refused = await get({ host });
    assert.equal(refused.status, 403, host);
    assert.equal((await problemOf(refused))["code"], "forbidden_host");
  }
  for (const origin of ["https://evil.example", "null", "http://app.example", "https://app.example.evil"]) {
    const refused = await get({ host: "localhost", origin });
    assert.equal(refused.status, 403, origin);
    assert.equal((await problemOf(refused))["code"], "forbidden_origin");
  }
  assert.equal((await get({ host: "localhost:7001", origin: "http://localhost:7001" })).status, 200);
  const allowed = await get({ host: "localhost", origin: "https://app.example" });
  assert.equal(allowed.status, 200);
  assert.equal(allowed.headers.get("access-control-allow-origin"), "https://app.example");
});

Deno.test("an allowed origin in a user's spelling is returned in the spelling of browsers", async () => {
  await using cluster = await ServedCluster.start(1, { origins: ["https://App.example:443/"] });
  const { app } = await cluster.leader();
  const origin = "https://app.example";
  const allowed = await app.request("/status", { headers: { host: "localhost", origin } });
  assert.deepEqual([allowed.status, allowed.headers.get("access-control-allow-origin")], [200, origin]);
});

Deno.test("unknown paths and methods", async () => {
  await using cluster = await one();
  const { app } = await cluster.leader();
  assert.equal((await problemOf(await app.request("/nothing")))["code"], "not_found");
  for (
    const [path, method] of [["/status", "POST"], ["/kv/a", "POST"], ["/kv", "DELETE"], ["/metrics", "PUT"]] as const
  ) {
    const response = await app.request(path, { method });
    assert.equal(response.status, 405, path);
    assert.ok(response.headers.get("allow")?.includes("GET"));
  }
});

Deno.test("the app can be mounted under another path", async () => {
  await using cluster = await one();
  const { app } = await cluster.leader();
  const own = new Hono();
  own.mount("/store", app.fetch);
  assert.equal((await own.request("/store/kv/a/b", { method: "PUT", body: "1" })).status, 201);
  assert.equal(await (await own.request("/store/kv/a%2Fb")).text(), "1");
  assert.equal((await own.request("/store/status")).status, 200);
});
