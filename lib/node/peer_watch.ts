/**
 * The leader's watch over its peers: which of them do not answer, and since when.
 */

import type { PeerProgress } from "../raft/types.ts";
import type { NodeContext } from "./context.ts";
import type { Messenger } from "./messenger.ts";

/** Reports each member that stops answering the leader, and its return: once each. */
export class PeerWatch {
  readonly #context: NodeContext;
  readonly #messenger: Pick<Messenger, "locate">;
  /** The ticks since each peer's last answer, or since this node leads. */
  readonly #silence = new Map<string, number>();
  readonly #silent = new Set<string>();

  constructor(context: NodeContext, messenger: Pick<Messenger, "locate">) {
    this.#context = context;
    this.#messenger = messenger;
  }

  /** Counts a tick. */
  tick(): void {
    const { raft, config } = this.#context;
    const members = new Set(raft.membership.members.map(({ id }) => id));
    const peers = raft.progress().filter(({ id }) => members.has(id));
    const ids = new Set(peers.map(({ id }) => id));
    for (const id of this.#silence.keys()) if (!ids.has(id)) this.#forget(id);
    for (const peer of peers) this.#observe(peer, config.electionTicks);
  }

  #observe({ id, ticksSinceContact }: PeerProgress, patienceTicks: number): void {
    const before = this.#silence.get(id) ?? 0;
    const ticks = Math.min(ticksSinceContact, before + 1);
    this.#silence.set(id, ticks);
    if (ticks >= patienceTicks) {
      if (this.#silent.has(id)) return;
      this.#silent.add(id);
      this.#report(id, false, ticks);
    } else if (this.#silent.delete(id)) this.#report(id, true, before);
  }

  #report(id: string, answers: boolean, silentTicks: number): void {
    const { events, config: { tickMs } } = this.#context;
    const { address } = this.#messenger.locate(id);
    events.emit("peer", { id, address, answers, silentMs: silentTicks * tickMs });
  }

  #forget(id: string): void {
    this.#silence.delete(id);
    this.#silent.delete(id);
  }
}
