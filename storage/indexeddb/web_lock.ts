/// <reference lib="dom" />
/**
 * A lock for each node. Two tabs that write to one log would break all of its
 * guarantees, and duplicating a tab takes one click. So each node's database has a
 * Web Lock, which the browser releases when its holder ends in any way.
 */

import { errorName } from "./database_errors.ts";
import type { DatabasePlatform } from "./platform.ts";

/**
 * Takes a lock. Returns a function that releases it, and resolves once others can take
 * it; `null` if another tab or worker holds it.
 *
 * @param waitMs the time to wait for it
 * @param onStolen called if another tab takes it by force
 * @throws {StorageError} where there are no Web Locks
 */
export async function takeLock(
  platform: DatabasePlatform,
  name: string,
  waitMs: number,
  onStolen: () => void,
): Promise<(() => Promise<void>) | null> {
  const locks = platform.locks();
  const released = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<boolean>();
  let holds = false;
  const hold = (lock: Lock | null): Promise<void> | void => {
    holds = lock !== null;
    answered.resolve(holds);
    return holds ? released.promise : undefined;
  };
  const options: LockOptions = waitMs > 0 ? { signal: platform.timeoutSignal(waitMs) } : { ifAvailable: true };
  const request = locks.request(name, options, hold).catch((error) => {
    if (holds) onStolen();
    else if (errorName(error) === "TimeoutError") answered.resolve(false);
    else answered.reject(error);
  });
  if (!await answered.promise) return null;
  return async () => {
    holds = false;
    released.resolve();
    await request;
  };
}
