/**
 * The verdict: the answers of clients against the final state of the cluster.
 *
 * @module
 */

import { checkLinearizable, keyValueModel } from "../../simulation/linearizability/mod.ts";
import type { KeyValueInput, KeyValueOutput, LinearizabilityVerdict } from "../../simulation/linearizability/mod.ts";
import type { Step, UniqueWrite } from "./clients.ts";

/** The final state of the cluster, by key. */
export type Held = ReadonlyMap<string, { readonly value: string; readonly version: number }>;

/** The result of the checks. */
export interface Verdict {
  /** Acknowledged writes of unique keys that are missing. */
  readonly lost: readonly string[];
  /** Unique keys that were written more than once, or wrongly. */
  readonly wrong: readonly string[];
  /** The number of writes without an outcome that took effect. */
  readonly unknownDone: number;
  readonly linearizability: LinearizabilityVerdict<KeyValueInput, KeyValueOutput>;
  /** The number of shared keys, each with a history of its own. */
  readonly keys: number;
  readonly checkMs: number;
}

/** Checks the recorded history against the final state, which was read between the two times. */
export function judge(
  history: readonly Step[],
  unique: readonly UniqueWrite[],
  held: Held,
  [call, end]: readonly [number, number],
): Verdict {
  const keys = new Set(history.map(({ input }) => input.key));
  // The last read counts like any other: an acknowledged write that is gone has no place in the history.
  const last = [...keys].map((key): Step => ({
    client: "last read",
    input: { type: "get", key },
    output: held.get(key) ?? null,
    call,
    return: end,
  }));
  const before = performance.now();
  const linearizability = checkLinearizable(keyValueModel, [...history, ...last]);
  const checkMs = performance.now() - before;
  return { ...judgeUnique(unique, held, keys), linearizability, keys: keys.size, checkMs };
}

function judgeUnique(unique: readonly UniqueWrite[], held: Held, shared: ReadonlySet<string>) {
  const lost: string[] = [];
  const wrong: string[] = [];
  let unknownDone = 0;
  for (const { key, value, outcome, version } of unique) {
    const found = held.get(key);
    if (outcome === "done" && found === undefined) lost.push(`${key}, acknowledged as version ${version}`);
    if (found === undefined) continue;
    if (found.value !== value) wrong.push(`${key} has the value ${JSON.stringify(found.value)}`);
    if (outcome === "rejected") wrong.push(`${key} was rejected, and is there as version ${found.version}`);
    if (outcome === "unknown") unknownDone++;
    // A second application would have given it a later version.
    if (outcome === "done" && found.version !== version) {
      wrong.push(`${key} was acknowledged as version ${version}, and has ${found.version}`);
    }
  }
  const written = new Set(unique.map(({ key }) => key));
  for (const key of held.keys()) {
    if (!written.has(key) && !shared.has(key)) wrong.push(`${key} was never written`);
  }
  return { lost, wrong, unknownDone };
}
