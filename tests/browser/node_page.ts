/// <reference lib="dom" />
/** A page with nodes in workers, controlled by a test through `globalThis.nodes`. See node_tab.ts. */

import { connectBrowserNode } from "../../browser/mod.ts";
import type { BrowserNodeHandle, LifeState } from "../../browser/mod.ts";
import { decodeGetAnswer, encodeGet } from "../../lib/kv/commands.ts";
import { KeyValueClient, RaftError } from "../../mod.ts";
import type { Consistency, NodeStatus } from "../../mod.ts";
import type { ChosenOptions } from "./node_worker.ts";

interface Running {
  readonly worker: Worker;
  readonly handle: BrowserNodeHandle;
  readonly keys: KeyValueClient;
  /** The node's own value. */
  readonly own: KeyValueClient;
  readonly heard: Heard[];
}

/** The events of a node that its page received. */
export interface Heard {
  readonly event: string;
  readonly detail: unknown;
}

/** An error in full, since Playwright keeps only its message. */
export interface ToldError {
  readonly code: string;
  readonly message: string;
  readonly outcome: string;
  readonly hint: string;
}

const running = new Map<string, Running>();
const text = new TextDecoder();

function the(id: string): Running {
  const found = running.get(id);
  if (found === undefined) throw new Error(`this page has no node ${id}`);
  return found;
}

function told(life: LifeState) {
  return { ...life, error: life.error && toldError(life.error) };
}

function toldError({ code, message, outcome, hint }: RaftError): ToldError {
  return { code, message, outcome, hint };
}

/** The calls of a test. */
const nodes = {
  /** Starts a worker, and resolves once its storage is open. */
  async open(options: ChosenOptions, lifecycle = true): Promise<void> {
    const name = JSON.stringify(options);
    const worker = new Worker("/tests/browser/node_worker.js", { type: "module", name });
    const handle = await connectBrowserNode(worker, { lifecycle });
    const heard: Heard[] = [];
    for (const event of ["raft", "storageError", "stopped", "life"] as const) {
      handle.addEventListener(event, ({ detail }) => {
        const error = "error" in detail && detail.error instanceof RaftError ? { error: toldError(detail.error) } : {};
        heard.push({ event, detail: { ...detail, ...error } });
      });
    }
    const [keys, own] = [new KeyValueClient(handle.coordinator), new KeyValueClient(handle.local)];
    running.set(options.id, { worker, handle, keys, own, heard });
  },
  running: (id: string): Promise<void> => the(id).handle.running,
  life: (id: string) => told(the(id).handle.life),
  heard: (id: string): readonly Heard[] => the(id).heard,
  status: (id: string): Promise<NodeStatus> => the(id).handle.status(),
  async put(id: string, key: string, value: string): Promise<number> {
    return (await the(id).keys.put(key, value)).version;
  },
  /** Puts a value of random bytes, which can't be compressed. */
  async putRandom(id: string, key: string, size: number): Promise<number> {
    const value = new Uint8Array(size);
    for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(value.subarray(at, at + 65_536));
    return (await the(id).keys.put(key, value, { timeoutMs: 3000 })).version;
  },
  async get(id: string, key: string, consistency: Consistency = "linearizable"): Promise<string | null> {
    const { keys, own } = the(id);
    const found = await (consistency === "stale" ? own : keys).get(key, { consistency });
    return found.value === undefined ? null : text.decode(found.value);
  },
  async list(id: string): Promise<Record<string, string>> {
    const { entries } = await the(id).keys.list();
    return Object.fromEntries(entries.map(({ key, value }) => [text.decode(key), text.decode(value)]));
  },
  /** Reads from this node by its lease, even if another leads. */
  async leaseRead(id: string, key: string): Promise<string | null> {
    const { handle } = the(id);
    const { result } = await handle.client.read(handle.address, encodeGet(new TextEncoder().encode(key)), {
      consistency: "lease",
    });
    const answer = decodeGetAnswer(result);
    return answer.ok && answer.entry !== null ? text.decode(answer.entry.value) : null;
  },
  removeMember: (id: string, member: string) => the(id).handle.admin.remove(member),
  promoteMember: (id: string, member: string) => the(id).handle.admin.promote(member),
  transferLeadership: (id: string, to: string) => the(id).handle.admin.transferLeadership(to),
  async close(id: string): Promise<void> {
    const { handle, worker } = the(id);
    await handle.close();
    worker.terminate();
    running.delete(id);
  },
  /** Ends a worker in the middle of its work. */
  kill(id: string): void {
    the(id).worker.terminate();
    running.delete(id);
  },
  /** Deletes a database, even if it is open. */
  deleteDatabase(name: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const request = indexedDB.deleteDatabase(name);
      request.onsuccess = () => resolve();
      request.onerror = () => reject(request.error);
    });
  },
  visibility: (): string => document.visibilityState,
  /** Counts in `ms` the firings of a page's timer of 50 ms. */
  async timerTicks(ms: number): Promise<number> {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 50);
    const endMs = performance.now() + ms;
    while (performance.now() < endMs) await new Promise((resolve) => setTimeout(resolve, 50));
    clearInterval(timer);
    return ticks;
  },
};

/** The calls of {@linkcode NodeTab}. */
export type NodePageCalls = typeof nodes;

Object.assign(globalThis, {
  async callNodes(name: keyof NodePageCalls, args: readonly unknown[]): Promise<unknown> {
    try {
      const call = nodes[name] as (...args: readonly unknown[]) => unknown;
      return { ok: true, value: await call(...args) };
    } catch (error) {
      if (!(error instanceof RaftError)) throw error;
      return { ok: false, error: toldError(error) };
    }
  },
});
