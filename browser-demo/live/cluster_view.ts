/**
 * The page's view of the cluster, put together from the reports of all tabs and
 * workers.
 */

import { emptyMembership } from "../../mod.ts";
import type { Membership, NodeId } from "../../mod.ts";
import type { ClusterEvent, LinkView, MessageView, NodeLife, NodeView, SourceListener } from "../source.ts";
import { isServerAddress } from "./connections.ts";
import { ASKED_SERVER, AWAY_AFTER_MS, machineMs } from "./host_message.ts";
import type { HostMessage, NodeReport } from "./host_message.ts";
import { healthyLink, isHealthy } from "./links.ts";

/** A little more than the interval of the workers' reports: until then, earlier events may still arrive. */
const SETTLE_MS = 60;

/** A node as it was last reported. */
export interface KnownNode {
  readonly page: string;
  readonly view: NodeView;
  /** The times of its page's last report, and of the first. */
  readonly lastMs: number;
  readonly firstMs: number;
}

/** The newest state of everything, and its listeners. */
export class ClusterView {
  readonly #page: string;
  readonly #nodes = new Map<NodeId, KnownNode>();
  readonly #links = new Map<string, LinkView>();
  readonly #endedRuns = new Set<string>();
  readonly #leftPages = new Set<string>();
  readonly #listeners = new Set<SourceListener>();
  readonly #watchers = new Set<() => void>();
  #events: ClusterEvent[] = [];

  /** @param page the name of this page */
  constructor(page: string) {
    this.#page = page;
  }

  get nodes(): readonly KnownNode[] {
    return [...this.#nodes.values()];
  }

  get links(): readonly LinkView[] {
    return [...this.#links.values()];
  }

  node(id: NodeId): KnownNode | undefined {
    return this.#nodes.get(id);
  }

  /** The newest membership of any node. */
  get membership(): Membership {
    let newest: NodeView | undefined;
    for (const { view } of this.#nodes.values()) {
      if (newest === undefined || isNewer(view, newest)) newest = view;
    }
    return newest?.membership ?? emptyMembership;
  }

  /** Calls the listener with everything, then with every change. */
  subscribe(listener: SourceListener): void {
    this.#listeners.add(listener);
    for (const { view } of this.#nodes.values()) listener.node(view);
    for (const link of this.#links.values()) listener.link(link);
  }

  /** Resolves with the result of `look`, as soon as it has one; `null` after `timeoutMs`. */
  async until<T>(look: () => T | null | undefined, timeoutMs: number): Promise<T | null> {
    const found = Promise.withResolvers<T | null>();
    const watch = (): void => {
      const seen = look();
      if (seen !== null && seen !== undefined) found.resolve(seen);
    };
    const timer = setTimeout(() => found.resolve(null), timeoutMs);
    this.#watchers.add(watch);
    watch();
    try {
      return await found.promise;
    } finally {
      clearTimeout(timer);
      this.#watchers.delete(watch);
    }
  }

  /** Applies a message of another tab, a worker, or this page itself. */
  apply(message: HostMessage): void {
    if (message.type === "report") {
      const { report, links, messages, events } = message;
      if (this.#leftPages.has(report.page)) return;
      if (this.#endedRuns.has(report.run) && report.view.life !== "killed") return;
      if (!this.#reported(report)) return;
      if (links !== null) this.#linksReported(report.view.id, links);
      for (const sent of messages) this.#message(sent);
      for (const event of events) this.#event(event);
    } else if (message.type === "links") this.#linksRequested(message.links);
    else if (message.type === "left") this.#left(message.page);
    else if (message.type === "gone") this.#forget(message.id);
    for (const watch of this.#watchers) watch();
  }

  /** Ignores from now on all reports of this life of a worker. */
  runEnded(run: string): void {
    this.#endedRuns.add(run);
  }

  /** Passes an event on in a moment, in order: an answer may be reported before its request. */
  #event(event: ClusterEvent): void {
    if (this.#events.push(event) === 1) setTimeout(() => this.#passEvents(), SETTLE_MS);
  }

  #passEvents(): void {
    const settledMs = machineMs() - SETTLE_MS;
    const inOrder = this.#events.sort((a, b) => a.atMs - b.atMs);
    const settled = inOrder.filter(({ atMs }) => atMs <= settledMs);
    this.#events = inOrder.slice(settled.length);
    for (const event of settled) {
      for (const listener of this.#listeners) listener.event(event);
    }
    if (this.#events.length > 0) setTimeout(() => this.#passEvents(), SETTLE_MS);
  }

  /** A running node reports its links itself, a moment after it was asked to change them. */
  #linksRequested(links: readonly LinkView[]): void {
    this.#setLinks(links.filter((link) => !runs(this.#nodes.get(this.#ownerOf(link))?.view)));
  }

  /** Returns the node that controls a link: the sender, or the receiver of messages from a server. */
  #ownerOf({ from, to }: LinkView): NodeId {
    return isServerAddress(this.#nodes.get(from)?.view.address ?? "") ? to : from;
  }

  #setLinks(links: readonly LinkView[]): void {
    for (const link of links) {
      const key = `${link.from} ${link.to}`;
      const known = this.#links.get(key);
      const healthy = isHealthy(link);
      if (known === undefined ? healthy : sameLink(known, link)) continue;
      if (healthy) this.#links.delete(key);
      else this.#links.set(key, link);
      for (const listener of this.#listeners) listener.link(link);
    }
  }

  /** Marks nodes without a recent report as away, and forgets those that are not members either. */
  age(): void {
    for (const { address, id } of this.membership.members) {
      if (!this.#nodes.has(id)) this.#keep(unreported(id, address));
    }
    for (const known of this.nodes) {
      const { view, lastMs } = known;
      if (view.life !== "away" && machineMs() - lastMs > AWAY_AFTER_MS) this.#away(known, "no tab reports it");
      this.#forgetIfGone(view.id);
    }
  }

  /** Applies a report, and reports whether it counts. */
  #reported({ page, run, view }: NodeReport): boolean {
    if (view.life === "killed") this.#endedRuns.add(run);
    const known = this.#nodes.get(view.id);
    // A page that tries to run it as well may report it for a moment: the one that runs it is right.
    if (known !== undefined && known.page !== page && runs(known.view) && !runs(view)) return false;
    const home = page === this.#page ? "this page" : page === ASKED_SERVER ? "server" : "another tab";
    const lastMs = machineMs();
    const firstMs = known?.page === page ? known.firstMs : lastMs;
    this.#keep({ page, view: { ...view, home }, lastMs, firstMs });
    return true;
  }

  #keep(known: KnownNode): void {
    this.#nodes.set(known.view.id, known);
    for (const listener of this.#listeners) listener.node(known.view);
  }

  /** A link that its owner no longer reports is healthy again. */
  #linksReported(owner: NodeId, links: readonly LinkView[]): void {
    const named = new Set(links.map(({ from, to }) => `${from} ${to}`));
    const healed = this.links.filter((link) => this.#ownerOf(link) === owner && !named.has(`${link.from} ${link.to}`));
    if (runs(this.#nodes.get(owner)?.view)) {
      this.#setLinks(healed.map(({ from, to }) => healthyLink(from, to)));
    }
    this.#setLinks(links);
  }

  /** A message to a node that does not run is lost, whatever its sender reports. */
  #message(message: MessageView): void {
    const receiver = this.#nodes.get(message.to)?.view.life;
    const lost = receiver === "killed" || receiver === "stopped" || receiver === "paused" || receiver === "away";
    const seen: MessageView = lost && message.fate === "delivered" ? { ...message, fate: "lost" } : message;
    for (const listener of this.#listeners) listener.message(seen);
  }

  /** Ignores from now on what the workers of a page report about closing their nodes. */
  #left(page: string): void {
    this.#leftPages.add(page);
    for (const known of this.nodes) {
      if (known.page === page) this.#away(known, "its tab was closed");
    }
  }

  #away(known: KnownNode, reason: string): void {
    const { view } = known;
    this.#keep({ ...known, view: { ...view, ...inactive("away", reason) } });
    const what = { type: "life", life: "away", reason } as const;
    this.#event({ node: view.id, atMs: machineMs(), what });
  }

  #forgetIfGone(id: NodeId): void {
    const { view } = this.#nodes.get(id)!;
    const { membership } = this;
    if (view.life !== "away" || membership.members.length === 0) return;
    if (membership.members.some((member) => member.id === id)) return;
    this.#forget(id);
  }

  /** Forgets a node that has left the cluster. */
  #forget(id: NodeId): void {
    if (!this.#nodes.delete(id)) return;
    for (const listener of this.#listeners) listener.gone(id);
  }
}

/** Reports whether there is a worker that reports the node. */
function runs(view: NodeReport["view"] | undefined): boolean {
  return view !== undefined && (view.life === "running" || view.life === "paused");
}

/** Compares memberships. Uncommitted ones of deposed leaders have lower terms, or will be truncated. */
function isNewer(view: NodeView, than: NodeView): boolean {
  if (view.role === "leader" && than.role === "leader") return view.term > than.term;
  if (view.role === "leader" || than.role === "leader") return view.role === "leader";
  return view.membershipIndex > than.membershipIndex;
}

function sameLink(a: LinkView, b: LinkView): boolean {
  return a.cut === b.cut && a.delayMs === b.delayMs && a.loss === b.loss;
}

/** Returns a member that no page has reported yet. */
function unreported(id: NodeId, address: string): KnownNode {
  const nowMs = machineMs();
  return { page: "", lastMs: nowMs, firstMs: nowMs, view: blankView(id, address) };
}

/** Returns the part of a view that is the same for all nodes that don't run. */
export function inactive(life: NodeLife, lifeReason: string) {
  return { life, lifeReason, role: "follower", leader: null, votes: [], electionTimer: null, progress: [] } as const;
}

/** Returns the view of a node of which only the name is known. */
export function blankView(id: NodeId, address: string): NodeView {
  return {
    ...inactive("away", "its tab is closed"),
    id,
    address,
    home: "another tab",
    term: 0,
    votedFor: null,
    commitIndex: 0,
    appliedIndex: 0,
    durableIndex: 0,
    firstIndex: 1,
    lastIndex: 0,
    snapshot: null,
    membership: emptyMembership,
    membershipIndex: 0,
    entries: [],
    seenMs: machineMs(),
  };
}
