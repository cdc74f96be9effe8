/**
 * Web Locks: a tab that dies says no goodbye, but its locks are free at once.
 */

/** The part of `navigator.locks` that is used. */
export interface Locks {
  /**
   * Runs `held` once the lock is held, and keeps it until the promise of `held` settles. If the lock is not available
   * and `ifAvailable` is set, runs it at once with `null`.
   */
  request(
    name: string,
    options: {
      readonly mode?: "exclusive" | "shared";
      readonly ifAvailable?: boolean;
      readonly signal?: AbortSignal;
    },
    held: (lock: unknown) => Promise<void> | void,
  ): Promise<unknown>;
}

/** Returns the locks of this origin; `null` where there are none, as on a page that came by plain HTTP from another machine. */
export function originLocks(): Locks | null {
  const { navigator } = globalThis as { readonly navigator?: { readonly locks?: Locks } };
  return navigator?.locks ?? null;
}

/** Frees a lock; resolves when it is available to others. */
export type Release = () => Promise<void>;

/** Takes a lock. @throws {DOMException} if `signal` fires, or the browser refuses */
export async function hold(locks: Locks, name: string, signal?: AbortSignal): Promise<Release> {
  return (await request(locks, name, signal === undefined ? {} : { signal }))!;
}

/** Takes a lock; `null` if it is not available. @throws {DOMException} if the browser refuses */
export function tryHold(locks: Locks, name: string): Promise<Release | null> {
  return request(locks, name, { ifAvailable: true });
}

async function request(
  locks: Locks,
  name: string,
  options: Parameters<Locks["request"]>[1],
): Promise<Release | null> {
  const held = Promise.withResolvers<boolean>();
  const released = Promise.withResolvers<void>();
  const over = locks.request(name, options, (lock) => {
    held.resolve(lock !== null);
    return lock === null ? undefined : released.promise;
  }).then(() => {}, held.reject);
  if (!await held.promise) return null;
  return () => {
    released.resolve();
    return over;
  };
}
