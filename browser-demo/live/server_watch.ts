/**
 * Asks for the status of the members that no tab of this browser reports: servers,
 * and tabs of other browsers.
 */

import type { NodeStatus } from "../../mod.ts";
import type { TabTransport } from "../../transport/tab/mod.ts";
import type { EntryView, NodeView } from "../source.ts";
import { blankView } from "./cluster_view.ts";
import type { ClusterView } from "./cluster_view.ts";
import { isServerAddress } from "./connections.ts";
import { ASKED_SERVER, ASKED_TAB, isAsked } from "./host_message.ts";

const ASK_INTERVAL_MS = 400;
const ANSWER_TIMEOUT_MS = 1500;

/** Asks at an interval for as long as the page lives. */
export function watchServers(servers: readonly string[], transport: TabTransport, cluster: ClusterView): void {
  const asking = new Set<string>();
  const ask = async (address: string): Promise<void> => {
    asking.add(address);
    try {
      const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
      const status = await transport.client.status(address, { signal });
      const page = isServerAddress(address) ? ASKED_SERVER : ASKED_TAB;
      const view = viewOf(status, address, entriesOf(status, cluster));
      const report = { page, run: `${status.id} ${status.incarnation}`, view };
      cluster.apply({ type: "report", report, links: null, messages: [], events: [] });
    } catch {
      // A node that does not answer is soon shown as away.
    } finally {
      asking.delete(address);
    }
  };
  const askAll = (): void => {
    const reported = new Set(cluster.nodes.filter(({ page }) => !isAsked(page)).map(({ view }) => view.address));
    const members = cluster.membership.members.map(({ address }) => address);
    for (const address of new Set([...servers, ...members])) {
      if (!reported.has(address) && !asking.has(address)) void ask(address);
    }
  };
  setInterval(askAll, ASK_INTERVAL_MS);
  askAll();
}

/** Committed entries are the same everywhere (§5.4.3), so those of a node on this page stand for the others'. */
function entriesOf(status: NodeStatus, cluster: ClusterView): readonly EntryView[] {
  const own = cluster.nodes.map(({ view }) => view).filter(({ home }) => home === "this page");
  const entries = own.map((view) => {
    const committed = Math.min(view.commitIndex, status.commitIndex);
    return view.entries.filter(({ index }) => index >= status.firstIndex && index <= committed);
  });
  return entries.find(({ length }) => length > 0) ?? [];
}

/** Converts a status, which has less than a report: no vote, and no timer. */
function viewOf(status: NodeStatus, asked: string, entries: readonly EntryView[]): Omit<NodeView, "home"> {
  const { lifecycle, leader, snapshotIndex, members, peers, storage, ...same } = status;
  return {
    ...blankView(status.id, asked),
    ...same,
    address: members.find(({ id }) => id === status.id)?.address ?? asked,
    life: lifecycle === "running" ? "running" : "stopped",
    lifeReason: storage.error ?? "",
    leader: leader?.id ?? null,
    snapshot: snapshotIndex === 0 ? null : { index: snapshotIndex, term: 0 },
    entries,
    progress: peers,
  };
}
