/**
 * Membership changes and leadership transfers under way.
 */

import { RaftError } from "../errors.ts";
import { Pending } from "../pending.ts";
import type { Membership, NodeId, RaftEvent } from "../raft/types.ts";
import { leadershipLost } from "./errors.ts";
import type { MakeError } from "./errors.ts";

interface Request<T> {
  readonly pending: Pending<T>;
}

interface Change extends Request<Membership> {
  readonly index: number;
}

interface Transfer extends Request<NodeId> {
  readonly to: NodeId;
  /** Set if only `to` is acceptable. */
  readonly exact: boolean;
  ticksLeft: number;
}

interface Leading extends Request<void> {
  readonly leads: () => boolean;
}

/** Requests that end with an event of the protocol. */
export class AdminRequests {
  readonly #changes = new Set<Change>();
  readonly #transfers = new Set<Transfer>();
  readonly #leading = new Set<Leading>();

  /** The number of requests that have not ended. */
  get count(): number {
    return this.#changes.size + this.#transfers.size + this.#leading.size;
  }

  /** Resolves when the change at `index` has committed and, if it is joint, has been left. */
  change(index: number, signal: AbortSignal | undefined): Promise<Membership> {
    return wait(this.#changes, (pending) => ({ pending, index }), signal);
  }

  /** Resolves when `to` leads. */
  transfer(to: NodeId, exact: boolean, patienceTicks: number, signal: AbortSignal | undefined): Promise<NodeId> {
    return wait(this.#transfers, (pending) => ({ pending, to, exact, ticksLeft: patienceTicks }), signal);
  }

  /** Resolves when `leads` holds at the end of a turn. */
  untilLeading(leads: () => boolean, signal: AbortSignal | undefined): Promise<void> {
    if (leads()) return Promise.resolve();
    return wait(this.#leading, (pending) => ({ pending, leads }), signal);
  }

  /** Resolves the requests to lead that have come true by the end of a turn. */
  poll(): void {
    for (const { pending, leads } of this.#leading) if (leads()) pending.resolve();
  }

  observe(event: RaftEvent): void {
    if (event.type === "membershipCommitted") this.#committed(event.index, event.membership);
    else if (event.type === "leaderChanged" && event.leader !== null) this.#leaderElected(event.leader);
    else if (event.type === "transferEnded" && event.reason === "timeout") {
      for (const { pending, to } of this.#transfers) {
        pending.reject(notTakenOver(`"${to}" has not taken leadership over; this node leads on`));
      }
    }
  }

  /** Ends the changes: a deposed leader can't tell whether they will commit. A transfer, though, may just have succeeded. */
  lostLeadership(): void {
    for (const { pending } of this.#changes) pending.reject(leadershipLost("unknown"));
  }

  tick(): void {
    for (const transfer of this.#transfers) {
      if (--transfer.ticksLeft > 0) continue;
      transfer.pending.reject(notTakenOver(`"${transfer.to}" has not taken leadership over, and no node leads yet`));
    }
  }

  /** Ends everything. */
  endAll(make: MakeError): void {
    for (const { pending } of [...this.#changes, ...this.#transfers, ...this.#leading]) pending.reject(make("unknown"));
  }

  #committed(index: number, membership: Membership): void {
    if (membership.outgoing.length > 0) return;
    for (const change of this.#changes) if (change.index <= index) change.pending.resolve(membership);
  }

  #leaderElected(leader: NodeId): void {
    for (const { pending, to, exact } of this.#transfers) {
      if (leader === to || !exact) pending.resolve(leader);
      else {pending.reject(
          new RaftError("leadership_lost", `"${leader}" leads now, not "${to}"`, { outcome: "unknown" }),
        );}
    }
  }
}

/** Creates the error of a transfer that was given up. It is not `timeout`, which a client may take for a lost answer. */
function notTakenOver(message: string): RaftError {
  return new RaftError("not_ready", message, {
    outcome: "unknown",
    hint: "Look at the status; the member may be down or far behind. A late message may still make it the leader.",
  });
}

/** Adds a request to a set until it ends. */
function wait<T, R extends Request<T>>(
  set: Set<R>,
  make: (pending: Pending<T>) => R,
  signal: AbortSignal | undefined,
): Promise<T> {
  const request = make(new Pending<T>({ signals: [signal], onEnd: () => set.delete(request) }));
  if (!request.pending.settled) set.add(request);
  return request.pending.promise;
}
