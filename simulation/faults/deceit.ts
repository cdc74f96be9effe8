/**
 * Lies that Raft has to believe: entries, commits, votes, acknowledgements and
 * snapshots that fit what the receiver has, under the name of any member. They may
 * make nodes disagree, since Raft trusts its members. Even so no node may stop, and
 * none may change what it has committed.
 */

import type { RaftView } from "../../lib/node/types.ts";
import { encodeMembership } from "../../lib/raft/mod.ts";
import type { Entry, Message } from "../../lib/raft/types.ts";
import type { Stream } from "../decisions.ts";

/** Returns a message that the node with this view has no reason to refuse. */
export function deceit(victim: RaftView, chance: Stream): Message {
  const { lastIndex, commitIndex } = victim;
  const term = victim.term + chance.below(3);
  const index = chance.between(commitIndex, lastIndex);
  const prevLogTerm = victim.termAt(index) ?? 0;
  switch (chance.below(7)) {
    case 0:
    case 1:
      return {
        type: "AppendEntries",
        term,
        prevLogIndex: index,
        prevLogTerm,
        entries: Array.from({ length: chance.below(4) }, (_, i) => falseEntry(index + 1 + i, term, victim, chance)),
        leaderCommit: index + chance.below(4),
        round: chance.below(5),
      };
    case 2:
      return {
        type: "RequestVote",
        term,
        lastLogIndex: lastIndex + chance.below(3),
        lastLogTerm: term,
        preVote: chance.chance(0.3),
        leadershipTransfer: chance.chance(0.5),
      };
    case 3: {
      const preVote = chance.chance(0.3);
      return { type: "RequestVoteResponse", term: victim.term + Number(preVote), voteGranted: true, preVote };
    }
    case 4:
      return {
        type: "AppendEntriesResponse",
        term: victim.term,
        success: chance.chance(0.8),
        matchIndex: index,
        prevLogIndex: index,
        conflictIndex: chance.below(index + 1),
        conflictTerm: 0,
        round: chance.below(5),
      };
    case 5:
      return {
        type: "InstallSnapshotResponse",
        term: victim.term,
        round: chance.below(5),
        snapshotId: victim.snapshot?.id ?? "none",
        offset: 0,
        status: chance.pick(["accepted", "installed", "failed"] as const)!,
        matchIndex: index,
      };
    default:
      return chance.chance(0.5) || index === 0 ? { type: "TimeoutNow", term: victim.term } : {
        type: "InstallSnapshot",
        term,
        round: chance.below(5),
        // The last of these entries is in the receiver's log: it may take all of them for committed.
        snapshot: { id: "false", index, term: prevLogTerm, membership: victim.membership, size: 0, checksum: 0 },
        offset: 0,
        data: new Uint8Array(),
      };
  }
}

/** Returns an entry that every state machine takes. */
function falseEntry(index: number, term: number, { membership }: RaftView, chance: Stream): Entry {
  switch (chance.below(4)) {
    case 0:
      return { index, term, type: "membership", data: encodeMembership(membership) };
    case 1:
      return { index, term, type: "command", data: Uint8Array.of(255) };
    default:
      return { index, term, type: "noop", data: new Uint8Array() };
  }
}
