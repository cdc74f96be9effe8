/**
 * What the source has told, as of now: the one thing that all parts of the view
 * look at. It keeps what changed, so that the frame loop can tell each part.
 *
 * @module
 */

import type { NodeId } from "../../mod.ts";
import type { Happening, LinkView, MessageView, NodeView, SourceListener } from "../source.ts";
import { leaderOf } from "./explain_state.ts";
import type { Picture } from "./explain_state.ts";
import type { Surroundings } from "./explain.ts";

/** What can change. */
export type Topic = "nodes" | "links" | "messages" | "happenings" | "selection" | "values";

/** A node's own value of the key that is looked at; `null`: it has no such key; `undefined`: not known. */
export type ShownValue = string | null | undefined;

/** How many messages are kept for the table. */
const MESSAGES_KEPT = 40;
/** How many election timers of a node are remembered: a campaign restarts it twice. */
const TIMERS_KEPT = 4;

/** Two nodes, whatever the direction. */
export interface Pair {
  readonly a: NodeId;
  readonly b: NodeId;
}

/** The name of one direction of a link. */
export function linkKey(from: NodeId, to: NodeId): string {
  return `${from} → ${to}`;
}

type Timer = NonNullable<NodeView["electionTimer"]>;

/** The state of the view. */
export class ClusterModel implements SourceListener, Picture, Surroundings {
  readonly nodes = new Map<NodeId, NodeView>();
  readonly links = new Map<string, LinkView>();
  /** The newest last. */
  readonly messages: MessageView[] = [];
  /** What each node has under {@linkcode watchedKey}. */
  readonly values = new Map<NodeId, ShownValue>();
  /** Called with each message, and with each happening. */
  readonly onMessage: ((view: MessageView) => void)[] = [];
  readonly onHappening: ((happening: Happening) => void)[] = [];
  watchedKey = "colour";
  selectedNode: NodeId | null = null;
  selectedLink: Pair | null = null;
  readonly #changed = new Set<Topic>();
  /** The election timers that ran last, the newest first. */
  readonly #timers = new Map<NodeId, Timer[]>();

  /** Notes that something changed. */
  touch(topic: Topic): void {
    this.#changed.add(topic);
  }

  /** What has changed since the last call. */
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

  linkOf(from: NodeId, to: NodeId): LinkView | undefined {
    return this.links.get(linkKey(from, to));
  }

  message(view: MessageView): void {
    this.messages.push(view);
    if (this.messages.length > MESSAGES_KEPT) this.messages.shift();
    this.touch("messages");
    for (const listener of this.onMessage) listener(view);
  }

  happened(happening: Happening): void {
    this.touch("happenings");
    for (const listener of this.onHappening) listener(happening);
  }

  /** The nodes' names in the order they are shown: n2 before n10. */
  ids(): NodeId[] {
    return [...this.nodes.keys()].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  }

  leader(): NodeView | null {
    return leaderOf(this.nodes);
  }

  /** Every two nodes. */
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

  /** Whether everything to and from a node is cut. */
  isIsolated(id: NodeId): boolean {
    const others = this.ids().filter((other) => other !== id);
    return others.length > 0 &&
      others.every((other) => this.linkOf(id, other)?.cut === true && this.linkOf(other, id)?.cut === true);
  }

  /** A campaign restarts the timer, so the one that ran out may be one before. */
  silenceMs(node: NodeId, atMs: number): number | null {
    for (const { startedMs, dueMs } of this.#timers.get(node) ?? []) {
      const silence = atMs - startedMs;
      if (silence > 0 && silence >= 0.6 * (dueMs - startedMs)) return silence;
    }
    return null;
  }
}
