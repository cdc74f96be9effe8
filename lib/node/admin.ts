/**
 * Membership changes and transfers of leadership on their way.
 *
 * @module
 */

import { RaftError } from "../errors.ts";
import type { Membership, NodeId, RaftEvent } from "../raft/types.ts";
import { aborted } from "./errors.ts";
import type { MakeError } from "./errors.ts";
import { leadershipLost } from "./proposals.ts";

interface Waiting<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: RaftError) => void;
}

interface Change extends Waiting<Membership> {
  readonly index: number;
}

interface Transfer extends Waiting<NodeId> {
  readonly to: NodeId;
  /** Whether nobody else would do. */
  readonly exact: boolean;
  ticksLeft: number;
}

interface Leading extends Waiting<void> {
  readonly leads: () => boolean;
}

/** Requests that end with an event of the protocol. */
export class AdminRequests {
  readonly #changes = new Set<Change>();
  readonly #transfers = new Set<Transfer>();
  readonly #leading = new Set<Leading>();

  /** Resolves when the change at `index`, its joint part included, is committed and left. */
  change(index: number, signal: AbortSignal | undefined): Promise<Membership> {
    return wait(this.#changes, (waiting) => ({ ...waiting, index }), signal);
  }

  /** Resolves when `to` leads. */
  transfer(to: NodeId, exact: boolean, patienceTicks: number, signal: AbortSignal | undefined): Promise<NodeId> {
    return wait(this.#transfers, (waiting) => ({ ...waiting, to, exact, ticksLeft: patienceTicks }), signal);
  }

  /** Resolves when `leads` holds at the end of a turn. */
  untilLeading(leads: () => boolean, signal: AbortSignal | undefined): Promise<void> {
    if (leads()) return Promise.resolve();
    return wait(this.#leading, (waiting) => ({ ...waiting, leads }), signal);
  }

  /** Resolves what has come true by the end of a turn. */
  poll(): void {
    for (const waiting of this.#leading) {
      if (!waiting.leads()) continue;
      this.#leading.delete(waiting);
      waiting.resolve();
    }
  }

  observe(event: RaftEvent): void {
    if (event.type === "membershipCommitted") this.#committed(event.index, event.membership);
    else if (event.type === "leaderChanged" && event.leader !== null) this.#led(event.leader);
    else if (event.type === "transferEnded" && event.reason === "timeout") {
      for (const transfer of this.#transfers) {
        this.#transfers.delete(transfer);
        transfer.reject(notTakenOver(transfer.to));
      }
    }
  }

  /** A deposed leader can't tell whether its change will be committed. A transfer, though, may just have succeeded. */
  lostLeadership(): void {
    for (const change of this.#changes) change.reject(leadershipLost("unknown"));
    this.#changes.clear();
  }

  tick(): void {
    for (const transfer of this.#transfers) {
      if (--transfer.ticksLeft > 0) continue;
      this.#transfers.delete(transfer);
      transfer.reject(notTakenOver(transfer.to));
    }
  }

  /** Ends everything. */
  endAll(make: MakeError): void {
    for (const request of [...this.#changes, ...this.#transfers, ...this.#leading]) request.reject(make("unknown"));
    this.#changes.clear();
    this.#transfers.clear();
    this.#leading.clear();
  }

  #committed(index: number, membership: Membership): void {
    if (membership.outgoing.length > 0) return;
    for (const change of this.#changes) {
      if (change.index > index) continue;
      this.#changes.delete(change);
      change.resolve(membership);
    }
  }

  #led(leader: NodeId): void {
    for (const transfer of this.#transfers) {
      this.#transfers.delete(transfer);
      if (leader === transfer.to || !transfer.exact) transfer.resolve(leader);
      else {transfer.reject(
          new RaftError("leadership_lost", `"${leader}" leads now, not "${transfer.to}"`, { outcome: "unknown" }),
        );}
    }
  }
}

function notTakenOver(to: NodeId): RaftError {
  return new RaftError("timeout", `"${to}" has not taken leadership over`, {
    outcome: "unknown",
    hint: "Look at the status; the member may be down or far behind.",
  });
}

function wait<T, W extends Waiting<T>>(
  set: Set<W>,
  make: (waiting: Waiting<T>) => W,
  signal: AbortSignal | undefined,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => {
      set.delete(waiting);
      reject(aborted(signal!, "unknown"));
    };
    const detach = () => signal?.removeEventListener("abort", onAbort);
    const waiting = make({
      resolve: (value) => {
        detach();
        resolve(value);
      },
      reject: (error) => {
        detach();
        reject(error);
      },
    });
    set.add(waiting);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
