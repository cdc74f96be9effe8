import assert from "node:assert/strict";
import type { NodeView } from "../../../browser-demo/source.ts";
import { explainWaiting, headlineOf } from "../../../browser-demo/view/explain_state.ts";
import { ClusterModel } from "../../../browser-demo/view/model.ts";
import { entriesOf, freshNode, votersOf } from "../../support/demo_views.ts";

const VOTERS = ["n1", "n2", "n3"];

function cluster(
  changes: Readonly<Record<string, Partial<NodeView>>> = {},
  ids: readonly string[] = VOTERS,
): ClusterModel {
  const model = new ClusterModel();
  for (const id of ids) model.node({ ...freshNode(id, votersOf(ids)), ...changes[id] });
  return model;
}

/** A leader whose entry 3 is on no other disk. */
const LEADER = {
  role: "leader",
  term: 2,
  entries: entriesOf(1, 2, 2),
  lastIndex: 3,
  durableIndex: 3,
  commitIndex: 2,
  progress: ["n2", "n3"].map((id) => ({ id, matchIndex: 2, nextIndex: 3, state: "replicate" as const })),
} as const;

function waiting(model: ClusterModel): string {
  const leader = model.leader();
  const found = leader === null ? null : explainWaiting(model, leader);
  return found === null ? "" : `${found.text} [${found.section.label}]`;
}

const cut = (from: string, to: string) => ({ from, to, cut: true, delayMs: 0, loss: 0 });

Deno.test("the headline names the leader and the missing nodes", () => {
  const leads = cluster({ n1: { role: "leader", term: 4 } });
  assert.deepEqual(headlineOf(leads), {
    text: "n1 leads 3 nodes in term 4",
    detail: "All 3 voters are available; 2 are enough to commit.",
    tone: "good",
  });
  const missing = cluster({ n1: { role: "leader", term: 4 }, n3: { life: "killed" } });
  assert.match(headlineOf(missing).detail, /^n3 is killed; 2 of 3 voters are left, and 2 are enough\./);
});

Deno.test("the headline explains why there is no leader", () => {
  assert.equal(headlineOf(new ClusterModel()).text, "The cluster is starting");
  assert.equal(headlineOf(cluster()).text, "There is no leader at the moment");
  assert.equal(headlineOf(cluster({ n2: { role: "candidate" } })).text, "n2 asks for votes");
  const lost = headlineOf(cluster({ n1: { life: "killed" }, n2: { life: "paused" } }));
  assert.equal(lost.text, "No node can lead: 1 of 3 voters left");
  assert.equal(lost.tone, "bad");
});

Deno.test("of two nodes that consider themselves leader, the headline names both, the newer first", () => {
  const { text, detail } = headlineOf(cluster({ n1: { role: "leader", term: 4 }, n2: { role: "leader", term: 5 } }));
  assert.match(text, /^n2 leads/);
  assert.match(detail, /n1 still considers itself leader in term 4/);
});

Deno.test("the headline explains that a leader without a majority can't commit", () => {
  const model = cluster({ n1: { role: "leader", term: 4 } });
  for (const other of ["n2", "n3"]) model.link(cut("n1", other));
  assert.match(headlineOf(model).detail, /reaches 1 of 3 voters, and 2 are needed/);
});

Deno.test("the headline names nodes that are cut off, and explains that no node has a majority", () => {
  const leads = cluster({ n1: { role: "leader", term: 4 } });
  leads.link(cut("n2", "n1"));
  assert.match(headlineOf(leads).detail, /^the link from n2 to n1 is cut; 2 of 3 voters are left, and 2 are enough\./);
  leads.link(cut("n1", "n2"));
  assert.match(headlineOf(leads).detail, /^n2 is cut off from n1; 2 of 3/);
  const none = cluster({ n3: { life: "killed" }, n1: { role: "preCandidate" } });
  none.link(cut("n1", "n2"));
  assert.equal(headlineOf(none).text, "No node can lead: too many links are cut");
});

Deno.test("the reason for a waiting entry names its holders, the majority, and the obstacles", () => {
  const model = cluster({ n1: LEADER, n3: { life: "killed" } });
  model.link(cut("n1", "n2"));
  model.link(cut("n2", "n1"));
  assert.equal(
    waiting(model),
    "Entry 3 is on n1 only: 1 of 3, and 2 are needed; n2 is cut off from n1, n3 is killed. [§5.3]",
  );
});

Deno.test("several nodes that are behind for one reason are named together", () => {
  const model = cluster({ n1: LEADER, n2: { life: "killed" }, n3: { life: "killed" } });
  assert.match(waiting(model), /; n2 and n3 are killed\./);
});

Deno.test("one-way cuts, delay, loss, snapshots and slow disks are distinguished", () => {
  const there = cluster({ n1: LEADER });
  there.link(cut("n1", "n2"));
  there.link(cut("n3", "n1"));
  assert.match(waiting(there), /the link from n1 to n2 is cut, the link from n3 to n1 is cut/);
  const slow = cluster({ n1: LEADER });
  slow.link({ ...cut("n1", "n2"), cut: false, delayMs: 300 });
  slow.link({ ...cut("n1", "n3"), cut: false, loss: 0.5 });
  assert.match(waiting(slow), /the round trip to n2 takes 300 ms, messages to and from n3 are lost/);
  const progress = LEADER.progress.map((peer) => ({ ...peer, state: "snapshot" as const }));
  assert.match(waiting(cluster({ n1: { ...LEADER, progress } })), /n2 and n3 need a snapshot first/);
  assert.match(waiting(cluster({ n1: { ...LEADER, durableIndex: 2 } })), /on no voter's disk yet.*its own disk/);
});

Deno.test("an entry of an older term on a majority waits for one of the leader's own (figure 8)", () => {
  const progress = LEADER.progress.map((peer) => ({ ...peer, matchIndex: 1 }));
  const older = { ...LEADER, entries: entriesOf(1, 2, 2), commitIndex: 0, progress };
  assert.match(
    waiting(cluster({ n1: older })),
    /^Entry 1 is on a majority, but it is of term 1.*\(figure 8\)\. \[§5\.4\.2\]$/,
  );
});

Deno.test("a joint membership needs both halves", () => {
  const ids = [...VOTERS, "n4"];
  const membership = { ...votersOf(["n1", "n4"]), outgoing: VOTERS };
  const progress = ids.slice(1).map((id) => ({
    id,
    matchIndex: id === "n4" ? 2 : 3,
    nextIndex: 4,
    state: "replicate" as const,
  }));
  const model = cluster({ n1: { ...LEADER, membership, progress } }, ids);
  assert.match(
    waiting(model),
    /^Entry 3 is on n1 only: 1 of 2 of the new membership, and 2 are needed.*\[dissertation §4\.3\]$/,
  );
});

Deno.test("nothing waits when everything is committed", () => {
  assert.equal(waiting(cluster({ n1: { ...LEADER, commitIndex: 3 } })), "");
});
