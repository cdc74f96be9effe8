/**
 * Calls of functions that the user handed in.
 */

import { reportError } from "../../lib/host.ts";

/** Calls a listener. Anything that it throws is reported as an event listener's error would be, and does not reach the caller. */
export function notify<Args extends unknown[]>(listener: ((...args: Args) => void) | undefined, ...args: Args): void {
  try {
    listener?.(...args);
  } catch (error) {
    reportError(error);
  }
}
