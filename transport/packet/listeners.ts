/**
 * Functions of the user that are told something.
 *
 * @module
 */

/** Tells it; what it throws is reported as an event listener's error would be, and is no matter for who tells. */
export function tell<Args extends unknown[]>(listener: ((...args: Args) => void) | undefined, ...args: Args): void {
  try {
    listener?.(...args);
  } catch (error) {
    // `reportError` does the same, but not every runtime has that.
    queueMicrotask(() => {
      throw error;
    });
  }
}
