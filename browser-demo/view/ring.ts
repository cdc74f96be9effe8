/**
 * The geometry of the picture of the cluster. Pure. Units are hundredths of its width.
 *
 * @module
 */

/** A place. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** The picture's height. */
export const HEIGHT = 78;
/** The distance of each direction's lane from the middle of a link. */
const LANE = 0.9;

/** Returns the width of a node, by the number of nodes. */
export function nodeSize(nodes: number): number {
  return nodes <= 3 ? 17 : nodes <= 5 ? 15.5 : nodes <= 7 ? 13.5 : 11;
}

/** Returns the places of `nodes` nodes: on a ring, the first at its top. */
export function ringPositions(nodes: number): Point[] {
  const centre = { x: 50, y: HEIGHT / 2 };
  if (nodes === 1) return [centre];
  const [across, down] = nodes <= 3 ? [36, 30] : [39, 28];
  const middle = nodes === 3 ? centre.y + 5 : centre.y;
  return Array.from({ length: nodes }, (_, index) => {
    const turn = nodes === 2 ? Math.PI : -Math.PI / 2;
    const angle = turn + (2 * Math.PI * index) / nodes;
    return { x: centre.x + across * Math.cos(angle), y: middle + down * Math.sin(angle) };
  });
}

/** Returns the lane from one node to another: from edge to edge, to the right of the middle. */
export function lane(from: Point, to: Point, size: number): { readonly start: Point; readonly end: Point } {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = Math.hypot(dx, dy) || 1;
  const [ux, uy] = [dx / length, dy / length];
  const gap = size * 0.66;
  const [sideX, sideY] = [-uy * LANE, ux * LANE];
  return {
    start: { x: from.x + ux * gap + sideX, y: from.y + uy * gap + sideY },
    end: { x: to.x - ux * gap + sideX, y: to.y - uy * gap + sideY },
  };
}

/** Returns a place between two others. */
export function between(start: Point, end: Point, part: number): Point {
  return { x: start.x + (end.x - start.x) * part, y: start.y + (end.y - start.y) * part };
}
