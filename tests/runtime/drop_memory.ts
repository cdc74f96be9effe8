/** The program that memory_test.ts starts in every runtime: holds 300 MiB, drops them, and waits until they are gone. */

import process from "node:process";
import { collectEarly } from "../../server/memory.ts";
import { eventually } from "../support/server_processes.ts";

const MIB = 1024 * 1024;

function residentMib(): number {
  return process.memoryUsage.rss() / MIB;
}

collectEarly(150 * MIB);
const held = Array.from({ length: 300 }, () => new Array<number>(MIB / 8).fill(0.5));
const most = residentMib();
if (most < 300) throw new Error(`the memory is not resident: ${most} MiB`);
held.length = 0;
await eventually("the memory is given back", () => residentMib() < most - 250);
console.log("given back");
process.exit(0);
