import assert from "node:assert/strict";
import { Coordinator, type CoordinatorOptions } from "../../../lib/client/coordinator.ts";
import { RaftError } from "../../../lib/errors.ts";
import { Sessions } from "../../../lib/sessions/sessions.ts";
import type { SessionLimits } from "../../../lib/sessions/session_table.ts";
import { VirtualHost } from "../../support/virtual_host.ts";
import { Counter, FakeCluster, type Fault } from "./fake_cluster.ts";

const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);
const text = (value: Uint8Array): string => new TextDecoder().decode(value);

interface Setup {
  readonly host: VirtualHost;
  readonly cluster: FakeCluster;
  readonly counter: Counter;
  readonly client: Coordinator;
  propose(command: string, options?: Parameters<Coordinator["propose"]>[1]): Promise<string>;
}

/** Runs a test with a client, and checks that nothing is left of it. */
async function withClient(
  run: (setup: Setup) => Promise<void>,
  options: Partial<CoordinatorOptions> = {},
  limits: SessionLimits = {},
): Promise<void> {
  const host = new VirtualHost(7);
  const counter = new Counter();
  const cluster = new FakeCluster(host, options.raw === true ? counter : new Sessions(counter, limits));
  const client = new Coordinator({ endpoints: ["n1", "n2"], transport: cluster, host, ...options });
  await run({
    host,
    cluster,
    counter,
    client,
    propose: async (command, options) => text((await host.run(client.propose(bytes(command), options))).result),
  });
  await client.close();
  assert.equal(cluster.closed, true);
  // Only what is late in the cluster may be left.
  await host.runFor(500 + cluster.latencyMs);
  assert.equal(host.pendingTimers, 0);
}

/** The faults in order, for calls of one method; none after the last. */
function inOrder(method: string, faults: readonly Fault[]): FakeCluster["fault"] {
  const left = [...faults];
  return (called) => called === method ? left.shift() ?? "none" : "none";
}

Deno.test("coordinator: finds the leader and learns the other members", () =>
  withClient(async ({ cluster, propose, client, host }) => {
    cluster.elect("n3");
    assert.equal(await propose("a"), "#1");
    assert.deepEqual(client.endpoints, ["n1", "n2", "n3"]);
    const leader = await host.run(client.leader());
    assert.deepEqual(leader, { id: "n3", address: "n3", endpoint: "n3", term: 2 });
  }));

Deno.test("coordinator: follows a hint without asking all nodes again", () =>
  withClient(async ({ cluster, propose }) => {
    await propose("a");
    const asked = cluster.statusCalls.length;
    cluster.elect("n2");
    assert.equal(await propose("b"), "#2");
    assert.equal(cluster.statusCalls.length, asked);
    assert.deepEqual(cluster.calls.slice(-2).map(({ endpoint }) => endpoint), ["n1", "n2"]);
  }));

Deno.test("coordinator: nodes that name each other don't keep it busy, and the highest term wins", () =>
  withClient(async ({ cluster, propose }) => {
    await propose("a");
    cluster.elect("n3");
    cluster.beliefs.set("n1", "n2").set("n2", "n1");
    const before = cluster.calls.length;
    assert.equal(await propose("b"), "#2");
    assert.ok(cluster.calls.length - before <= 6, `${cluster.calls.length - before} calls`);
  }));

Deno.test("coordinator: a leader that hangs is left alone for a while, though the others still name it", () =>
  withClient(async ({ cluster, client, host, propose }) => {
    await propose("a");
    cluster.fault = (method, endpoint) => method === "propose" && endpoint === "n1" ? "hang" : "none";
    const before = cluster.calls.length;
    const proposed = client.propose(bytes("b"));
    proposed.catch(() => {});
    await host.runFor(950);
    assert.equal(cluster.calls.length, before + 1);
    cluster.elect("n2");
    await host.runFor(200);
    assert.deepEqual(cluster.calls.slice(before).map(({ endpoint }) => endpoint), ["n1", "n2"]);
    assert.equal(text((await host.run(proposed)).result), "#2");
  }, { attemptTimeoutMs: 500, maxBackoffMs: 100 }));

Deno.test("coordinator: waits for an election, with growing pauses", () =>
  withClient(async ({ cluster, client, host }) => {
    cluster.elect(null);
    const proposed = client.propose(bytes("a"));
    await host.runFor(5000);
    assert.ok(cluster.statusCalls.length < 40, `${cluster.statusCalls.length} calls`);
    cluster.elect("n2");
    assert.equal(text((await host.run(proposed)).result), "#1");
  }));

Deno.test("coordinator: concurrent proposals share calls, within the caps", () =>
  withClient(async ({ cluster, client, host, counter, propose }) => {
    await propose("first");
    const before = cluster.calls.length;
    const all = Promise.all(Array.from({ length: 250 }, (_, i) => client.propose(bytes(`c${i}`))));
    const results = await host.run(all);
    assert.deepEqual(cluster.calls.slice(before).map(({ count }) => count), [100, 100, 50]);
    assert.equal(cluster.maxInFlight, 2);
    // Each caller has the answer to its own command.
    for (const [i, { result }] of results.entries()) {
      assert.equal(counter.applied[Number(text(result).slice(1)) - 1], `c${i}`);
    }
    const bytesBefore = cluster.calls.length;
    await host.run(Promise.all(Array.from({ length: 4 }, () => client.propose(new Uint8Array(600)))));
    assert.equal(cluster.calls.length - bytesBefore, 4);
  }, { maxBatchCommands: 100, maxBatchBytes: 1000 }));

Deno.test("coordinator: each result of a call counts for its own command", () =>
  withClient(async ({ cluster, client, host, counter, propose }) => {
    await propose("first");
    const at = cluster.index;
    cluster.refuse = (index) => index === at + 2 ? new RaftError("too_large", "too large") : null;
    // The refusal holds until the next call, so what comes behind is refused too.
    const results = await host.run(
      Promise.allSettled(["a", "b", "c"].map((command) => client.propose(bytes(command)))),
    );
    assert.deepEqual(results.map(({ status }) => status), ["fulfilled", "rejected", "rejected"]);
    const refused = results[1] as PromiseRejectedResult;
    assert.equal(refused.reason.code, "too_large");
    assert.equal(refused.reason.outcome, "rejected");
    assert.deepEqual(counter.applied, ["first", "a"]);
  }));

for (const fault of ["refused", "lost", "unanswered", "late", "hang", "hangApplied"] as const) {
  Deno.test(`coordinator: with a session a command is applied once, the answer being ${fault} three times`, () =>
    withClient(async ({ cluster, propose, counter }) => {
      await propose("first");
      cluster.fault = inOrder("propose", [fault, fault, fault]);
      assert.equal(await propose("second"), "#2");
      assert.equal(await propose("third"), "#3");
      assert.deepEqual(counter.applied, ["first", "second", "third"]);
      assert.ok(cluster.calls.length >= 6);
    }, { attemptTimeoutMs: 500 }));

  Deno.test(`coordinator: registering a session may fail as often as it likes (${fault})`, () =>
    withClient(async ({ cluster, propose, counter }) => {
      cluster.fault = inOrder("propose", [fault, fault]);
      assert.equal(await propose("first"), "#1");
      assert.deepEqual(counter.applied, ["first"]);
    }, { attemptTimeoutMs: 500 }));
}

for (const raw of [false, true]) {
  Deno.test(`coordinator: without a session nothing is sent again once it may have left (raw ${raw})`, () =>
    withClient(async ({ cluster, propose, counter }) => {
      assert.equal(await propose("a"), "#1");
      cluster.fault = inOrder("propose", ["refused", "refused"]);
      assert.equal(await propose("b"), "#2");
      for (const fault of ["lost", "unanswered"] as const) {
        cluster.fault = inOrder("propose", [fault]);
        const before = cluster.calls.length;
        await assert.rejects(propose("c"), { code: "unreachable", outcome: "unknown" });
        assert.equal(cluster.calls.length, before + 1);
      }
      assert.deepEqual(counter.applied, ["a", "b", "c"]);
    }, { session: false, raw }));
}

Deno.test("coordinator: without a session, a node that hangs delays only the commands that it has received", () =>
  withClient(async ({ cluster, client, host, propose }) => {
    await propose("a");
    cluster.fault = (method, endpoint) => method === "propose" && endpoint === "n1" ? "hang" : "none";
    const stuck = client.propose(bytes("b"), { timeoutMs: 5000 });
    stuck.catch(() => {});
    await host.runFor(100);
    cluster.elect("n2");
    // Long after the first attempt's time, long before the first's deadline.
    await host.runFor(600);
    assert.equal(await propose("c", { timeoutMs: 500 }), "#2");
    await assert.rejects(host.run(stuck), { code: "timeout", outcome: "unknown" });
    assert.ok(host.now >= 5000 && host.now < 5100, `${host.now}`);
  }, { session: false, attemptTimeoutMs: 500, maxInflightCalls: 1 }));

Deno.test("coordinator: at the deadline the outcome is `rejected` if nothing was sent, and `unknown` if something may have been", () =>
  withClient(async ({ cluster, propose, host, counter }) => {
    cluster.elect(null);
    const began = host.now;
    await assert.rejects(propose("a", { timeoutMs: 300 }), (error: RaftError) => {
      assert.equal((error.cause as RaftError).code, "no_leader");
      return error.code === "timeout" && error.outcome === "rejected";
    });
    assert.equal(host.now - began, 300);
    cluster.elect("n1");
    cluster.fault = (method) => method === "propose" ? "refused" : "none";
    await assert.rejects(propose("b", { timeoutMs: 300 }), { code: "timeout", outcome: "rejected" });
    cluster.fault = () => "none";
    await propose("c");
    cluster.fault = (method) => method === "propose" ? "hang" : "none";
    await assert.rejects(propose("d", { timeoutMs: 300 }), { code: "timeout", outcome: "unknown" });
    cluster.fault = (method) => method === "propose" ? "lost" : "none";
    await assert.rejects(propose("e", { timeoutMs: 300 }), { code: "timeout", outcome: "unknown" });
    // One attempt unknown, all later ones refused: still unknown.
    const faults: Fault[] = ["unanswered"];
    cluster.fault = (method) => method === "propose" ? faults.shift() ?? "refused" : "none";
    await assert.rejects(propose("f", { timeoutMs: 300 }), { code: "timeout", outcome: "unknown" });
    assert.deepEqual(counter.applied, ["c", "f"]);
  }));

Deno.test("coordinator: a timeout reports the most telling error, not the attempt that it cut short", () =>
  withClient(async ({ cluster, client, host }) => {
    let call = 0;
    cluster.fault = (method) => method !== "read" ? "none" : ++call === 1 ? "refused" : "hang";
    await assert.rejects(host.run(client.read(bytes("a"), { timeoutMs: 300 })), (error: RaftError) => {
      assert.ok(call > 1);
      assert.doesNotMatch(error.message, /: no answer within/);
      assert.notEqual((error.cause as RaftError).code, "timeout");
      return error.code === "timeout" && error.outcome === "rejected";
    });
    // A leader that is silent for whole attempts is worth telling.
    cluster.fault = (method) => method === "read" ? "hang" : "none";
    await assert.rejects(host.run(client.read(bytes("a"), { timeoutMs: 5000 })), {
      message: "no answer within 5000 ms: the leader, at n1, does not answer",
    });
  }));

Deno.test("coordinator: the search for the leader is a part of a read's time", () =>
  withClient(async ({ cluster, client, host }) => {
    cluster.latencyMs = 40;
    cluster.fault = (method) => method === "read" ? "hang" : "none";
    const beganMs = host.clock.monotonicMs();
    await assert.rejects(host.run(client.read(bytes("a"), { timeoutMs: 150 })), { code: "timeout" });
    assert.equal(host.clock.monotonicMs() - beganMs, 150);
  }));

Deno.test("coordinator: a timeout reports that there is no leader, even if a node is unreachable at the end", () =>
  withClient(async ({ cluster, client, host }) => {
    cluster.elect(null);
    const reading = client.read(bytes("a"), { timeoutMs: 3000 });
    await host.runFor(1000);
    cluster.fault = (method) => method === "status" ? "lost" : "none";
    await assert.rejects(host.run(reading), (error: RaftError) => (error.cause as RaftError).code === "no_leader");
  }));

Deno.test("coordinator: an abort is `rejected` only if nothing was sent, and an abandoned command is never applied later", () =>
  withClient(async ({ cluster, client, host, counter, propose }) => {
    await propose("a");
    const controller = new AbortController();
    const unsent = client.propose(bytes("b"), { signal: controller.signal });
    controller.abort();
    await assert.rejects(host.run(unsent), { code: "aborted", outcome: "rejected" });
    await assert.rejects(propose("c", { signal: controller.signal }), { code: "aborted", outcome: "rejected" });
    const late = new AbortController();
    cluster.fault = inOrder("propose", ["hang"]);
    const sent = client.propose(bytes("d"), { signal: late.signal });
    sent.catch(() => {});
    await host.runFor(10);
    late.abort();
    await assert.rejects(host.run(sent), { code: "aborted", outcome: "unknown" });
    assert.equal(await propose("e"), "#2");
    assert.deepEqual(counter.applied, ["a", "e"]);
  }));

Deno.test("coordinator: a session that ended is replaced; only what may have been applied is unknown", () =>
  withClient(
    async ({ cluster, propose, counter, host }) => {
      assert.equal(await propose("a"), "#1");
      // Enough entries of others that the session expires.
      cluster.index += 100;
      assert.equal(await propose("b"), "#2");
      // This time the first attempt's answer is lost before the session ends.
      let first = true;
      cluster.fault = (method) => {
        if (method !== "propose" || !first) return "none";
        first = false;
        host.clock.setTimer(2, () => cluster.index += 100);
        return "unanswered";
      };
      await assert.rejects(propose("c"), { code: "session_expired", outcome: "unknown" });
      assert.equal(await propose("d"), "#4");
      assert.deepEqual(counter.applied, ["a", "b", "c", "d"]);
    },
    { minBackoffMs: 50 },
    { maxIdleEntries: 50 },
  ));

Deno.test("coordinator: outstanding commands stay within the session's limit", () =>
  withClient(
    async ({ client, host, counter, cluster }) => {
      const all = Promise.all(Array.from({ length: 50 }, (_, i) => client.propose(bytes(`c${i}`))));
      await host.run(all);
      assert.equal(counter.applied.length, 50);
      assert.ok(cluster.calls.every(({ count }) => count <= 4));
    },
    {},
    { maxOutstanding: 4 },
  ));

Deno.test("coordinator: a state machine without sessions is detected", () =>
  withClient(async ({ host }) => {
    const cluster = new FakeCluster(host, new Counter());
    const client = new Coordinator({ endpoints: ["n1"], transport: cluster, host });
    await assert.rejects(host.run(client.propose(bytes("a"))), { code: "unsupported", outcome: "rejected" });
    await client.close();
  }));

Deno.test("coordinator: `busy` is waited out at the same leader", () =>
  withClient(async ({ cluster, propose }) => {
    await propose("a");
    const asked = cluster.statusCalls.length;
    let left = 3;
    cluster.refuse = () => left-- > 0 ? new RaftError("busy", "too much") : null;
    assert.equal(await propose("b"), "#2");
    assert.equal(cluster.statusCalls.length, asked);
  }));

Deno.test("coordinator: too many bytes waiting are refused here", () =>
  withClient(async ({ cluster, client, host }) => {
    cluster.elect(null);
    const first = client.propose(new Uint8Array(900), { timeoutMs: 100 });
    await assert.rejects(client.propose(new Uint8Array(200)), { code: "busy", outcome: "rejected" });
    await assert.rejects(host.run(first), { code: "timeout" });
    cluster.elect("n1");
    await host.run(client.propose(new Uint8Array(200)));
  }, { maxQueuedBytes: 1000 }));

Deno.test("coordinator: sequential commands are applied in order, whatever fails", () =>
  withClient(async ({ cluster, propose, counter, host }) => {
    const faults: Fault[] = ["none", "refused", "lost", "unanswered", "late", "hang", "hangApplied"];
    cluster.fault = (method) => method === "read" ? "none" : faults[Math.floor(host.random() * faults.length)]!;
    for (let i = 0; i < 40; i++) {
      if (i % 10 === 5) cluster.elect(`n${1 + i % 3}`);
      assert.equal(await propose(`c${i}`, { timeoutMs: 600_000 }), `#${i + 1}`);
    }
    assert.deepEqual(counter.applied, Array.from({ length: 40 }, (_, i) => `c${i}`));
  }, { attemptTimeoutMs: 200 }));

Deno.test("coordinator: concurrent commands under random faults are applied at most once, with true outcomes", () =>
  withClient(async ({ cluster, client, host, counter }) => {
    const faults: Fault[] = ["none", "none", "refused", "lost", "unanswered", "late", "hang", "hangApplied"];
    cluster.fault = () => faults[Math.floor(host.random() * faults.length)]!;
    const outcomes = new Map<string, Promise<string>>();
    for (let i = 0; i < 400; i++) {
      const command = `c${i}`;
      const proposed = client.propose(bytes(command), { timeoutMs: 50 + Math.floor(host.random() * 1500) });
      outcomes.set(command, proposed.then(() => "applied", (error: RaftError) => error.outcome));
      if (i % 7 === 0) await host.runFor(host.random() * 150);
      if (i % 50 === 0) cluster.elect(`n${1 + Math.floor(host.random() * 3)}`);
    }
    const told = await host.run(Promise.all([...outcomes].map(async ([command, outcome]) => [command, await outcome])));
    await host.runFor(10_000);
    const times = new Map<string, number>();
    for (const command of counter.applied) times.set(command, (times.get(command) ?? 0) + 1);
    const seen = new Set<string>();
    for (const [command, outcome] of told as [string, string][]) {
      seen.add(outcome);
      const count = times.get(command) ?? 0;
      assert.ok(count <= 1, `${command} was applied ${count} times`);
      if (outcome === "applied") assert.equal(count, 1, command);
      if (outcome === "rejected") assert.equal(count, 0, command);
    }
    assert.deepEqual([...seen].sort(), ["applied", "rejected", "unknown"]);
  }, { attemptTimeoutMs: 100 }));

Deno.test("coordinator: reads go to the leader, stale reads to any node, and are retried until they are answered", () =>
  withClient(async ({ cluster, client, host }) => {
    cluster.elect("n2");
    const ask = async (consistency?: "stale" | "linearizable") =>
      text((await host.run(client.read(bytes("q"), consistency ? { consistency } : {}))).result);
    for (const fault of ["refused", "lost", "unanswered", "hang"] as const) {
      cluster.fault = inOrder("read", [fault, fault]);
      assert.equal(await ask(), "q");
    }
    cluster.elect("n3");
    assert.equal(await ask("linearizable"), "q");
    cluster.elect(null);
    assert.equal(await ask("stale"), "q");
    await assert.rejects(host.run(client.read(bytes("q"), { timeoutMs: 300 })), {
      code: "timeout",
      outcome: "rejected",
    });
    const controller = new AbortController();
    const asked = client.read(bytes("q"), { signal: controller.signal });
    asked.catch(() => {});
    await host.runFor(100);
    controller.abort();
    await assert.rejects(host.run(asked), { code: "aborted", outcome: "rejected" });
  }, { attemptTimeoutMs: 500 }));

Deno.test("coordinator: status of one node, or of the first that answers", () =>
  withClient(async ({ cluster, client, host }) => {
    cluster.fault = (_, endpoint) => endpoint === "n1" ? "refused" : "none";
    assert.equal((await host.run(client.status())).id, "n2");
    assert.equal((await host.run(client.status({ endpoint: "n3" }))).id, "n3");
    await assert.rejects(host.run(client.status({ endpoint: "n1" })), { code: "unreachable" });
    cluster.fault = () => "refused";
    await assert.rejects(host.run(client.leader({ timeoutMs: 200 })), (error: RaftError) => {
      return error.code === "timeout" && (error.cause as RaftError).code === "unreachable";
    });
  }));

Deno.test("coordinator: close ends everything, and nothing works after", () =>
  withClient(async ({ cluster, client, host, propose }) => {
    await propose("a");
    cluster.fault = () => "hang";
    const sent = client.propose(bytes("b"));
    const asked = client.read(bytes("q"));
    sent.catch(() => {});
    asked.catch(() => {});
    await host.runFor(10);
    const unsent = client.propose(bytes("c"));
    await client.close();
    await assert.rejects(sent, { code: "closed", outcome: "unknown" });
    await assert.rejects(unsent, { code: "closed", outcome: "rejected" });
    await assert.rejects(host.run(asked), { code: "closed" });
    await assert.rejects(client.propose(bytes("d")), { code: "closed", outcome: "rejected" });
    await assert.rejects(host.run(client.read(bytes("q"))), { code: "closed" });
    assert.throws(() => new Coordinator({ endpoints: [], transport: cluster, host }), { code: "invalid_argument" });
  }));
