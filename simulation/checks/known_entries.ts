/**
 * All that no single node knows: every entry that was ever to be written, and
 * which of them are committed.
 *
 * @module
 */

import { crc32c } from "../../lib/crc32c.ts";
import { decodeMembership } from "../../lib/raft/mod.ts";
import type { Entry, Membership } from "../../lib/raft/types.ts";

/** An entry with what is checked about it. */
export interface KnownEntry {
  readonly entry: Entry;
  readonly checksum: number;
  /** The term of the entry before; `undefined` if it was not known. */
  before: number | undefined;
  /** The membership that it sets, if it does. */
  readonly membership: Membership | null;
}

/** A membership with the index of its entry. */
export interface CommittedMembership {
  readonly index: number;
  readonly membership: Membership;
}

/** See the head of this file. */
export class KnownEntries {
  /** By index, one for each term. */
  readonly #entries: KnownEntry[][] = [];
  /** By index. */
  readonly #committed: KnownEntry[] = [];
  /** By index: the term of the leader that committed it. */
  readonly #committedIn: number[] = [];
  readonly #memberships: CommittedMembership[] = [];

  /** Everything up to here is committed. */
  get commitIndex(): number {
    return Math.max(0, this.#committed.length - 1);
  }

  /** Takes note of an entry. Returns what differs from the same entry elsewhere, if anything does (log matching). */
  note(entry: Entry, before: number | undefined): string | null {
    const checksum = crc32c(entry.data);
    const others = this.#entries[entry.index] ??= [];
    const known = others.find(({ entry: { term } }) => term === entry.term);
    if (known === undefined) {
      const membership = entry.type === "membership" ? decodeMembership(entry.data) : null;
      others.push({ entry, checksum, before, membership });
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

  /** The entry of this index and term. */
  get(index: number, term: number): KnownEntry | undefined {
    return this.#entries[index]?.find(({ entry }) => entry.term === term);
  }

  /** The next entry is committed, by the leader of `inTerm`. */
  commit(known: KnownEntry, inTerm: number): void {
    const { index } = known.entry;
    this.#committed[index] = known;
    this.#committedIn[index] = inTerm;
    if (known.membership !== null) this.#memberships.push({ index, membership: known.membership });
  }

  /** How far the leaders of terms before this one have committed. */
  committedBefore(term: number): number {
    let index = this.commitIndex;
    while (index > 0 && this.#committedIn[index]! >= term) index--;
    return index;
  }

  /** The committed entry at an index. */
  committed(index: number): KnownEntry | undefined {
    return this.#committed[index];
  }

  /** The committed membership as of an index. */
  membershipAt(index: number): CommittedMembership | undefined {
    return this.#memberships.findLast((each) => each.index <= index);
  }

  /** The newest committed membership. */
  get lastMembership(): CommittedMembership | undefined {
    return this.#memberships.at(-1);
  }

  /** Every membership that counts, or may yet: the last one committed, and all after it. */
  possibleMemberships(): Membership[] {
    const last = this.lastMembership;
    const possible = last === undefined ? [] : [last.membership];
    for (let index = (last?.index ?? 0) + 1; index < this.#entries.length; index++) {
      for (const { membership } of this.#entries[index] ?? []) if (membership !== null) possible.push(membership);
    }
    return possible;
  }
}
