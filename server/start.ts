/**
 * Starts a whole cluster on this machine: `deno task start`. Each node is a
 * process of its own, in the runtime that runs this.
 */

import { spawn } from "node:child_process";
import { resolve } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { Command, CommanderError } from "commander";
import type { NodeStatus } from "../lib/node/types.ts";
import { RaftError } from "../lib/errors.ts";
import { sentence } from "../lib/sentence.ts";
import { urlHost } from "./addresses.ts";
import { table } from "./cli/text.ts";
import { EXIT, exitCodeOf } from "./exit_codes.ts";
import { descriptor, LineWriter } from "./line_writer.ts";
import { localCluster, NEW_CLUSTER_NODES } from "./local_cluster.ts";
import type { LocalCluster } from "./local_cluster.ts";
import { collect, integer, parseListen, withUsage } from "./options.ts";
import { ownCommand } from "./own_command.ts";
import { onShutdownSignal } from "./shutdown.ts";

interface StartArguments {
  readonly nodes?: number;
  readonly data: string;
  readonly host: string;
  readonly port: number;
  readonly allowOrigin?: readonly string[];
  readonly allowAdminOrigin?: readonly string[];
}

/** The longest wait for the first leader. */
const START_TIMEOUT_MS = 60_000;
/** The longest wait for a node to close before it is killed. */
const STOP_TIMEOUT_MS = 15_000;

/** The line of a node's log once the port is its own. */
const LISTENS = /^\S+ info {2}Listening on /;

const stdout = new LineWriter(descriptor(1));
const stderr = new LineWriter(descriptor(2));

/** One node's process. */
class NodeProcess {
  readonly id: string;
  readonly address: string;
  readonly command: readonly string[];
  readonly pid: number | undefined;
  /** Resolves with its exit code, or with the name of the signal that ended it. */
  readonly ended: Promise<number | string>;
  /** Its exit code or signal; `null` while it runs. */
  end: number | string | null = null;
  /** The time from which its log is shown: until the cluster is up, and once it stops, only failures are of interest. */
  #logFrom = Infinity;
  #listens = false;
  #stops = false;

  constructor(id: string, address: string, command: readonly string[]) {
    this.id = id;
    this.address = address;
    this.command = command;
    const [program = "", ...args] = command;
    const child = spawn(program, args, { stdio: ["ignore", "inherit", "pipe"] });
    this.pid = child.pid;
    const lines = createInterface({ input: child.stderr });
    lines.on("line", (line) => {
      this.#listens ||= LISTENS.test(line);
      if (this.#isShown(line)) stderr.write(line);
    });
    const drained = new Promise<void>((resolve) => lines.on("close", resolve));
    this.ended = new Promise((resolve) => {
      const end = async (how: number | string): Promise<void> => {
        await drained;
        this.end = how;
        resolve(how);
      };
      child.on("error", (error) => {
        stderr.write(`${id}: ${error.message}`);
        void end(EXIT.failed);
      });
      child.on("exit", (code, signal) => void end(code ?? signal ?? EXIT.failed));
    });
  }

  /** Returns its status; `null` until it answers. Before it listens, another process may answer at its address. */
  async status(): Promise<NodeStatus | null> {
    if (!this.#listens) return null;
    try {
      const response = await fetch(`${this.address}/status`, { signal: AbortSignal.timeout(1000) });
      return response.ok ? await response.json() as NodeStatus : null;
    } catch {
      return null;
    }
  }

  /** Shows its log from now on, but no line from before, which may still be under way. */
  showLog(): void {
    this.#logFrom = Date.now();
  }

  #isShown(line: string): boolean {
    const [, time = "", level] = /^(\S+Z) (\w+) /.exec(line) ?? [];
    if (this.#stops) return level !== "info" && level !== "warn";
    return level !== "info" || Date.parse(time) >= this.#logFrom;
  }

  async stop(): Promise<void> {
    this.#stops = true;
    if (this.end !== null) return;
    this.#signal("SIGTERM");
    const timer = setTimeout(() => this.#signal("SIGKILL"), STOP_TIMEOUT_MS);
    await this.ended;
    clearTimeout(timer);
  }

  /** Signals by process id: after the child's own `kill`, Deno reports the signal instead of the exit code. */
  #signal(signal: "SIGTERM" | "SIGKILL"): void {
    if (this.end !== null || this.pid === undefined) return;
    try {
      process.kill(this.pid, signal);
    } catch {
      // It ended a moment ago.
    }
  }
}

function spawnNodes({ nodes, members }: LocalCluster, options: StartArguments): readonly NodeProcess[] {
  const { data, allowOrigin = [], allowAdminOrigin = [] } = options;
  const peers = members.map(({ id, host }) => `${id}=${host}`).join(",");
  const origins = [
    ...allowOrigin.flatMap((origin) => ["--allow-origin", origin]),
    ...allowAdminOrigin.flatMap((origin) => ["--allow-admin-origin", origin]),
  ];
  return nodes.map(({ id, host }) => {
    const flags = ["--id", id, "--data", resolve(data, id), "--listen", host, "--peers", peers, ...origins];
    return new NodeProcess(id, `http://${host}`, [...ownCommand(), ...flags]);
  });
}

/** Returns the status of all nodes once they agree on the leader, and have committed who its members are; `null` before. */
async function allFollow(nodes: readonly NodeProcess[]): Promise<readonly NodeStatus[] | null> {
  const statuses = (await Promise.all(nodes.map((node) => node.status()))).filter((status) => status !== null);
  const [leader, ...others] = new Set(statuses.map(({ leader }) => leader?.id));
  const agreed = leader !== undefined && others.length === 0 && statuses.every((one) => one.membershipCommitted);
  return agreed && statuses.length === nodes.length ? statuses : null;
}

/** Waits for a leader. Returns `null` if a node ended, after the timeout, or once `stopped` holds. */
async function waitForLeader(
  nodes: readonly NodeProcess[],
  stopped: () => boolean,
): Promise<readonly NodeStatus[] | null> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (performance.now() < deadline && !stopped() && nodes.every((node) => node.end === null)) {
    const statuses = await allFollow(nodes);
    if (statuses !== null) return statuses;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return null;
}

/** Aligns rows in columns, indented. */
function indented(rows: readonly (readonly string[])[]): string {
  const [titles = [], ...others] = rows;
  return table(titles, others).replaceAll(/^/gm, "  ").trimEnd();
}

/** Returns the command that runs the command line from a terminal like this one. */
function raftCommand(): string {
  if (!("Deno" in globalThis)) return `${"Bun" in globalThis ? "bun" : "node"} server/cli/main.ts`;
  const npx = process.env["npm_lifecycle_event"] === "npx";
  return `${npx ? `npx --yes deno@${Deno.version.deno}` : "deno"} task raft`;
}

function welcome(nodes: readonly NodeProcess[], statuses: readonly NodeStatus[], data: string): string {
  const rows = nodes.map((node, at) => [node.id, node.address, String(node.pid), statuses[at]?.role ?? ""]);
  const leader = nodes.find((_, at) => statuses[at]?.role === "leader") ?? nodes[0];
  const other = nodes.find((node) => node !== leader) ?? leader;
  const tries = [
    [`curl -X PUT ${leader?.address}/kv/greeting -d hello`, "write"],
    [`curl ${other?.address}/kv/greeting`, "read, from any node"],
    [`${raftCommand()} status --server ${other?.address}`, "show the leader"],
    ...(nodes.length > 2 ? [[`kill -9 ${leader?.pid}`, "kill the leader, then read again"]] : []),
  ];
  return `\nA cluster of ${nodes.length} is running; its data is in ${data}.\n\n` +
    `${indented([["node", "address", "pid", "role"], ...rows])}\n\nTry in another terminal:\n\n` +
    `${indented(tries.map(([command = "", what]) => [command, `# ${what}`]))}\n\nCtrl-C stops all nodes.\n`;
}

function described(end: number | string): string {
  return typeof end === "number" ? `exit code ${end}` : `signal ${end}`;
}

/** Joins words for a shell, quoted where needed. */
function shellCommand(command: readonly string[]): string {
  return command.map((word) => /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
}

async function run(options: StartArguments): Promise<number> {
  let stopping = false;
  const cluster = await localCluster({ ...options, nodes: options.nodes });
  for (const remark of cluster.remarks) stderr.write(remark);
  const nodes = spawnNodes(cluster, options);
  let stoppedNodes: readonly NodeProcess[] = [];
  const stopAll = async (): Promise<void> => {
    stopping = true;
    stoppedNodes = nodes.filter((node) => node.end === null);
    await Promise.all(nodes.map((node) => node.stop()));
  };
  onShutdownSignal(() => {
    stderr.write("Stopping all nodes…");
    void stopAll();
  });
  const statuses = await waitForLeader(nodes, () => stopping);
  if (statuses === null && !stopping) {
    const failed = nodes.find((node) => node.end !== null);
    await stopAll();
    if (failed === undefined) {
      stderr.write(`No leader was elected within ${START_TIMEOUT_MS / 1000} s.`);
      return EXIT.noLeader;
    }
    stderr.write(`The cluster did not start: ${failed.id} ended with ${described(failed.end ?? EXIT.failed)}.`);
    return typeof failed.end === "number" && failed.end !== 0 ? failed.end : EXIT.failed;
  }
  if (statuses !== null && !stopping) stdout.write(welcome(nodes, statuses, options.data));
  for (const node of nodes) node.showLog();
  const ends = await Promise.all(nodes.map(async (node) => {
    const end = await node.ended;
    if (!stopping) {
      stderr.write(`${node.id} ended with ${described(end)}. To start it again:\n  ${shellCommand(node.command)}`);
    }
    return end;
  }));
  if (stopping) {
    stderr.write("All nodes have stopped.");
    return stoppedNodes.every((node) => node.end === 0) ? EXIT.done : EXIT.failed;
  }
  stderr.write("All nodes have ended.");
  return ends.find((end) => typeof end === "number" && end !== 0) as number | undefined ?? EXIT.failed;
}

/** Parses a host name or address to listen on; an IPv6 address may have brackets. */
function hostToListen(value: string): string {
  return parseListen(`${urlHost(value.replace(/^\[(.*)\]$/, "$1"))}:0`).hostname;
}

function parse(args: readonly string[]): StartArguments {
  const parser = new Command("start")
    .description("Starts a cluster on this machine, one process per node. Started again, it continues with its data.")
    .option("--nodes <count>", `the number of nodes of a new cluster (default: ${NEW_CLUSTER_NODES})`, integer(1, 99))
    .option("--data <dir>", "the parent of the nodes' data folders", "./raft-data")
    .option("--host <host>", "the address to listen on, ::1 for IPv6", hostToListen, "127.0.0.1")
    .option("--port <port>", "the port of the first node; the others use the next ones", integer(1, 65_535), 7001)
    .option("--allow-origin <origin>", "let web pages of this origin call (repeatable); * for any", collect)
    .option("--allow-admin-origin <origin>", "let them administer the cluster, too (repeatable)", collect);
  withUsage(parser).parse([...args], { from: "user" });
  const options = parser.opts<StartArguments>();
  if (options.port + (options.nodes ?? NEW_CLUSTER_NODES) - 1 > 65_535) {
    parser.error("error: the ports would exceed 65535");
  }
  return options;
}

try {
  const options = parse(process.argv.slice(2));
  const exitCode = await run(options).catch((error) => {
    if (!(error instanceof RaftError)) throw error;
    stderr.write(sentence(error.message));
    if (error.hint !== "") stderr.write(error.hint);
    return exitCodeOf(error);
  });
  await Promise.all([stdout.flush(), stderr.flush()]);
  process.exit(exitCode);
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exit(error.exitCode);
}
