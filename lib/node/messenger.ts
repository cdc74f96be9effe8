/**
 * Sends and receives envelopes.
 */

import { RaftError, withoutStack } from "../errors.ts";
import type { LeaderHint } from "../errors.ts";
import type { Membership, Message, NodeId } from "../raft/types.ts";
import type { Identity } from "../storage.ts";
import { PROTOCOL_VERSION } from "../transport.ts";
import type { Envelope, Transport } from "../transport.ts";
import type { NodeContext } from "./context.ts";
import { Directory, type Peer } from "./directory.ts";
import { EnvelopeCheck, isAnswer } from "./envelope_check.ts";
import { asStorageError, stopForStorage } from "./errors.ts";
import type { RefusedMessages } from "./types.ts";

/** The parts of a messenger beside the node's context. */
export interface MessengerOptions {
  readonly transport: Transport;
  readonly identity: Identity;
  /** The address of this node. */
  readonly address: string;
  /** The only cluster that a node without one may adopt; empty for any. */
  readonly expectedCluster: string;
}

/** The reason why a message is refused; its kind is a stable word. */
interface Refusal {
  readonly kind: string;
  readonly reason: string;
}

/** Writes and checks envelopes. */
export class Messenger {
  identity: Identity;
  /** The last entry sent to any peer in this leadership. */
  sentIndex = 0;
  readonly #context: NodeContext;
  readonly #options: MessengerOptions;
  readonly #directory = new Directory();
  readonly #check: EnvelopeCheck;
  #adopting = false;
  #closed = false;

  constructor(context: NodeContext, options: MessengerOptions) {
    this.#context = context;
    this.#options = options;
    this.identity = options.identity;
    this.#check = new EnvelopeCheck(options.expectedCluster);
    this.#directory.update(context.raft.membership);
  }

  /** Begins to receive. */
  async open(): Promise<void> {
    await this.#options.transport.start((envelope) => this.#receive(envelope));
  }

  /** Stops sending and receiving, and closes the transport. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#options.transport.close().catch(() => {});
  }

  /** Takes over the addresses of a membership. @param leader the leader that this node follows */
  update(membership: Membership, leader: NodeId | null): void {
    this.#directory.update(membership, leader);
  }

  /** Returns a node with the address that the membership has for it; empty without one. Clients' requests go there, and so never to what an envelope says. */
  locate(id: NodeId): LeaderHint {
    return { id, address: this.#directory.member(id)?.address ?? "" };
  }

  /** Sends a message, or drops it if the receiver's address is not known. */
  send(to: NodeId, message: Message): void {
    if (message.type === "AppendEntries") {
      this.sentIndex = Math.max(this.sentIndex, message.prevLogIndex + message.entries.length);
    }
    if (this.#closed) return;
    if (isAnswer(message)) return this.#directory.answerTo(to).forEach((peer) => this.#sendTo(peer, to, message));
    const peer = this.#directory.lookup(to);
    if (peer !== undefined) this.#sendTo(peer, to, message);
  }

  #sendTo(peer: Peer, to: NodeId, message: Message): void {
    this.#options.transport.send(peer.address, {
      protocolVersion: PROTOCOL_VERSION,
      clusterId: this.identity.clusterId,
      from: this.identity.nodeId,
      fromIncarnation: this.identity.incarnation,
      fromAddress: this.#options.address,
      to,
      toIncarnation: peer.incarnation,
      message,
    });
  }

  /** Returns the messages refused so far, by kind and sender. */
  refusedMessages(): readonly RefusedMessages[] {
    return this.#check.refused(this.#nowMs);
  }

  get #nowMs(): number {
    return this.#context.config.host.clock.monotonicMs();
  }

  #receive(envelope: Envelope): RaftError | void {
    if (this.#closed) return;
    const { raft } = this.#context;
    const verdict = this.#check.check(envelope, this.identity, this.#directory, raft.leader === null);
    const { from, message } = envelope;
    if (verdict.action === "refuse") return this.#refuse(envelope, "identity_mismatch", verdict);
    const adopt = verdict.action === "adopt";
    const refusal = this.#context.guard(() => adopt ? raft.check(from, message) : raft.step(from, message));
    if (refusal) return this.#refuse(envelope, "refused", refusal);
    if (adopt) return this.#adopt(envelope);
    // The next turn of the loop sends the answer.
    this.#directory.recordSender(from, envelope.fromAddress, envelope.fromIncarnation);
    this.#context.wake();
  }

  /** Counts a message that is refused, and reports the first of its kind and sender. */
  refused(from: NodeId, { kind, reason }: Refusal, address = this.#directory.requester(from)?.address ?? ""): void {
    const { events } = this.#context;
    events.emit("metric", { type: "refused", kind });
    if (this.#check.count(from, kind, reason, this.#nowMs)) {
      events.emit("refused", { from, fromAddress: address, kind, reason });
    }
  }

  #refuse({ from, fromAddress }: Envelope, code: "identity_mismatch" | "refused", refusal: Refusal): RaftError {
    this.refused(from, refusal, fromAddress);
    // The sender decides how many there are.
    return withoutStack(() => new RaftError(code, `the message is refused: ${refusal.reason}`));
  }

  /** Adopts the sender's cluster: makes its id durable before the message is processed. */
  #adopt(envelope: Envelope): void {
    if (this.#adopting) return;
    this.#adopting = true;
    const identity: Identity = { ...this.identity, clusterId: envelope.clusterId };
    this.#context.storage.initialize(identity).then(() => {
      this.identity = identity;
      const { clusterId, from, fromAddress } = envelope;
      this.#context.events.emit("joined", { clusterId, from, fromAddress });
      this.#receive(envelope);
    }).catch((cause) => stopForStorage(this.#context, asStorageError(cause))).finally(() => this.#adopting = false);
  }
}
