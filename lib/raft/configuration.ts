/**
 * The history of memberships along the log. A membership is in force from the moment
 * its entry is appended, committed or not (dissertation §4.1), and is rolled
 * back when that entry is truncated.
 */

import { decodeMembership, emptyMembership } from "./membership.ts";
import type { Entry, Membership, SnapshotMeta } from "./types.ts";

interface Record {
  readonly index: number;
  readonly membership: Membership;
}

/** Every membership since the newest snapshot, oldest first. Never empty. */
export class Configuration {
  #history: Record[] = [{ index: 0, membership: emptyMembership }];

  static restore(snapshot: SnapshotMeta | null, memberships: readonly Entry[]): Configuration {
    const configuration = new Configuration();
    if (snapshot !== null) configuration.reset(snapshot);
    for (const entry of memberships) {
      if (entry.index > configuration.index) configuration.append(entry.index, decodeMembership(entry.data));
    }
    return configuration;
  }

  /** The membership in force. */
  get current(): Membership {
    return this.#history.at(-1)!.membership;
  }

  /** The membership before that; the same if that one is compacted away. */
  get previous(): Membership {
    return (this.#history.at(-2) ?? this.#history.at(-1)!).membership;
  }

  /** The index of the entry that set it; a snapshot's index, or 0, if none is left. */
  get index(): number {
    return this.#history.at(-1)!.index;
  }

  /** Returns the membership as of `index`, which must not be below the newest snapshot's. */
  at(index: number): Membership {
    const record = this.#history.findLast((record) => record.index <= index);
    if (record === undefined) throw new RangeError(`the membership as of ${index} has been compacted away`);
    return record.membership;
  }

  /** Returns the memberships appended after `from`, up to `to`. */
  between(from: number, to: number): readonly Record[] {
    return this.#history.filter(({ index }) => index > from && index <= to);
  }

  append(index: number, membership: Membership): void {
    this.#history.push({ index, membership });
  }

  /** Removes memberships appended at `index` or later. Returns whether the current one changed. */
  truncateFrom(index: number): boolean {
    let changed = false;
    while (this.#history.length > 1 && this.index >= index) {
      this.#history.pop();
      changed = true;
    }
    return changed;
  }

  /** Drops memberships that were replaced at or before `index`. */
  compact(index: number): void {
    while (this.#history.length > 1 && this.#history[1]!.index <= index) this.#history.shift();
  }

  /** Replaces the history by a snapshot's membership. */
  reset(snapshot: SnapshotMeta): void {
    this.#history = [{ index: snapshot.index, membership: snapshot.membership }];
  }
}
