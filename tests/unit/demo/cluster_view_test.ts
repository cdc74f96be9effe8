import assert from "node:assert/strict";
import { membershipOf } from "../../../mod.ts";
import type { HostMessage, NodeReport } from "../../../browser-demo/live/host_message.ts";
import { blankView, ClusterView } from "../../../browser-demo/live/cluster_view.ts";
import { ASKED_SERVER } from "../../../browser-demo/live/host_message.ts";
import type { LinkView, MessageView, NodeView, SourceListener } from "../../../browser-demo/source.ts";

const cut: LinkView = { from: "n1", to: "n2", cut: true, delayMs: 0, loss: 0 };

/** Remembers all calls. */
class Seen implements SourceListener {
  readonly nodes = new Map<string, NodeView>();
  readonly forgotten: string[] = [];
  readonly links: LinkView[] = [];
  readonly messages: MessageView[] = [];
  readonly times: number[] = [];
  node(view: NodeView): void {
    this.nodes.set(view.id, view);
  }
  gone(id: string): void {
    this.forgotten.push(id);
  }
  link(link: LinkView): void {
    this.links.push(link);
  }
  message(message: MessageView): void {
    this.messages.push(message);
  }
  event({ atMs }: { readonly atMs: number }): void {
    this.times.push(atMs);
  }
}

function report(id: string, changes: Partial<NodeReport["view"]> = {}, more: Partial<HostMessage> = {}): HostMessage {
  const { home: _, ...blank } = blankView(id, `tab:${id}`);
  const view: NodeReport["view"] = { ...blank, life: "running", ...changes };
  const message = { report: { page: "p1", run: `run of ${id}`, view }, links: [], messages: [], events: [] };
  return { type: "report", ...message, ...more } as HostMessage;
}

function clusterView(): { view: ClusterView; seen: Seen } {
  const view = new ClusterView("p1");
  const seen = new Seen();
  view.subscribe(seen);
  return { view, seen };
}

Deno.test("a node's home depends on the page that shows it", () => {
  const { view: cluster, seen } = clusterView();
  cluster.apply(report("n1"));
  cluster.apply(report("n2", {}, { report: { page: "p2", run: "r2", view: viewOf("n2") } } as Partial<HostMessage>));
  const asked = { page: ASKED_SERVER, run: "r3", view: viewOf("s1") };
  cluster.apply(report("s1", {}, { report: asked } as Partial<HostMessage>));
  assert.deepEqual([...seen.nodes.values()].map(({ home }) => home), ["this page", "another tab", "server"]);
});

Deno.test("late reports of a worker that was ended are ignored", () => {
  const { view: cluster, seen } = clusterView();
  cluster.apply(report("n1"));
  cluster.runEnded("run of n1");
  cluster.apply(report("n1", { life: "killed" }));
  cluster.apply(report("n1", { life: "running" }));
  assert.equal(seen.nodes.get("n1")?.life, "killed");
  cluster.apply(report("n1", { life: "killed" }));
  assert.equal(seen.nodes.get("n1")?.life, "killed", "a repeated report is applied again");
});

Deno.test("a tab that finds a node locked does not take it from the tab that runs it", () => {
  const { view: cluster, seen } = clusterView();
  cluster.apply(report("n1"));
  const starting = { page: "p2", run: "r2", view: viewOf("n1", { life: "starting" }) };
  cluster.apply(report("n1", {}, { report: starting } as Partial<HostMessage>));
  assert.equal(seen.nodes.get("n1")?.life, "running");
  assert.equal(seen.nodes.get("n1")?.home, "this page");
});

Deno.test("the nodes of a closed tab are away, in spite of late reports", async () => {
  const { view: cluster, seen } = clusterView();
  cluster.apply(report("n1"));
  cluster.apply({ type: "left", page: "p1" });
  cluster.apply(report("n1", { life: "stopped" }));
  assert.equal(seen.nodes.get("n1")?.life, "away");
  await settled();
});

Deno.test("a member without reports is away, and one that left is forgotten", async () => {
  const { view: cluster, seen } = clusterView();
  const member = (id: string) => ({ id, address: `tab:${id}`, incarnation: "" });
  const both = membershipOf({ voters: [member("n1"), member("n2")] });
  cluster.apply(report("n1", { membership: both, membershipIndex: 1, role: "leader" }));
  cluster.age();
  assert.equal(seen.nodes.get("n2")?.life, "away");
  const alone = membershipOf({ voters: [member("n1")] });
  cluster.apply(report("n1", { membership: alone, membershipIndex: 2, role: "leader" }));
  cluster.age();
  assert.deepEqual(seen.forgotten, ["n2"]);
  await settled();
});

Deno.test("a link is as its sender reports, or as requested while no sender runs", () => {
  const { view: cluster, seen } = clusterView();
  cluster.apply({ type: "links", links: [cut] });
  assert.deepEqual(cluster.links, [cut]);
  cluster.apply(report("n1", {}, { links: [cut] }));
  cluster.apply({ type: "links", links: [{ ...cut, cut: false }] });
  assert.deepEqual(cluster.links, [cut], "the node has not reported it yet");
  cluster.apply(report("n1"));
  assert.deepEqual(cluster.links, []);
  assert.deepEqual(seen.links.map((link) => link.cut), [true, false]);
});

Deno.test("a message to a node that does not run is lost", () => {
  const { view: cluster, seen } = clusterView();
  const message = { id: "1", from: "n1", to: "n2", fate: "delivered" } as MessageView;
  for (const life of ["running", "killed", "paused"] as const) {
    cluster.apply(report("n2", { life }));
    cluster.apply(report("n1", {}, { messages: [message] }));
  }
  assert.deepEqual(seen.messages.map(({ fate }) => fate), ["delivered", "lost", "lost"]);
});

Deno.test("events of several nodes arrive in their order", async () => {
  const { view: cluster, seen } = clusterView();
  const at = (atMs: number) => ({ node: "n1", atMs, what: { type: "committed", index: 1 } }) as const;
  cluster.apply(report("n1", {}, { events: [at(20)] }));
  cluster.apply(report("n2", {}, { events: [at(10), at(30)] }));
  await settled();
  assert.deepEqual(seen.times, [10, 20, 30]);
});

function viewOf(id: string, changes: Partial<NodeReport["view"]> = {}): NodeReport["view"] {
  return (report(id, changes) as HostMessage & { readonly type: "report" }).report.view;
}

/** Waits until events have settled. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 200));
}
