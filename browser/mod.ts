/**
 * A node in a browser tab. It runs in a dedicated worker, where timers are not
 * throttled when the page is hidden: {@linkcode startBrowserNode} is for the
 * worker's script, {@linkcode connectBrowserNode} for the page.
 *
 * @module
 */

export { connectBrowserNode } from "./node_handle.ts";
export type {
  BrowserNodeEventMap,
  BrowserNodeHandle,
  BrowserNodeListener,
  ConnectBrowserNodeOptions,
  HandleRequestOptions,
} from "./node_handle.ts";
export { startBrowserNode } from "./browser_node.ts";
export type { BrowserNode } from "./browser_node.ts";
export type { BrowserNodeOptions, FirstMember, JoinOptions, NodePlace } from "./options.ts";
export type { PageEnd } from "./page_link.ts";
export type { Life, LifeState } from "./protocol.ts";
export type { WorkerEnd } from "./worker_port.ts";
