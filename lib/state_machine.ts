/**
 * The replicated state machine: the first of the three contracts that a user may
 * implement.
 *
 * @module
 */

/** A command with its place in the log. */
export interface AppliedCommand {
  /** The entry's index: unique, ascending, the same on every node. */
  readonly index: number;
  /** The entry's term. */
  readonly term: number;
  /** The bytes that were proposed. They must not be changed, and not be kept after the call unless copied. */
  readonly data: Uint8Array;
}

/**
 * A deterministic state machine: equal commands in equal order give equal states
 * and equal answers on every node (§2 of the paper). So it must not use a clock, a
 * random source or anything else outside the command and its own state.
 *
 * Calls never overlap: `apply`, `query`, `snapshot` and `restore` each end before
 * the next begins. A command that the state machine can't accept gets an answer, not
 * an exception: an error thrown by `apply` stops the node, because the state is then
 * unknown.
 */
export interface StateMachine {
  /**
   * Executes one committed, durable command, and returns the answer for its
   * proposer. Called once per command in log order; after a restart, again for the
   * commands after the last snapshot.
   */
  apply(command: AppliedCommand): Uint8Array | Promise<Uint8Array>;

  /** Answers a query without changing anything. */
  query(query: Uint8Array): Uint8Array | Promise<Uint8Array>;

  /**
   * Captures the present state, and returns its bytes as a stream. The capture is
   * made in this call, or in the first `next`, which the consumer calls in the same
   * turn: so this may be an async generator that captures before its first await.
   * Commands that are applied while the stream is read must not be part of it. The
   * consumer reads to the end or calls `return()`.
   */
  snapshot(): AsyncIterable<Uint8Array>;

  /**
   * Set if `restore` leaves the state as it was when it throws, so that the node need
   * not restore the former state again. @default false
   */
  readonly restoresAtomically?: boolean;

  /**
   * Replaces the whole state by the `snapshot` of an equal state machine. The chunk
   * boundaries may differ from those written.
   *
   * At start this is the node's own snapshot: if it throws, the node does not start. While
   * the node runs it is one that arrived from the leader, and nothing durable depends on
   * it yet: the node has captured the present state by `snapshot` before, and if this
   * throws, it refuses the arrived one and goes back to the captured state.
   */
  restore(snapshot: AsyncIterable<Uint8Array>): Promise<void>;
}
