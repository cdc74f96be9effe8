/**
 * The inputs of a run: number N of a seed is always the same.
 *
 * @module
 */

import { randomCall } from "./call_inputs.ts";
import { Draw } from "./draw.ts";
import { garbage, halfOpen, httpRequest, largeWrite, unread } from "./http_inputs.ts";
import { http2Frames } from "./http2_inputs.ts";
import type { Input, Sendable } from "./input.ts";
import { foreignMessages, memberMessages } from "./peer_inputs.ts";

/** The kinds of inputs, each with how often it comes. */
export const KINDS: readonly (readonly [weight: number, kind: string, make: (draw: Draw) => Sendable])[] = [
  [20, "http", httpRequest],
  [10, "http2", http2Frames],
  [25, "call", randomCall],
  [20, "member", memberMessages],
  [15, "foreign", foreignMessages],
  [2, "garbage", garbage],
  [2, "half-open", halfOpen],
  [2, "unread", unread],
  [4, "write", largeWrite],
];

/** Returns an input of a seed. @param nodes the number of nodes */
export function inputOf(seed: number, number: number, nodes: number): Input {
  const draw = new Draw(seed, number);
  const to = draw.whole(0, nodes - 1);
  const [kind, make] = draw.weighted(KINDS.map(([weight, kind, make]) => [weight, [kind, make] as const]));
  return { number, kind, to, ...make(draw) };
}
