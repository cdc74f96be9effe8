import assert from "node:assert/strict";
import { watchLifecycle } from "../../../browser/page_lifecycle.ts";
import { cloneDetail, detailFromClone } from "../../../browser/protocol.ts";
import { RaftError, StorageError } from "../../../lib/errors.ts";
import { eventually } from "../../support/server_processes.ts";
import { Tabs } from "./tabs.ts";

/** The parts of a page that its lifecycle needs. */
class Page {
  readonly window = new EventTarget();
  readonly document = Object.assign(new EventTarget(), { visibilityState: "visible" });

  fire(target: EventTarget, type: string, more: object = {}): void {
    target.dispatchEvent(Object.assign(new Event(type), more));
  }
}

Deno.test("freezing, caching and leaving a page are reported; hiding it is not", () => {
  const page = new Page();
  const told: string[] = [];
  const stop = watchLifecycle(page, {
    freeze: () => told.push("freeze"),
    thaw: () => told.push("thaw"),
    leave: () => told.push("leave"),
  });
  page.document.visibilityState = "hidden";
  page.fire(page.document, "visibilitychange");
  assert.deepEqual(told, []);
  page.fire(page.document, "freeze");
  page.fire(page.document, "resume");
  page.fire(page.window, "pagehide", { persisted: true });
  page.fire(page.window, "pageshow", { persisted: true });
  page.fire(page.window, "pageshow", { persisted: false });
  page.document.visibilityState = "visible";
  page.fire(page.document, "visibilitychange");
  page.fire(page.window, "pagehide", { persisted: false });
  assert.deepEqual(told, ["freeze", "thaw", "freeze", "thaw", "thaw", "leave"]);
  stop();
  page.fire(page.document, "freeze");
  assert.equal(told.length, 6);
});

Deno.test("errors pass through the port unchanged", () => {
  const leader = { id: "n2", address: "tab:n2" };
  const error = new RaftError("not_leader", "n1 does not lead", { outcome: "unknown", hint: "Ask n2.", leader });
  const found = RaftError.fromJSON(structuredClone(error.toJSON()));
  assert.ok(found instanceof RaftError);
  const { code, message, outcome, hint, leader: named } = found;
  assert.deepEqual({ code, message, outcome, hint, named }, {
    code: "not_leader",
    message: "n1 does not lead",
    outcome: "unknown",
    hint: "Ask n2.",
    named: leader,
  });
  const full = new StorageError("the quota is used up", { disk: "unchanged", hint: "Make room." });
  const detail = structuredClone(cloneDetail({ error: full, consequence: "steppedDown" }));
  const event = detailFromClone("storageError", detail);
  assert.ok(event.error instanceof StorageError);
  assert.deepEqual([event.error.disk, event.error.hint, event.consequence], ["unchanged", "Make room.", "steppedDown"]);
});

Deno.test("a page's request can be aborted, outcome unknown", async () => {
  await using tabs = new Tabs();
  const { handle } = await tabs.start("n1", { bootstrap: { members: ["n1", "n2"] } });
  const controller = new AbortController();
  const removing = handle.client.admin(handle.address, "removeMember", { id: "n2" }, { signal: controller.signal });
  controller.abort();
  await assert.rejects(removing, { code: "aborted", outcome: "unknown" });
  await assert.rejects(
    handle.client.admin(handle.address, "removeMember", { id: "n2" }, { signal: controller.signal }),
    {
      code: "aborted",
      outcome: "rejected",
    },
  );
});

Deno.test("pending and later calls of a closed handle end as closed", async () => {
  await using tabs = new Tabs();
  const { handle } = await tabs.start("n1", { bootstrap: { members: ["n1", "n2"] } });
  const removing = handle.client.admin(handle.address, "removeMember", { id: "n2" }).then(
    () => null,
    (error) => error as RaftError,
  );
  await handle.close();
  assert.ok(["closed", "timeout", "aborted"].includes((await removing)?.code ?? ""));
  await assert.rejects(handle.status(), { code: "closed" });
  await assert.rejects(handle.running, { code: "closed" });
});

Deno.test("a handle that releases its worker: pending calls end, and the node receives nothing more", async () => {
  await using tabs = new Tabs();
  const { handle, node } = await tabs.start("n1", { bootstrap: { members: ["n1", "n2"] } });
  const removing = handle.client.admin(handle.address, "removeMember", { id: "n2" });
  handle.disconnect();
  await assert.rejects(removing, { code: "closed", outcome: "unknown" });
  await assert.rejects(handle.running, { code: "closed" });
  await assert.rejects(handle.status(), { code: "closed" });
  await assert.rejects(handle.close(), { code: "closed" });
  assert.equal(node.life.life, "waiting");
});

Deno.test("a page receives the events that it listens to, and no others", async () => {
  await using tabs = new Tabs();
  const { handle, node } = await tabs.start("n1", { bootstrap: { members: ["n1"] } });
  const states: string[] = [];
  const listener = ({ detail }: { readonly detail: { readonly role: string } }): void => void states.push(detail.role);
  handle.addEventListener("state", listener);
  await handle.running;
  await eventually("the page is notified of the leader", () => states.includes("leader"));
  handle.removeEventListener("state", listener);
  await handle.status();
  const count = states.length;
  await (await node.running).close();
  await handle.status();
  assert.equal(states.length, count);
});
