/**
 * Links: healthy ones, and many at once.
 */

import type { NodeId } from "../../mod.ts";
import type { LinkView } from "../source.ts";

/** Returns a link that delivers every message at once. */
export function healthyLink(from: NodeId, to: NodeId): LinkView {
  return { from, to, cut: false, delayMs: 0, loss: 0 };
}

/** Reports whether a link delivers every message at once. */
export function isHealthy({ cut, delayMs, loss }: LinkView): boolean {
  return !cut && delayMs === 0 && loss === 0;
}

/** Returns all links between these nodes, healthy. */
export function allLinks(ids: readonly NodeId[]): LinkView[] {
  return ids.flatMap((from) => ids.filter((to) => to !== from).map((to) => healthyLink(from, to)));
}

/** Returns all links to and from one node, cut or not, with the delay and loss that they have now. */
export function isolatedLinks(id: NodeId, cut: boolean, ids: readonly NodeId[], now: readonly LinkView[]): LinkView[] {
  return allLinks(ids).filter(({ from, to }) => from === id || to === id).map((link) => {
    const known = now.find(({ from, to }) => from === link.from && to === link.to);
    return { ...link, ...known, cut };
  });
}
