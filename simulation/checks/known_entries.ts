/**
 * Knowledge that no single node has: every entry that any node began to write, and
 * the committed ones among them.
 */

import { crc32c } from "../../lib/crc32c.ts";
import { decodeMembership } from "../../lib/raft/mod.ts";
import type { Entry, Membership } from "../../lib/raft/types.ts";

/** An entry with the data needed for checks. */
export interface KnownEntry {
  readonly entry: Entry;
  readonly checksum: number;
  /** The term of the entry before; `undefined` if unknown. */
  before: number | undefined;
  /** The membership that it sets, if it does. */
  readonly membership: Membership | null;
}

/** A membership and the index of its entry. */
export interface CommittedMembership {
  readonly index: number;
  readonly membership: Membership;
}

export class KnownEntries {
  /** All entries by index, one for each term. */
  readonly #entries: KnownEntry[][] = [];
  readonly #committed: KnownEntry[] = [];
  /** The term of the leader that committed an entry, by index. */
  readonly #committedIn: number[] = [];
  readonly #memberships: CommittedMembership[] = [];
  /** Every entry with a membership, by index. */
  readonly #withMemberships: CommittedMembership[] = [];

  /** The index of the last committed entry. */
  get commitIndex(): number {
    return Math.max(0, this.#committed.length - 1);
  }

  /** Notes an entry; returns a difference from the same entry on another node, or `null` (log matching). */
  note(entry: Entry, before: number | undefined): string | null {
    const checksum = crc32c(entry.data);
    const others = this.#entries[entry.index] ??= [];
    const known = others.find(({ entry: { term } }) => term === entry.term);
    if (known === undefined) {
      const membership = entry.type === "membership" ? decodeMembership(entry.data) : null;
      others.push({ entry, checksum, before, membership });
      if (membership !== null) this.#noteMembership({ index: entry.index, membership });
      return null;
    }
    if (known.checksum !== checksum || known.entry.type !== entry.type) return "its content";
    if (before === undefined) return null;
    if (known.before !== undefined && known.before !== before) {
      return `the term before it: ${known.before} and ${before}`;
    }
    known.before = before;
    return null;
  }

  get(index: number, term: number): KnownEntry | undefined {
    return this.#entries[index]?.find(({ entry }) => entry.term === term);
  }

  /** Notes that the leader of `inTerm` has committed the next entry. */
  commit(known: KnownEntry, inTerm: number): void {
    const { index } = known.entry;
    this.#committed[index] = known;
    this.#committedIn[index] = inTerm;
    if (known.membership !== null) this.#memberships.push({ index, membership: known.membership });
  }

  /** Returns the last index that leaders of terms before this one have committed. */
  committedBefore(term: number): number {
    return Math.max(0, this.#committedIn.findLastIndex((inTerm) => inTerm < term));
  }

  committed(index: number): KnownEntry | undefined {
    return this.#committed[index];
  }

  membershipAt(index: number): CommittedMembership | undefined {
    return this.#memberships.findLast((each) => each.index <= index);
  }

  /** All committed memberships, oldest first. */
  get memberships(): readonly CommittedMembership[] {
    return this.#memberships;
  }

  get lastMembership(): CommittedMembership | undefined {
    return this.#memberships.at(-1);
  }

  /** Returns every membership that is or may be in force: the last one committed, and all after it. */
  possibleMemberships(): Membership[] {
    const last = this.lastMembership;
    const from = this.#withMemberships.findLastIndex(({ index }) => index <= (last?.index ?? 0)) + 1;
    const later = this.#withMemberships.slice(from).map(({ membership }) => membership);
    return last === undefined ? later : [last.membership, ...later];
  }

  #noteMembership(noted: CommittedMembership): void {
    const before = this.#withMemberships.findLastIndex(({ index }) => index <= noted.index);
    this.#withMemberships.splice(before + 1, 0, noted);
  }
}
