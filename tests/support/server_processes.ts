/**
 * Clusters of real server processes, for tests in any runtime: free ports, a
 * temporary folder, processes ended by their id.
 *
 * @module
 */

import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../server/main.ts", import.meta.url));

/** Returns commands for three nodes in the present runtime. */
export function threeNodes(): (readonly string[])[] {
  return [ownCommand(), ownCommand(), ownCommand()];
}

/** Returns the command, a program and its first arguments, that runs server/main.ts in this runtime. */
export function ownCommand(): readonly string[] {
  const flags = "Deno" in globalThis ? ["run", "--allow-all", "--no-check"] : [];
  return [process.execPath, ...flags, MAIN];
}

/** Returns the command that runs a program in a runtime, for clusters of several runtimes. */
export function commandOf(runtime: "deno" | "node" | "bun", program: string): readonly string[] {
  return [program, ...(runtime === "deno" ? ["run", "--allow-all", "--no-check"] : []), MAIN];
}

/** Waits until `condition` returns something other than undefined, null or false. */
export async function eventually<T>(
  what: string,
  condition: () => Promise<T | undefined | null | false> | T | undefined | null | false,
  withinMs = 30_000,
): Promise<T> {
  const end = performance.now() + withinMs;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== null && value !== false) return value;
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Ports below those that systems use for outgoing connections: they stay free while their server is down. */
const PORTS = { first: 20_000, count: 12_000 };
/** Returns a folder with an empty file for each port that some process has taken and may not listen on at the moment. */
function takenPorts(): string {
  return join(tmpdir(), `raft-core-ports-${process.getuid?.() ?? ""}`);
}

/** The age of a file that is left by an earlier run. */
const LEFT_MS = 30 * 60_000;

/** Returns a free port that was not returned before, to this process or another that runs tests. */
export async function freePort(): Promise<number> {
  mkdirSync(takenPorts(), { recursive: true });
  for (let attempts = 0; attempts < 1000; attempts++) {
    const port = PORTS.first + Math.floor(Math.random() * PORTS.count);
    if (take(port) && await isFree(port)) return port;
  }
  throw new Error("no port of 127.0.0.1 seems to be free");
}

/** Takes a port, unless another process has. */
function take(port: number): boolean {
  const file = join(takenPorts(), String(port));
  try {
    closeSync(openSync(file, "wx"));
    return true;
  } catch (error) {
    if ((error as { readonly code?: string }).code !== "EEXIST") throw error;
    const age = Date.now() - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0);
    // Removed, so that it can be taken the next time.
    if (age > LEFT_MS) rmSync(file, { force: true });
    return false;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** The part of `GET /status` that these tests read. */
export interface Status {
  readonly id: string;
  readonly lifecycle: string;
  readonly role: string;
  readonly term: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly snapshotIndex: number;
  readonly leader: { readonly id: string } | null;
  readonly members: readonly { readonly id: string; readonly address: string; readonly suffrage: string }[];
  readonly membershipCommitted: boolean;
}

/** One node. */
export class Node {
  readonly id: string;
  readonly address: string;
  readonly data: string;
  readonly #command: readonly string[];
  #child: ChildProcess | null = null;
  #exit: Promise<number | null> = Promise.resolve(null);
  #output = "";

  constructor(id: string, address: string, data: string, command: readonly string[]) {
    this.id = id;
    this.address = address;
    this.data = data;
    this.#command = command;
  }

  /** The output of its processes. */
  get output(): string {
    return this.#output;
  }

  /** The id of the running process; undefined if there is none. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Waits for a line of output, which may arrive later than the process's answers. */
  async printed(pattern: RegExp): Promise<void> {
    await eventually(`${this.id} printing ${pattern}`, () => pattern.test(this.#output));
  }

  start(flags: readonly string[]): void {
    const [program = "", ...first] = this.#command;
    const own = ["--id", this.id, "--data", this.data, "--listen", new URL(this.address).host];
    // Not in the project's folder, where Deno would find its configuration.
    const cwd = dirname(this.data);
    const child = spawn(program, [...first, ...own, ...flags], { stdio: ["ignore", "pipe", "pipe"], cwd });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk) => void (this.#output += String(chunk)));
    }
    this.#child = child;
    this.#exit = new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code) => {
        this.#child = null;
        resolve(code);
      });
    });
  }

  /** Sends a signal, and resolves with the exit code; null if the signal ended it. */
  async end(signal: "SIGKILL" | "SIGTERM" | "SIGINT"): Promise<number | null> {
    // By process id: after the child's own `kill` Deno reports the signal in place of the exit code.
    if (this.#child?.pid !== undefined) process.kill(this.#child.pid, signal);
    return await this.#exit;
  }

  /** Resolves with the exit code. */
  get exited(): Promise<number | null> {
    return this.#exit;
  }

  /** Reads its status; `null` if it doesn't answer, or is still starting. */
  async status(): Promise<Status | null> {
    try {
      const response = await fetch(`${this.address}/status`, { signal: AbortSignal.timeout(2000) });
      const status = await response.json() as Partial<Status>;
      return status.role === undefined ? null : status as Status;
    } catch {
      return null;
    }
  }

  /** Puts a value, and retries until it is acknowledged; writing it twice does no harm. */
  async put(key: string, value: string): Promise<Response> {
    return await answered(() => fetch(`${this.address}/kv/${key}`, { method: "PUT", body: value }));
  }

  /** Gets a value; returns the status code if there is none. */
  async get(key: string, query = ""): Promise<string> {
    const response = await answered(() => fetch(`${this.address}/kv/${key}${query}`));
    const text = await response.text();
    return response.ok ? text : `status ${response.status}`;
  }

  /** Makes a Connect call in plain JSON. */
  async call(method: string, body: unknown): Promise<{ readonly status: number; readonly text: string }> {
    const response = await fetch(`${this.address}/raft.v1.${method}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return { status: response.status, text: await response.text() };
  }
}

/** Retries while the answer is 503: on a busy machine a leader may lose its followers, which is not a failure. */
async function answered(ask: () => Promise<Response>, withinMs = 30_000): Promise<Response> {
  for (const end = performance.now() + withinMs;;) {
    const response = await ask();
    if (response.status !== 503 || performance.now() > end) return response;
    await response.body?.cancel();
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Nodes n1, n2, … of one cluster. */
export class Nodes {
  readonly all: Node[] = [];
  readonly #folder: string = mkdtempSync(join(tmpdir(), "raft-core-"));
  readonly #flags: readonly string[];
  #peers = "";

  private constructor(flags: readonly string[]) {
    this.#flags = flags;
  }

  /** Starts the nodes, calls `work` once one leads and all follow it, and always ends them. */
  static async run(
    commands: readonly (readonly string[])[],
    work: (nodes: Nodes) => Promise<void>,
    flags: readonly string[] = [],
  ): Promise<void> {
    const nodes = new Nodes(flags);
    try {
      for (const [at, command] of commands.entries()) await nodes.make(`n${at + 1}`, command);
      nodes.#peers = nodes.all.map(({ id, address }) => `${id}=${new URL(address).host}`).join(",");
      for (const node of nodes.all) nodes.start(node);
      await nodes.leader();
      await work(nodes);
    } catch (error) {
      const outputs = nodes.all.map(({ id, output }) => `--- ${id}\n${output}`).join("\n");
      throw new Error(`${error instanceof Error ? error.message : String(error)}\n${outputs}`, { cause: error });
    } finally {
      await Promise.all(nodes.all.map((node) => node.end("SIGKILL")));
      rmSync(nodes.#folder, { recursive: true, force: true });
    }
  }

  /** Makes one more node, and doesn't start it. */
  async make(id: string, command: readonly string[]): Promise<Node> {
    const node = new Node(id, `http://127.0.0.1:${await freePort()}`, join(this.#folder, id), command);
    this.all.push(node);
    return node;
  }

  /** Replaces a node by one with the same folder, and another command, name or address; doesn't start it. */
  async replace(
    node: Node,
    command: readonly string[],
    changes: { readonly id?: string; readonly address?: string } = {},
  ): Promise<Node> {
    await node.end("SIGKILL");
    const again = new Node(changes.id ?? node.id, changes.address ?? node.address, node.data, command);
    this.all.splice(this.all.indexOf(node), 1, again);
    return again;
  }

  /** Starts one more node, to be added by an operator; resolves once it listens. */
  async join(id: string, command: readonly string[] = ownCommand()): Promise<Node> {
    const node = this.all.find((other) => other.id === id) ?? await this.make(id, command);
    this.start(node, "--join");
    await eventually(`${id} listening`, () => node.status());
    return node;
  }

  /** The endpoints of clients. */
  get endpoints(): string[] {
    return this.all.map(({ address }) => address);
  }

  start(node: Node, ...flags: readonly string[]): void {
    node.start([...this.#flags, ...(flags.length > 0 ? flags : ["--peers", this.#peers])]);
  }

  /** Resolves with the leader that all answering nodes follow. */
  async leader(not?: Node): Promise<Node> {
    return await eventually("a leader", async () => {
      const statuses = (await Promise.all(this.all.map((node) => node.status()))).filter((status) => status !== null);
      const leader = statuses.find(({ role, id }) => role === "leader" && id !== not?.id);
      if (leader === undefined || statuses.length * 2 <= this.all.length) return null;
      return statuses.every((status) => status.leader?.id === leader.id) ? this.named(leader.id) : null;
    });
  }

  named(id: string): Node {
    const node = this.all.find((other) => other.id === id);
    if (node === undefined) throw new Error(`there is no ${id}`);
    return node;
  }

  /** Returns all nodes except one. */
  others(node: Node): [Node, ...Node[]] {
    const [first, ...rest] = this.all.filter((other) => other !== node);
    if (first === undefined) throw new Error("there is no other");
    return [first, ...rest];
  }
}
