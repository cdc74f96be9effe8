/**
 * The table of sessions, with the kept answers and the rules by which sessions end.
 * All of it follows from the log alone.
 *
 * @module
 */

/**
 * Limits on the number of sessions and on what they keep. They affect the results
 * of commands, so they must be equal on every node for the lifetime of a cluster; a
 * snapshot made with other limits is refused.
 */
export interface SessionLimits {
  /** The largest number of sessions; one more ends the one whose last command is the oldest in the log. @default 10000 */
  readonly maxSessions?: number;
  /** A session ends when this many log entries follow its last command. @default 10000000 */
  readonly maxIdleEntries?: number;
  /** The range of a session's sequences, from its lowest outstanding one. @default 4096 */
  readonly maxOutstanding?: number;
  /** Bytes of answers kept for a session; an answer that would exceed them is not kept. @default 1 MiB */
  readonly maxReplyBytes?: number;
  /** Bytes of answers kept for all; beyond, the sessions whose last command is oldest end. @default 64 MiB */
  readonly maxTotalReplyBytes?: number;
}

/** The defaults, in the order in which a snapshot has the limits. */
const DEFAULT_LIMITS: Required<SessionLimits> = {
  maxSessions: 10_000,
  maxIdleEntries: 10_000_000,
  maxOutstanding: 4096,
  maxReplyBytes: 1024 * 1024,
  maxTotalReplyBytes: 64 * 1024 * 1024,
};

/** The limits in a fixed order. */
export const LIMIT_NAMES = Object.keys(DEFAULT_LIMITS) as (keyof SessionLimits)[];

/** The kept answer of an executed command; `null` if it was too large. */
export interface KeptReply {
  readonly index: number;
  readonly result: Uint8Array | null;
}

/** A session. Its maps belong to it; snapshots see a state that doesn't change any more. */
export interface Session {
  readonly id: number;
  /** The index of its last command. */
  lastIndex: number;
  /** Sequences below are over. */
  lowestOutstanding: number;
  /** By sequence. Invariant: every key is >= `lowestOutstanding`. */
  replies: Map<number, KeptReply>;
  replyBytes: number;
  /** Not above the table's; below, a snapshot may still read it. */
  epoch: number;
}

/** All sessions, the one whose last command is oldest first. */
export class SessionTable {
  readonly limits: Required<SessionLimits>;
  /** Ordered by `lastIndex`, because a session with a new command is moved to the end. */
  readonly #sessions = new Map<number, Session>();
  #replyBytes = 0;
  #epoch = 0;

  constructor(limits: SessionLimits) {
    const given = Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
    this.limits = { ...DEFAULT_LIMITS, ...given };
    for (const name of LIMIT_NAMES) {
      const limit = this.limits[name];
      if (!Number.isSafeInteger(limit) || limit < 1) {
        throw new RangeError(`${name} must be an integer from 1: ${limit}`);
      }
    }
  }

  /** The number of sessions. */
  get size(): number {
    return this.#sessions.size;
  }

  /** The sessions as they are now, in order. They will not change. */
  capture(): readonly Session[] {
    this.#epoch++;
    return [...this.#sessions.values()];
  }

  /** Adds a session whose last command is newer than all others'. */
  add(session: Omit<Session, "epoch">): void {
    this.#sessions.set(session.id, { ...session, epoch: this.#epoch });
    this.#replyBytes += session.replyBytes;
  }

  /** Makes the session of a register command, and room for it. */
  register(index: number): void {
    this.add({ id: index, lastIndex: index, lowestOutstanding: 1, replies: new Map(), replyBytes: 0 });
    this.expire(index);
  }

  /** Ends the sessions that are over when the entry at `index` is applied. */
  expire(index: number): void {
    const { maxSessions, maxIdleEntries, maxTotalReplyBytes } = this.limits;
    for (const session of this.#sessions.values()) {
      const idle = index - session.lastIndex > maxIdleEntries;
      // The newest stays whatever it keeps: a session's own limit is what bounds it.
      const tooMuch = this.#replyBytes > maxTotalReplyBytes && this.#sessions.size > 1;
      if (!idle && !tooMuch && this.#sessions.size <= maxSessions) return;
      this.#sessions.delete(session.id);
      this.#replyBytes -= session.replyBytes;
    }
  }

  /** The session, for a command at `index`, ready to be changed; `undefined` if there is none. */
  use(id: number, index: number): Session | undefined {
    const found = this.#sessions.get(id);
    if (found === undefined) return undefined;
    const session = found.epoch === this.#epoch
      ? found
      : { ...found, replies: new Map(found.replies), epoch: this.#epoch };
    session.lastIndex = index;
    this.#sessions.delete(id);
    this.#sessions.set(id, session);
    return session;
  }

  /** Drops the answers below the lowest outstanding sequence, which never decreases. */
  settle(session: Session, lowestOutstanding: number): void {
    if (lowestOutstanding <= session.lowestOutstanding) return;
    const before = session.lowestOutstanding;
    session.lowestOutstanding = lowestOutstanding;
    if (lowestOutstanding - before <= session.replies.size) {
      for (let sequence = before; sequence < lowestOutstanding; sequence++) this.#forget(session, sequence);
    } else {
      for (const sequence of session.replies.keys()) {
        if (sequence < lowestOutstanding) this.#forget(session, sequence);
      }
    }
  }

  /** Keeps the answer of a command that was executed at `index`, or at least the index. */
  keep(session: Session, sequence: number, index: number, result: Uint8Array): void {
    const fits = session.replyBytes + result.length <= this.limits.maxReplyBytes;
    session.replies.set(sequence, { index, result: fits ? result : null });
    if (!fits) return;
    this.#addBytes(session, result.length);
    this.expire(index);
  }

  #forget(session: Session, sequence: number): void {
    this.#addBytes(session, -(session.replies.get(sequence)?.result?.length ?? 0));
    session.replies.delete(sequence);
  }

  #addBytes(session: Session, bytes: number): void {
    session.replyBytes += bytes;
    this.#replyBytes += bytes;
  }
}
