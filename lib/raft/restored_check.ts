/**
 * States that no node ever leaves on its disk. A storage that reads one back is
 * damaged, or was written by something else; a node must not begin with it.
 */

import { decodeMembership, validateMembership } from "./membership.ts";
import type { HardState, RestoredState, SnapshotMeta } from "./types.ts";

/** The last index that a snapshot may cover: after it, the log must still be able to grow for ages. Entries alone never come near. */
const MAX_SNAPSHOT_INDEX = 2 ** 52;

/** Reports whether a number can be a term, an index, a round or a size. */
export function isNumber(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** Returns the message of the error that `check` throws; `null` if it throws none. */
export function problemOf(check: () => void): string | null {
  try {
    check();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Returns the problem of a snapshot's description, from a node in term `maxTerm` if that is known; `null` if there is none. */
export function problemOfSnapshot(snapshot: SnapshotMeta, maxTerm: number = Infinity): string | null {
  const { id, index, term, size, checksum, membership } = snapshot;
  if (id === "") return "the snapshot has no id";
  if (!isNumber(index) || index === 0 || index > MAX_SNAPSHOT_INDEX) return `the snapshot covers entry ${index}`;
  if (!isNumber(term) || term > maxTerm) return `the snapshot has term ${term}`;
  if (!isNumber(size)) return `the snapshot has ${size} bytes`;
  if (!isNumber(checksum) || checksum > 0xffff_ffff) return `the checksum is ${checksum}`;
  return problemOf(() => validateMembership(membership));
}

/** Returns the problem of a state that a storage has read; `null` if there is none. */
export function problemOfRestored(state: RestoredState): string | null {
  const { hardState, snapshot, lastIndex } = state;
  if (!isNumber(hardState.term)) return `the term is ${hardState.term}`;
  if (!isNumber(lastIndex)) return `the log ends at entry ${lastIndex}`;
  const problem = snapshot === null ? null : problemOfSnapshot(snapshot, hardState.term);
  if (problem !== null) return `${problem}, and the node's term is ${hardState.term}`;
  if (snapshot !== null && lastIndex < snapshot.index) {
    return `the log ends at entry ${lastIndex}, before the snapshot's ${snapshot.index}`;
  }
  return problemOfTerms(state, hardState) ?? problemOfMemberships(state);
}

function problemOfTerms({ snapshot, lastIndex, termStarts }: RestoredState, { term: own }: HardState): string | null {
  const covered = snapshot?.index ?? 0;
  let [before, last] = [0, 0];
  for (const { index, term } of termStarts) {
    if (!isNumber(index) || index <= before || index > lastIndex) return `a term begins at entry ${index}`;
    if (!isNumber(term) || term < last) return `entry ${index} has term ${term}, below the ${last} before it`;
    if (term > own) return `entry ${index} has term ${term}, and the node's term is ${own}`;
    if (index > covered && term < (snapshot?.term ?? 0)) {
      return `entry ${index} has term ${term}, below the snapshot's ${snapshot?.term}`;
    }
    [before, last] = [index, term];
  }
  const first = termStarts[0]?.index ?? Infinity;
  return lastIndex > covered && first > covered + 1 ? `the term of entry ${covered + 1} is missing` : null;
}

/** A node has a membership from its first entry on: without one it would follow any leader. */
function problemOfMemberships({ snapshot, lastIndex, memberships }: RestoredState): string | null {
  const covered = snapshot?.index ?? 0;
  let before = 0;
  for (const { index, type, data } of memberships) {
    if (type !== "membership" || !isNumber(index) || index <= before || index > lastIndex) {
      return `entry ${index} is not a membership in its place`;
    }
    const problem = index > covered ? problemOf(() => decodeMembership(data)) : null;
    if (problem !== null) return `entry ${index}: ${problem}`;
    before = index;
  }
  return snapshot === null && lastIndex > 0 && memberships[0]?.index !== 1 ? "entry 1 is not a membership" : null;
}
