/**
 * A node that this page runs, seen from the page: a worker that comes and goes
 * around a disk that stays.
 *
 * @module
 */

import { connectBrowserNode } from "../../browser/mod.ts";
import type { BrowserNodeHandle, LifeState } from "../../browser/mod.ts";
import { RaftError } from "../../mod.ts";
import type { NodeId } from "../../mod.ts";
import type { NodeSettings } from "../node/settings.ts";

interface Running {
  readonly worker: Worker;
  readonly run: string;
  /** Fires when the worker is ended. */
  readonly ended: AbortController;
  handle: BrowserNodeHandle | null;
}

/** Starts and ends the workers of one node, one at a time. */
export class HostedNode {
  readonly id: NodeId;
  readonly #script: URL;
  readonly #lives: (state: LifeState) => void;
  #running: Running | null = null;

  /** @param lives told how far the node is, whenever that changes */
  constructor(id: NodeId, script: URL, lives: (state: LifeState) => void) {
    this.id = id;
    this.#script = script;
    this.#lives = lives;
  }

  /** The life of the worker that runs; `null` while none does. */
  get run(): string | null {
    return this.#running?.run ?? null;
  }

  /**
   * Starts a worker, and resolves once the node's storage is open.
   *
   * @throws {RaftError} `locked` if another tab runs the node, and whatever else keeps it from starting; the worker is gone then
   */
  async start(settings: NodeSettings): Promise<void> {
    this.kill();
    const worker = new Worker(this.#script, { type: "module", name: this.id });
    const running: Running = { worker, run: settings.run, ended: new AbortController(), handle: null };
    this.#running = running;
    worker.postMessage(settings, settings.port === null ? [] : [settings.port]);
    try {
      const handle = running.handle = await connectBrowserNode(worker, { signal: running.ended.signal });
      handle.addEventListener("life", ({ detail }) => this.#running === running ? this.#lives(detail) : undefined);
      if (this.#running === running) this.#lives(handle.life);
    } catch (error) {
      if (this.#running === running) this.kill();
      throw error;
    }
  }

  /** Resolves once the node takes part in the cluster. @throws {RaftError} why it never will */
  async takesPart(): Promise<void> {
    await this.#do((handle) => handle.running);
  }

  /** Lets it stand still, or go on. */
  async pause(paused: boolean): Promise<void> {
    await this.#do((handle) => paused ? handle.pause() : handle.resume());
  }

  /** Ends the worker in the middle of whatever it does, as a power cut would. */
  kill(): void {
    const running = this.#running;
    this.#running = null;
    running?.ended.abort();
    running?.handle?.disconnect();
    running?.worker.terminate();
  }

  /** A worker that was ended answers nothing any more. */
  async #do(work: (handle: BrowserNodeHandle) => Promise<void>): Promise<void> {
    const running = this.#running;
    if (running === null || running.handle === null) {
      throw new RaftError("unreachable", `${this.id} does not run`, { hint: "Restart it first." });
    }
    const { handle, ended: { signal } } = running;
    const ended = Promise.withResolvers<never>();
    const onEnd = (): void => ended.reject(new RaftError("closed", `${this.id} was killed`, { outcome: "unknown" }));
    signal.addEventListener("abort", onEnd);
    try {
      await Promise.race([work(handle), ended.promise]);
    } finally {
      signal.removeEventListener("abort", onEnd);
    }
  }
}
