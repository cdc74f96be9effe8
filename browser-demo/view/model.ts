/**
 * The state of the view: the newest of everything from the source, and the topics
 * that have changed since the last frame.
 */

import type { NodeId } from "../../mod.ts";
import { healthyLink } from "../live/links.ts";
import type { ClusterEvent, LinkView, MessageView, NodeView, SourceListener } from "../source.ts";
import { byName } from "./words.ts";

/** The things that can change. */
export type Topic = "nodes" | "links" | "messages" | "events" | "selection" | "values";

/** A node's own value of the watched key: `null` if it has no such key, `undefined` if it is not known. */
export type ShownValue = string | null | undefined;

/** Messages that are kept for the table. */
const MESSAGES_KEPT = 40;
/** Election timers that are remembered of each node: a campaign restarts it twice. */
const TIMERS_KEPT = 4;

/** Two nodes, whatever the direction. */
export interface Pair {
  readonly a: NodeId;
  readonly b: NodeId;
}

/** Returns the name of one direction of a link. */
export function linkKey(from: NodeId, to: NodeId): string {
  return `${from} → ${to}`;
}

type Timer = NonNullable<NodeView["electionTimer"]>;

/** The state of the view. */
export class ClusterModel implements SourceListener {
  readonly nodes = new Map<NodeId, NodeView>();
  readonly links = new Map<string, LinkView>();
  /** The newest last. */
  readonly messages: MessageView[] = [];
  /** Each node's value of {@linkcode watchedKey}. */
  readonly values = new Map<NodeId, ShownValue>();
  readonly onMessage: ((view: MessageView) => void)[] = [];
  readonly onEvent: ((event: ClusterEvent) => void)[] = [];
  watchedKey = "colour";
  selectedNode: NodeId | null = null;
  selectedLink: Pair | null = null;
  readonly #changed = new Set<Topic>();
  /** The last election timers, the newest first. */
  readonly #timers = new Map<NodeId, Timer[]>();

  /** Marks a topic as changed. */
  touch(topic: Topic): void {
    this.#changed.add(topic);
  }

  /** Returns the topics that have changed since the last call. */
  takeChanges(): ReadonlySet<Topic> {
    const taken = new Set(this.#changed);
    this.#changed.clear();
    return taken;
  }

  node(view: NodeView): void {
    const { electionTimer } = view;
    const timers = this.#timers.get(view.id) ?? [];
    if (electionTimer !== null && timers[0]?.startedMs !== electionTimer.startedMs) {
      this.#timers.set(view.id, [electionTimer, ...timers].slice(0, TIMERS_KEPT));
    }
    this.nodes.set(view.id, view);
    this.touch("nodes");
    if (this.selectedNode === null) this.selectNode(view.id);
  }

  gone(id: NodeId): void {
    this.nodes.delete(id);
    this.values.delete(id);
    this.#timers.delete(id);
    for (const [key, { from, to }] of this.links) if (from === id || to === id) this.links.delete(key);
    if (this.selectedNode === id) this.selectedNode = this.ids()[0] ?? null;
    if (this.selectedLink?.a === id || this.selectedLink?.b === id) this.selectedLink = null;
    for (const topic of ["nodes", "links", "selection", "values"] as const) this.touch(topic);
  }

  link(view: LinkView): void {
    this.links.set(linkKey(view.from, view.to), view);
    this.touch("links");
  }

  /** Returns the state of a link, which is healthy unless the source has said otherwise. */
  linkOf(from: NodeId, to: NodeId): LinkView {
    return this.links.get(linkKey(from, to)) ?? healthyLink(from, to);
  }

  message(view: MessageView): void {
    this.messages.push(view);
    if (this.messages.length > MESSAGES_KEPT) this.messages.shift();
    this.touch("messages");
    for (const listener of this.onMessage) listener(view);
  }

  event(event: ClusterEvent): void {
    this.touch("events");
    for (const listener of this.onEvent) listener(event);
  }

  /** Returns the nodes' names in the order in which they are shown. */
  ids(): NodeId[] {
    return [...this.nodes.keys()].sort(byName);
  }

  /** Returns the nodes in the same order. */
  views(): NodeView[] {
    return this.ids().flatMap((id) => this.nodes.get(id) ?? []);
  }

  /** Returns the leader; if several nodes consider themselves leader, the one of the newest term. */
  leader(): NodeView | null {
    const leaders = [...this.nodes.values()].filter(({ life, role }) => life === "running" && role === "leader");
    return leaders.sort((a, b) => b.term - a.term)[0] ?? null;
  }

  /** Returns all pairs of nodes. */
  pairs(): Pair[] {
    const ids = this.ids();
    return ids.flatMap((a, index) => ids.slice(index + 1).map((b) => ({ a, b })));
  }

  selectNode(id: NodeId): void {
    this.selectedNode = id;
    this.touch("selection");
  }

  selectLink(pair: Pair): void {
    this.selectedLink = pair;
    this.touch("selection");
  }

  /** Reports whether all links of a node are cut. */
  isIsolated(id: NodeId): boolean {
    const others = this.ids().filter((other) => other !== id);
    return others.length > 0 && others.every((other) => this.linkOf(id, other).cut && this.linkOf(other, id).cut);
  }

  /** Returns how long a node had received nothing from a leader at a time; `null` if that is not known. */
  silenceMs(node: NodeId, atMs: number): number | null {
    // The timer that ran out may be an earlier one, since a campaign restarts the timer.
    for (const { startedMs, dueMs } of this.#timers.get(node) ?? []) {
      const silence = atMs - startedMs;
      if (silence > 0 && silence >= 0.6 * (dueMs - startedMs)) return silence;
    }
    return null;
  }
}
