/**
 * The interface of simulated databases to the machine below them: time, and the
 * faults of its disk. It belongs to one process, and does nothing once that has ended.
 *
 * @module
 */

/** The kinds of operations: reads, writes that are not durable yet, and the commit that makes them so. */
export const DATABASE_OPERATIONS = ["open", "read", "write", "commit"] as const;

export type DatabaseOperation = typeof DATABASE_OPERATIONS[number];

/** A fault of one operation; it then had no effect, except that a failed commit may appear after the next start. */
export type DatabaseFault = "error" | "quota";

export interface Medium {
  /** The number of the present event: a transaction is active only in the events that it causes. */
  readonly step: number;
  /** Carries out an operation, and calls `then` when it has ended, unless it hangs. */
  perform(operation: DatabaseOperation, then: (fault: DatabaseFault | null) => void): void;
  /** Calls `task` in an event of its own. */
  soon(task: () => void): void;
  /** Reports whether there is room for so many more bytes. */
  hasRoom(bytes: number): boolean;
  /** Returns true with this probability. */
  chance(probability: number): boolean;
}
