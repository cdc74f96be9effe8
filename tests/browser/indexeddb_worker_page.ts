/// <reference lib="dom" />
/** Offers the checks that run in the worker of indexeddb_worker.ts. */

import { offer } from "./suite_page.ts";

const worker = new Worker("/tests/browser/indexeddb_worker.js", { type: "module" });

function answer(): Promise<unknown> {
  return new Promise((resolve) => worker.addEventListener("message", ({ data }) => resolve(data), { once: true }));
}

const names = await answer() as string[];
offer(names.map((name) => ({
  name,
  run: async () => {
    worker.postMessage(name);
    const failure = await answer() as string;
    if (failure !== "") throw new Error(failure);
  },
})));
