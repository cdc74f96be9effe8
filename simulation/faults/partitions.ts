/**
 * Shapes of network partitions.
 */

import type { Stream } from "../decisions.ts";
import type { Network } from "../network.ts";

/** Directed links to be cut, as "from, to". */
type Ways = (readonly [string, string])[];

const SHAPES: Record<string, (chance: Stream, names: readonly string[]) => Ways> = {
  /** One node alone. */
  isolated: (chance, names) => {
    const alone = chance.pick(names)!;
    return between([alone], names.filter((name) => name !== alone));
  },
  /** Two halves, or a few and the rest. */
  split: (chance, names) => {
    const order = chance.shuffled(names);
    const size = chance.between(1, Math.max(1, order.length - 1));
    return between(order.slice(0, size), order.slice(size));
  },
  /** Two halves, connected only through one node. */
  bridge: (chance, names) => {
    const [, ...order] = chance.shuffled(names);
    const half = Math.ceil(order.length / 2);
    return between(order.slice(0, half), order.slice(half));
  },
  /** One node that receives but can't send, or the reverse. */
  oneWay: (chance, names) => {
    const alone = chance.pick(names)!;
    const others = names.filter((name) => name !== alone);
    return chance.chance(0.5) ? towards([alone], others) : towards(others, [alone]);
  },
  /** Each node reaches only some others. */
  ragged: (chance, names) => {
    const ways: Ways = [];
    for (const from of names) for (const to of names) if (from !== to && chance.chance(0.3)) ways.push([from, to]);
    return ways;
  },
};

/** Cuts the network in one of these shapes. Returns the shape, the links, and a function that mends them. */
export function partition(
  network: Network,
  chance: Stream,
  nodes: readonly string[],
  clients: readonly string[],
): { readonly shape: string; readonly ways: readonly (readonly [string, string])[]; readonly mend: () => void } {
  const shape = chance.pick(Object.keys(SHAPES))!;
  // Sometimes the clients are cut off with one of the sides.
  const names = chance.chance(0.3) ? [...nodes, ...clients] : nodes;
  const ways = SHAPES[shape]!(chance, names);
  const mends = ways.map(([from, to]) => network.cut(from, to));
  return { shape, ways, mend: () => mends.forEach((mend) => mend()) };
}

function towards(from: readonly string[], to: readonly string[]): Ways {
  return from.flatMap((each) => to.map((other) => [each, other] as const));
}

function between(some: readonly string[], others: readonly string[]): Ways {
  return [...towards(some, others), ...towards(others, some)];
}
