/**
 * Many links at once.
 *
 * @module
 */

import type { NodeId } from "../../mod.ts";
import type { LinkView } from "../source.ts";

/** All links between these nodes, as they ought to be. */
export function allOf(ids: readonly NodeId[]): LinkView[] {
  return ids.flatMap((from) =>
    ids.filter((to) => to !== from).map((to) => ({ from, to, cut: false, delayMs: 0, loss: 0 }))
  );
}

/** All links to and from one node, cut or not; delay and loss stay as they are. */
export function isolated(id: NodeId, cut: boolean, ids: readonly NodeId[], now: readonly LinkView[]): LinkView[] {
  return allOf(ids).filter(({ from, to }) => from === id || to === id).map((link) => {
    const known = now.find(({ from, to }) => from === link.from && to === link.to);
    return { ...link, ...known, cut };
  });
}
