/**
 * Inputs: what is sent to a node, all of it chosen by a seed and a number.
 *
 * @module
 */

import type { HeldSockets } from "./raw_socket.ts";
import type { Target, World } from "./world.ts";

/** The surroundings that an input is sent in. */
export interface Ground {
  readonly world: World;
  readonly target: Target;
  readonly held: HeldSockets;
}

/** Something to send. */
export interface Sendable {
  /** A description in a few words. */
  readonly what: string;
  /** Set if it may cost the cluster its leader: the next such input waits until clients were served again. */
  readonly disruptive?: boolean;
  /** Sends it; returns the beginning of the answer. */
  send(ground: Ground): Promise<string>;
}

/** One input of a run. */
export interface Input extends Sendable {
  readonly number: number;
  readonly kind: string;
  /** The position of the node that it is sent to. */
  readonly to: number;
}
