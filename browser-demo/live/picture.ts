/**
 * What this page knows of the cluster, put together from what all its tabs and
 * workers tell.
 *
 * @module
 */

import { emptyMembership } from "../../mod.ts";
import type { Membership, NodeId } from "../../mod.ts";
import type { Happening, LinkView, MessageView, NodeView, SourceListener } from "../source.ts";
import { isServerAddress } from "./addresses.ts";
import { AWAY_AFTER_MS, machineMs } from "./observation.ts";
import type { NodeReport, Observation } from "./observation.ts";
import { ASKED_SERVER } from "./server_watch.ts";

/** Workers report this often, and a little more: until then, what happened earlier may still be told. */
const SETTLE_MS = 60;

/** A node as it was last told of. */
export interface KnownNode {
  readonly page: string;
  readonly view: NodeView;
  /** When its page last told of it, and when it first did. */
  readonly heardMs: number;
  readonly sinceMs: number;
}

/** The newest of everything, and who is to be told. */
export class Picture {
  readonly #page: string;
  readonly #nodes = new Map<NodeId, KnownNode>();
  readonly #links = new Map<string, LinkView>();
  readonly #endedRuns = new Set<string>();
  readonly #leftPages = new Set<string>();
  readonly #listeners = new Set<SourceListener>();
  readonly #watchers = new Set<() => void>();
  #happened: Happening[] = [];

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

  /** The newest membership that anybody has. */
  get membership(): Membership {
    let newest: NodeView | undefined;
    for (const { view } of this.#nodes.values()) {
      if (newest === undefined || isNewer(view, newest)) newest = view;
    }
    return newest?.membership ?? emptyMembership;
  }

  /** Tells everything, then every change. */
  subscribe(listener: SourceListener): () => void {
    this.#listeners.add(listener);
    for (const { view } of this.#nodes.values()) listener.node(view);
    for (const link of this.#links.values()) listener.link(link);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves with what `look` finds, as soon as it finds something; `null` after `timeoutMs`. */
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

  /** Takes what another tab, a worker, or this page itself tells. */
  observe(observation: Observation): void {
    if (observation.type === "report") {
      const { report, links, messages, happened } = observation;
      if (this.#leftPages.has(report.page)) return;
      if (this.#endedRuns.has(report.run) && report.view.life !== "killed") return;
      if (!this.#reported(report)) return;
      if (links !== null) this.#own(report.view.id, links);
      for (const message of messages) this.#message(message);
      for (const happening of happened) this.happened(happening);
    } else if (observation.type === "links") this.#ordered(observation.links);
    else if (observation.type === "left") this.#left(observation.page);
    else if (observation.type === "gone") this.#forget(observation.id);
    for (const watch of this.#watchers) watch();
  }

  /** Whatever this life of a worker still says does not count any more. */
  runEnded(run: string): void {
    this.#endedRuns.add(run);
  }

  /** Tells of it in a moment, in order: what a node answers may be heard of before what it was asked. */
  happened(happening: Happening): void {
    if (this.#happened.push(happening) === 1) setTimeout(() => this.#tellHappened(), SETTLE_MS);
  }

  #tellHappened(): void {
    const settledMs = machineMs() - SETTLE_MS;
    const inOrder = this.#happened.sort((a, b) => a.atMs - b.atMs);
    const settled = inOrder.filter(({ atMs }) => atMs <= settledMs);
    this.#happened = inOrder.slice(settled.length);
    for (const happening of settled) {
      for (const listener of this.#listeners) listener.happened(happening);
    }
    if (this.#happened.length > 0) setTimeout(() => this.#tellHappened(), SETTLE_MS);
  }

  /** A node that runs says for itself what its links do, a moment after it was told to change them. */
  #ordered(links: readonly LinkView[]): void {
    this.#setLinks(links.filter((link) => !runs(this.#nodes.get(this.#keeper(link))?.view)));
  }

  /** Whose business a link is: its sender's; what a server sends is lost where it arrives. */
  #keeper({ from, to }: LinkView): NodeId {
    return isServerAddress(this.#nodes.get(from)?.view.address ?? "") ? to : from;
  }

  #setLinks(links: readonly LinkView[]): void {
    for (const link of links) {
      const key = `${link.from} ${link.to}`;
      const known = this.#links.get(key);
      const clean = !link.cut && link.delayMs === 0 && link.loss === 0;
      if (known === undefined ? clean : sameLink(known, link)) continue;
      if (clean) this.#links.delete(key);
      else this.#links.set(key, link);
      for (const listener of this.#listeners) listener.link(link);
    }
  }

  /** Time has passed: who was not told of is away, and who is in no membership either is gone. */
  age(): void {
    for (const { address, id } of this.membership.members) {
      if (!this.#nodes.has(id)) this.#keep(stranger(id, address));
    }
    for (const known of this.nodes) {
      const { view, heardMs } = known;
      if (view.life !== "away" && machineMs() - heardMs > AWAY_AFTER_MS) this.#away(known, "nobody tells of it");
      this.#forgetIfGone(view.id);
    }
  }

  /** Returns whether it counts. */
  #reported({ page, run, view }: NodeReport): boolean {
    if (view.life === "killed") this.#endedRuns.add(run);
    const known = this.#nodes.get(view.id);
    // A page that would run it as well may tell of it for a moment: the one where it runs is right.
    if (known !== undefined && known.page !== page && runs(known.view) && !runs(view)) return false;
    const home = page === this.#page ? "this page" : page === ASKED_SERVER ? "server" : "another tab";
    const heardMs = machineMs();
    const sinceMs = known?.page === page ? known.sinceMs : heardMs;
    this.#keep({ page, view: { ...view, home }, heardMs, sinceMs });
    return true;
  }

  #keep(known: KnownNode): void {
    this.#nodes.set(known.view.id, known);
    for (const listener of this.#listeners) listener.node(known.view);
  }

  /** A link that its keeper does not name any more does its duty again. */
  #own(keeper: NodeId, links: readonly LinkView[]): void {
    const named = new Set(links.map(({ from, to }) => `${from} ${to}`));
    const healed = this.links.filter((link) => this.#keeper(link) === keeper && !named.has(`${link.from} ${link.to}`));
    if (runs(this.#nodes.get(keeper)?.view)) {
      this.#setLinks(healed.map((link) => ({ ...link, cut: false, delayMs: 0, loss: 0 })));
    }
    this.#setLinks(links);
  }

  /** What is sent to a node that does not run reaches nobody, whatever its sender thinks. */
  #message(message: MessageView): void {
    const receiver = this.#nodes.get(message.to)?.view.life;
    const lost = receiver === "killed" || receiver === "stopped" || receiver === "paused" || receiver === "away";
    const seen: MessageView = lost && message.fate === "delivered" ? { ...message, fate: "lost" } : message;
    for (const listener of this.#listeners) listener.message(seen);
  }

  /** What its workers still say of closing their nodes is of no interest. */
  #left(page: string): void {
    this.#leftPages.add(page);
    for (const known of this.nodes) {
      if (known.page === page) this.#away(known, "its tab was closed");
    }
  }

  #away(known: KnownNode, reason: string): void {
    const { view } = known;
    this.#keep({
      ...known,
      view: { ...view, life: "away", lifeReason: reason, role: "follower", electionTimer: null, progress: [] },
    });
    const what = { type: "life", life: "away", reason } as const;
    this.happened({ node: view.id, atMs: machineMs(), what });
  }

  #forgetIfGone(id: NodeId): void {
    const { view } = this.#nodes.get(id)!;
    const { membership } = this;
    if (view.life !== "away" || membership.members.length === 0) return;
    if (membership.members.some((member) => member.id === id)) return;
    this.#forget(id);
  }

  /** It has left the cluster, and nobody runs it. */
  #forget(id: NodeId): void {
    if (!this.#nodes.delete(id)) return;
    for (const listener of this.#listeners) listener.gone(id);
  }
}

/** Whether there is a worker that tells of it. */
function runs(view: NodeReport["view"] | undefined): boolean {
  return view !== undefined && (view.life === "running" || view.life === "paused");
}

/** Uncommitted memberships of deposed leaders have lower terms, or will be cut off. */
function isNewer(view: NodeView, than: NodeView): boolean {
  if (view.role === "leader" && than.role === "leader") return view.term > than.term;
  if (view.role === "leader" || than.role === "leader") return view.role === "leader";
  return view.membershipIndex > than.membershipIndex;
}

function sameLink(a: LinkView, b: LinkView): boolean {
  return a.cut === b.cut && a.delayMs === b.delayMs && a.loss === b.loss;
}

/** A member that nobody has told of yet. */
function stranger(id: NodeId, address: string): KnownNode {
  const nowMs = machineMs();
  return { page: "", heardMs: nowMs, sinceMs: nowMs, view: blankView(id, address) };
}

/** A node of which nothing is known but its name. */
export function blankView(id: NodeId, address: string): NodeView {
  return {
    id,
    address,
    home: "another tab",
    life: "away",
    lifeReason: "its tab is closed",
    role: "follower",
    term: 0,
    votedFor: null,
    leader: null,
    votes: [],
    electionTimer: null,
    commitIndex: 0,
    appliedIndex: 0,
    durableIndex: 0,
    firstIndex: 1,
    lastIndex: 0,
    snapshot: null,
    membership: emptyMembership,
    membershipIndex: 0,
    entries: [],
    progress: [],
    seenMs: machineMs(),
  };
}
