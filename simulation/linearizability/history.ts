/**
 * What clients did and saw, and what they should have seen.
 *
 * @module
 */

/** One request of one client. Times are any numbers that grow; only their order counts. */
export interface Operation<Input, Output> {
  /** Who asked; for people who read a failure. */
  readonly client: string | number;
  /** What was asked. */
  readonly input: Input;
  /** What came back; absent if nobody knows whether, or when, it took effect. */
  readonly output?: Output;
  /** When the client asked. */
  readonly call: number;
  /** When it got the answer; `Infinity` without one. */
  readonly return: number;
}

/**
 * What a single copy would do, one request at a time. Deterministic, and never
 * changes a state that it was given.
 *
 * What it can't foretell, such as a version that the store chooses, it takes from
 * the answer that was seen: it puts it into the state, so that later answers have
 * to agree with it.
 */
export interface Model<State, Input, Output> {
  /** The state before any request. */
  initial(): State;
  /** Carries out one request. @param seen what the client saw; left out if nobody knows */
  apply(state: State, input: Input, seen?: Output): { readonly state: State; readonly output: Output };
  /** Whether what the client saw is what the model says. */
  matches(seen: Output, expected: Output): boolean;
  /** Equal states have equal keys, and others don't. */
  key(state: State): string;
  /**
   * Requests of different parts never touch each other, so that each part is
   * checked alone. @default all are one part
   */
  part?(input: Input): string;
  /** Whether a request never changes the state, whatever it is: such ones may be left out of what a failure shows. */
  readOnly?(input: Input): boolean;
}

/** Whether the outcome of an operation is known. */
export function isKnown<Input, Output>(
  operation: Operation<Input, Output>,
): operation is Operation<Input, Output> & { readonly output: Output } {
  return "output" in operation && operation.return !== Number.POSITIVE_INFINITY;
}
