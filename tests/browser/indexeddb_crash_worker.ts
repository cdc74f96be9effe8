/// <reference lib="dom" />
/** Opens the node, reports its state, and continues to write from a given step until it is killed. */

import { identity } from "../../storage/conformance_bench.ts";
import { createIndexedDbStorage } from "../../storage/indexeddb/mod.ts";
import { observe, Workload } from "./indexeddb_workload.ts";

const seed = Number(new URL(location.href).searchParams.get("seed"));
// The worker before this one was just killed.
const storage = createIndexedDbStorage({ clusterId: `crash ${seed}`, nodeId: identity.nodeId, lockWaitMs: 20_000 });
const state = await storage.load();
if (state.identity === null) {
  await storage.initialize(identity);
  await storage.persist({ sequence: 0, hardState: { term: 1, votedFor: null }, snapshot: null, entries: [] });
}
const begun = state.identity === null ? { ...state, hardState: { term: 1, votedFor: null } } : state;

addEventListener("message", async ({ data: steps }: MessageEvent<number>) => {
  const workload = new Workload(seed);
  while (workload.steps < steps) workload.next();
  try {
    for (;;) {
      await workload.next()(storage);
      postMessage(workload.steps);
    }
  } catch (error) {
    postMessage(`step ${workload.steps}: ${error}`);
  }
});
postMessage(await observe(storage, begun));
