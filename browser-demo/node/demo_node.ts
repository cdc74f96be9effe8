/**
 * The script of a node's dedicated worker: a node with real IndexedDB and real
 * messages, behind faulty links, with reports to all tabs. Its page ends it by
 * ending the worker, as a power cut ends a machine.
 */

import { startBrowserNode } from "../../browser/mod.ts";
import type { BrowserNode, JoinOptions } from "../../browser/mod.ts";
import { KeyValue } from "../../mod.ts";
import type { Storage } from "../../mod.ts";
import { createIndexedDbStorage } from "../../storage/indexeddb/mod.ts";
import { relayPortTransport } from "../../transport/relay/mod.ts";
import { BroadcastChannelTransport, tabAddress } from "../../transport/tab/mod.ts";
import type { TabTransport } from "../../transport/tab/mod.ts";
import { openChannel } from "../live/host_message.ts";
import { FaultyTransport } from "./faulty_transport.ts";
import { NodeReporter } from "./node_reporter.ts";
import type { NodeSettings } from "./settings.ts";

/** Small enough for a visitor to see a snapshot. */
const SNAPSHOT_ENTRIES = 100;
const TRAILING_ENTRIES = 10;

/** Starts the node of this worker. The node itself reports to its page why it can't run. */
async function startDemoNode(settings: NodeSettings): Promise<void> {
  const { id, run, clusterId, lockWaitMs, begin, electionTimeoutMs, heartbeatIntervalMs } = settings;
  const transport = new FaultyTransport(openTransport(settings), { id, run });
  for (const link of settings.links) transport.setLink(link);
  let storage: Storage | undefined;
  try {
    const node = await startBrowserNode({
      clusterId,
      id,
      storage: (place) => storage = createIndexedDbStorage({ ...place, lockWaitMs }),
      transport,
      stateMachine: new KeyValue(),
      electionTimeoutMs,
      heartbeatIntervalMs,
      snapshotEntries: SNAPSHOT_ENTRIES,
      trailingEntries: TRAILING_ENTRIES,
      ...(begin.type === "found" ? { bootstrap: { members: begin.founders } } : { join: joining(begin) }),
    });
    await report(settings, node, transport, storage!);
  } catch {
    // The page has the reason.
  }
}

function openTransport({ id, clusterId, port }: NodeSettings): TabTransport {
  const address = tabAddress(id);
  if (port === null) return new BroadcastChannelTransport({ clusterId, address });
  return relayPortTransport({ address, port });
}

/** Addresses to join through come from the channel itself, or from the page in a cluster of servers. */
function joining({ as, through }: NodeSettings["begin"] & { readonly type: "join" }): JoinOptions {
  return through.length === 0 ? { as } : { as, through };
}

/** Reports the node to all tabs, as soon as it takes part. */
async function report(
  { cluster, page, run, electionTimeoutMs, heartbeatIntervalMs }: NodeSettings,
  browserNode: BrowserNode,
  transport: FaultyTransport,
  storage: Storage,
): Promise<void> {
  const send = openChannel(cluster, (message) => {
    if (message.type !== "links") return;
    for (const link of message.links) transport.setLink(link);
  });
  const node = await browserNode.running;
  new NodeReporter({
    node,
    life: () => browserNode.life,
    storage,
    transport,
    // As the node computes it: see RaftNodeOptions.
    tickMs: Math.min(heartbeatIntervalMs / 2, electionTimeoutMs / 10),
    origin: { page, run },
    send,
  }).start();
}

addEventListener("message", (event) => void startDemoNode((event as MessageEvent<NodeSettings>).data), { once: true });
