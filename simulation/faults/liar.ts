/**
 * A member that lies: its own log, votes and state are sound, but the messages that it
 * sends have wrong terms, indexes, rounds, names, entries and snapshots, and it sends
 * messages that it has no right to.
 *
 * Raft trusts its members, so there are lies that no cluster survives: a vote for two
 * candidates or for a shorter log, an acknowledgement of entries that are not on the
 * disk, a false leader's consistent entries. In most seeds this member tells none of
 * those; it lies about everything that others can notice, or that costs only time. So
 * all rules must hold as ever, and once it is gone the cluster must go on. In the other
 * seeds it tells them too (deceit.ts), and each node must at least keep what it has
 * committed, and go on.
 */

import { crc32c } from "../../lib/crc32c.ts";
import type { RaftView } from "../../lib/node/types.ts";
import { MAX_TERM_JUMP } from "../../lib/raft/term_limit.ts";
import type { AppendEntries, InstallSnapshot, Message, SnapshotMeta } from "../../lib/raft/types.ts";
import type { Envelope } from "../../lib/transport.ts";
import type { Stream } from "../decisions.ts";
import type { LiarTraits } from "../plan.ts";
import type { Run } from "../run.ts";
import { deceit } from "./deceit.ts";

/** The probability that it also sends a lie that has to be believed, in the seeds in which it does. */
const DECEITS = 0.3;

/** Sends an envelope to the machine of this name. */
export type Send = (to: string, envelope: Envelope) => void;

/** A machine that lies are told to. */
export interface Victim {
  readonly incarnation: string;
  /** The last entry that its snapshot on disk covers. */
  readonly settled: number;
  /** The state of its node; `null` if none runs. */
  readonly view: RaftView | null;
}

export class Liar {
  readonly name: string;
  readonly #run: Run;
  readonly #traits: LiarTraits;
  readonly #victims: ReadonlyMap<string, Victim>;
  readonly #chance: Stream;
  /** The terms of votes that it asked for without being a candidate. */
  readonly #falseTerms = new Set<number>();
  /** The number of lies. */
  told = 0;
  #stopped = false;

  /** @param machines all machines, itself included */
  constructor(run: Run, traits: LiarTraits, machines: ReadonlyMap<string, Victim>) {
    this.#run = run;
    this.#traits = traits;
    this.name = traits.name;
    this.#victims = machines;
    this.#chance = run.decisions.stream("liar");
  }

  /** Tells the truth from now on. */
  stop(): void {
    this.#stopped = true;
  }

  /** Sends a message of its node, or a lie in its place, and sometimes one more. */
  send(to: string, envelope: Envelope, view: RaftView | null, send: Send): void {
    if (this.#stopped || view === null) return send(to, envelope);
    const chance = this.#chance.next();
    if (this.#traits.deceives && chance.strikes("deceit", DECEITS)) this.#deceive(envelope, chance, send);
    const { lies, forgeries } = this.#traits;
    if (chance.strikes("lie", lies)) this.#note("lie", send, to, this.#named(twist(envelope, view, chance), chance));
    else send(to, envelope);
    if (!chance.strikes("forgery", forgeries)) return;
    const victim = chance.pick(this.#others)!;
    const message = this.#forged(view, this.#victims.get(victim)!.settled, chance);
    const toIncarnation = this.#victims.get(victim)!.incarnation;
    this.#note("forgery", send, victim, this.#named({ ...envelope, to: victim, toIncarnation, message }, chance));
  }

  /** Reports whether an arriving message is a vote that it asked for without being a candidate: its node must not count it. */
  ignores({ message }: Envelope): boolean {
    return message.type === "RequestVoteResponse" && !message.preVote && this.#falseTerms.has(message.term);
  }

  get #others(): string[] {
    return [...this.#victims.keys()].filter((name) => name !== this.name);
  }

  /** Sends a lie that has to be believed, under the name of any member. */
  #deceive(envelope: Envelope, chance: Stream, send: Send): void {
    const to = chance.pick(this.#others)!;
    const victim = this.#victims.get(to)!;
    if (victim.view === null) return;
    const from = chance.pick([...this.#victims.keys()].filter((name) => name !== to))!;
    const fromIncarnation = this.#victims.get(from)!.incarnation;
    const message = deceit(victim.view, chance);
    const named = { from, fromIncarnation, fromAddress: from, to, toIncarnation: victim.incarnation };
    this.#note("deceit", send, to, { ...envelope, ...named, message });
  }

  #note(what: string, send: Send, to: string, envelope: Envelope): void {
    this.told++;
    this.#run.trace.count(what);
    this.#run.trace.describe(this.name, () => `${what} to ${to}: ${JSON.stringify(envelope.message)}`);
    send(to, envelope);
  }

  /** Sends it under another name now and then. */
  #named(envelope: Envelope, chance: Stream): Envelope {
    if (!chance.chance(0.1)) return envelope;
    const { type } = envelope.message;
    // An answer under a member's name could be one that the member has not given.
    const from = chance.chance(0.5) || type.endsWith("Response") ? "stranger" : chance.pick(this.#others)!;
    return { ...envelope, from, fromAddress: from };
  }

  /** Returns a message that it has no right to send. */
  #forged(view: RaftView, settled: number, chance: Stream): Message {
    const { term, lastIndex, commitIndex } = view;
    const later = wrongTerm(term, chance);
    switch (chance.below(6)) {
      case 0: {
        this.#falseTerms.add(later);
        const lastLogIndex = lastIndex + chance.below(100);
        const lastLogTerm = Math.min(later, term + chance.below(3));
        return {
          type: "RequestVote",
          term: later,
          lastLogIndex,
          lastLogTerm,
          preVote: false,
          leadershipTransfer: true,
        };
      }
      case 1:
        return heartbeat(chance.chance(0.5) ? term : later, { prevLogIndex: lastIndex + chance.below(1000) });
      case 2:
        return contradiction(view, settled, later, chance);
      case 3:
        return { type: "TimeoutNow", term: view.role === "leader" ? later : term };
      case 4:
        return snapshot(chance.chance(0.5) ? term : later, lastIndex + 100_000 + chance.below(100_000), view, chance);
      default:
        // The receiver takes it for proof of a commit, if its log has that entry.
        return snapshot(later, commitIndex > 5 ? commitIndex - chance.below(5) : lastIndex + 100_000, view, chance);
    }
  }
}

/** Returns a term that is newer by little, by as much as is allowed, or by far too much. */
function wrongTerm(term: number, chance: Stream): number {
  const jumps = [1, 2, 1000, MAX_TERM_JUMP, MAX_TERM_JUMP + 1000, 2 ** 40, Number.MAX_SAFE_INTEGER - term];
  return term + chance.pick(jumps)!;
}

/** A number that is too large for everything. */
function tooLarge(chance: Stream): number {
  return chance.pick([1_000_000_000, 2 ** 40, Number.MAX_SAFE_INTEGER])! - chance.below(10);
}

function heartbeat(term: number, parts: Partial<AppendEntries>): AppendEntries {
  return {
    type: "AppendEntries",
    term,
    prevLogIndex: 0,
    prevLogTerm: 0,
    entries: [],
    leaderCommit: 0,
    // It confirms nothing: its node may lead in this term later.
    round: 0,
    ...parts,
  };
}

/** Returns entries in place of some up to `settled`, which the receiver knows to be committed, even after a crash. */
function contradiction(view: RaftView, settled: number, term: number, chance: Stream): Message {
  const prevLogIndex = Math.max(0, settled - 1 - chance.below(5));
  const prevLogTerm = view.termAt(prevLogIndex) ?? 0;
  const count = settled - prevLogIndex;
  const entries = Array.from({ length: count }, (_, i) => ({
    index: prevLogIndex + 1 + i,
    term,
    type: "command" as const,
    data: new Uint8Array(chance.below(20)),
  }));
  return heartbeat(term, { prevLogIndex, prevLogTerm, entries });
}

/** Returns all of a snapshot that no state machine can read. */
function snapshot(term: number, index: number, { membership }: RaftView, chance: Stream): InstallSnapshot {
  const data = new Uint8Array(chance.below(60)).map(() => chance.below(256));
  const meta: SnapshotMeta = {
    id: `false-${chance.below(1_000_000)}`,
    index,
    term: chance.chance(0.9) ? Math.max(0, term - 1) : term + 1,
    membership,
    size: data.length + (chance.chance(0.1) ? 10 : 0),
    checksum: chance.chance(0.1) ? 1 : crc32c(data),
  };
  return { type: "InstallSnapshot", term, round: 0, snapshot: meta, offset: 0, data };
}

/** Returns the envelope with a lie in place of its message. */
function twist(envelope: Envelope, view: RaftView, chance: Stream): Envelope {
  return { ...envelope, message: twisted(envelope.message, view, chance) };
}

function twisted(message: Message, view: RaftView, chance: Stream): Message {
  const { term } = message;
  switch (message.type) {
    case "RequestVote":
      // A pre-vote promises nothing, so that it may claim any log; a vote counts.
      if (!message.preVote) return { ...message, lastLogIndex: 0, lastLogTerm: 0 };
      return { ...message, lastLogIndex: tooLarge(chance), lastLogTerm: term };
    case "RequestVoteResponse":
      if (message.preVote) return { ...message, term: message.term, voteGranted: !message.voteGranted };
      return chance.chance(0.5)
        ? { ...message, voteGranted: false }
        : { ...message, voteGranted: false, term: wrongTerm(term, chance) };
    case "AppendEntries":
      return twistedAppend(message, chance);
    case "AppendEntriesResponse": {
      const conflict = { conflictIndex: chance.below(view.lastIndex + 2), conflictTerm: chance.below(term + 1) };
      return chance.pick<Message>([
        { ...message, term: wrongTerm(term, chance), success: false, matchIndex: 0, round: 0 },
        { ...message, success: true, matchIndex: tooLarge(chance) },
        { ...message, success: false, round: tooLarge(chance) },
        { ...message, success: false, matchIndex: 0, ...conflict },
        { ...message, success: false, matchIndex: 0, ...conflict, conflictIndex: tooLarge(chance) },
      ])!;
    }
    case "InstallSnapshot":
      return twistedChunk(message, chance);
    case "InstallSnapshotResponse":
      return chance.pick<Message>([
        { ...message, term: wrongTerm(term, chance), status: "failed", matchIndex: 0, round: 0 },
        { ...message, status: "installed", matchIndex: tooLarge(chance) },
        { ...message, status: "failed", offset: tooLarge(chance), matchIndex: 0 },
        { ...message, status: "accepted", offset: chance.below(100), matchIndex: 0 },
        { ...message, snapshotId: "another", round: tooLarge(chance) },
      ])!;
    case "TimeoutNow":
      return { ...message, term: Math.max(0, term - 1) };
  }
}

/** A leader may leave entries out and know less than it does; it claims no entries that it does not have. */
function twistedAppend(message: AppendEntries, chance: Stream): Message {
  const { entries, term } = message;
  return chance.pick<Message>([
    { ...message, entries: entries.slice(0, chance.below(entries.length + 1)), leaderCommit: 0 },
    { ...message, round: 0 },
    heartbeat(wrongTerm(term, chance), {}),
    { ...message, prevLogIndex: tooLarge(chance) - 1_000_000, prevLogTerm: term, entries: [] },
    { ...message, prevLogTerm: term + 1 },
    { ...message, entries: entries.map((entry) => ({ ...entry, term: term + 1 })) },
    { ...message, entries: entries.toReversed() },
    {
      ...message,
      entries: entries.map((entry) => entry.type === "membership" ? { ...entry, data: new Uint8Array(3) } : entry),
    },
  ])!;
}

/** The bytes of a snapshot have a checksum, so that a changed chunk is noticed. */
function twistedChunk(message: InstallSnapshot, chance: Stream): Message {
  const { snapshot: meta, data, term } = message;
  return chance.pick<Message>([
    { ...message, data: data.map((byte) => byte ^ 1) },
    { ...message, offset: chance.below(meta.size + 1) },
    { ...message, data: data.slice(0, chance.below(data.length + 1)) },
    { ...message, snapshot: { ...meta, id: `${meta.id}-again`, checksum: (meta.checksum ^ 1) >>> 0 } },
    { ...message, snapshot: { ...meta, term: term + 1 } },
    { ...message, snapshot: { ...meta, size: meta.size + 1 } },
    { ...message, term: wrongTerm(term, chance), snapshot: { ...meta, id: `${meta.id}-later`, size: meta.size + 1 } },
  ])!;
}
