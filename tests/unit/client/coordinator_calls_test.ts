import assert from "node:assert/strict";
import { attempt } from "../../../lib/client/attempts.ts";
import { Coordinator, type CoordinatorOptions } from "../../../lib/client/coordinator.ts";
import { DirectClientTransport, type DirectNode } from "../../../lib/client/direct.ts";
import { ClientSession } from "../../../lib/client/session_user.ts";
import { RaftError } from "../../../lib/errors.ts";
import { Pending } from "../../../lib/pending.ts";
import type { SessionLimits } from "../../../lib/sessions/session_table.ts";
import { Sessions } from "../../../lib/sessions/sessions.ts";
import { VirtualHost } from "../../support/virtual_host.ts";
import { Counter, FakeCluster } from "./fake_cluster.ts";

const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

async function withClient(
  run: (client: Coordinator, cluster: FakeCluster, host: VirtualHost, counter: Counter) => Promise<void>,
  options: Partial<CoordinatorOptions> = {},
  limits: SessionLimits = {},
): Promise<void> {
  const host = new VirtualHost(3);
  const counter = new Counter();
  const cluster = new FakeCluster(host, new Sessions(counter, limits));
  const client = new Coordinator({ endpoints: ["n1", "n2", "n3"], transport: cluster, host, ...options });
  await run(client, cluster, host, counter);
  await client.close();
  await host.runFor(1000);
  assert.equal(host.pendingTimers, 0);
}

Deno.test("coordinator: lease reads go to the leader alone", () =>
  withClient(async (client, cluster, host) => {
    const asked: string[] = [];
    cluster.fault = (method, endpoint) => {
      if (method === "read") asked.push(endpoint);
      return "none";
    };
    cluster.elect("n2");
    for (let i = 0; i < 4; i++) await host.run(client.read(bytes("q"), { consistency: "lease" }));
    assert.deepEqual(asked, ["n2", "n2", "n2", "n2"]);
  }));

Deno.test("coordinator: no attempt outlasts the time of its request", () =>
  withClient(async (client, cluster, host) => {
    cluster.fault = (method) => method === "read" ? "hang" : "none";
    await assert.rejects(host.run(client.read(bytes("q"), { timeoutMs: 100 })), { code: "timeout" });
    assert.ok(host.now <= 110, `${host.now} ms`);
  }));

Deno.test("coordinator: bytes of commands that have ended are free again", () =>
  withClient(async (client, cluster, host) => {
    const command = new Uint8Array(300);
    for (let i = 0; i < 10; i++) await host.run(client.propose(command));
    await host.run(Promise.all([client.propose(command), client.propose(command), client.propose(command)]));
    cluster.elect(null);
    for (let i = 0; i < 10; i++) await assert.rejects(host.run(client.propose(command, { timeoutMs: 50 })));
    const open = [client.propose(command, { timeoutMs: 50 }), client.propose(command, { timeoutMs: 50 })];
    const ended = await host.run(Promise.allSettled(open));
    assert.deepEqual(ended.map((each) => (each as PromiseRejectedResult).reason.code), ["timeout", "timeout"]);
  }, { maxQueuedBytes: 1000 }));

Deno.test("coordinator: a command that is given up makes room for the next one at once", () =>
  withClient(
    async (client, cluster, host) => {
      await host.run(client.propose(bytes("first")));
      cluster.fault = () => "hang";
      const controller = new AbortController();
      const given = client.propose(bytes("given up"), { signal: controller.signal });
      const hangs = client.propose(bytes("hangs"));
      given.catch(() => {});
      hangs.catch(() => {});
      await host.runFor(10);
      const waits = client.propose(bytes("waits"));
      await host.runFor(10);
      cluster.fault = () => "none";
      const before = host.now;
      controller.abort();
      await host.run(waits);
      assert.ok(host.now - before < 100, `${host.now - before} ms`);
    },
    { attemptTimeoutMs: 5000 },
    { maxOutstanding: 2 },
  ));

Deno.test("coordinator: a command that is sent again keeps its place before those behind it", () =>
  withClient(async (client, cluster, host, counter) => {
    await host.run(client.propose(bytes("first")));
    let failures = 2;
    cluster.fault = (method) => method === "propose" && failures-- > 0 ? "refused" : "none";
    await host.run(Promise.all(["a", "b", "c"].map((command) => client.propose(bytes(command)))));
    assert.deepEqual(counter.applied, ["first", "a", "b", "c"]);
  }, { maxBatchCommands: 1, maxInflightCalls: 1 }));

Deno.test("coordinator: calls that were answered late don't raise the number of calls at a time", () =>
  withClient(async (client, cluster, host) => {
    await host.run(client.propose(bytes("first")));
    cluster.latencyMs = 150;
    await host.run(Promise.all([client.propose(bytes("late")), client.propose(bytes("late"))]));
    cluster.latencyMs = 1;
    await host.run(client.propose(bytes("finds the leader")));
    cluster.maxInFlight = 0;
    await host.run(Promise.all(Array.from({ length: 12 }, () => client.propose(bytes("x")))));
    assert.equal(cluster.maxInFlight, 2);
  }, { session: false, maxBatchCommands: 1, attemptTimeoutMs: 100 }));

Deno.test("coordinator: a pause before the next attempt ends with the client", () =>
  withClient(async (client, cluster, host) => {
    cluster.elect(null);
    const proposed = client.propose(bytes("a"));
    proposed.catch(() => {});
    await host.runFor(60);
    await client.close();
    assert.equal(host.pendingTimers, 0);
  }, { minBackoffMs: 400 }));

Deno.test("coordinator: one command that is given up doesn't end the call of the others", () =>
  withClient(async (client, cluster, host) => {
    await host.run(client.propose(bytes("first")));
    const { length } = cluster.calls;
    cluster.latencyMs = 100;
    const controller = new AbortController();
    const given = client.propose(bytes("a"), { signal: controller.signal });
    const kept = client.propose(bytes("b"));
    given.catch(() => {});
    await host.runFor(20);
    controller.abort();
    await host.run(kept);
    assert.equal(cluster.calls.length, length + 1);
  }));

Deno.test("coordinator: a command that surely was not executed is rejected, although it was sent before", () =>
  withClient(async (client, cluster, host) => {
    await host.run(client.propose(bytes("first")));
    cluster.fault = (method) => method === "propose" ? "refused" : "none";
    const controller = new AbortController();
    const proposed = client.propose(bytes("a"), { signal: controller.signal });
    proposed.catch(() => {});
    await host.runUntil(() => cluster.calls.length > 2 && cluster.inFlight === 0);
    controller.abort();
    await assert.rejects(proposed, { code: "aborted", outcome: "rejected" });
  }, { minBackoffMs: 100 }));

Deno.test("a session has room by its lowest outstanding command, not by the number of them", () => {
  const session = new ClientSession(1, 3);
  assert.deepEqual([session.take(), session.take(), session.take()], [1, 2, 3]);
  session.settle(2);
  session.settle(3);
  assert.deepEqual([session.hasRoom, session.lowestOutstanding], [false, 1]);
  session.settle(1);
  assert.deepEqual([session.hasRoom, session.lowestOutstanding], [true, 4]);
});

Deno.test("direct transport: consistency and signal reach the node", async () => {
  const seen: unknown[] = [];
  const node = {
    propose: (
      _: Uint8Array,
      options: unknown,
    ) => (seen.push(options), Promise.resolve({ index: 1, result: bytes("r") })),
    read: (
      _: Uint8Array,
      options: unknown,
    ) => (seen.push(options), Promise.resolve({ result: bytes("r"), appliedIndex: 1 })),
  } as unknown as DirectNode;
  const transport = new DirectClientTransport(new Map([["n1", node]]));
  const { signal } = new AbortController();
  await transport.propose("n1", [bytes("a")], { signal });
  await transport.read("n1", bytes("q"), { signal, consistency: "stale" });
  assert.deepEqual(seen, [{ signal }, { signal, consistency: "stale" }]);
});

Deno.test("an attempt that ran out of time, or was aborted, tells the call", async () => {
  for (const how of ["timeout", "abort"]) {
    const host = new VirtualHost();
    const controller = new AbortController();
    let reason: unknown = null;
    const attempted = attempt(host, 100, [controller.signal], (signal) => {
      signal.addEventListener("abort", () => reason = signal.reason);
      return new Promise<never>(() => {});
    });
    attempted.catch(() => {});
    if (how === "abort") controller.abort();
    await assert.rejects(host.run(attempted));
    assert.ok(reason instanceof RaftError, how);
    assert.equal(host.pendingTimers, 0);
  }
});

Deno.test("a promise that has settled leaves no listener at its signals", () => {
  const signal = Object.assign(new AbortController().signal);
  let listeners = 0;
  const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
  signal.addEventListener = (...args: Parameters<typeof add>) => (listeners++, add(...args));
  signal.removeEventListener = (...args: Parameters<typeof remove>) => (listeners--, remove(...args));
  const pending = new Pending<number>({ signals: [signal, undefined] });
  assert.equal(listeners, 1);
  pending.resolve(1);
  assert.equal(listeners, 0);
});
