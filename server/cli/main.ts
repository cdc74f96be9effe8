/**
 * The command line: `deno task raft …`. See docs/command_line.md.
 */

import process from "node:process";
import { EXIT } from "../exit_codes.ts";
import { processIo } from "./process_io.ts";
import { run } from "./run.ts";
import { systemServices } from "./services.ts";

const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    // A second Ctrl-C ends it at once.
    if (interrupted.signal.aborted) process.exit(EXIT.interrupted);
    interrupted.abort();
  });
}
process.exit(await run(process.argv.slice(2), processIo(interrupted.signal), systemServices));
