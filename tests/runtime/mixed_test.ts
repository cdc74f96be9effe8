/** One cluster of a Deno, a Node and a Bun server: they speak the same protocol, and read the same disk. */

import { runtimes } from "../../tools/runtimes.ts";
import { commandOf } from "../support/server_processes.ts";
import { serverSuite } from "./server_suite.ts";

const { deno, node, bun } = await runtimes();
const commands = [commandOf("deno", deno), commandOf("node", node), commandOf("bun", bun)];
const suite = serverSuite("Deno, Node and Bun together", commands);

for (const { name, run } of suite.cases) {
  Deno.test(`${suite.name}: ${name}`, run);
}
