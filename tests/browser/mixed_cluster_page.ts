/** A tab with a node, and a client of it that reports its requests and their answers to the test. */

import { connectBrowserNode } from "../../browser/mod.ts";
import { RaftError } from "../../lib/errors.ts";
import { KeyValueClient } from "../../lib/kv/client.ts";
import type { KeyValueInput, KeyValueOutput } from "../../simulation/linearizability/mod.ts";
import { RelayClient } from "../../transport/relay/mod.ts";
import { tabAddress } from "../../transport/tab/mod.ts";

/** The functions that the test offers this page. Histories use the test's clock. */
interface Recorder {
  /** Called before an operation begins. */
  begun(input: KeyValueInput): Promise<number>;
  /** Called after its end. */
  ended(operation: number, output: KeyValueOutput): Promise<void>;
  /** Called after it has ended without an answer. */
  failed(operation: number, outcome: "rejected" | "unknown"): Promise<void>;
}

const recorder = globalThis as unknown as Recorder;
const relay = new RelayClient({ servers: new URL(location.href).searchParams.get("servers")!.split(",") });
const worker = new Worker("/tests/browser/mixed_cluster_worker.js", { type: "module" });
const port = relay.port(tabAddress("t1"));
worker.postMessage({ relay: port }, [port]);
const node = await connectBrowserNode(worker);
const kv = new KeyValueClient(node.coordinator);
const decoder = new TextDecoder();

let working = true;
let workers: Promise<void>[] = [];

/** Puts and gets by turns, on keys that other clients use too. */
async function work(from: number): Promise<void> {
  for (let n = from; working; n += 2) {
    const key = `shared/${1 + n % 3}`;
    const input: KeyValueInput = n % 4 < 2 ? { type: "put", key, value: `of the tab ${n}` } : { type: "get", key };
    const operation = await recorder.begun(input);
    try {
      await recorder.ended(operation, await ask(input));
    } catch (error) {
      if (!(error instanceof RaftError)) throw error;
      await recorder.failed(operation, error.outcome);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function ask(input: KeyValueInput): Promise<KeyValueOutput> {
  if (input.type === "put") return await kv.put(input.key, input.value);
  const found = await kv.get(input.key);
  return found.value === undefined ? null : { value: decoder.decode(found.value), version: found.version };
}

Object.assign(globalThis, {
  nodeStatus: () => node.status(),
  /** Starts the requests. Each page has numbers of its own, so that no two puts are alike. */
  begin(page: number) {
    workers = [page * 10_000, page * 10_000 + 1].map(work);
  },
  async finish() {
    working = false;
    await Promise.all(workers);
  },
  /** Reads this node's own state, however old. */
  async held(keys: readonly string[]): Promise<(string | null)[]> {
    return await Promise.all(keys.map(async (key) => {
      const found = await kv.get(key, { consistency: "stale" });
      return found.value === undefined ? null : decoder.decode(found.value);
    }));
  },
});
