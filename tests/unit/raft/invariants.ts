/**
 * The safety properties of figure 3, and the promises of this implementation,
 * checked after each step of a whole cluster. Unlike a node, the checker has the
 * whole history.
 *
 * @module
 */

import assert from "node:assert/strict";
import { isVoter } from "../../../lib/raft/mod.ts";
import type { Raft } from "../../../lib/raft/mod.ts";
import { hasQuorum } from "../../../lib/raft/quorum.ts";
import type { Entry, Membership, NodeId, OutboundMessage, RaftEvent } from "../../../lib/raft/types.ts";
import type { Disk } from "./harness.ts";

/** The parts of a node that the checker needs. */
export interface Subject {
  readonly id: NodeId;
  readonly raft: Raft;
  readonly disk: Disk;
  /** Set while the node runs; its disk stays in any case. */
  readonly up: boolean;
}

/** The last observed state of a running node. */
interface Seen {
  raft: Raft;
  term: number;
  commitIndex: number;
  lastIndex: number;
  lastTerm: number;
  leading: boolean;
}

export class Invariants {
  /** The term of each committed entry, by index. */
  readonly committed: number[] = [0];
  /** The entry applied at each index. */
  readonly #applied = new Map<number, string>();
  /** Every entry ever seen: its bytes and the term before it. */
  readonly #entries = new Map<string, { text: string; before: number }>();
  readonly #leaders = new Map<number, NodeId>();
  readonly #votes = new Map<string, NodeId>();
  readonly #seen = new Map<NodeId, Seen>();
  /** The sim's clock, and when each round of a leadership began, for leases. */
  now = 0;
  readonly #rounds = new Map<string, number>();
  readonly #cluster: () => Iterable<Subject>;
  readonly #electionTicks: number;
  /** The number of elections. */
  elections = 0;

  constructor(cluster: () => Iterable<Subject>, electionTicks: number) {
    this.#cluster = cluster;
    this.#electionTicks = electionTicks;
  }

  get commitIndex(): number {
    return this.committed.length - 1;
  }

  /** Checks a node after each step. With `fellBack` its commit index may have gone back by a failed write. */
  check(subject: Subject, fellBack = false): void {
    const { id, raft } = subject;
    const before = this.#seen.get(id);
    const same = before?.raft === raft ? before : undefined;
    const leading = raft.role === "leader";
    if (same !== undefined) {
      assert.ok(raft.term >= same.term, `${id}: the term never goes back`);
      if (!fellBack) assert.ok(raft.commitIndex >= same.commitIndex, `${id}: the commit index never goes back`);
    }
    assert.ok(raft.commitIndex <= raft.lastIndex, `${id}: only what is there is committed`);
    assert.ok(raft.durableIndex <= raft.lastIndex, `${id}: only what is there is durable`);
    assert.ok(raft.appliedIndex <= raft.commitIndex, `${id}: only what is committed is applied`);
    if (leading && !(same?.leading && same.term === raft.term)) this.#elected(subject);
    else if (leading && same !== undefined) this.#appendOnly(id, raft, same);
    if (same?.lastIndex !== raft.lastIndex || same.lastTerm !== raft.termAt(raft.lastIndex)) {
      this.#logMatching(id, raft);
    }
    if (raft.commitIndex > (same?.commitIndex ?? 0)) this.#commits(subject, leading, same?.commitIndex ?? 0);
    this.#seen.set(id, {
      raft,
      term: raft.term,
      commitIndex: raft.commitIndex,
      lastIndex: raft.lastIndex,
      lastTerm: raft.termAt(raft.lastIndex)!,
      leading,
    });
  }

  /** Checks Election Safety, Leader Completeness, and that no lease of another leader still runs. */
  #elected({ id, raft }: Subject): void {
    this.elections++;
    assert.equal(this.#leaders.get(raft.term) ?? id, id, `term ${raft.term} has two leaders`);
    this.#leaders.set(raft.term, id);
    for (let index = Math.max(1, raft.firstIndex); index <= this.commitIndex; index++) {
      assert.equal(raft.termAt(index), this.committed[index], `leader ${id} of term ${raft.term} lacks entry ${index}`);
    }
    for (const other of this.#cluster()) {
      if (other.id === id || !other.up || !other.raft.leaseAllowed || other.raft.term > raft.term) continue;
      const began = this.#rounds.get(`${other.id} ${other.raft.term} ${other.raft.confirmedRound}`);
      if (began === undefined) continue;
      // A tick may come right after a leader's message: the promise is one tick shorter than its count.
      assert.ok(this.now - began >= this.#electionTicks - 1, `${id} was elected while ${other.id} had a lease`);
    }
  }

  /** Checks Leader Append-Only. */
  #appendOnly(id: NodeId, raft: Raft, before: Seen): void {
    assert.ok(raft.lastIndex >= before.lastIndex, `leader ${id} deleted entries`);
    const term = raft.termAt(before.lastIndex);
    if (term !== undefined) assert.equal(term, before.lastTerm, `leader ${id} overwrote an entry`);
  }

  /** Checks Log Matching, by induction: an index and a term identify one entry, and one entry before it. */
  #logMatching(id: NodeId, raft: Raft): void {
    for (const entry of raft.cachedEntries(Math.max(raft.firstIndex, raft.lastIndex - 40), raft.lastIndex)) {
      assert.equal(entry.term, raft.termAt(entry.index));
      const before = raft.termAt(entry.index - 1);
      if (before === undefined) continue;
      const key = `${entry.term} ${entry.index}`;
      const text = textOf(entry);
      const known = this.#entries.get(key);
      if (known === undefined) this.#entries.set(key, { text, before });
      else assert.deepEqual({ text, before }, known, `${id} has another entry ${entry.index} of term ${entry.term}`);
    }
  }

  /** Checks that committed entries stay: the same on every node, durable on a quorum. */
  #commits({ id, raft }: Subject, leading: boolean, from: number): void {
    for (let index = Math.max(from + 1, raft.firstIndex); index <= raft.commitIndex; index++) {
      const term = raft.termAt(index)!;
      const known = this.committed[index];
      if (known !== undefined) {
        assert.equal(term, known, `${id} committed another entry ${index}`);
        continue;
      }
      assert.ok(leading, `${id} committed entry ${index} before any leader did`);
      this.committed[index] = term;
      if (index < raft.commitIndex) continue;
      const durable = new Set<NodeId>();
      for (const { id, disk } of this.#cluster()) {
        if (disk.entry(index)?.term === term || (disk.snapshot?.index ?? 0) >= index) durable.add(id);
      }
      assert.ok(hasQuorum(raft.membership, (id) => durable.has(id)), `entry ${index} is not durable on a quorum`);
    }
  }

  /** Checks State Machine Safety. */
  applied(id: NodeId, entry: Entry): void {
    const text = `${entry.term} ${textOf(entry)}`;
    const known = this.#applied.get(entry.index);
    if (known === undefined) this.#applied.set(entry.index, text);
    else assert.equal(text, known, `${id} applied another entry ${entry.index}`);
  }

  roundStarted({ id, raft }: Subject, round: number): void {
    this.#rounds.set(`${id} ${raft.term} ${round}`, this.now);
  }

  event({ id, raft }: Subject, event: RaftEvent): void {
    if (event.type !== "electionStarted") return;
    const votes = isVoter(raft.membership, id);
    assert.ok(votes || !raft.membershipCommitted, `${id} has no vote and campaigned`);
    assert.equal(raft.campaignBlocked, false, `${id} campaigned before a write succeeded`);
  }

  /** Checks that there is one uncommitted membership at a time, and none before the leader has committed in its own term (rule 1). */
  membershipAppended(id: NodeId, index: number, previous: { index: number; membership: Membership }): void {
    assert.ok(
      previous.index <= this.commitIndex,
      `${id} appended membership ${index} before ${previous.index} committed`,
    );
  }

  /** Checks that no message promises durability before it is given (rule 2). */
  leaves({ id, disk }: Subject, { to, message }: OutboundMessage): void {
    const { term, votedFor } = disk.hardState;
    const tells = `${id} told ${to} of`;
    switch (message.type) {
      case "RequestVote":
        if (message.preVote) return;
        assert.deepEqual({ term, votedFor }, { term: message.term, votedFor: id }, `${tells} a candidacy not on disk`);
        return;
      case "RequestVoteResponse":
        if (message.preVote && message.voteGranted) return;
        assert.ok(term >= message.term, `${tells} a term not on disk`);
        if (!message.voteGranted) return;
        if (term === message.term) assert.equal(votedFor, to, `${tells} a vote not on disk`);
        assert.equal(this.#votes.get(`${id} ${message.term}`) ?? to, to, `${id} voted twice in term ${message.term}`);
        this.#votes.set(`${id} ${message.term}`, to);
        return;
      case "AppendEntriesResponse":
      case "InstallSnapshotResponse":
        assert.ok(term >= message.term, `${tells} a term not on disk`);
        assert.ok(disk.covers(message.matchIndex), `${tells} entry ${message.matchIndex}, which is not on disk`);
        return;
      default:
        assert.ok(term >= message.term, `${tells} a term not on disk`);
    }
  }
}

function textOf(entry: Entry): string {
  return `${entry.type} ${entry.data.join()}`;
}
