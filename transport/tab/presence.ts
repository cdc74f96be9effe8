/**
 * The presence of tabs, by Web Locks.
 */

import type { Host } from "../../lib/clock.ts";
import { RaftError } from "../../lib/errors.ts";
import { hold, type Locks, type Release } from "../packet/locks.ts";

/** Returns the name of the lock that is held as long as a session lives. */
function sessionLock(session: string): string {
  return `raft-core session ${session}`;
}

/** Holds the lock of a session; `null` if the browser gives none here. */
export async function holdSession(locks: Locks, session: string): Promise<Release | null> {
  try {
    return await hold(locks, sessionLock(session));
  } catch {
    return null;
  }
}

/** Calls `ended` when the session's lock is free: its holder is gone. Returns how to leave off. */
export function watchSession(locks: Locks, session: string, ended: () => void): () => void {
  const controller = new AbortController();
  // Shared, so that all waiters get it at once, and free it again at once.
  locks.request(sessionLock(session), { mode: "shared", signal: controller.signal }, () => ended()).catch(() => {});
  return () => controller.abort();
}

/**
 * Takes a name that one alone may have. A page that is being left may hold it a
 * little longer than its successor needs to come up.
 *
 * @param signal gives up waiting
 * @returns `null` if the browser gives no locks here, or the signal fired
 * @throws {RaftError} `refused` if another still has it after `waitMs`
 */
export async function holdAlone(
  locks: Locks,
  name: string,
  host: Host,
  waitMs: number,
  signal: AbortSignal,
): Promise<Release | null> {
  const waiting = new AbortController();
  const cancel = host.clock.setTimer(waitMs, () => waiting.abort());
  try {
    return await hold(locks, `raft-core transport ${name}`, AbortSignal.any([signal, waiting.signal]));
  } catch {
    if (!waiting.signal.aborted || signal.aborted) return null;
    throw new RaftError("refused", `another tab or worker is at ${name}`, {
      hint: "Close that one first, or choose another node id: a duplicated tab has the id of the first.",
    });
  } finally {
    cancel();
  }
}
