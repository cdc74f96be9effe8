/** Nodes and memberships as the demo's view sees them, to be changed by tests. */

import { emptyMembership, membershipOf } from "../../mod.ts";
import type { Membership, NodeId } from "../../mod.ts";
import type { EntryView, NodeView } from "../../browser-demo/source.ts";

/** A membership of voters, with no disk behind them. */
export function votersOf(ids: readonly NodeId[], learners: readonly NodeId[] = []): Membership {
  const member = (id: NodeId) => ({ id, address: `tab:${id}`, incarnation: "" });
  return membershipOf({ voters: ids.map(member), learners: learners.map(member) });
}

/** A node that has just begun. */
export function freshNode(id: NodeId, membership: Membership = emptyMembership): NodeView {
  return {
    id,
    address: `tab:${id}`,
    home: "this page",
    life: "running",
    lifeReason: "",
    role: "follower",
    term: 0,
    votedFor: null,
    leader: null,
    votes: [],
    electionTimer: { startedMs: 0, dueMs: 1500 },
    commitIndex: 0,
    appliedIndex: 0,
    durableIndex: 0,
    firstIndex: 1,
    lastIndex: 0,
    snapshot: null,
    membership,
    membershipIndex: 0,
    entries: [],
    progress: [],
    seenMs: 0,
  };
}

/** Commands of these terms, from index 1 on. */
export function entriesOf(...terms: readonly number[]): EntryView[] {
  return terms.map((term, at) => ({ index: at + 1, term, type: "command", label: `put k = ${at + 1}` }));
}
