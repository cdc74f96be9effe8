import assert from "node:assert/strict";
import { RaftError } from "../../../lib/errors.ts";
import { cli, errorOf, MEMBERS, statuses, statusOf } from "./support.ts";

const ALL = { n1: {}, n2: {}, n3: {}, n4: {} };

Deno.test("status: all nodes, including members that no flag named", async () => {
  const ran = await cli(["status", "--server", "127.0.0.1:7003"], { remote: statuses(ALL) });
  assert.equal(ran.code, 0);
  assert.equal(
    ran.out,
    [
      "cluster c1, leader n2 (127.0.0.1:7002), term 3, 3 of 3 voters up, survives 1 more failure",
      "",
      "NODE  ADDRESS         ROLE      TERM  COMMIT  APPLIED  LAST  SNAPSHOT  LAG  UPTIME  HEALTH",
      "n1    127.0.0.1:7001  follower     3     120      120   120       100    0   1m 5s  ok",
      "n2    127.0.0.1:7002  leader       3     120      120   120       100        1m 5s  ok",
      "n3    127.0.0.1:7003  follower     3     120      120   120       100   30   1m 5s  ok",
      "n4    127.0.0.1:7004  learner      3     120      120   120       100  120   1m 5s  ok",
      "",
    ].join("\n"),
  );
});

Deno.test("status: a node that is down is a row, not a failure", async () => {
  const ran = await cli(["status"], { remote: statuses({ n2: {}, n3: {} }) });
  assert.equal(ran.code, 5);
  assert.match(ran.out, /2 of 3 voters up, survives none/);
  assert.match(ran.out, /^n1 .* down .* no server answers at 127\.0\.0\.1:7001$/m);
});

Deno.test("status --json", async () => {
  const ran = await cli(["status", "--json"], { remote: statuses({ n1: {}, n2: {} }) });
  const document = JSON.parse(ran.out);
  assert.deepEqual([document.clusterId, document.term, document.leader.id], ["c1", 3, "n2"]);
  assert.deepEqual(document.nodes[0], {
    id: "n1",
    address: "http://127.0.0.1:7001",
    suffrage: "voter",
    reachable: true,
    status: JSON.parse(JSON.stringify(statusOf("n1"))),
    up: true,
    problems: [],
  });
  assert.deepEqual(document.nodes[2], {
    id: "n3",
    address: "http://127.0.0.1:7003",
    suffrage: "voter",
    reachable: false,
    error: "no server answers at 127.0.0.1:7003",
    up: false,
    problems: ["no server answers at 127.0.0.1:7003"],
  });
  assert.deepEqual([document.voters, document.survives], [{ total: 3, up: 2 }, 0]);
});

Deno.test("status: no server answers", async () => {
  const ran = await cli(["status", "--server", "a:1,b:2"], { remote: statuses({}) });
  assert.deepEqual([ran.code, ran.out], [3, ""]);
  assert.match(ran.err, /^error: No server answers at a:1, b:2\.\nhint: /);
});

Deno.test("status: no leader", async () => {
  const ran = await cli(["status"], { remote: statuses({ n1: { leader: null, role: "candidate" } }) });
  assert.equal(ran.code, 4);
  assert.match(ran.out, /no leader/);
  assert.match(ran.out, /^n1 .* candidate/m);
});

Deno.test("status: a node whose storage failed, or that stopped, ends it with 5", async () => {
  const failed = { storage: { healthy: false, error: "no space left" } };
  const ran = await cli(["status"], { remote: statuses({ ...ALL, n3: failed }) });
  assert.equal(ran.code, 5);
  assert.match(ran.out, /^n3 .* no space left$/m);
  const stopped = { lifecycle: "stopped" as const, reason: "fsync failed" };
  const other = await cli(["status"], { remote: statuses({ ...ALL, n1: stopped }) });
  assert.equal(other.code, 5);
  assert.match(other.out, /^n1 .* fsync failed$/m);
});

Deno.test("status: text from a server can't control the terminal", async () => {
  const ran = await cli(["status"], { remote: statuses({ ...ALL, n1: { reason: "a\x1b]0;b\x07\nc" } }) });
  assert.match(ran.out, /a\\x1b\]0;b\\x07\\nc$/m);
});

Deno.test("status: a higher term takes precedence over a deposed leader", async () => {
  const old = { role: "leader" as const, term: 2, leader: { id: "n1", address: "http://127.0.0.1:7001" } };
  const ran = await cli(["status", "--json"], { remote: statuses({ ...ALL, n1: old }) });
  assert.equal(JSON.parse(ran.out).leader.id, "n2");
});

Deno.test("status: servers of two clusters", async () => {
  const ran = await cli(["status"], { remote: statuses({ ...ALL, n3: { clusterId: "c2" } }) });
  assert.match(ran.out, /warning: these servers belong to 2 clusters/);
});

Deno.test("status: colours on a terminal, not without one, and not with NO_COLOR", async () => {
  const remote = statuses(ALL);
  assert.ok((await cli(["status"], { remote, terminal: true })).out.includes("\x1b[32mleader"));
  assert.ok(!(await cli(["status"], { remote })).out.includes("\x1b"));
  assert.ok(!(await cli(["status"], { remote, terminal: true, env: { NO_COLOR: "1" } })).out.includes("\x1b"));
  assert.ok(!(await cli(["status"], { remote, terminal: true, env: { TERM: "dumb" } })).out.includes("\x1b"));
});

Deno.test("status --watch: one document per line, even while the cluster is down, until Ctrl-C", async () => {
  const interrupted = new AbortController();
  let rounds = 0;
  const ran = await cli(["status", "--watch", "--interval-ms", "50", "--json", "--server", "127.0.0.1:7001"], {
    signal: interrupted.signal,
    remote: {
      status() {
        rounds++;
        if (rounds === 3) interrupted.abort();
        if (rounds === 1) return Promise.resolve(statusOf("n1", { members: MEMBERS.slice(0, 1) }));
        return Promise.reject(new RaftError("unreachable", "no server answers at 127.0.0.1:7001"));
      },
    },
  });
  assert.equal(ran.code, 130);
  const lines = ran.out.trim().split("\n").map((line) => JSON.parse(line));
  assert.equal(lines.length, 2);
  assert.equal(lines[0].clusterId, "c1");
  assert.equal(lines[1].error.code, "unreachable");
});

Deno.test("snapshot take: the leader, or the named node", async () => {
  const asked: string[] = [];
  const remote = {
    ...statuses(ALL),
    takeSnapshot(endpoint: string) {
      asked.push(endpoint);
      return Promise.resolve(120);
    },
  };
  assert.match((await cli(["snapshot", "take"], { remote })).out, /^n2 .* up to index 120/);
  const json = await cli(["snapshot", "take", "n3", "--json"], { remote });
  assert.deepEqual(JSON.parse(json.out), { id: "n3", index: 120 });
  assert.deepEqual(asked, ["http://127.0.0.1:7002", "http://127.0.0.1:7003"]);
  assert.equal((await cli(["snapshot", "take", "n9"], { remote })).code, 1);
  const leaderless = await cli(["snapshot", "take", "--json"], { remote: statuses({ n1: { leader: null } }) });
  assert.equal(leaderless.code, 4);
  assert.equal(errorOf(leaderless)["code"], "no_leader");
});
