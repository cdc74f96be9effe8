/**
 * Histories of clients, and models of the correct answers.
 *
 * @module
 */

/** One request of one client. Times are any increasing numbers; only their order matters. */
export interface Operation<Input, Output> {
  /** The client, for people who read a failure. */
  readonly client: string | number;
  /** The request. */
  readonly input: Input;
  /** The answer; absent if it is unknown whether, or when, the request took effect. */
  readonly output?: Output;
  /** The time of the request. */
  readonly call: number;
  /** The time of the answer; `Infinity` without one. */
  readonly return: number;
}

/**
 * A model of a single copy, which executes one request at a time. It is
 * deterministic, and never changes a state that it was given.
 *
 * Values that it can't predict, such as a version that the store chooses, it takes
 * from the answer that a client received, and puts them into the state, so that
 * later answers have to agree with them.
 */
export interface Model<State, Input, Output> {
  /** Returns the state before any request. */
  initial(): State;
  /** Executes one request. @param seen the answer that the client received, if any */
  apply(state: State, input: Input, seen?: Output): { readonly state: State; readonly output: Output };
  /** Reports whether the client's answer agrees with the model's. */
  matches(seen: Output, expected: Output): boolean;
  /** Returns a key that is equal for equal states only. */
  key(state: State): string;
  /**
   * Returns the part that a request belongs to. Requests of different parts are
   * independent, so that each part is checked alone. @default all are one part
   */
  part?(input: Input): string;
  /**
   * Returns a number, if the answer has one, by which answers follow each other: an
   * operation is impossible after another with a larger number. It only makes the
   * search shorter. @default no answer has one
   */
  rank?(seen: Output): number | null;
  /** Reports whether a request never changes any state; such requests may be left out of a reported failure. */
  readOnly?(input: Input): boolean;
}

/** Reports whether the outcome of an operation is known. */
export function isKnown<Input, Output>(
  operation: Operation<Input, Output>,
): operation is Operation<Input, Output> & { readonly output: Output } {
  return "output" in operation && operation.return !== Number.POSITIVE_INFINITY;
}
