/**
 * The key-value store as a single copy would be, versions included.
 *
 * @module
 */

import type { ExpectedVersion } from "../../lib/kv/commands.ts";
import type { Model } from "./history.ts";

/** A request to the key-value store, as a `KeyValueClient` makes it; values as text. */
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

/** What a write answers that was carried out. */
export interface KeyValueWritten {
  /** Absent for a write without a condition. */
  readonly ok?: true;
  /** The log index of the change. */
  readonly version: number;
  /** 0 if the key was not there. */
  readonly previousVersion: number;
}

/** An answer, as a `KeyValueClient` gives it: to a get, to a write, and to one whose condition did not hold. */
export type KeyValueOutput =
  | { readonly value: string; readonly version: number }
  | null
  | KeyValueWritten
  | { readonly ok: false; readonly currentVersion: number };

/** What is known of a key. */
export interface KeyValueModelState {
  /** `null` if it is not there. */
  readonly value: string | null;
  /** 0 if it is not there; `null` while nobody has told it: its write got no answer. */
  readonly version: number | null;
  /** The newest index of a change of this key that is known: what comes later is newer. */
  readonly after: number;
}

/** In place of a version that can't be: no answer has it. */
const NEVER = -1;

/**
 * Keys with values and versions, each key a part of its own.
 *
 * A version is a log index, which no single copy can foretell. So the model takes
 * it from the answer, and holds every later answer to it: versions of a key only
 * grow, in the order in which its changes took effect; a get gives the version
 * that its value was written with; a write names the version that it replaced; and
 * a condition holds exactly if the version is the expected one. The version of a
 * write without an answer is left open until somebody tells it, and is newer than
 * all before.
 *
 * It finds most when no two writes of a history write the same value: then a
 * value that is seen names its write.
 */
export const keyValueModel: Model<KeyValueModelState, KeyValueInput, KeyValueOutput> = {
  initial: () => ({ value: null, version: 0, after: 0 }),
  apply(state, input, seen) {
    switch (input.type) {
      case "get": {
        const told = learn(state, seen !== undefined && seen !== null && "value" in seen ? seen.version : undefined);
        const { value, version } = told;
        return { state: told, output: value === null ? null : { value, version: version ?? NEVER } };
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
  readOnly: ({ type }) => type === "get",
};

type Applied = ReturnType<typeof keyValueModel.apply>;

function compareAndSet(
  state: KeyValueModelState,
  { expectedVersion, value }: KeyValueInput & { readonly type: "compareAndSet" },
  seen: KeyValueOutput | undefined,
): Applied {
  // Without an answer it is carried out if it can be: that it is not changes nothing, which the search tries by itself.
  const hoped = seen === undefined && expectedVersion !== "any" ? expectedVersion : undefined;
  const told = learn(state, replaced(seen) ?? hoped);
  const holds = expectedVersion === "any" ? told.value !== null : told.version === expectedVersion;
  if (!holds) return { state: told, output: { ok: false, currentVersion: told.version ?? NEVER } };
  const { state: next, output } = write(told, value, seen);
  return { state: next, output: { ok: true, ...output } };
}

/** The version that a write found, as its answer has it. */
function replaced(seen: KeyValueOutput | undefined): number | undefined {
  if (seen === undefined || seen === null || "value" in seen) return undefined;
  return "currentVersion" in seen ? seen.currentVersion : seen.previousVersion;
}

/** Fills in a version that was open, unless it is older than what came before it. */
function learn(state: KeyValueModelState, version: number | undefined): KeyValueModelState {
  if (state.version !== null || version === undefined || version <= state.after) return state;
  return { value: state.value, version, after: version };
}

function write(
  state: KeyValueModelState,
  value: string | null,
  seen: KeyValueOutput | undefined,
): { readonly state: KeyValueModelState; readonly output: KeyValueWritten } {
  const told = seen !== undefined && seen !== null && "previousVersion" in seen ? seen.version : undefined;
  const version = told !== undefined && told > state.after ? told : null;
  return {
    state: { value, version: value === null ? 0 : version, after: version ?? state.after },
    output: { version: version ?? NEVER, previousVersion: state.version ?? NEVER },
  };
}
