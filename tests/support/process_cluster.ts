/**
 * A cluster of real server processes, for tests: free ports, a temporary folder,
 * processes ended by their id.
 *
 * @module
 */

import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The fields of `GET /status` that tests look at. */
export interface ServerStatus {
  readonly id: string;
  readonly clusterId: string;
  readonly role: string;
  readonly term: number;
  readonly leader: { readonly id: string; readonly address: string } | null;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly lastIndex: number;
  readonly snapshotIndex: number;
  readonly members: readonly { readonly id: string; readonly address: string; readonly suffrage: string }[];
  readonly storage: { readonly healthy: boolean; readonly error: string | null };
}

/** One node: its process, if it runs, and what it printed. */
export interface ServerProcess {
  readonly id: string;
  readonly address: string;
  readonly data: string;
  /** Everything that its processes have printed. */
  output(): string;
  readonly running: boolean;
  readonly pid: number;
  /** Sends a signal; SIGKILL is what `kill -9` sends. */
  signal(signal: Deno.Signal): void;
  /** Ends with the exit code, once the process has ended. */
  exited(): Promise<number>;
}

const MAIN = fileURLToPath(new URL("../../server/main.ts", import.meta.url));
const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** How a runtime starts server/main.ts. */
export type ServerCommand = readonly string[];

/** The command that starts a server in this runtime. */
export const denoServer: ServerCommand = [Deno.execPath(), "run", "--allow-all", "--no-check", MAIN];

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** Waits until `condition` gives something other than undefined, null or false. */
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
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A started node. */
class Server implements ServerProcess {
  readonly id: string;
  readonly address: string;
  readonly data: string;
  #child: Deno.ChildProcess;
  #exited: Promise<number>;
  #drained: Promise<unknown>;
  #output = "";
  #running = true;

  constructor(id: string, address: string, data: string, command: ServerCommand, flags: readonly string[]) {
    this.id = id;
    this.address = address;
    this.data = data;
    const [program, ...first] = command;
    this.#child = new Deno.Command(program!, {
      args: [...first, "--id", id, "--data", data, "--listen", new URL(address).host, ...flags],
      cwd: ROOT,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      env: { NO_COLOR: "1" },
    }).spawn();
    this.#drained = Promise.all([this.#drain(this.#child.stdout), this.#drain(this.#child.stderr)]);
    this.#exited = this.#child.status.then((status) => {
      this.#running = false;
      return status.code;
    });
  }

  get running(): boolean {
    return this.#running;
  }

  get pid(): number {
    return this.#child.pid;
  }

  output(): string {
    return this.#output;
  }

  signal(signal: Deno.Signal): void {
    if (this.#running) this.#child.kill(signal);
  }

  async exited(): Promise<number> {
    const code = await this.#exited;
    await this.#drained;
    return code;
  }

  async #drain(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of stream) this.#output += decoder.decode(bytes, { stream: true });
  }
}

/** Options of {@linkcode ProcessCluster.start}. */
export interface ProcessClusterOptions {
  /** @default 3 */
  readonly nodes?: number;
  /** Flags for every node. */
  readonly flags?: readonly string[];
  /** The command of the n-th node. @default denoServer */
  readonly command?: (n: number) => ServerCommand;
}

/** Several servers that form a cluster. Use with `await using`. */
export class ProcessCluster {
  readonly servers = new Map<string, ServerProcess>();
  readonly #folder: string;
  readonly #flags: readonly string[];
  readonly #commands = new Map<string, ServerCommand>();
  #peers = "";

  constructor(folder: string, flags: readonly string[]) {
    this.#folder = folder;
    this.#flags = flags;
  }

  /** Starts n1, n2, …; returns once one of them leads. */
  static async start(options: ProcessClusterOptions = {}): Promise<ProcessCluster> {
    const cluster = new ProcessCluster(await Deno.makeTempDir({ prefix: "raft-core-" }), options.flags ?? []);
    const ids = Array.from({ length: options.nodes ?? 3 }, (_, n) => `n${n + 1}`);
    const addresses = new Map<string, string>();
    for (const id of ids) addresses.set(id, `http://127.0.0.1:${await freePort()}`);
    cluster.#peers = ids.map((id) => `${id}=${new URL(addresses.get(id)!).host}`).join(",");
    try {
      ids.forEach((id, n) => {
        cluster.#commands.set(id, options.command?.(n) ?? denoServer);
        cluster.#spawn(id, addresses.get(id)!, ["--peers", cluster.#peers]);
      });
      await cluster.leader();
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  /** Where clients go. */
  get endpoints(): string[] {
    return [...this.servers.values()].map((server) => server.address);
  }

  server(id: string): ServerProcess {
    const server = this.servers.get(id);
    if (server === undefined) throw new Error(`there is no ${id}`);
    return server;
  }

  /** Starts one more node, to be added by an operator; returns once it listens. */
  async join(id: string, command: ServerCommand = denoServer): Promise<ServerProcess> {
    this.#commands.set(id, command);
    const server = this.#spawn(id, `http://127.0.0.1:${await freePort()}`, ["--join"]);
    await eventually(`${id} listening`, () => this.status(id));
    return server;
  }

  /** Starts a node again that has ended, with its data and address, or on an empty folder. */
  restart(id: string, options: { readonly wiped?: boolean } = {}): ServerProcess {
    const { address, data, running } = this.server(id);
    if (running) throw new Error(`${id} still runs`);
    if (options.wiped === true) Deno.removeSync(data, { recursive: true });
    return this.#spawn(id, address, this.#peers.includes(`${id}=`) ? ["--peers", this.#peers] : ["--join"]);
  }

  /** `kill -9`, and waits for the end. */
  async kill(id: string): Promise<void> {
    const server = this.server(id);
    server.signal("SIGKILL");
    await server.exited();
  }

  /** A node's account of itself; undefined if it does not answer. */
  async status(id: string): Promise<ServerStatus | undefined> {
    try {
      const response = await fetch(`${this.server(id).address}/status`, { signal: AbortSignal.timeout(2000) });
      return await response.json();
    } catch {
      return undefined;
    }
  }

  /** The leader that a majority of the running nodes agrees on, except `not`. */
  async leader(withinMs = 30_000, not?: string): Promise<string> {
    try {
      return await eventually("a leader", async () => {
        const statuses = await Promise.all([...this.servers.keys()].map((id) => this.status(id)));
        const leads = statuses.find((status) => status?.role === "leader" && status.id !== not);
        const followers = statuses.filter((status) => status?.leader?.id === leads?.id).length;
        return leads !== undefined && followers * 2 > this.servers.size ? leads.id : undefined;
      }, withinMs);
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${this.outputs()}`);
    }
  }

  /** What every node printed. */
  outputs(): string {
    return [...this.servers.values()].map((server) => `--- ${server.id}\n${server.output()}`).join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.servers.values()) server.signal("SIGKILL");
    for (const server of this.servers.values()) await server.exited();
    await Deno.remove(this.#folder, { recursive: true });
  }

  #spawn(id: string, address: string, flags: readonly string[]): ServerProcess {
    const data = join(this.#folder, id);
    const server = new Server(id, address, data, this.#commands.get(id)!, [...this.#flags, ...flags]);
    this.servers.set(id, server);
    return server;
  }
}
