/**
 * A node with what surrounds it in the demo: faulty links, and an account of it
 * for all tabs.
 *
 * @module
 */

import { startBrowserNode } from "../../browser/mod.ts";
import type { BrowserNode, JoinOptions } from "../../browser/mod.ts";
import { KeyValue } from "../../mod.ts";
import type { Storage } from "../../mod.ts";
import { createIndexedDbStorage } from "../../storage/indexeddb/mod.ts";
import { relayPortTransport } from "../../transport/relay/mod.ts";
import { BroadcastChannelTransport, tabAddress } from "../../transport/tab/mod.ts";
import type { TabTransport } from "../../transport/tab/mod.ts";
import { ObservationChannel } from "../live/observation.ts";
import { FaultyTransport } from "./faulty_transport.ts";
import { NodeReporter } from "./node_reporter.ts";
import type { NodeSettings } from "./settings.ts";

/** Small enough that a visitor sees a snapshot come by itself. */
const SNAPSHOT_ENTRIES = 100;
const TRAILING_ENTRIES = 10;

/** Starts the node of this worker. What keeps it from running, its page hears from the node itself. */
export async function startDemoNode(settings: NodeSettings): Promise<void> {
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
    // The page was told why.
  }
}

function openTransport({ id, clusterId, port }: NodeSettings): TabTransport {
  const address = tabAddress(id);
  if (port === null) return new BroadcastChannelTransport({ clusterId, address });
  return relayPortTransport({ address, port });
}

/** Whom to ask is known by the channel itself, and by the page in a cluster of servers. */
function joining({ as, through }: NodeSettings["begin"] & { readonly type: "join" }): JoinOptions {
  return through.length === 0 ? { as } : { as, through };
}

/** Tells all tabs of the node, as soon as it takes part. */
async function report(
  { cluster, page, run, electionTimeoutMs, heartbeatIntervalMs }: NodeSettings,
  browserNode: BrowserNode,
  transport: FaultyTransport,
  storage: Storage,
): Promise<void> {
  const channel = new ObservationChannel(cluster, (observation) => {
    if (observation.type !== "links") return;
    for (const link of observation.links) transport.setLink(link);
  });
  const node = await browserNode.running;
  new NodeReporter({
    node,
    life: () => browserNode.life,
    storage,
    transport,
    // As the node reckons it: see RaftNodeOptions.
    tickMs: Math.min(heartbeatIntervalMs / 2, electionTimeoutMs / 10),
    origin: { page, run },
    say: (observation) => channel.say(observation),
  }).start();
}
