/**
 * A model of the key-value store, including versions.
 */

import type { ExpectedVersion } from "../../lib/kv/commands.ts";
import type { Model } from "./history.ts";

/** A request to the key-value store, like those of a `KeyValueClient`; values as text. */
export type KeyValueInput =
  | { readonly type: "get"; readonly key: string }
  | { readonly type: "put"; readonly key: string; readonly value: string }
  | { readonly type: "delete"; readonly key: string }
  | {
    readonly type: "compareAndSet";
    readonly key: string;
    readonly expectedVersion: ExpectedVersion;
    /** `null` removes the key. */
    readonly value: string | null;
  };

/** The answer to a write that was executed. */
export interface KeyValueWritten {
  /** Absent for a write without a condition. */
  readonly ok?: true;
  /** The log index of the change. */
  readonly version: number;
  /** The version before; 0 if the key did not exist. */
  readonly previousVersion: number;
}

/** An answer, like those of a `KeyValueClient`: to a get, to a write, and to one whose condition did not hold. */
export type KeyValueOutput =
  | { readonly value: string; readonly version: number }
  | null
  | KeyValueWritten
  | { readonly ok: false; readonly currentVersion: number };

/** The known state of a key. */
export interface KeyValueModelState {
  /** The value; `null` if the key does not exist. */
  readonly value: string | null;
  /** The version; 0 if the key does not exist, `null` if unknown: its write got no answer. */
  readonly version: number | null;
  /** The newest known index of a change of this key: later changes are newer. */
  readonly after: number;
}

/** A version that no answer has, in place of an impossible one. */
const NEVER = -1;

/**
 * A model of keys with values and versions; each key is a part of its own.
 *
 * A version is a log index, which no single copy can predict. So the model takes it
 * from the answer, and checks every later answer against it: versions of a key only
 * grow, in the order in which its changes took effect; a get returns the version
 * that its value was written with; a write returns the version that it replaced;
 * and a condition holds exactly if the version is the expected one. The version of
 * a write without an answer is unknown until an answer contains it, and is newer
 * than all before.
 *
 * It finds most when no two writes of a history write the same value: then a value
 * identifies its write.
 */
export const keyValueModel: Model<KeyValueModelState, KeyValueInput, KeyValueOutput> = {
  initial: () => ({ value: null, version: 0, after: 0 }),
  apply(state, input, seen) {
    switch (input.type) {
      case "get": {
        const known = learn(state, seen !== undefined && seen !== null && "value" in seen ? seen.version : undefined);
        const { value, version } = known;
        return { state: known, output: value === null ? null : { value, version: version ?? NEVER } };
      }
      case "put":
        return write(learn(state, replaced(seen)), input.value, seen);
      case "delete":
        return write(learn(state, replaced(seen)), null, seen);
      case "compareAndSet":
        return compareAndSet(state, input, seen);
    }
  },
  matches(seen, expected) {
    if (seen === null || expected === null) return seen === expected;
    const fields: Readonly<Record<string, unknown>> = { ...seen };
    return Object.entries(expected).every(([name, value]) => fields[name] === value);
  },
  key: ({ value, version, after }) => `${version ?? "?"},${after}${value === null ? "" : `=${value}`}`,
  part: ({ key }) => key,
  rank(seen) {
    if (seen === null) return null;
    // A request that reads a version comes between the write that made it and the next.
    if ("currentVersion" in seen) return seen.currentVersion === 0 ? null : 2 * seen.currentVersion + 1;
    return "value" in seen ? 2 * seen.version + 1 : 2 * seen.version;
  },
  readOnly: ({ type }) => type === "get",
};

type Applied = ReturnType<typeof keyValueModel.apply>;

function compareAndSet(
  state: KeyValueModelState,
  { expectedVersion, value }: KeyValueInput & { readonly type: "compareAndSet" },
  seen: KeyValueOutput | undefined,
): Applied {
  // Without an answer it is executed if possible; the search itself tries the case that it has no effect.
  const hoped = seen === undefined && expectedVersion !== "any" ? expectedVersion : undefined;
  const known = learn(state, replaced(seen) ?? hoped);
  const holds = expectedVersion === "any" ? known.value !== null : known.version === expectedVersion;
  if (!holds) return { state: known, output: { ok: false, currentVersion: known.version ?? NEVER } };
  const { state: next, output } = write(known, value, seen);
  return { state: next, output: { ok: true, ...output } };
}

/** Returns the version that a write replaced, according to its answer. */
function replaced(seen: KeyValueOutput | undefined): number | undefined {
  if (seen === undefined || seen === null || "value" in seen) return undefined;
  return "currentVersion" in seen ? seen.currentVersion : seen.previousVersion;
}

/** Fills in an unknown version, unless it is older than earlier changes. */
function learn(state: KeyValueModelState, version: number | undefined): KeyValueModelState {
  if (state.version !== null || version === undefined || version <= state.after) return state;
  return { value: state.value, version, after: version };
}

function write(
  state: KeyValueModelState,
  value: string | null,
  seen: KeyValueOutput | undefined,
): { readonly state: KeyValueModelState; readonly output: KeyValueWritten } {
  const known = seen !== undefined && seen !== null && "previousVersion" in seen ? seen.version : undefined;
  const version = known !== undefined && known > state.after ? known : null;
  return {
    state: { value, version: value === null ? 0 : version, after: version ?? state.after },
    output: { version: version ?? NEVER, previousVersion: state.version ?? NEVER },
  };
}
