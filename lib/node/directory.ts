/**
 * The addresses of other nodes.
 */

import type { Membership, NodeId } from "../raft/types.ts";

/** The address of a node, and its data folder. */
export interface Peer {
  readonly address: string;
  /** Empty if not known. */
  readonly incarnation: string;
}

const MAX_OTHERS = 128;

/**
 * The members of the newest membership, and a bounded number of other nodes, most
 * recent last: removed members, which may still have to receive their removal, and
 * senders that are not in this node's membership yet (dissertation §4.1).
 */
export class Directory {
  #membership: Membership | null = null;
  #members = new Map<NodeId, Peer>();
  readonly #others = new Map<NodeId, Peer>();
  /** Senders with a member's name and another data folder: this node's membership, or theirs, is outdated. */
  readonly #namesakes = new Map<NodeId, Peer>();
  /** Where members say that they are: a member that lags knows addresses of long ago, and nothing else tells it of a move. */
  readonly #places = new Map<NodeId, string>();

  /**
   * Takes over a membership, and remembers removed members.
   *
   * @param leader the leader that this node follows: it is known by its data folder, whatever an old membership says of
   * its name, or a node that lags would refuse its messages again after each membership that it receives
   */
  update(membership: Membership, leader: NodeId | null = null): void {
    if (membership === this.#membership) return;
    const followed = leader === null ? undefined : this.requester(leader);
    this.#membership = membership;
    this.#namesakes.clear();
    const former = this.#members;
    this.#members = new Map(membership.members.map((member) => [member.id, member]));
    for (const [id, { incarnation }] of this.#members) {
      const sender = this.#others.get(id);
      if (sender?.incarnation === incarnation) this.#places.set(id, sender.address);
      this.#others.delete(id);
    }
    for (const id of this.#places.keys()) if (!this.#members.has(id)) this.#places.delete(id);
    for (const [id, peer] of former) {
      if (!this.#members.has(id)) this.#remember(id, peer);
    }
    const isKnown = followed !== undefined && followed.incarnation !== "";
    if (leader !== null && isKnown && this.#isNamesake(leader, followed.incarnation)) {
      this.#namesakes.set(leader, followed);
    }
  }

  /** Reports whether a member has this name and another data folder. */
  #isNamesake(id: NodeId, incarnation: string): boolean {
    const member = this.#members.get(id);
    return member !== undefined && member.incarnation !== "" && member.incarnation !== incarnation;
  }

  /** Remembers where a sender is. */
  recordSender(id: NodeId, address: string, incarnation: string): void {
    if (address === "") return;
    if (this.#isNamesake(id, incarnation)) return void this.#namesakes.set(id, { address, incarnation });
    if (this.#members.has(id)) {
      this.#namesakes.delete(id);
      this.#places.set(id, address);
      return;
    }
    const known = this.#others.get(id);
    if (known?.address === address && known.incarnation === incarnation) return;
    this.#remember(id, { address, incarnation });
  }

  lookup(id: NodeId): Peer | undefined {
    return this.#members.get(id) ?? this.#others.get(id);
  }

  /** Returns the node that last sent a request under this name: the one to answer. */
  requester(id: NodeId): Peer | undefined {
    return this.#namesakes.get(id) ?? this.lookup(id);
  }

  /**
   * Returns where an answer to a node goes: to the address that it names, beside the one that the membership has, since
   * either may be outdated. So a false one, which anybody may name, keeps no answer from the node.
   */
  answerTo(id: NodeId): readonly Peer[] {
    const peer = this.requester(id);
    if (peer === undefined) return [];
    const address = this.#namesakes.has(id) ? undefined : this.#places.get(id);
    return address === undefined || address === peer.address ? [peer] : [peer, { ...peer, address }];
  }

  /** Returns the member of the newest membership; `undefined` if it is not one. */
  member(id: NodeId): Peer | undefined {
    return this.#members.get(id);
  }

  #remember(id: NodeId, peer: Peer): void {
    this.#others.delete(id);
    this.#others.set(id, peer);
    if (this.#others.size > MAX_OTHERS) this.#others.delete(this.#others.keys().next().value!);
  }
}
