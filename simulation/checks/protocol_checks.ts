/**
 * Checks of the safety properties of the paper's figure 3, and of the promises of
 * figure 2, after each event on the whole cluster.
 */

import type { RaftView } from "../../lib/node/types.ts";
import { hasQuorum } from "../../lib/raft/quorum.ts";
import { equalMemberships, memberOf } from "../../lib/raft/mod.ts";
import type { Entry, Message, NodeId, PersistBatch, SnapshotMeta } from "../../lib/raft/types.ts";
import type { LoadedState } from "../../lib/storage.ts";
import type { Run } from "../run.ts";
import type { DurableRecord } from "./durable_record.ts";
import { KnownEntries } from "./known_entries.ts";
import type { Life, Seen } from "./life.ts";

/** Once a suffix was replaced, this many entries before the new ones are compared again. */
const REPLACED = 20;

/** Returns the disk of a member, if it has the incarnation in the membership. */
export type DiskOf = (id: NodeId, incarnation: string) => DurableRecord | null;

export class ProtocolChecks {
  readonly entries = new KnownEntries();
  readonly #run: Run;
  readonly #diskOf: DiskOf;
  readonly #leaders = new Map<number, Life>();
  readonly #votes = new Map<string, NodeId>();
  /** The time of the last TimeoutNow, by sender and term. */
  readonly #timeoutNowUs = new Map<string, number>();
  /** The number of TimeoutNow that were sent: each may begin a term. */
  timeoutNows = 0;

  constructor(run: Run, diskOf: DiskOf) {
    this.#run = run;
    this.#diskOf = diskOf;
  }

  /** Returns the leader of a term, if it had one. */
  leaderOf(term: number): NodeId | undefined {
    return this.#leaders.get(term)?.name;
  }

  /** Reports whether a node was elected in a later term than this one. */
  leadsAfter(id: NodeId, after: number): boolean {
    return [...this.#leaders].some(([term, { name }]) => term > after && name === id);
  }

  /** Returns the time at which a leader last told a member to campaign in its place. */
  timeoutNowUs(id: NodeId, term: number): number | undefined {
    return this.#timeoutNowUs.get(`${id} ${term}`);
  }

  poll(life: Life): void {
    const { view, seen } = life;
    if (view === null) return;
    const leading = view.role === "leader";
    if (seen !== null && unchanged(view, seen, leading)) return;
    if (seen !== null) this.#monotone(life, view, seen);
    if (this.#run.rulesLeft === null) this.#compare(life, view, seen, leading);
    else this.#keepsCommitted(life, view);

    life.seen = {
      term: view.term,
      commitIndex: view.commitIndex,
      lastIndex: view.lastIndex,
      lastTerm: view.termAt(view.lastIndex),
      leading,
      membershipIndex: view.membershipIndex,
      membership: view.membership,
    };
  }

  /** Compares a node with all others. */
  #compare(life: Life, view: RaftView, seen: Seen | null, leading: boolean): void {
    if (seen !== null) this.#logMatching(life, view, seen);
    if (leading) {
      if (seen?.leading && seen.term === view.term) this.#appendOnly(life, view, seen);
      else this.#elected(life, view);
      if (seen !== null && view.membershipIndex > seen.membershipIndex) this.#membershipAppended(life, view, seen);
    }
    if (view.commitIndex > (seen?.commitIndex ?? 0)) this.#commits(life, view, seen?.commitIndex ?? 0);
  }

  /** Checks that a process changes none of the entries that it has taken for committed. */
  #keepsCommitted({ name, committed }: Life, view: RaftView): void {
    // A leader that can't write is cut back; #monotone allows nothing else.
    committed.length = Math.min(committed.length, view.commitIndex + 1);
    for (let index = view.firstIndex; index <= view.commitIndex; index++) {
      const term = view.termAt(index)!;
      const before = committed[index] ?? term;
      committed[index] = before;
      this.#run.require(
        before === term,
        "monotone term and commit",
        () => `${name}: the committed entry ${index} of term ${before} became one of term ${term}`,
      );
    }
  }

  /** Checks the state that a restart has loaded. */
  loaded(life: Life, found: LoadedState): void {
    const wrong = life.record.load(found) ?? this.#wrongMemberships(life, found);
    if (wrong !== null) this.#run.report("durable storage", `${life.name} restarts: ${wrong}`);
  }

  /** Compares the memberships that a restart has loaded with its entries; returns an error, or `null`. */
  #wrongMemberships({ record }: Life, { snapshot, lastIndex, memberships }: LoadedState): string | null {
    const read = new Map(memberships.map((entry) => [entry.index, entry]));
    for (let index = (snapshot?.index ?? 0) + 1; index <= lastIndex; index++) {
      const known = this.entries.get(index, record.termAt(index)!);
      if (((known?.membership ?? null) !== null) !== read.has(index)) {
        return `membership ${index} was not read as it was written`;
      }
    }
    return null;
  }

  /** Checks a batch that is passed to a storage. */
  persisting(life: Life, { snapshot, entries }: PersistBatch): void {
    if (this.#run.rulesLeft !== null) return;
    const before = (entries[0]?.index ?? 1) - 1;
    this.#note(life, entries, before === snapshot?.index ? snapshot.term : life.view?.termAt(before));
    if (snapshot !== null) this.#snapshotMembership(life, snapshot);
  }

  /** Notes consecutive entries; `before` is the term of the entry before them, if known. */
  #note({ name }: Life, entries: readonly Entry[], before: number | undefined): void {
    for (const entry of entries) {
      const differs = this.entries.note(entry, entry.index === 1 ? 0 : before);
      if (differs !== null) {
        const what = `entry ${entry.index} of term ${entry.term}`;
        this.#run.report("log matching", `${name} has a different ${what} than others: ${differs}`);
      }
      before = entry.term;
    }
  }

  /** Checks Log Matching by induction: compares the new entries of a log, and the term of the entry before them. */
  #logMatching(life: Life, view: RaftView, seen: Seen): void {
    let last = Math.min(seen.lastIndex, view.lastIndex);
    // A conflicting suffix was replaced.
    while (last >= view.firstIndex && this.entries.get(last, view.termAt(last)!) === undefined) last--;
    const replaced = view.termAt(seen.lastIndex) !== seen.lastTerm;
    const from = Math.max(view.firstIndex, replaced ? last - REPLACED : last + 1);
    if (from <= view.lastIndex) this.#note(life, view.cachedEntries(from, view.lastIndex), view.termAt(from - 1));
  }

  /** Checks a message that is sent: it must not promise anything that is not durable yet (figure 2). */
  leaves(life: Life, to: NodeId, message: Message): void {
    const { term, votedFor } = life.record.hardState;
    const durable = (holds: boolean, what: string): void => {
      if (!holds) {
        this.#run.report(
          "durable acknowledgements",
          `${life.name} promised ${what} to ${to} before it was on its disk`,
        );
      }
    };
    switch (message.type) {
      case "RequestVote":
        if (message.preVote) return;
        durable(term === message.term && votedFor === life.name, `its candidacy in term ${message.term}`);
        return this.#voted(life, message.term, life.name);
      case "RequestVoteResponse":
        if (message.preVote && message.voteGranted) return;
        durable(term >= message.term, `term ${message.term}`);
        if (!message.voteGranted) return;
        if (term === message.term) durable(votedFor === to, `its vote in term ${message.term}`);
        return this.#voted(life, message.term, to);
      case "AppendEntriesResponse":
      case "InstallSnapshotResponse":
        durable(term >= message.term, `term ${message.term}`);
        return durable(this.#holds(life, message.matchIndex), `entry ${message.matchIndex}`);
      case "TimeoutNow":
        this.timeoutNows++;
        this.#timeoutNowUs.set(`${life.name} ${message.term}`, this.#run.scheduler.nowUs);
        return durable(term >= message.term, `term ${message.term}`);
      default:
        durable(term >= message.term, `term ${message.term}`);
    }
  }

  /** Reports whether the entry that a node has at an index is on its disk, rather than an older one. */
  #holds({ record, view }: Life, index: number): boolean {
    if (index <= (record.snapshot?.index ?? 0)) return true;
    const term = view?.termAt(index) ?? record.termAt(index);
    return term !== undefined && record.has(index, term);
  }

  #monotone({ name }: Life, view: RaftView, seen: Seen): void {
    const went = (what: string) => `${name}: the ${what} went back`;
    this.#run.require(view.term >= seen.term, "monotone term and commit", () => went(`term ${seen.term}`));
    // A leader that can't write is cut back to the log on its disk.
    const cutBack = seen.leading && view.role !== "leader" && view.commitIndex === view.lastIndex;
    const holds = view.commitIndex >= seen.commitIndex || cutBack;
    this.#run.require(holds, "monotone term and commit", () => went(`commit index ${seen.commitIndex}`));
  }

  /** Checks Election Safety and Leader Completeness. */
  #elected(life: Life, view: RaftView): void {
    const { name } = life;
    this.#run.trace.count("election won");
    const other = this.#leaders.get(view.term);
    if (other !== undefined && other !== life) {
      this.#run.report("election safety", `term ${view.term} has two leaders, ${other.name} and ${name}`);
    }
    this.#leaders.set(view.term, life);
    // A leader may receive its votes so late that another of a newer term has committed more.
    const completeTo = this.entries.committedBefore(view.term);
    for (let index = Math.max(1, view.firstIndex); index <= completeTo; index++) {
      const { term } = this.entries.committed(index)!.entry;
      if (view.termAt(index) === term) continue;
      this.#run.report(
        "leader completeness",
        `${name} leads in term ${view.term} without the committed entry ${index}`,
      );
      return;
    }
  }

  /** Checks Leader Append-Only. */
  #appendOnly({ name }: Life, view: RaftView, seen: Seen): void {
    if (view.lastIndex === seen.lastIndex) return;
    const term = view.termAt(seen.lastIndex);
    const holds = view.lastIndex > seen.lastIndex && (term === undefined || term === seen.lastTerm);
    this.#run.require(holds, "leader append-only", () => `the leader ${name} changed its log at ${seen.lastIndex}`);
  }

  /** Checks that a membership change waits for the one before, and for an entry of the leader's own term (dissertation §4.1). */
  #membershipAppended({ name }: Life, view: RaftView, seen: Seen): void {
    if (view.termAt(view.membershipIndex) !== view.term) return;
    const change = `${name} appended membership ${view.membershipIndex}`;
    if (seen.membershipIndex > Math.max(this.entries.commitIndex, view.commitIndex)) {
      this.#run.report(
        "one membership change at a time",
        `${change} before membership ${seen.membershipIndex} committed`,
      );
    }
    if (!view.committedInTerm) {
      this.#run.report("one membership change at a time", `${change} before an entry of its own term committed`);
    }
  }

  /** Checks that committed entries stay: the same everywhere, and on the disks of a quorum. */
  #commits(life: Life, view: RaftView, from: number): void {
    const { name } = life;
    for (let index = Math.max(from + 1, view.firstIndex); index <= view.commitIndex; index++) {
      const term = view.termAt(index)!;
      const known = this.entries.committed(index);
      if (known === undefined) this.#newlyCommitted(life, view, index, term);
      else if (known.entry.term !== term) {
        this.#run.report(
          "state machine safety",
          `${name} committed another entry ${index}: of term ${term}, not ${known.entry.term}`,
        );
      }
    }
  }

  #newlyCommitted({ name, seen }: Life, view: RaftView, index: number, term: number): void {
    // A leader that this commit leaves out has stepped down by now.
    if (view.role !== "leader" && !(seen?.leading && seen.term === view.term)) {
      this.#run.report("state machine safety", `${name} committed entry ${index} before any leader did`);
      return;
    }
    const known = this.entries.get(index, term);
    if (known === undefined) {
      this.#run.report("durable commits", `${name} committed entry ${index}, which no node has begun to write`);
      return;
    }
    this.entries.commit(known, seen?.leading ? seen.term : view.term);
    if (index < view.commitIndex) return;
    // The membership in force is the newest in the leader's log; but a joint one is left in the same step.
    const left = seen?.leading && view.membershipIndex > seen.membershipIndex;
    const membership = left ? seen.membership : view.membership;
    const onDisk = (id: NodeId): boolean =>
      this.#diskOf(id, memberOf(membership, id)?.incarnation ?? "")?.has(index, term) ?? false;
    this.#run.require(
      hasQuorum(membership, onDisk),
      "durable commits",
      () => `${name} committed entry ${index}, which is not on the disks of a quorum`,
    );
  }

  #snapshotMembership({ name }: Life, { index, membership }: SnapshotMeta): void {
    const known = this.entries.membershipAt(index)?.membership;
    if (known === undefined || equalMemberships(known, membership)) return;
    this.#run.report(
      "membership of a snapshot",
      `${name} has a snapshot at ${index} with another membership than the log`,
    );
  }

  #voted({ name, incarnation }: Life, term: number, to: NodeId): void {
    const key = `${name} ${incarnation} ${term}`;
    const before = this.#votes.get(key) ?? to;
    this.#votes.set(key, before);
    this.#run.require(before === to, "one vote a term", () => `${name} voted for ${before} and ${to} in term ${term}`);
  }
}

function unchanged(view: RaftView, seen: Seen, leading: boolean): boolean {
  return view.term === seen.term && view.commitIndex === seen.commitIndex && view.lastIndex === seen.lastIndex &&
    view.membershipIndex === seen.membershipIndex && leading === seen.leading &&
    view.termAt(view.lastIndex) === seen.lastTerm;
}
