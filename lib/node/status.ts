/**
 * The status of a node.
 */

import type { LeaderHint } from "../errors.ts";
import type { Raft } from "../raft/mod.ts";
import type { Identity } from "../storage.ts";
import type { Lifecycle, NodeStatus, Suffrage } from "./types.ts";

/** The parts of a status besides the core. */
export interface StatusParts {
  readonly identity: Identity;
  readonly lifecycle: Lifecycle;
  readonly removed: boolean;
  readonly locate: (id: string) => LeaderHint;
  readonly tickMs: number;
  readonly storageError: Error | null;
  readonly uptimeMs: number;
}

/** Returns the present status. */
export function describe(raft: Raft, parts: StatusParts): NodeStatus {
  const { membership } = raft;
  const running = parts.lifecycle === "running";
  const leader = running ? raft.leader : null;
  const suffrage = (id: string): Suffrage =>
    membership.voters.includes(id) ? "voter" : membership.outgoing.includes(id) ? "outgoing" : "learner";
  return {
    id: raft.id,
    incarnation: parts.identity.incarnation,
    clusterId: parts.identity.clusterId,
    lifecycle: parts.lifecycle,
    role: running ? raft.role : "follower",
    term: raft.term,
    leader: leader === null ? null : parts.locate(leader),
    commitIndex: raft.commitIndex,
    appliedIndex: raft.appliedIndex,
    durableIndex: raft.durableIndex,
    lastIndex: raft.lastIndex,
    firstIndex: raft.firstIndex,
    snapshotIndex: raft.snapshot?.index ?? 0,
    members: membership.members.map((member) => ({ ...member, suffrage: suffrage(member.id) })),
    membership,
    membershipIndex: raft.membershipIndex,
    membershipCommitted: raft.membershipCommitted,
    removed: parts.removed,
    peers: raft.progress().map(({ id, matchIndex, nextIndex, state, ticksSinceContact: ticks }) => {
      return { id, matchIndex, nextIndex, state, lastContactMs: ticks === Infinity ? null : ticks * parts.tickMs };
    }),
    storage: { healthy: parts.storageError === null, error: parts.storageError?.message ?? null },
    uptimeMs: parts.uptimeMs,
  };
}
