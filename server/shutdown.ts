/**
 * The handling of SIGINT and SIGTERM.
 */

import process from "node:process";
import { EXIT } from "./exit_codes.ts";

/**
 * Calls `stop` on the first SIGINT or SIGTERM, so that the node closes cleanly.
 * A second SIGINT ends the process at once.
 *
 * @returns a function that removes the handlers.
 */
export function onShutdownSignal(stop: (signal: "SIGINT" | "SIGTERM") => void): () => void {
  let firstAt = 0;
  const onSignal = (signal: "SIGINT" | "SIGTERM"): void => {
    if (firstAt === 0) {
      firstAt = performance.now();
      stop(signal);
      // A Ctrl-C that also reaches a parent arrives twice, close together; a person is slower.
    } else if (signal === "SIGINT" && performance.now() - firstAt > 500) process.exit(EXIT.interrupted);
  };
  const onInterrupt = (): void => onSignal("SIGINT");
  const onTerminate = (): void => onSignal("SIGTERM");
  process.on("SIGINT", onInterrupt).on("SIGTERM", onTerminate);
  return () => void process.off("SIGINT", onInterrupt).off("SIGTERM", onTerminate);
}
