import assert from "node:assert/strict";
import { membershipOf } from "../../../mod.ts";
import type { NodeReport, Observation } from "../../../browser-demo/live/observation.ts";
import { blankView, Picture } from "../../../browser-demo/live/picture.ts";
import { ASKED_SERVER } from "../../../browser-demo/live/server_watch.ts";
import type { LinkView, MessageView, NodeView, SourceListener } from "../../../browser-demo/source.ts";

const cut: LinkView = { from: "n1", to: "n2", cut: true, delayMs: 0, loss: 0 };

/** Remembers what it was told. */
class Seen implements SourceListener {
  readonly nodes = new Map<string, NodeView>();
  readonly gones: string[] = [];
  readonly links: LinkView[] = [];
  readonly messages: MessageView[] = [];
  readonly times: number[] = [];
  node(view: NodeView): void {
    this.nodes.set(view.id, view);
  }
  gone(id: string): void {
    this.gones.push(id);
  }
  link(link: LinkView): void {
    this.links.push(link);
  }
  message(message: MessageView): void {
    this.messages.push(message);
  }
  happened({ atMs }: { readonly atMs: number }): void {
    this.times.push(atMs);
  }
}

function report(id: string, changes: Partial<NodeReport["view"]> = {}, more: Partial<Observation> = {}): Observation {
  const { home: _, ...blank } = blankView(id, `tab:${id}`);
  const view: NodeReport["view"] = { ...blank, life: "running", ...changes };
  const observation = { report: { page: "p1", run: `run of ${id}`, view }, links: [], messages: [], happened: [] };
  return { type: "report", ...observation, ...more } as Observation;
}

function picture(): { picture: Picture; seen: Seen } {
  const picture = new Picture("p1");
  const seen = new Seen();
  picture.subscribe(seen);
  return { picture, seen };
}

Deno.test("a picture: whose a node is depends on the page that looks", () => {
  const { picture: one, seen } = picture();
  one.observe(report("n1"));
  one.observe(report("n2", {}, { report: { page: "p2", run: "r2", view: viewOf("n2") } } as Partial<Observation>));
  const asked = { page: ASKED_SERVER, run: "r3", view: viewOf("s1") };
  one.observe(report("s1", {}, { report: asked } as Partial<Observation>));
  assert.deepEqual([...seen.nodes.values()].map(({ home }) => home), ["this page", "another tab", "server"]);
});

Deno.test("a picture: what a worker said before it was ended does not bring it back", () => {
  const { picture: one, seen } = picture();
  one.observe(report("n1"));
  one.runEnded("run of n1");
  one.observe(report("n1", { life: "killed" }));
  one.observe(report("n1", { life: "running" }));
  assert.equal(seen.nodes.get("n1")?.life, "killed");
  one.observe(report("n1", { life: "killed" }));
  assert.equal(seen.nodes.get("n1")?.life, "killed", "what is said again is heard again");
});

Deno.test("a picture: a tab that finds a node locked does not take it away from the tab that runs it", () => {
  const { picture: one, seen } = picture();
  one.observe(report("n1"));
  const starting = { page: "p2", run: "r2", view: viewOf("n1", { life: "starting" }) };
  one.observe(report("n1", {}, { report: starting } as Partial<Observation>));
  assert.equal(seen.nodes.get("n1")?.life, "running");
  assert.equal(seen.nodes.get("n1")?.home, "this page");
});

Deno.test("a picture: the nodes of a tab that left are away, whatever its workers still say", async () => {
  const { picture: one, seen } = picture();
  one.observe(report("n1"));
  one.observe({ type: "left", page: "p1" });
  one.observe(report("n1", { life: "stopped" }));
  assert.equal(seen.nodes.get("n1")?.life, "away");
  await settled();
});

Deno.test("a picture: a member that nobody tells of is away, and one that left is forgotten", async () => {
  const { picture: one, seen } = picture();
  const member = (id: string) => ({ id, address: `tab:${id}`, incarnation: "" });
  const both = membershipOf({ voters: [member("n1"), member("n2")] });
  one.observe(report("n1", { membership: both, membershipIndex: 1, role: "leader" }));
  one.age();
  assert.equal(seen.nodes.get("n2")?.life, "away");
  const alone = membershipOf({ voters: [member("n1")] });
  one.observe(report("n1", { membership: alone, membershipIndex: 2, role: "leader" }));
  one.age();
  assert.deepEqual(seen.gones, ["n2"]);
  await settled();
});

Deno.test("a picture: a link is as its sender says, and as it was ordered where no sender runs", () => {
  const { picture: one, seen } = picture();
  one.observe({ type: "links", links: [cut] });
  assert.deepEqual(one.links, [cut]);
  one.observe(report("n1", {}, { links: [cut] }));
  one.observe({ type: "links", links: [{ ...cut, cut: false }] });
  assert.deepEqual(one.links, [cut], "the node has not said so yet");
  one.observe(report("n1"));
  assert.deepEqual(one.links, []);
  assert.deepEqual(seen.links.map((link) => link.cut), [true, false]);
});

Deno.test("a picture: what is sent to a node that does not run is lost", () => {
  const { picture: one, seen } = picture();
  const message = { id: "1", from: "n1", to: "n2", fate: "delivered" } as MessageView;
  for (const life of ["running", "killed", "paused"] as const) {
    one.observe(report("n2", { life }));
    one.observe(report("n1", {}, { messages: [message] }));
  }
  assert.deepEqual(seen.messages.map(({ fate }) => fate), ["delivered", "lost", "lost"]);
});

Deno.test("a picture: what happened at several nodes is told in its order", async () => {
  const { picture: one, seen } = picture();
  const at = (atMs: number) => ({ node: "n1", atMs, what: { type: "committed", index: 1 } }) as const;
  one.observe(report("n1", {}, { happened: [at(20)] }));
  one.observe(report("n2", {}, { happened: [at(10), at(30)] }));
  await settled();
  assert.deepEqual(seen.times, [10, 20, 30]);
});

function viewOf(id: string, changes: Partial<NodeReport["view"]> = {}): NodeReport["view"] {
  return (report(id, changes) as Observation & { readonly type: "report" }).report.view;
}

/** What happened is told a moment later. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 200));
}
