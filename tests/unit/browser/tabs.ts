/**
 * Tabs without a browser: nodes of browser/ on disks in memory, each with a page
 * at the other end of a MessageChannel.
 *
 * @module
 */

import type { BrowserNode, BrowserNodeHandle, BrowserNodeOptions } from "../../../browser/mod.ts";
import { connectBrowserNode, startBrowserNode } from "../../../browser/mod.ts";
import type { PageEnd, WorkerEnd } from "../../../browser/mod.ts";
import { KeyValue } from "../../../lib/kv/key_value.ts";
import { MemoryDisk, MemoryStorage } from "../../../storage/memory.ts";
import { PacketTransport } from "../../../transport/tab/mod.ts";
import { eventually } from "../../support/server_processes.ts";
import { Post } from "../transport/packet/memory_channel.ts";

/** Short enough for a test, long enough for a machine with much else to do. */
export const TIMES = { electionTimeoutMs: 300, heartbeatIntervalMs: 50 };

/** Both ends of a worker. */
export interface FakeWorker {
  readonly page: PageEnd;
  readonly worker: WorkerEnd;
  close(): void;
}

export function fakeWorker(): FakeWorker {
  const { port1, port2 } = new MessageChannel();
  port1.start();
  port2.start();
  return {
    page: port1 as unknown as PageEnd,
    worker: port2 as unknown as WorkerEnd,
    close: () => (port1.close(), port2.close()),
  };
}

/** One tab: a node, and the page's handle of it. */
export interface Tab {
  readonly node: BrowserNode;
  readonly handle: BrowserNodeHandle;
}

/** All tabs of an origin. */
export class Tabs implements AsyncDisposable {
  readonly post = new Post();
  readonly disks = new Map<string, MemoryDisk>();
  readonly open = new Map<string, Tab>();
  readonly #workers: FakeWorker[] = [];

  disk(id: string): MemoryDisk {
    let disk = this.disks.get(id);
    if (disk === undefined) this.disks.set(id, disk = new MemoryDisk());
    return disk;
  }

  worker(): FakeWorker {
    const worker = fakeWorker();
    this.#workers.push(worker);
    return worker;
  }

  /** Opens a tab with this node. */
  async start(id: string, options: Partial<BrowserNodeOptions>): Promise<Tab> {
    const { page, worker } = this.worker();
    const connecting = connectBrowserNode(worker);
    connecting.catch(() => {});
    const node = await startBrowserNode({
      clusterId: "tabs",
      id,
      storage: () => new MemoryStorage(this.disk(id)),
      transport: ({ address }) => new PacketTransport({ address, channel: this.post.channel(address) }),
      stateMachine: new KeyValue(),
      page,
      ...TIMES,
      ...options,
    });
    const tab = { node, handle: await connecting };
    this.open.set(id, tab);
    return tab;
  }

  /** Starts a cluster of these nodes. */
  async begin(members: readonly string[], options: Partial<BrowserNodeOptions> = {}): Promise<void> {
    await Promise.all(members.map((id) => this.start(id, { bootstrap: { members }, ...options })));
    await Promise.all(members.map((id) => this.tab(id).handle.running));
    await this.leader();
  }

  tab(id: string): Tab {
    const tab = this.open.get(id);
    if (tab === undefined) throw new Error(`no tab has ${id}`);
    return tab;
  }

  /** Waits for a node that leads by its own account, `but` not for those. */
  leader(...but: readonly string[]): Promise<string> {
    return eventually("a node leads", () => {
      for (const [id, { node }] of this.open) {
        if (!but.includes(id) && node.life.life === "running" && node.status().role === "leader") return id;
      }
      return undefined;
    });
  }

  async stop(id: string): Promise<void> {
    await this.tab(id).handle.close();
    this.open.delete(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.open.values()].map(({ node }) => node.close()));
    for (const worker of this.#workers) worker.close();
  }
}
