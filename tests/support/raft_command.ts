/**
 * The command line, started like by a user.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import type { Nodes } from "./server_processes.ts";

const MAIN = fileURLToPath(new URL("../../server/cli/main.ts", import.meta.url));
const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** The result of a command. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `raft …` against a cluster. @throws if its exit code is not `expected` */
export async function raftCommand(
  nodes: Pick<Nodes, "endpoints">,
  args: readonly string[],
  expected = 0,
): Promise<CommandResult> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-check", MAIN, "--server", nodes.endpoints.join(","), ...args],
    cwd: ROOT,
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  const result = { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  if (code !== expected) {
    throw new Error(`raft ${args.join(" ")} ended with ${code}, not ${expected}\n${result.stdout}\n${result.stderr}`);
  }
  return result;
}
