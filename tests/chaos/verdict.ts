/**
 * Whether what the clients were told is what happened.
 *
 * @module
 */

import { checkLinearizable, keyValueModel } from "../../simulation/linearizability/mod.ts";
import type { KeyValueInput, KeyValueOutput, LinearizabilityVerdict } from "../../simulation/linearizability/mod.ts";
import type { Step, UniqueWrite } from "./clients.ts";

/** What the cluster holds in the end, by key. */
export type Held = ReadonlyMap<string, { readonly value: string; readonly version: number }>;

/** What the checks found. */
export interface Verdict {
  /** Acknowledged writes of unique keys that are not there. */
  readonly lost: readonly string[];
  /** Unique keys that were written more than once, or otherwise than they should have been. */
  readonly wrong: readonly string[];
  /** Writes without an outcome that are there after all. */
  readonly unknownDone: number;
  readonly linearizability: LinearizabilityVerdict<KeyValueInput, KeyValueOutput>;
  /** Shared keys, each with a history of its own. */
  readonly keys: number;
  readonly checkMs: number;
}

/** Checks everything that was recorded against what is there in the end, read between the two times. */
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
