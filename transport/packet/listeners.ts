/**
 * Calls of functions that the user handed in.
 *
 * @module
 */

/** Calls a listener. Anything that it throws is reported as an event listener's error would be, and does not reach the caller. */
export function notify<Args extends unknown[]>(listener: ((...args: Args) => void) | undefined, ...args: Args): void {
  try {
    listener?.(...args);
  } catch (error) {
    // `reportError` does the same, but not every runtime has that.
    queueMicrotask(() => {
      throw error;
    });
  }
}
