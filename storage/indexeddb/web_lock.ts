/// <reference lib="dom" />
/**
 * One node has one owner. Two tabs that write to one log would break every
 * promise of it, and duplicating a tab takes one click. So a Web Lock goes with a
 * node's database; the browser releases it when its holder ends, in whatever way.
 *
 * @module
 */

import { errorName, missing } from "./database_errors.ts";

/** A lock that is held. */
export interface HeldLock {
  /** Lets go of it; resolves once others can have it. */
  release(): Promise<void>;
}

/**
 * Takes a lock; `null` if somebody else has it.
 *
 * @param waitMs how long to wait for it; not at all with 0
 * @param onStolen called if somebody takes it away by force
 * @throws {StorageError} where there are no Web Locks
 */
export async function takeLock(name: string, waitMs: number, onStolen: () => void): Promise<HeldLock | null> {
  // A page that is not secure has no such property, whatever the types say.
  const locks = (navigator as { readonly locks?: LockManager }).locks;
  if (locks === undefined) throw missing("Web Locks", "which keep two tabs from writing to one log");
  const released = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<boolean>();
  let holds = false;
  const hold = (lock: Lock | null): Promise<void> | void => {
    holds = lock !== null;
    answered.resolve(holds);
    return holds ? released.promise : undefined;
  };
  const options: LockOptions = waitMs > 0 ? { signal: AbortSignal.timeout(waitMs) } : { ifAvailable: true };
  const request = locks.request(name, options, hold).catch((error) => {
    if (holds) onStolen();
    else if (errorName(error) === "TimeoutError") answered.resolve(false);
    else answered.reject(error);
  });
  if (!await answered.promise) return null;
  return {
    async release(): Promise<void> {
      holds = false;
      released.resolve();
      await request;
    },
  };
}
