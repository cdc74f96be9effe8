/**
 * Runs the portable suites in the runtime that starts it:
 *
 *     deno run -A tests/runtime/main.ts
 *     node tests/runtime/main.ts
 *     bun tests/runtime/main.ts
 */

import process from "node:process";
import { adapterSuites } from "./adapter_suites.ts";
import { commandLine } from "./command_line.ts";
import { runSuites } from "./portable.ts";
import { ownCommand } from "../support/server_processes.ts";
import { leaderlessSuite } from "./leaderless_suite.ts";
import { membersSuite } from "./members_suite.ts";
import { serverSuite } from "./server_suite.ts";
import { standingSuite } from "./standing_suite.ts";
import { slowClients } from "./slow_clients.ts";
import { smoke } from "./smoke.ts";

const own = ownCommand();
const suites = [
  smoke,
  ...adapterSuites,
  slowClients,
  commandLine,
  membersSuite([own, own, own]),
  serverSuite("three nodes", [own, own, own]),
  standingSuite(own),
  leaderlessSuite(own),
];
const failed = await runSuites(suites, (line) => console.log(line));
// An open handle must not keep a finished run alive.
process.exit(failed > 0 ? 1 : 0);
