import assert from "node:assert/strict";
import { RaftError } from "../../../lib/errors.ts";
import type { NodeStatus } from "../../../lib/node/types.ts";
import { atLeader } from "../../../hosting/forward.ts";
import { BootstrappingNode } from "../../../hosting/bootstrapping_node.ts";
import { ForwardBudget } from "../../../hosting/forward_budget.ts";
import { VirtualTime } from "../../support/virtual_time.ts";

const base = new BootstrappingNode({ nodeId: "n1", incarnation: "i", clusterId: "c" }).status();
const n2 = { id: "n2", address: "http://h:2" };

function node(...statuses: Partial<NodeStatus>[]) {
  let at = 0;
  return { status: () => ({ ...base, ...statuses[Math.min(at++, statuses.length - 1)] }) };
}

const follows = { leader: n2 };
const leads = { role: "leader" as const, leader: { id: "n1", address: "http://h:1" } };
const never = () => Promise.reject(new Error("must not be called"));

Deno.test("here if this node leads, else one hop away", async () => {
  assert.equal(
    await atLeader(node(leads), { here: () => Promise.resolve("here"), there: never }, { timeoutMs: 1000 }),
    "here",
  );
  const there = (leader: { id: string }) => Promise.resolve(leader.id);
  assert.equal(await atLeader(node(follows), { here: never, there }, { timeoutMs: 1000 }), "n2");
});

Deno.test("waits for a leader", async () => {
  const result = await atLeader(node({}, {}, follows), { here: never, there: () => Promise.resolve(1) }, {
    timeoutMs: 5000,
  });
  assert.equal(result, 1);
});

Deno.test("looks for a leader often at first, then at least four times a second", async () => {
  const time = new VirtualTime(1);
  const { clock } = time.host();
  const looksMs: number[] = [];
  const waiting = { status: () => ({ ...base, ...(looksMs.push(clock.monotonicMs()) > 1000 ? follows : {}) }) };
  let ended = false;
  const done = atLeader(waiting, { here: never, there: never }, { timeoutMs: 10_000, clock });
  const refused = assert.rejects(done, { code: "no_leader" }).finally(() => ended = true);
  await time.until(() => ended);
  await refused;
  // Each failed look is followed by one that sees whether the node still runs.
  const gaps = looksMs.map((ms, i) => ms - (looksMs[i - 1] ?? 0)).filter((gap) => gap > 0);
  assert.equal(gaps[0], 25);
  assert.equal(Math.max(...gaps), 250);
  assert.ok(gaps.length < 60, `${gaps.length} looks in 10 s`);
});

Deno.test("tries again after an error without effect", async () => {
  let calls = 0;
  const there = () => {
    calls++;
    if (calls === 1) return Promise.reject(new RaftError("unreachable", "", { outcome: "rejected" }));
    if (calls === 2) return Promise.reject(new RaftError("not_leader", ""));
    return Promise.resolve(calls);
  };
  assert.equal(await atLeader(node(follows), { here: never, there }, { timeoutMs: 5000 }), 3);
});

for (const code of ["unreachable", "timeout", "leadership_lost", "no_leader"] as const) {
  Deno.test(`never sends again what may have left: ${code}, outcome unknown`, async () => {
    let calls = 0;
    const there = () => {
      calls++;
      return Promise.reject(new RaftError(code, "", { outcome: "unknown" }));
    };
    const done = atLeader(node(follows), { here: never, there }, { timeoutMs: 5000 });
    await assert.rejects(done, { code, outcome: "unknown" });
    assert.equal(calls, 1);
  });
}

Deno.test("a forwarded request is neither forwarded again nor delayed", async () => {
  const forwarded = { timeoutMs: 5000, forwarded: true };
  await assert.rejects(atLeader(node(follows), { here: never, there: never }, forwarded), {
    code: "not_leader",
    outcome: "rejected",
    leader: n2,
  });
  await assert.rejects(atLeader(node({}), { here: never, there: never }, forwarded), { code: "no_leader" });
});

Deno.test("no leader until the timeout: no effect", async () => {
  await assert.rejects(atLeader(node({}), { here: never, there: never }, { timeoutMs: 60 }), {
    code: "no_leader",
    outcome: "rejected",
  });
});

Deno.test("no answer until the timeout: the outcome stays unknown", async () => {
  const here = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(new RaftError("aborted", "", { outcome: "unknown" })));
    });
  await assert.rejects(atLeader(node(leads), { here, there: never }, { timeoutMs: 30 }), {
    code: "timeout",
    outcome: "unknown",
  });
});

Deno.test("the caller's signal ends it as aborted", async () => {
  const caller = new AbortController();
  const here = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(new RaftError("aborted", "", { outcome: "unknown" })));
      caller.abort();
    });
  await assert.rejects(atLeader(node(leads), { here, there: never }, { timeoutMs: 60_000, signal: caller.signal }), {
    code: "aborted",
  });
});

Deno.test("a stopped node reports its own error", async () => {
  const here = () => Promise.reject(new RaftError("stopped", "the disk failed"));
  await assert.rejects(atLeader(node({ lifecycle: "stopped" }), { here, there: never }, { timeoutMs: 1000 }), {
    code: "stopped",
  });
});

Deno.test("a node that was removed refuses at once, instead of waiting for a leader", async () => {
  const began = performance.now();
  const done = atLeader(node({ removed: true }), { here: never, there: never }, { timeoutMs: 60_000 });
  await assert.rejects(done, { code: "not_a_member", outcome: "rejected" });
  assert(performance.now() - began < 10_000);
});

Deno.test("requests for the leader share a budget of number and bytes; over it nothing is sent", async () => {
  const budget = new ForwardBudget({ maxForwardedRequests: 3, maxForwardedBytes: 1000 });
  const answer = Promise.withResolvers<number>();
  let sent = 0;
  const there = () => {
    sent++;
    return answer.promise;
  };
  const request = (bytes: number, status: Partial<NodeStatus> = follows) => {
    return atLeader(node(status), { here: () => Promise.resolve(1), there }, { timeoutMs: 5000, budget, bytes });
  };
  // One larger than the budget passes alone.
  const large = request(5000);
  const refused = { code: "busy", outcome: "rejected", hint: /Try again/ };
  await assert.rejects(request(0), refused);
  answer.resolve(2);
  assert.equal(await large, 2);

  const late = Promise.withResolvers<number>();
  answer.promise = late.promise;
  const held = [request(500), request(500)];
  await assert.rejects(request(1), refused);
  held.push(request(0));
  await assert.rejects(request(0), { ...refused, message: /^3 requests/ });
  assert.equal(sent, 4);
  assert.deepEqual(budget.counts, { requests: 3, bytes: 1000, refused: 3 });
  // A leader's own requests are bounded by its own budgets.
  assert.equal(await request(5000, leads), 1);
  late.reject(new RaftError("timeout", "", { outcome: "unknown" }));
  assert.deepEqual((await Promise.allSettled(held)).map(({ status }) => status), Array(3).fill("rejected"));
  assert.deepEqual(budget.counts, { requests: 0, bytes: 0, refused: 3 });
});

Deno.test("requests that wait for a leader take room too, until their client is gone", async () => {
  const budget = new ForwardBudget({ maxForwardedRequests: 1 });
  const client = new AbortController();
  const options = { timeoutMs: 60_000, budget, bytes: 10, signal: client.signal };
  const waits = atLeader(node({}), { here: never, there: never }, options);
  await assert.rejects(atLeader(node({}), { here: never, there: never }, { ...options, timeoutMs: 10 }), {
    code: "busy",
  });
  client.abort();
  await assert.rejects(waits, { outcome: "rejected" });
  assert.deepEqual(budget.counts, { requests: 0, bytes: 0, refused: 1 });
});

Deno.test("the lack of a leader that is more than an election is told as it is seen", async () => {
  const work = { here: never, there: never };
  const reason = () => "only 1 of 3 voters answer";
  await assert.rejects(atLeader(node({}), work, { timeoutMs: 60, reason }), (error: RaftError) => {
    assert.deepEqual([error.code, error.outcome], ["no_leader", "rejected"]);
    assert.equal(error.message, "no leader is known: only 1 of 3 voters answer");
    assert.ok(!error.hint.includes("An election takes"));
    return true;
  });
  await assert.rejects(atLeader(node({}), work, { timeoutMs: 60, reason: () => undefined }), {
    message: "no leader is known",
  });
});

Deno.test("the wait for a leader may end before that for an answer", async () => {
  const began = performance.now();
  const options = { timeoutMs: 60_000, leaderTimeoutMs: 50, retry: "leader" } as const;
  await assert.rejects(atLeader(node({}), { here: never, there: never }, options), { code: "no_leader" });
  assert.ok(performance.now() - began < 30_000);
});
