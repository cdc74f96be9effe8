/**
 * A simple model.
 */

import type { Model } from "./history.ts";

/** A request to a register. */
export type RegisterInput =
  | { readonly type: "read" }
  | { readonly type: "write"; readonly value: string }
  | { readonly type: "compareAndSet"; readonly expected: string | null; readonly value: string };

/** The value read (`null` if none was written), `null` for a write, and true for a compare-and-set that took effect. */
export type RegisterOutput = string | null | boolean;

/** A model of one value that is read, written, or set if it has an expected value. */
export const registerModel: Model<string | null, RegisterInput, RegisterOutput> = {
  initial: () => null,
  apply(state, input) {
    if (input.type === "read") return { state, output: state };
    if (input.type === "write") return { state: input.value, output: null };
    return state === input.expected ? { state: input.value, output: true } : { state, output: false };
  },
  matches: (seen, expected) => seen === expected,
  key: (state) => state === null ? "" : `=${state}`,
  readOnly: ({ type }) => type === "read",
};
