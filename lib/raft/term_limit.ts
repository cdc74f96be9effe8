/**
 * The bound on how fast messages may raise the term (§5.1). Any message with a newer
 * term raises it, on every node that it reaches, and for good: a single one with the
 * largest number would end all elections.
 *
 * A term rises by one with an election, and an election takes an election timeout. So
 * a peer that is {@linkcode MAX_TERM_JUMP} terms ahead is far more likely to be wrong
 * than to be right, and its messages are refused. If a member keeps sending from there,
 * and nothing else, the node catches up step by step: a member must not be lost to
 * the cluster because of the term on its disk.
 */

import type { NodeId } from "./types.ts";

/**
 * The number of terms by which messages may raise a node's term within a minimum
 * election timeout. Elections alone need days for so many; a forger that uses all of it
 * all the time needs centuries to exhaust the numbers.
 */
export const MAX_TERM_JUMP: number = 2 ** 20;

/** The number of election timeouts for which a member must stay ahead before this node catches up. */
const PATIENCE = 2;
/** The number of senders that are watched. */
const MAX_SENDERS = 64;

/** The bound of one node. */
export class TermLimit {
  readonly #windowTicks: number;
  #ticks = 0;
  #highest: number;
  /** The members that are ahead: the windows in which each was, and whether it was in this one. */
  readonly #ahead = new Map<NodeId, { windows: number; now: boolean }>();

  constructor(term: number, windowTicks: number) {
    this.#highest = term + MAX_TERM_JUMP;
    this.#windowTicks = windowTicks;
  }

  /** The highest term that a message may have now. */
  get highest(): number {
    return this.#highest;
  }

  /** Notes that a member is further ahead than that. */
  exceeded(from: NodeId): void {
    const sender = this.#ahead.get(from);
    if (sender !== undefined) sender.now = true;
    else if (this.#ahead.size < MAX_SENDERS) this.#ahead.set(from, { windows: 0, now: true });
  }

  /** Notes a message within the bound: its sender is not ahead, whatever was sent in its name. */
  kept(from: NodeId): void {
    if (this.#ahead.size > 0) this.#ahead.delete(from);
  }

  /** Counts a tick. Returns a member that has stayed ahead, after which the term may rise to `highest`; `null` if there is none. */
  tick(term: number): NodeId | null {
    if (++this.#ticks < this.#windowTicks) return null;
    this.#ticks = 0;
    this.#highest = term + MAX_TERM_JUMP;
    let patient: NodeId | null = null;
    for (const [id, sender] of this.#ahead) {
      if (!sender.now) this.#ahead.delete(id);
      else if (++sender.windows >= PATIENCE) patient = id;
      sender.now = false;
    }
    if (patient !== null) this.#ahead.clear();
    return patient;
  }
}
