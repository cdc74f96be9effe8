/**
 * What is replicated. The first of the three contracts that a user implements.
 *
 * @module
 */

/** A command with its place in the log. */
export interface AppliedCommand {
  /** The entry's index: unique, ascending, the same on every node. */
  readonly index: number;
  /** The entry's term. */
  readonly term: number;
  /** The bytes that were proposed; not to be changed or kept by reference across calls unless copied. */
  readonly data: Uint8Array;
}

/**
 * A deterministic state machine: equal commands in equal order give equal states
 * and equal answers on every node (§2 of the paper). So it must not look at a
 * clock, a random source or anything else outside the command and its own state.
 *
 * Calls never overlap: `apply`, `query`, `snapshot` and `restore` each end before
 * the next begins. A command that the state machine can't accept is an answer,
 * not an exception: whatever `apply` throws stops the node, because the state is
 * then unknown.
 */
export interface StateMachine {
  /**
   * Carries out one committed, durable command and returns the answer for whoever
   * proposed it. Called once per command in log order, after a restart again from
   * the last snapshot on.
   */
  apply(command: AppliedCommand): Uint8Array | Promise<Uint8Array>;

  /** Answers a question without changing anything. */
  query(query: Uint8Array): Uint8Array | Promise<Uint8Array>;

  /**
   * Captures the state as it is now, and returns its bytes as a stream. The
   * capture is done in this call, or in the first `next`, which the consumer
   * calls in the same turn: so this may be an async generator that captures
   * before its first await. Commands that are applied while the stream is read
   * must not show in it. The consumer reads to the end or calls `return()`.
   */
  snapshot(): AsyncIterable<Uint8Array>;

  /**
   * Replaces the whole state by what a `snapshot` of an equal state machine gave.
   * The chunks may be cut elsewhere than they were written. If it throws, the
   * node stops.
   */
  restore(snapshot: AsyncIterable<Uint8Array>): Promise<void>;
}
