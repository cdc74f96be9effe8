/**
 * The environment of the command line, from the process.
 */

import process from "node:process";
import type { CliIo, Sink } from "./io.ts";
import { OutputClosed } from "./io.ts";

function sinkOf(stream: NodeJS.WriteStream): Sink {
  let failure: Error | null = null;
  // Without a listener the failure of a write would end the process.
  stream.on("error", (error) => failure ??= error);
  return {
    isTerminal: stream.isTTY === true,
    write: (data) =>
      new Promise((resolve, reject) => {
        const done = (error?: Error | null): void => {
          const reason = error ?? failure;
          if (reason === null) resolve();
          else reject(isClosed(reason) ? new OutputClosed(reason.message) : reason);
        };
        if (failure !== null) done();
        else stream.write(data, done);
      }),
  };
}

function isClosed(error: Error): boolean {
  const { code } = error as { readonly code?: unknown };
  return code === "EPIPE" || code === "ERR_STREAM_DESTROYED" || error.name === "BrokenPipe";
}

/** Returns a variable of the environment; without the permission to read it, as if it were not set. */
function variable(name: string): string | undefined {
  try {
    return process.env[name];
  } catch {
    return undefined;
  }
}

/** Returns the process's own streams and environment. */
export function processIo(signal: AbortSignal): CliIo {
  return {
    stdout: sinkOf(process.stdout),
    stderr: sinkOf(process.stderr),
    stdin: {
      isTerminal: process.stdin.isTTY === true,
      read: () => process.stdin as AsyncIterable<Uint8Array>,
    },
    env: { RAFT_SERVER: variable("RAFT_SERVER"), NO_COLOR: variable("NO_COLOR"), TERM: variable("TERM") },
    signal,
  };
}
