/**
 * Envelopes in and out: who may talk to this node, and where others are reached.
 *
 * @module
 */

import { RaftError } from "../errors.ts";
import type { LeaderHint } from "../errors.ts";
import type { Membership, Message, NodeId } from "../raft/types.ts";
import type { Identity, Storage } from "../storage.ts";
import { PROTOCOL_VERSION } from "../transport.ts";
import type { Envelope, Transport } from "../transport.ts";
import { Directory } from "./directory.ts";
import { Gatekeeper, isAnswer } from "./identity.ts";

/** What the post needs of the node. */
export interface PostOptions {
  readonly transport: Transport;
  readonly storage: Storage;
  readonly identity: Identity;
  readonly address: string;
  readonly membership: Membership;
  /** Whether this node hears of no leader. */
  readonly leaderless: () => boolean;
  /** A message that was let in. */
  readonly deliver: (from: NodeId, message: Message) => void;
  /** A kind of refusal, told once for each sender. */
  readonly refused: (from: NodeId, reason: string) => void;
  /** The storage could not take the cluster id. */
  readonly failed: (cause: unknown) => void;
}

/** Writes and checks envelopes. */
export class Post {
  readonly #options: PostOptions;
  readonly #directory = new Directory();
  readonly #gatekeeper = new Gatekeeper();
  #identity: Identity;
  #adopting = false;
  #closed = false;

  constructor(options: PostOptions) {
    this.#options = options;
    this.#identity = options.identity;
    this.#directory.update(options.membership);
  }

  get identity(): Identity {
    return this.#identity;
  }

  /** Begins to deliver. */
  async open(): Promise<void> {
    await this.#options.transport.start((envelope) => this.#receive(envelope));
  }

  /** Nothing is sent or delivered any more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#options.transport.close().catch(() => {});
  }

  /** Takes over who is where. */
  update(membership: Membership): void {
    this.#directory.update(membership);
  }

  /** Where this node is reached; the address is empty if not known. */
  locate(id: NodeId): LeaderHint {
    return { id, address: this.#directory.asker(id)?.address ?? "" };
  }

  /** Sends, or drops what is for somebody who can't be reached. */
  send(to: NodeId, message: Message): void {
    const peer = isAnswer(message) ? this.#directory.asker(to) : this.#directory.lookup(to);
    if (peer === undefined || this.#closed) return;
    this.#options.transport.send(peer.address, {
      protocolVersion: PROTOCOL_VERSION,
      clusterId: this.#identity.clusterId,
      from: this.#identity.nodeId,
      fromIncarnation: this.#identity.incarnation,
      fromAddress: this.#options.address,
      to,
      toIncarnation: peer.incarnation,
      message,
    });
  }

  #receive(envelope: Envelope): RaftError | undefined {
    if (this.#closed) return undefined;
    const verdict = this.#gatekeeper.check(
      envelope,
      this.#identity,
      this.#directory,
      this.#options.leaderless(),
    );
    if (verdict.do === "refuse") {
      if (this.#gatekeeper.firstTime(envelope.from, verdict.kind)) this.#options.refused(envelope.from, verdict.reason);
      return new RaftError("identity_mismatch", `the message is refused: ${verdict.reason}`);
    }
    if (verdict.do === "adopt") {
      this.#adopt(envelope);
    } else {
      this.#directory.heardFrom(envelope.from, envelope.fromAddress, envelope.fromIncarnation);
      this.#options.deliver(envelope.from, envelope.message);
    }
    return undefined;
  }

  /** Makes the cluster id durable before anything of the cluster is looked at. */
  #adopt(envelope: Envelope): void {
    if (this.#adopting) return;
    this.#adopting = true;
    const identity: Identity = { ...this.#identity, clusterId: envelope.clusterId };
    this.#options.storage.initialize(identity).then(() => {
      this.#identity = identity;
      this.#receive(envelope);
    }).catch((cause) => this.#options.failed(cause)).finally(() => this.#adopting = false);
  }
}
