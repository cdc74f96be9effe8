/**
 * Slots for streams. A browser has six HTTP/1.1 connections for each host and
 * port, for all of its tabs together: a seventh request waits without notice. So
 * pages take one of four slots first, by Web Locks, which leaves two connections
 * for the calls of all; and a page without a slot can report it.
 */

import { abortedError } from "../../lib/errors.ts";
import { hold, type Locks, originLocks, type Release, tryHold } from "../packet/locks.ts";

/** The most streams to one server from the pages of one browser and origin. */
export const SLOTS = 4;

/** The browser's locks, where there are any. Other runtimes have locks too, but no such limit; every browser calls itself so. */
export function browserLocks(): Locks | null {
  const { navigator } = globalThis as { readonly navigator?: { readonly userAgent?: string } };
  return navigator?.userAgent?.startsWith("Mozilla/") === true ? originLocks() : null;
}

/**
 * Takes a slot for a stream to `server`.
 *
 * @param waits Called if all slots are taken, before it waits for one.
 * @returns a function that gives the slot back
 * @throws {RaftError} `aborted` once the signal fires
 */
export async function takeSlot(
  locks: Locks,
  server: string,
  waits: () => void,
  signal: AbortSignal,
): Promise<Release> {
  const names = Array.from({ length: SLOTS }, (_, slot) => `raft-core:relay:${server}:${slot}`);
  for (const name of names) {
    const release = await tryHold(locks, name);
    if (release !== null) return release;
  }
  waits();
  return await firstOf(locks, names, signal);
}

/** Waits for all of the locks, and keeps the first that it gets. */
async function firstOf(locks: Locks, names: readonly string[], signal: AbortSignal): Promise<Release> {
  const others = new AbortController();
  const waiting = AbortSignal.any([signal, others.signal]);
  const requests = names.map((name) => hold(locks, name, waiting));
  let kept: Release | undefined;
  try {
    return kept = await Promise.race(requests);
  } catch (error) {
    throw signal.aborted ? abortedError(signal) : error;
  } finally {
    others.abort();
    // Another one may have come at the same time; the rest end with an error.
    for (const request of requests) request.then((release) => release === kept ? undefined : release(), () => {});
  }
}
