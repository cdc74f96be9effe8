import assert from "node:assert/strict";
import { join } from "../../../browser/joining.ts";
import { connectBrowserNode } from "../../../browser/mod.ts";
import type { WorkerEnd } from "../../../browser/mod.ts";
import { PageLink } from "../../../browser/page_link.ts";
import type { CallTable, PageEnd } from "../../../browser/page_link.ts";
import { WorkerPort } from "../../../browser/worker_port.ts";
import type { AdminTransport } from "../../../lib/client/client_transport.ts";
import { closedError, RaftError } from "../../../lib/errors.ts";
import type { NodeStatus } from "../../../lib/node/types.ts";
import { emptyMembership, membershipOf } from "../../../lib/raft/membership.ts";
import { BootstrappingNode } from "../../../hosting/bootstrapping_node.ts";
import { eventually } from "../../support/server_processes.ts";

/** A worker whose script listens late: earlier messages are lost. */
class LateWorker {
  readonly #inside = new EventTarget();
  readonly #outside = new EventTarget();
  readonly page: PageEnd = end(this.#inside, this.#outside);
  readonly worker: WorkerEnd = end(this.#outside, this.#inside);

  fail(message: string): void {
    this.#outside.dispatchEvent(Object.assign(new Event("error"), { message }));
  }
}

function end(here: EventTarget, there: EventTarget): PageEnd & WorkerEnd {
  return {
    postMessage: (data: unknown) => queueMicrotask(() => there.dispatchEvent(new MessageEvent("message", { data }))),
    addEventListener: (type: string, listener: (event: never) => void) =>
      here.addEventListener(type, listener as EventListener),
    removeEventListener: (type: string, listener: (event: never) => void) =>
      here.removeEventListener(type, listener as EventListener),
  };
}

/** Returns the page's port to a worker that carries out these calls. */
async function portTo(some: Partial<CallTable>): Promise<WorkerPort> {
  const late = new LateWorker();
  const opened = Promise.withResolvers<void>();
  const listener = { opened: () => opened.resolve(), life() {}, leads() {}, event() {}, failed() {} };
  const port = new WorkerPort(late.worker, listener);
  new PageLink({ end: late.page, calls: calls(some), observe: () => () => {} }).opened("n1", "tab:n1");
  await opened.promise;
  return port;
}

const REMOVE = { endpoint: "tab:n1", method: "removeMember", request: { id: "n2" } } as const;

/** Returns a table of some calls; the others fail. */
function calls(some: Partial<CallTable>): CallTable {
  return some as CallTable;
}

Deno.test("a call made before the worker listens is answered once it does", async () => {
  const late = new LateWorker();
  const connecting = connectBrowserNode(late.worker);
  await new Promise((resolve) => setTimeout(resolve, 10));
  const link = new PageLink({
    end: late.page,
    calls: calls({ close: () => {} }),
    observe: () => () => {},
  });
  link.opened("n1", "tab:n1");
  const handle = await connecting;
  assert.deepEqual([handle.id, handle.address], ["n1", "tab:n1"]);
  await handle.close();
});

Deno.test("a worker whose script fails before it listens: the page receives the error", async () => {
  const late = new LateWorker();
  const connecting = connectBrowserNode(late.worker);
  late.fail("SyntaxError: no");
  await assert.rejects(connecting, (error: RaftError) => {
    assert.equal(error.code, "internal");
    assert.match(error.message, /script failed: SyntaxError: no/);
    return true;
  });
});

Deno.test("a page can stop waiting for its worker", async () => {
  const connecting = connectBrowserNode(new LateWorker().worker, { signal: AbortSignal.abort() });
  await assert.rejects(connecting, { code: "aborted" });
});

Deno.test("aborting a call in the page aborts it in the worker", async () => {
  let signal: AbortSignal | null = null;
  const port = await portTo({ admin: (_input, given) => (signal = given, new Promise(() => {})) });
  const controller = new AbortController();
  const removing = port.call("admin", REMOVE, controller.signal).catch((error) => error.code);
  await eventually("the call is under way", () => signal !== null);
  controller.abort();
  assert.equal(await removing, "aborted");
  await eventually("the worker knows", () => (signal as AbortSignal | null)?.aborted);
  port.close(closedError("the page"));
});

Deno.test("an answer is posted with its own bytes, not with the whole buffer behind them", async () => {
  const whole = new Uint8Array(1000).fill(7);
  const result = whole.subarray(10, 12);
  const port = await portTo({
    read: () => Promise.resolve({ result, appliedIndex: 1 }),
    propose: () => Promise.resolve([{ ok: true, index: 1, result }]),
  });
  const read = await port.call("read", { endpoint: "", query: whole, consistency: "stale" });
  const [proposed] = await port.call("propose", { endpoint: "", commands: [] });
  assert.ok(proposed?.ok === true);
  for (const bytes of [read.result, proposed.result]) {
    assert.deepEqual([...bytes], [7, 7]);
    assert.equal(bytes.buffer.byteLength, 2);
  }
  await assert.rejects(port.call("admin", REMOVE), { code: "unsupported" });
  port.close(closedError("the page"));
});

/** Reaches n1, which leads and adds members; a page without a node; and nothing else. */
function clientOf(addMember: () => void): AdminTransport {
  return {
    status: (endpoint, { signal } = {}) => {
      if (endpoint === "tab:n1") return Promise.resolve(LEADER);
      if (endpoint === "tab:page") return Promise.reject(new RaftError("unsupported", "no calls are answered here"));
      return new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
    },
    admin: (endpoint) => {
      assert.equal(endpoint, "tab:n1");
      addMember();
      return Promise.resolve(emptyMembership) as Promise<never>;
    },
  };
}

const LEADER: NodeStatus = {
  ...new BootstrappingNode({ nodeId: "n1", incarnation: "i1", clusterId: "c" }).status(),
  role: "leader",
  leader: { id: "n1", address: "tab:n1" },
};

Deno.test("a node that joins finds the leader beside a page without a node and a node that hangs", async () => {
  const joined = membershipOf({ voters: [{ id: "n2", address: "tab:n2", incarnation: "i" }] });
  const waiting = new BootstrappingNode({ nodeId: "n2", incarnation: "i", clusterId: "" });
  let asked = 0;
  const through: string[] = [];
  const errors: string[] = [];
  await join({
    status: () => ({
      ...waiting.status(),
      members: asked === 0 ? [] : joined.members.map((member) => ({ ...member, suffrage: "learner" })),
    }),
    address: "tab:n2",
    through: () => [...through],
    waiting: ({ code }) => {
      errors.push(code);
      through.push(
        ...["tab:page", "tab:hangs", "tab:n1"].slice(through.length, through.length + (errors.length > 1 ? 2 : 1)),
      );
    },
    signal: new AbortController().signal,
    attemptTimeoutMs: 50,
    client: clientOf(() => asked++),
  }, "learner");
  assert.equal(asked, 1);
  assert.deepEqual(errors, ["unreachable", "unreachable"]);
});

Deno.test("a node that came back with new data has not joined while its log names the old data", async () => {
  const membership = (incarnation: string) => membershipOf({ voters: [{ id: "n2", address: "tab:n2", incarnation }] });
  let asked = 0;
  await join({
    status: () => ({
      ...new BootstrappingNode({ nodeId: "n2", incarnation: "new", clusterId: "" }).status(),
      members: membership(asked < 2 ? "old" : "new").members.map((member) => ({ ...member, suffrage: "voter" })),
    }),
    address: "tab:n2",
    through: () => ["tab:n1"],
    waiting: () => {},
    signal: new AbortController().signal,
    client: clientOf(() => asked++),
  }, "voter");
  assert.equal(asked, 2);
});

Deno.test("a page that connects late receives what the first one was told: the node, its life, and that it leads", async () => {
  const late = new LateWorker();
  const link = new PageLink({ end: late.page, calls: calls({}), observe: () => () => {} });
  link.opened("n1", "tab:n1");
  link.life({ life: "running", reason: "", error: null });
  link.leads(true);
  const told: string[] = [];
  const port = new WorkerPort(late.worker, {
    opened: ({ id }) => told.push(id),
    life: ({ life }) => told.push(life),
    leads: (leads) => told.push(String(leads)),
    event() {},
    failed() {},
  });
  await eventually("the page is told", () => told.length === 3);
  assert.deepEqual(told, ["n1", "running", "true"]);
  port.close(closedError("the page"));
});

Deno.test("an event that a page observes twice is reported once, and not after it stopped", async () => {
  const late = new LateWorker();
  const reports = new Set<(detail: object) => void>();
  const observe = (_event: string, report: (detail: object) => void) => {
    reports.add(report);
    return () => reports.delete(report);
  };
  const opened = Promise.withResolvers<void>();
  const listener = { opened: () => opened.resolve(), life() {}, leads() {}, event() {}, failed() {} };
  const port = new WorkerPort(late.worker, listener);
  new PageLink({ end: late.page, calls: calls({ status: () => ({}) as NodeStatus }), observe }).opened("n1", "tab:n1");
  await opened.promise;
  for (const on of [true, true]) port.observe("state", on);
  await port.call("status", { endpoint: "" });
  assert.equal(reports.size, 1);
  port.observe("state", false);
  await port.call("status", { endpoint: "" });
  assert.equal(reports.size, 0);
  port.close(closedError("the page"));
});
