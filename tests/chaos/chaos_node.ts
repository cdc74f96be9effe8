/**
 * One server process, with the faults that can be injected into it.
 *
 * @module
 */

import { rmSync } from "node:fs";
import process from "node:process";
import { EXIT } from "../../server/exit_codes.ts";
import type { Status } from "../support/server_processes.ts";
import { Node } from "../support/server_processes.ts";
import type { Disk } from "./disks.ts";

/** Options of {@linkcode ChaosNode}. */
export interface ChaosNodeOptions {
  readonly id: string;
  /** The address at which the node listens and clients reach it. */
  readonly address: string;
  /** The address at which other nodes reach it: the proxy. */
  readonly advertised: string;
  readonly data: string;
  readonly command: readonly string[];
  /** `null` if its data is on the machine's own disk. */
  readonly disk: Disk | null;
  /** The `--peers` that it begins with, with an empty folder. */
  readonly peers: string;
  /** Called when a process ends without an explanation. */
  unexplained(what: string): void;
  /** Called when it stopped itself because its disk was full. */
  stoppedByDisk(): void;
}

/** Small enough for many snapshots within minutes. */
const FLAGS = ["--snapshot-entries", "2000"];

/** One node. */
export class ChaosNode {
  readonly id: string;
  readonly address: string;
  readonly advertised: string;
  readonly #server: Node;
  readonly #options: ChaosNodeOptions;
  #beginning: readonly string[];
  #killed = false;
  #paused = false;
  /** Set if the disk has been full since this process began: then it may stop itself. */
  #wasFull = false;
  #full = false;
  #empty = false;
  #up = false;
  #closed = false;

  constructor(options: ChaosNodeOptions) {
    const { id, address, advertised, data, command } = this.#options = options;
    this.id = id;
    this.address = address;
    this.advertised = advertised;
    this.#server = new Node(id, address, data, command);
    this.#beginning = ["--peers", options.peers];
  }

  /** True if it has a process. */
  get up(): boolean {
    return this.#up;
  }

  /** True if its process is paused. */
  get paused(): boolean {
    return this.#paused;
  }

  /** True if it began with an empty folder, and has not been seen in the membership since. */
  get empty(): boolean {
    return this.#empty;
  }

  get pid(): number | undefined {
    return this.#server.pid;
  }

  /** The output of its processes. */
  get output(): string {
    return this.#server.output;
  }

  /** Starts a process if there is none. */
  start(): void {
    if (this.#up || this.#closed) return;
    this.#up = true;
    this.#killed = this.#paused = false;
    this.#wasFull = this.#full;
    this.#server.start([...FLAGS, ...this.#beginning]);
    void this.#server.exited.then((code) => this.#ended(code), (error) => this.#options.unexplained(String(error)));
  }

  #ended(code: number | null): void {
    this.#up = this.#paused = false;
    if (this.#killed) return;
    const how = code === null ? "by a signal" : `with exit code ${code}`;
    if (this.#wasFull && code === EXIT.unhealthy) this.#options.stoppedByDisk();
    else this.#options.unexplained(`${this.id} ended by itself, ${how}`);
  }

  async kill(): Promise<void> {
    this.#killed = true;
    // It may have ended by itself just now.
    await this.#server.end("SIGKILL").catch(() => this.#server.exited);
  }

  /** Ends it permanently. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.kill();
  }

  pause(): void {
    if (this.#signal("SIGSTOP")) this.#paused = true;
  }

  resume(): void {
    if (this.#signal("SIGCONT")) this.#paused = false;
  }

  #signal(signal: "SIGSTOP" | "SIGCONT"): boolean {
    const { pid } = this.#server;
    if (pid === undefined || !this.#up) return false;
    try {
      process.kill(pid, signal);
      return true;
    } catch {
      // It has just ended.
      return false;
    }
  }

  fillDisk(): void {
    this.#full = this.#wasFull = true;
    this.#options.disk?.fill();
  }

  freeDisk(): void {
    this.#options.disk?.free();
    this.#full = false;
  }

  /** Begins again with an empty folder, to be added by an operator. Its process must have ended. */
  wipe(): void {
    rmSync(this.#options.data, { recursive: true, force: true });
    this.#beginning = ["--join", "--advertise", this.advertised];
    this.#empty = true;
  }

  /** Notes that the membership has it. */
  joined(): void {
    this.#empty = false;
  }

  status(): Promise<Status | null> {
    return this.#server.status();
  }
}
