/**
 * Messages between nodes: the third of the three contracts.
 */

import type { RaftError } from "./errors.ts";
import type { Message, NodeId } from "./raft/types.ts";

/** The version of the protocol between nodes. Nodes of another version are refused. */
export const PROTOCOL_VERSION = 1;

/** A message with its sender and receiver, which the receiver checks first. */
export interface Envelope {
  /** {@linkcode PROTOCOL_VERSION} of the sender. */
  readonly protocolVersion: number;
  /** The cluster that the sender belongs to. */
  readonly clusterId: string;
  /** The sender. */
  readonly from: NodeId;
  /** The identity of the sender's data. */
  readonly fromIncarnation: string;
  /** The address of the sender: a new node answers its leader before it has a membership. */
  readonly fromAddress: string;
  /** The receiver. */
  readonly to: NodeId;
  /** The incarnation that the sender's membership has for the receiver; empty if it has none. */
  readonly toIncarnation: string;
  /** The message. */
  readonly message: Message;
}

/**
 * Receives messages. Called once per message, never after `close` has resolved.
 * Returns the reason if a message is refused, for a transport that can report it to
 * the sender; it need not.
 */
export type Receive = (envelope: Envelope) => RaftError | void;

/**
 * Carries envelopes between nodes. Messages may be lost, repeated, reordered or
 * late, but are never altered (damaged ones are dropped).
 */
export interface Transport {
  /** Begins to deliver to `receive`. Called once, before any `send`. */
  start(receive: Receive): Promise<void>;

  /**
   * Sends to the node at `address`, or drops the message. Returns at once, never
   * throws, and never queues without bound. Each peer has a queue of its own, so that
   * a peer that hangs never holds up another.
   */
  send(address: string, envelope: Envelope): void;

  /** Stops delivering, and frees connections. Pending messages are dropped. */
  close(): Promise<void>;
}
