/** Runs of the long-running tests as their users start them. */

import { fileURLToPath } from "node:url";

/** The end of a run. */
export interface MainRan {
  readonly code: number;
  /** Its output, on both streams. */
  readonly text: string;
}

/** Returns a function that runs `main`, a path below tests/, with arguments. */
export function runnerOf(main: string): (...args: readonly string[]) => Promise<MainRan> {
  const path = fileURLToPath(new URL(`../${main}`, import.meta.url));
  return async (...args) => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-all", "--no-check", path, ...args],
      env: { NO_COLOR: "1" },
    }).output();
    const decoder = new TextDecoder();
    return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
  };
}
