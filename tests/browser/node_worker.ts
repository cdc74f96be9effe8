/// <reference lib="dom" />
/** A node whose settings are the worker's name, as JSON. */

import { startBrowserNode } from "../../browser/mod.ts";
import type { BrowserNodeOptions } from "../../browser/mod.ts";
import { KeyValue } from "../../mod.ts";
import { createIndexedDbStorage } from "../../storage/indexeddb/mod.ts";
import { BroadcastChannelTransport } from "../../transport/tab/mod.ts";

/** The settings of a test. */
export type ChosenOptions = Pick<
  BrowserNodeOptions,
  "id" | "bootstrap" | "join" | "electionTimeoutMs" | "heartbeatIntervalMs" | "leaseReads"
>;

const chosen = JSON.parse((globalThis as unknown as { readonly name: string }).name) as ChosenOptions;

// The page receives the error.
startBrowserNode({
  clusterId: "tabs",
  storage: createIndexedDbStorage,
  transport: (place) => new BroadcastChannelTransport(place),
  stateMachine: new KeyValue(),
  electionTimeoutMs: 500,
  heartbeatIntervalMs: 50,
  ...chosen,
}).catch(() => {});
