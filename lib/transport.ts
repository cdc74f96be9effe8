/**
 * How nodes reach each other. The third of the three contracts.
 *
 * @module
 */

import type { RaftError } from "./errors.ts";
import type { Message, NodeId } from "./raft/types.ts";

/** The version of the protocol between nodes. Nodes of another version are refused. */
export const PROTOCOL_VERSION = 1;

/** A message with who sent it and for whom it is, checked by the receiver before anything else. */
export interface Envelope {
  /** {@linkcode PROTOCOL_VERSION} of the sender. */
  readonly protocolVersion: number;
  /** The cluster that the sender belongs to. */
  readonly clusterId: string;
  /** The sender. */
  readonly from: NodeId;
  /** The identity of the sender's data. */
  readonly fromIncarnation: string;
  /** Where the sender is reached: a new node answers its leader before it knows any membership. */
  readonly fromAddress: string;
  /** The receiver. */
  readonly to: NodeId;
  /** The incarnation that the sender's membership has for the receiver; empty if it has none. */
  readonly toIncarnation: string;
  /** What it says. */
  readonly message: Message;
}

/**
 * Takes what arrives. Called once per message, never after `close` has resolved.
 * Returns why a message was refused, for a transport that can tell its sender;
 * nothing is owed to it.
 */
export type Receive = (envelope: Envelope) => RaftError | void;

/**
 * Carries envelopes between nodes. Messages may be lost, repeated, reordered or
 * late; they are never altered (damaged ones are dropped). Raft needs no more.
 */
export interface Transport {
  /** Begins to deliver to `receive`. Called once, before any `send`. */
  start(receive: Receive): Promise<void>;

  /**
   * Sends to the node at `address`, or drops. Returns at once, never throws, and
   * never queues without bound; a peer that is gone costs a drop. Each peer has
   * a lane of its own, so that one that hangs never holds up another.
   */
  send(address: string, envelope: Envelope): void;

  /** Stops delivering, and frees connections. Pending messages are dropped. */
  close(): Promise<void>;
}
