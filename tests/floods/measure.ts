/**
 * Measures one flood of one server: its memory, and the wait of a client beside it.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { peakMib } from "../fuzz/guard.ts";
import { pause } from "../fuzz/raw_socket.ts";
import { eventually, type Node, Nodes } from "../support/server_processes.ts";
import type { Flood } from "./attack.ts";
import { Beside, type Latency } from "./beside.ts";

const ATTACKER = fileURLToPath(new URL("./attacker.ts", import.meta.url));
/** The time that an attacker may take to write what it asks for later. */
const READY_MS = 60_000;
/** The time that the client is watched for after the attack. */
const AFTER_MS = 500;
/** A request that takes longer is taken for one that is never served. */
const GIVE_UP_MS = 20_000;

/** The result of a flood. */
export interface Measured {
  /** The most memory that the server had resident, in MiB. */
  readonly peakMib: number;
  readonly beside: Latency;
  readonly opened: number;
  readonly refused: number;
  /** A fault other than a limit; empty if there is none. */
  readonly fault: string;
}

/** Runs an attacker; resolves when it has begun, with a promise of its counts. */
async function attack(flood: Flood, node: Node, clusterId: string, seconds: number) {
  const args = [flood.name, String(seconds), node.address, node.id, clusterId];
  const child = spawn(process.execPath, ["run", "--allow-all", "--no-check", ATTACKER, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (data) => void (output += String(data)));
  const exited = once(child, "exit");
  try {
    await eventually("the attack's begin", () => {
      if (child.exitCode !== null) throw new Error(`the attacker of "${flood.name}" failed`);
      return output.startsWith("ready");
    }, READY_MS);
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
  return async (): Promise<{ readonly opened: number; readonly refused: number }> => {
    await Promise.race([exited, pause(seconds * 1000 + 20_000)]);
    child.kill("SIGKILL");
    return JSON.parse(output.split("\n")[1] ?? "{}");
  };
}

/** Returns the commands of a flood's servers, with its limits. */
function commandsOf({ openFiles, hangsLeader }: Flood, command: readonly string[]): (readonly string[])[] {
  const limited = openFiles === undefined
    ? command
    : ["sh", "-c", `ulimit -n ${openFiles}; exec "$@"`, "sh", ...command];
  return hangsLeader === true ? [limited, limited, limited] : [limited];
}

/** Measures a flood. @param command runs a server */
export async function measure(flood: Flood, command: readonly string[], seconds: number): Promise<Measured> {
  let measured: Measured | undefined;
  await Nodes.run(commandsOf(flood, command), async (nodes) => {
    const leader = await nodes.leader();
    const [follower] = nodes.all.length > 1 ? nodes.others(leader) : [leader];
    const { clusterId } = await follower.status() as unknown as { readonly clusterId: string };
    let code: number | null | undefined;
    void follower.exited.then((exitCode) => void (code = exitCode));
    // Writes have to wait for an election where the leader hangs: reads of the own copy don't.
    const client = new Beside(follower, flood.hangsLeader !== true);
    const finish = await attack(flood, follower, clusterId, seconds);
    const asking = client.run();
    if (flood.hangsLeader === true) process.kill(leader.pid!, "SIGSTOP");
    const { opened = 0, refused = 0 } = await finish();
    await pause(AFTER_MS);
    const beside = await client.stop(GIVE_UP_MS);
    await asking;
    const fault = code === undefined ? "" : `the server ended with ${code}`;
    measured = { peakMib: peakMib(follower.pid), beside, opened, refused, fault };
  });
  return measured!;
}
