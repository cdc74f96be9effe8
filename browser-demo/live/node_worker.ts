/**
 * A node that this page runs, as its page sees it: a worker that comes and goes
 * around a disk that stays.
 */

import { connectBrowserNode } from "../../browser/mod.ts";
import type { BrowserNodeHandle, LifeState } from "../../browser/mod.ts";
import { Pending } from "../../lib/pending.ts";
import { RaftError } from "../../mod.ts";
import type { NodeId } from "../../mod.ts";
import type { NodeSettings } from "../node/settings.ts";

interface RunningWorker {
  readonly worker: Worker;
  readonly run: string;
  /** Fires when the worker is ended. */
  readonly ended: AbortController;
  handle: BrowserNodeHandle | null;
}

/** Starts and ends the workers of one node, one at a time. */
export class NodeWorker {
  readonly id: NodeId;
  readonly #script: URL;
  readonly #onLife: (state: LifeState) => void;
  #running: RunningWorker | null = null;

  /** @param onLife called with each new state of the node */
  constructor(id: NodeId, script: URL, onLife: (state: LifeState) => void) {
    this.id = id;
    this.#script = script;
    this.#onLife = onLife;
  }

  /** The life of the worker that runs; `null` while none does. */
  get run(): string | null {
    return this.#running?.run ?? null;
  }

  /**
   * Starts a worker, and resolves once the node's storage is open.
   *
   * @throws {RaftError} `locked` if another tab runs the node, or another reason why it can't start; the worker is gone then
   */
  async start(settings: NodeSettings): Promise<void> {
    this.kill();
    const worker = new Worker(this.#script, { type: "module", name: this.id });
    const running: RunningWorker = { worker, run: settings.run, ended: new AbortController(), handle: null };
    this.#running = running;
    worker.postMessage(settings, settings.port === null ? [] : [settings.port]);
    try {
      const handle = running.handle = await connectBrowserNode(worker, { signal: running.ended.signal });
      handle.addEventListener("life", ({ detail }) => this.#running === running ? this.#onLife(detail) : undefined);
      if (this.#running === running) this.#onLife(handle.life);
    } catch (error) {
      if (this.#running === running) this.kill();
      throw error;
    }
  }

  /** Resolves once the node takes part in the cluster. @throws {RaftError} if it never will */
  async takesPart(): Promise<void> {
    await this.#do((handle) => handle.running);
  }

  /** Pauses or resumes the node. */
  async pause(paused: boolean): Promise<void> {
    await this.#do((handle) => paused ? handle.pause() : handle.resume());
  }

  /** Ends the worker in the middle of its work, as a power cut would. */
  kill(): void {
    const running = this.#running;
    this.#running = null;
    running?.ended.abort(new RaftError("closed", `${this.id} was killed`));
    running?.handle?.disconnect();
    running?.worker.terminate();
  }

  /** A worker that was ended never answers. */
  async #do(work: (handle: BrowserNodeHandle) => Promise<void>): Promise<void> {
    const running = this.#running;
    if (running === null || running.handle === null) {
      throw new RaftError("unreachable", `${this.id} does not run`, { hint: "Restart it first." });
    }
    const pending = new Pending<void>({ signals: [running.ended.signal] });
    work(running.handle).then(() => pending.resolve(), (error) => pending.reject(RaftError.from(error)));
    await pending.promise;
  }
}
