/**
 * One run of one command: its options, its output, its cluster.
 */

import { collect } from "../options.ts";
import { usageError } from "./errors.ts";
import type { CliIo, Style } from "./io.ts";
import { painter } from "./io.ts";
import type { LogTools } from "./log_tools.ts";
import type { Remote, RemoteCallOptions } from "./connect_remote.ts";

/** Access to clusters and folders; tests inject their own. */
export interface Services {
  /** Returns a client of the cluster that these servers belong to. */
  connect(endpoints: readonly string[]): Remote;
  /** Reads data folders. */
  readonly log: LogTools;
}

/** The default servers: those that `deno task start` starts. */
const DEFAULT_ENDPOINTS: readonly string[] = [7001, 7002, 7003].map((port) => `http://127.0.0.1:${port}`);

/** The default of `--timeout-ms`. */
export const DEFAULT_TIMEOUT_MS = 5000;

/** The options that every command has. */
export interface CommonOptions {
  readonly server?: readonly string[];
  readonly json?: true;
  readonly timeoutMs?: number;
}

/**
 * Parses `HOST:PORT` or a URL to a base URL. The port is required unless there is
 * a scheme: port 80 is never intended.
 */
export function parseEndpoint(text: string): string {
  const url = text.includes("://") ? text : `http://${text}`;
  const parsed = URL.canParse(url) ? new URL(url) : null;
  const valid = parsed !== null && /^https?:$/.test(parsed.protocol) && parsed.hostname !== "" &&
    (text.includes("://") || /^(\[[^\]]+\]|[^:/]+):\d+$/.test(text)) &&
    parsed.search === "" && parsed.hash === "" && parsed.username === "" && parsed.password === "";
  if (!valid) throw usageError(`invalid server ${JSON.stringify(text)}: expected HOST:PORT or a URL`);
  return parsed.origin + parsed.pathname.replace(/\/$/, "");
}

/** One run of one command. */
export class Session {
  readonly io: CliIo;
  readonly services: Services;
  readonly json: boolean;
  /** The servers to ask. */
  readonly endpoints: readonly string[];
  /** Reports whether the user named them; default servers may well not exist. */
  readonly endpointsGiven: boolean;
  /** The user's `--timeout-ms`; without it some commands wait longer than others. */
  readonly timeoutMs: number | undefined;
  readonly paint: (style: Style, text: string) => string;
  #remote: Remote | undefined;

  constructor(io: CliIo, services: Services, options: CommonOptions) {
    this.io = io;
    this.services = services;
    this.json = options.json === true;
    this.timeoutMs = options.timeoutMs;
    this.paint = painter(io.stdout, io.env);
    const given = options.server ?? collect(io.env["RAFT_SERVER"] ?? "");
    this.endpointsGiven = given.length > 0;
    this.endpoints = this.endpointsGiven ? [...new Set(given.map(parseEndpoint))] : DEFAULT_ENDPOINTS;
  }

  /** The client of the cluster. */
  get remote(): Remote {
    this.#remote ??= this.services.connect(this.endpoints);
    return this.#remote;
  }

  /** Returns the options of one call: it ends by Ctrl-C, and after `--timeout-ms`. */
  call(defaultMs: number = DEFAULT_TIMEOUT_MS): RemoteCallOptions {
    return { signal: this.io.signal, timeoutMs: this.timeoutMs ?? defaultMs };
  }

  /** Prints the answer: a document for `--json`, else text for people. */
  async print(document: unknown, text: () => string): Promise<void> {
    await this.io.stdout.write(this.json ? `${JSON.stringify(document, null, 2)}\n` : text());
  }

  /** Prints one of many answers: a line of JSON, else text for people. */
  async printLine(document: unknown, text: () => string): Promise<void> {
    await this.io.stdout.write(this.json ? `${JSON.stringify(document)}\n` : text());
  }

  /** Prints a remark beside the answer, for people alone. */
  async note(text: string): Promise<void> {
    if (this.json) return;
    await this.io.stderr.write(`${painter(this.io.stderr, this.io.env)("dim", text)}\n`);
  }

  async close(): Promise<void> {
    await this.#remote?.close();
  }
}
