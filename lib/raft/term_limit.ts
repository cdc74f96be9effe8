/**
 * The bound on how fast messages may raise the term (§5.1). Any message with a newer
 * term raises it, on every node that it reaches, and for good: a single one with the
 * largest number would end all elections.
 *
 * A term rises by one with an election, and an election takes an election timeout. So
 * a peer that is {@linkcode MAX_TERM_JUMP} terms ahead is far more likely to be wrong
 * than to be right, and its messages are refused. If a member keeps sending from there,
 * and nothing else, the node catches up step by step: a member must not be lost to
 * the cluster because of the term on its disk. A node that was away for long may not know
 * the members of today. So without a leader it catches up with others, too, after
 * {@linkcode FAR_PATIENCE} election timeouts.
 *
 * Each step costs the cluster an election, so there is an end to them. A member that is
 * {@linkcode MAX_CATCH_UP} terms ahead has a term that no elections led to: it was in the
 * way of a forged message, before there was a bound. The others go on without it until it
 * is replaced. Only a node that has nothing to lose, neither log nor membership, follows
 * such a cluster. It can't know what its cluster's term is, but what a cluster looks like: it
 * goes on in its term, and for an empty node that takes {@linkcode FAR_PATIENCE} election
 * timeouts without a word from a leader within the bound. Single forged messages are nothing
 * of the kind. None is led as far as the last term, after which there is no election.
 */

import type { NodeId, RestoredState } from "./types.ts";

/**
 * The number of terms by which messages may raise a node's term within a minimum
 * election timeout. Elections alone need days for so many; a forger that uses all of it
 * all the time needs centuries to exhaust the numbers.
 */
export const MAX_TERM_JUMP: number = 2 ** 20;

/** The number of terms by which a member may be ahead to be caught up with. At one election a second, they take two years. */
export const MAX_CATCH_UP: number = 2 ** 26;

/** The last term: there is no number for another election. */
export const MAX_TERM: number = Number.MAX_SAFE_INTEGER;

/** The number of election timeouts for which a member must stay ahead before this node catches up. */
const PATIENCE = 2;
/** The same without a leader, for senders that are no members, and for terms that no elections led to: nothing else tells a cluster from a forger. */
export const FAR_PATIENCE: number = 10;
/** The number of senders that are watched. */
const MAX_SENDERS = 64;

/** A sender that is further ahead than the bound. */
interface Ahead {
  /** Set for a member, and for any sender while there is no membership. */
  readonly trusted: boolean;
  /** The number of windows in which it was. */
  windows: number;
  /** The windows since its last message; a candidate sends one in at least every second. */
  silent: number;
  /** The term of its last message. */
  term: number;
}

/** The bound of one node. */
export class TermLimit {
  readonly #windowTicks: number;
  #ticks = 0;
  #highest: number;
  readonly #ahead = new Map<NodeId, Ahead>();
  /** Set if a leader within the bound has sent something in this window. */
  #led = false;

  constructor(term: number, windowTicks: number) {
    this.#highest = limitAfter(term);
    this.#windowTicks = windowTicks;
  }

  /** The highest term that a message may have now. */
  get highest(): number {
    return this.#highest;
  }

  /** Notes that a sender is further ahead than that. */
  exceeded(from: NodeId, term: number, trusted: boolean): void {
    const sender = this.#ahead.get(from);
    // The term of a node rises by no more between two of its messages, which may be late.
    const goesOn = sender?.trusted === trusted && Math.abs(term - sender.term) <= MAX_TERM_JUMP;
    if (goesOn) return void Object.assign(sender, { silent: 0, term });
    if (sender === undefined && trusted && this.#ahead.size >= MAX_SENDERS) this.#dropOther();
    if (sender !== undefined || this.#ahead.size < MAX_SENDERS) {
      this.#ahead.set(from, { trusted, windows: 0, silent: 0, term });
    }
  }

  /** Makes room for a member: names that are made up must not keep it out. */
  #dropOther(): void {
    for (const [id, { trusted }] of this.#ahead) {
      if (!trusted) return void this.#ahead.delete(id);
    }
  }

  /**
   * Notes a message within the bound: its sender is not ahead, whatever was sent in its name.
   *
   * @param leads set for a leader's message
   */
  kept(from: NodeId, leads: boolean): void {
    this.#led ||= leads;
    if (this.#ahead.size > 0) this.#ahead.delete(from);
  }

  /**
   * Counts a tick. Returns a sender that has stayed ahead, after which the term may rise to `highest`; `null` if there is
   * none.
   *
   * @param empty set for a node that follows any cluster, which has no membership and no log
   * @param leads set for a leader
   */
  tick(term: number, empty: boolean, leads: boolean): NodeId | null {
    if (++this.#ticks < this.#windowTicks) return null;
    this.#ticks = 0;
    this.#highest = limitAfter(term);
    const isAlone = !this.#led && !leads;
    this.#led = false;
    let patient: NodeId | null = null;
    for (const [id, sender] of this.#ahead) {
      const far = sender.term - term > MAX_CATCH_UP;
      const doubtful = far || !sender.trusted;
      const hopeless = (doubtful && !isAlone) || (far && (!empty || sender.term >= MAX_TERM));
      if (sender.silent > 1 || hopeless) this.#ahead.delete(id);
      else if (sender.silent++ === 0 && ++sender.windows >= (doubtful ? FAR_PATIENCE : PATIENCE)) {
        patient = id;
        if (far) this.#highest = sender.term;
      }
    }
    if (patient !== null) this.#ahead.clear();
    return patient;
  }
}

function limitAfter(term: number): number {
  return Math.min(term + MAX_TERM_JUMP, MAX_TERM);
}

/** Returns what is wrong with the term that a node starts with; `null` if it may come from elections. */
export function termTrouble(restored: Pick<RestoredState, "hardState" | "snapshot" | "termStarts">): string | null {
  const { hardState: { term }, snapshot, termStarts } = restored;
  const lastTerm = Math.max(snapshot?.term ?? 0, termStarts.at(-1)?.term ?? 0);
  if (term >= MAX_TERM) return `its term, ${term}, is the last one there is: no election can follow`;
  if (term - lastTerm <= MAX_CATCH_UP) return null;
  return `its term, ${term}, does not come from elections: the last entry of its log has term ${lastTerm}`;
}
