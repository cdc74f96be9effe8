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
  /** The runtimes that it may run in, as commands. It begins in the first. */
  readonly commands: readonly (readonly string[])[];
  /** `null` if its data is on the machine's own disk. */
  readonly disk: Disk | null;
  /** The `--peers` that it begins with, with an empty folder. */
  readonly peers: string;
  /** Called when a process ends without an explanation. */
  unexplained(what: string): void;
  /** Called when it stopped itself because its disk was full or failed. */
  stoppedByDisk(): void;
}

/** Small enough for many snapshots within minutes. */
const FLAGS = ["--snapshot-entries", "2000"];

/** One node. */
export class ChaosNode {
  readonly id: string;
  readonly address: string;
  #advertised: string;
  readonly #servers: readonly Node[];
  #server: Node;
  readonly #options: ChaosNodeOptions;
  #beginning: readonly string[];
  #killed = false;
  #paused = false;
  /** Set if the disk has been full, or has failed, since this process began: then it may stop itself. */
  #badDisk = false;
  #full = false;
  #hanging = false;
  #empty = false;
  #up = false;
  #closed = false;

  constructor(options: ChaosNodeOptions) {
    const { id, address, advertised, data, commands } = this.#options = options;
    this.id = id;
    this.address = address;
    this.#advertised = advertised;
    this.#servers = commands.map((command) => new Node(id, address, data, command));
    this.#server = this.#servers[0]!;
    this.#beginning = ["--peers", options.peers];
  }

  /** The address in the membership, at which other nodes reach it: the proxy. */
  get advertised(): string {
    return this.#advertised;
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
    return this.#servers.map(({ output }) => output).join("");
  }

  /** Starts a process if there is none. */
  start(): void {
    if (this.#up || this.#closed) return;
    this.#up = true;
    this.#killed = this.#paused = false;
    this.#badDisk = this.#full;
    this.#server.start([...FLAGS, ...this.#beginning]);
    void this.#server.exited.then((code) => this.#ended(code), (error) => this.#options.unexplained(String(error)));
  }

  #ended(code: number | null): void {
    this.#up = this.#paused = false;
    if (this.#killed) return;
    const how = code === null ? "by a signal" : `with exit code ${code}`;
    if (this.#badDisk && code === EXIT.unhealthy) this.#options.stoppedByDisk();
    else this.#options.unexplained(`${this.id} ended by itself, ${how}`);
  }

  async kill(): Promise<void> {
    this.#killed = true;
    // A process that waits for a hanging disk can't be killed.
    await this.resumeDisk();
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

  async fillDisk(): Promise<void> {
    // Nothing could be written to a hanging disk, not even what fills it.
    await this.resumeDisk();
    this.#full = this.#badDisk = true;
    this.#options.disk?.fill();
  }

  freeDisk(): void {
    this.#options.disk?.free();
    this.#full = false;
  }

  /** Makes its disk hang. */
  async hangDisk(): Promise<void> {
    this.#hanging = true;
    await this.#options.disk?.hang();
  }

  async resumeDisk(): Promise<void> {
    if (!this.#hanging) return;
    await this.#options.disk?.resume();
    this.#hanging = false;
  }

  /** Ends it by a power failure: what its disk had not synced is lost. */
  async failPower(): Promise<void> {
    await this.resumeDisk();
    this.#badDisk = true;
    this.#options.disk?.cutPower();
    await this.kill();
    this.#options.disk?.restorePower();
    this.freeDisk();
  }

  /** Lets the next process run in the next runtime. It must have ended. */
  changeRuntime(): void {
    this.#server = this.#servers[(this.#servers.indexOf(this.#server) + 1) % this.#servers.length]!;
  }

  /** Lets the next process be reached at another address. It must have ended. */
  moveTo(advertised: string): void {
    this.#advertised = advertised;
    this.#beginning = ["--join", "--advertise", advertised];
  }

  /** Begins again with an empty folder, to be added by an operator. Its process must have ended. */
  wipe(): void {
    rmSync(this.#options.data, { recursive: true, force: true });
    this.#beginning = ["--join", "--advertise", this.#advertised];
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
