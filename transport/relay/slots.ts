/**
 * Slots for streams. A browser has six HTTP/1.1 connections for each host and
 * port, for all of its tabs together: a seventh request waits without notice. So
 * pages take one of four slots first, by Web Locks, which leaves two connections
 * for the calls of all; and a page without a slot can report it.
 */

import { abortedError } from "../../lib/errors.ts";

/** The most streams to one server from the pages of one browser and origin. */
export const SLOTS = 4;

/** The part of `navigator.locks` that is used. */
export interface SlotLocks {
  /** Runs `held` while the lock is held; at once and with `null` if it is not available and `ifAvailable` is set. */
  request(
    name: string,
    options: { readonly ifAvailable?: boolean; readonly signal?: AbortSignal },
    held: (lock: unknown) => Promise<void> | void,
  ): Promise<unknown>;
}

/** The browser's locks, where there are any. Other runtimes have locks too, but no such limit; every browser calls itself so. */
export function browserLocks(): SlotLocks | null {
  const { navigator } = globalThis as {
    readonly navigator?: { readonly userAgent?: string; readonly locks?: SlotLocks };
  };
  return navigator?.userAgent?.startsWith("Mozilla/") === true ? navigator.locks ?? null : null;
}

/**
 * Takes a slot for a stream to `server`.
 *
 * @param waits Called if all slots are taken, before it waits for one.
 * @returns a function that gives the slot back
 * @throws {RaftError} `aborted` once the signal fires
 */
export async function takeSlot(
  locks: SlotLocks,
  server: string,
  waits: () => void,
  signal: AbortSignal,
): Promise<() => void> {
  const names = Array.from({ length: SLOTS }, (_, slot) => `raft-core:relay:${server}:${slot}`);
  for (const name of names) {
    const release = await tryLock(locks, name);
    if (release !== null) return release;
  }
  waits();
  return await firstOf(locks, names, signal);
}

function tryLock(locks: SlotLocks, name: string): Promise<(() => void) | null> {
  return new Promise((resolve, reject) => {
    locks.request(name, { ifAvailable: true }, (lock) => {
      if (lock === null) return resolve(null);
      return new Promise<void>((release) => resolve(release));
    }).catch(reject);
  });
}

/** Waits for all of the locks, and keeps the first that it gets. */
async function firstOf(locks: SlotLocks, names: readonly string[], signal: AbortSignal): Promise<() => void> {
  const others = new AbortController();
  const stop = (): void => others.abort();
  signal.addEventListener("abort", stop);
  try {
    return await new Promise((resolve, reject) => {
      let got = false;
      const held = (): Promise<void> | void => {
        if (got || signal.aborted) return;
        got = true;
        return new Promise<void>((release) => resolve(release));
      };
      for (const name of names) {
        locks.request(name, { signal: others.signal }, held).catch((error: unknown) => {
          // Requests that are no longer needed end with an error too.
          if (!others.signal.aborted) reject(error);
          else if (signal.aborted) reject(abortedError(signal, "rejected"));
        });
      }
      if (signal.aborted) stop();
    });
  } finally {
    signal.removeEventListener("abort", stop);
    others.abort();
  }
}
