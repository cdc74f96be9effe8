import assert from "node:assert/strict";
import type { ClusterEvent, NodeView } from "../../../browser-demo/source.ts";
import { explain } from "../../../browser-demo/view/explain.ts";
import { ClusterModel } from "../../../browser-demo/view/model.ts";
import { entriesOf, freshNode, votersOf } from "../../support/demo_views.ts";

/** Returns the line of the feed for an event at a node, in a cluster of these nodes. */
function say(node: string, what: ClusterEvent["what"], views: readonly Partial<NodeView>[] = [], atMs = 0): string {
  const said = explain({ node, atMs, what }, modelOf(views));
  return said === null ? "" : `${said.text} [${said.section.label}]`;
}

function modelOf(views: readonly Partial<NodeView>[]): ClusterModel {
  const model = new ClusterModel();
  for (const view of views) model.node({ ...freshNode(view.id ?? "n1", votersOf(["n1", "n2", "n3"])), ...view });
  return model;
}

Deno.test("a pre-vote names the time without a leader", () => {
  const model = modelOf([{ id: "n2", electionTimer: { startedMs: 1000, dueMs: 2250 } }]);
  // The campaign has restarted the timer before the event arrives.
  model.node({ ...freshNode("n2"), role: "preCandidate", electionTimer: { startedMs: 2300, dueMs: 3600 } });
  const said = explain({
    node: "n2",
    atMs: 2300,
    what: { type: "electionStarted", term: 4, preVote: true, reason: "timeout" },
  }, model);
  assert.equal(
    said?.text,
    "n2 received nothing from a leader for 1.3 s, so it asks if the others would vote for it in term 4 (pre-vote).",
  );
  assert.equal(said?.section.label, "dissertation §9.6");
});

Deno.test("a pre-vote without a known timer names the election timeout", () => {
  assert.match(
    say("n2", { type: "electionStarted", term: 4, preVote: true, reason: "timeout" }),
    /received nothing from a leader for an election timeout/,
  );
});

Deno.test("a candidate's campaign is explained, and that of a transfer", () => {
  assert.match(
    say("n2", { type: "electionStarted", term: 4, preVote: false, reason: "timeout" }),
    /^A majority would vote for n2, so it becomes a candidate in term 4.*\[§5\.2\]$/,
  );
  assert.match(
    say("n2", { type: "electionStarted", term: 4, preVote: false, reason: "transfer" }),
    /^The leader asked n2 to take over.*\[dissertation §3\.10\]$/,
  );
});

Deno.test("each reason to deny a vote has a text and a section", () => {
  const denied = { type: "voteDenied", to: "n1", term: 4, preVote: false } as const;
  assert.equal(
    say("n3", { ...denied, reason: "logBehind" }),
    "n3 refused its vote to n1: its own log is more up to date. [§5.4.1]",
  );
  assert.match(say("n3", { ...denied, reason: "staleTerm" }), /n1 asked for term 4, which is over\. \[§5\.1\]$/);
  assert.match(
    say("n3", { ...denied, reason: "leaderAlive" }),
    /it receives messages from a leader.*\[dissertation §4\.2\.3\]$/,
  );
  assert.match(
    say("n3", { ...denied, reason: "restartedRecently" }),
    /it has just started.*\[dissertation §4\.2\.3\]$/,
  );
  assert.match(
    say("n3", { ...denied, reason: "alreadyVoted" }, [{ id: "n3", term: 4, votedFor: "n2" }]),
    /it has already given its vote of term 4 to n2.*\[§5\.2\]$/,
  );
  assert.match(say("n3", { ...denied, preVote: true, reason: "staleTerm" }), /^n3 would not vote for n1: /);
});

Deno.test("a log that is behind is compared, if the known logs agree", () => {
  const denied = { type: "voteDenied", to: "n1", term: 4, preVote: false, reason: "logBehind" } as const;
  const longer = { id: "n3", entries: entriesOf(1, 1, 3), lastIndex: 3 };
  const shorter = { id: "n1", entries: entriesOf(1, 1), lastIndex: 2 };
  assert.match(say("n3", denied, [longer, shorter]), /\(it ends with entry 3 of term 3, n1's with entry 2 of term 1\)/);
  assert.doesNotMatch(say("n1", { ...denied, to: "n3" }, [longer, shorter]), /ends with/);
});

Deno.test("votes of one campaign become one line", () => {
  const granted = { type: "voteGranted", to: "n1", term: 2, preVote: false } as const;
  const said = explain({ node: "n2", atMs: 0, what: granted }, modelOf([]));
  assert.equal(
    said?.group?.say(["n3", "n2"]),
    "n2 and n3 voted for n1 in term 2: its log is at least as up to date as theirs.",
  );
  const preVote = explain({ node: "n2", atMs: 0, what: { ...granted, preVote: true } }, modelOf([]));
  assert.notEqual(preVote?.group?.key, said?.group?.key);
});

Deno.test("only the leader's commits are shown, several in one line", () => {
  const committed = { type: "committed", index: 7 } as const;
  const views = [{ id: "n1", role: "leader", term: 2 }, { id: "n2" }] as const;
  assert.equal(say("n2", committed, views), "");
  assert.equal(
    say("n1", committed, views),
    "Entry 7 is committed: on the disks of a majority, and therefore never lost. [§5.3]",
  );
  const labelled = [{ ...views[0], entries: entriesOf(1, 1, 2), lastIndex: 3 }];
  assert.match(say("n1", { type: "committed", index: 3 }, labelled), /^Entry 3 \(put k = 3\) is committed/);
  const several = { type: "committed", from: 2, index: 3 } as const;
  assert.match(say("n1", several, labelled), /^Entries 2–3 \(put k = 2, put k = 3\) are committed/);
  const said = explain({ node: "n1", atMs: 0, what: committed }, modelOf(views));
  assert.match(said?.group?.say(["7", "9", "8"]) ?? "", /^Entries 7–9 are committed/);
});

Deno.test("the winner has a line, its followers share one, and giving up has a reason", () => {
  assert.match(
    say("n1", { type: "roleChanged", role: "leader", term: 2, reason: "a quorum voted for it" }),
    /^n1 leads in term 2: a quorum voted for it\..*\[§5\.2\]$/,
  );
  assert.equal(
    say("n2", { type: "leaderChanged", leader: "n1", term: 2 }),
    "n2 follows n1 in term 2. [§5.2]",
  );
  const gaveUp = "no quorum answered for an election timeout";
  assert.equal(
    say("n1", { type: "roleChanged", role: "follower", term: 2, reason: gaveUp }),
    `n1 becomes a follower again, in term 2: ${gaveUp}. [dissertation §6.2]`,
  );
  assert.equal(
    say("n2", { type: "roleChanged", role: "follower", term: 2, reason: "received a message from the leader" }),
    "",
  );
  assert.equal(say("n2", { type: "leaderChanged", leader: null, term: 2 }), "");
});

Deno.test("a membership change has one line, the leader's; a joint one names both majorities", () => {
  const change = { type: "membershipChanged", index: 5, reason: "appended" } as const;
  const simple = { ...change, membership: votersOf(["n1", "n2", "n3"], ["n4"]) };
  const leader = [{ id: "n1", role: "leader" }] as const;
  assert.equal(say("n2", simple, leader), "");
  assert.match(say("n1", simple, leader), /n1, n2 and n3 vote; n4 is a learner\. \[dissertation §4\.1\]$/);
  const joint = { ...change, membership: { ...votersOf(["n1", "n4"]), outgoing: ["n1", "n2", "n3"] } };
  assert.match(say("n1", joint, leader), /both a majority of n1 and n4 and a majority of n1, n2 and n3.*\[§6\]$/);
  assert.match(say("n2", { ...simple, reason: "rolledBack" }), /returns to the membership of entry 5.*\[§6\]$/);
});

Deno.test("truncations, snapshots, disk errors, transfers and rejections have lines", () => {
  assert.match(say("n2", { type: "logTruncated", from: 4 }), /deleted its log from entry 4 on.*\[§5\.3\]$/);
  assert.match(say("n1", { type: "snapshotNeeded", peer: "n2" }), /sends its snapshot instead\. \[§7\]$/);
  assert.match(say("n1", { type: "snapshot", index: 9, reason: "taken" }), /up to entry 9.*\[§7\]$/);
  assert.match(say("n2", { type: "snapshot", index: 9, reason: "installed" }), /the leader's snapshot.*\[§7\]$/);
  assert.equal(
    say("n2", { type: "storageError", message: "the quota is used up", consequence: "It stops." }),
    "n2 could not write to its disk (the quota is used up). It stops. [§5, figure 2]",
  );
  assert.match(
    say("n1", { type: "transferStarted", to: "n2" }),
    /hands leadership over to n2.*\[dissertation §3\.10\]$/,
  );
  assert.match(say("n1", { type: "transferEnded", to: "n2", reason: "timeout" }), /n2 did not take over in time/);
  assert.match(
    say("n1", { type: "refused", from: "n9", reason: "another cluster" }),
    /rejected a message from n9: another/,
  );
});

Deno.test("every state of a node has a text", () => {
  for (const life of ["running", "stopped", "away"] as const) {
    assert.match(say("n1", { type: "life", life, reason: "because" }), /^n1 .*\(because\).*\[§5\.5\]$/);
  }
  assert.match(say("n1", { type: "life", life: "killed", reason: "" }), /^n1 was killed\. .*\[§5\.5\]$/);
  assert.match(say("n1", { type: "life", life: "killed", reason: "it was wiped" }), /^n1 was killed\. It was wiped\. /);
  assert.match(say("n1", { type: "life", life: "paused", reason: "" }), /^n1 is paused\. /);
  assert.match(say("n1", { type: "life", life: "starting", reason: "" }), /^n1 starts with .*\[§5\.5\]$/);
  assert.match(say("n1", { type: "life", life: "starting", reason: "why" }), /^n1 has not joined yet\. Why\. /);
});
