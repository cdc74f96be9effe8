/**
 * A cluster as its clients see it: nodes that name a leader, one log, and the
 * faults of a network. Nothing of Raft.
 *
 * @module
 */

import type { ClientTransport, ProposeOutcome } from "../../../lib/client/client_transport.ts";
import type { Host } from "../../../lib/clock.ts";
import { RaftError } from "../../../lib/errors.ts";
import type { Consistency, NodeStatus, ReadResult } from "../../../lib/node/types.ts";
import type { StateMachine } from "../../../lib/state_machine.ts";

/**
 * The fate of a call.
 *
 * - `refused`: it certainly never arrived.
 * - `lost`: it never arrived, but the caller can't know.
 * - `unanswered`: it was carried out, and the answer was lost.
 * - `late`: the caller sees the connection break; it is carried out half a second after.
 * - `hang`: no answer ever arrives, and it was not carried out.
 * - `hangApplied`: no answer ever arrives, and it was carried out.
 */
export type Fault = "none" | "refused" | "lost" | "unanswered" | "late" | "hang" | "hangApplied";

/** Answers a command with the text of how many came before, and keeps all. */
export class Counter implements StateMachine {
  readonly applied: string[] = [];

  apply({ data }: { readonly data: Uint8Array }): Uint8Array {
    this.applied.push(new TextDecoder().decode(data));
    return new TextEncoder().encode(`#${this.applied.length}`);
  }

  query(query: Uint8Array): Uint8Array {
    return query;
  }

  async *snapshot(): AsyncIterable<Uint8Array> {}

  restore(): Promise<void> {
    return Promise.resolve();
  }
}

export class FakeCluster implements ClientTransport {
  readonly ids: readonly string[];
  leader: string | null;
  term = 1;
  /** The leader according to each node, where it differs from `leader`. */
  readonly beliefs = new Map<string, string | null>();
  /** Decides the fault of each call; without one it succeeds. */
  fault: (method: "propose" | "read" | "status", endpoint: string) => Fault = () => "none";
  /** The nodes that were removed. */
  readonly removed = new Set<string>();
  latencyMs = 1;
  /** Calls of propose: endpoint and how many commands. */
  readonly calls: { readonly endpoint: string; readonly count: number }[] = [];
  readonly statusCalls: string[] = [];
  inFlight = 0;
  maxInFlight = 0;
  closed = false;
  /** Refuses single commands, by their place among all. */
  refuse: (index: number) => RaftError | null = () => null;
  index = 0;
  readonly #machine: StateMachine;
  readonly #host: Host;

  constructor(host: Host, machine: StateMachine, ids: readonly string[] = ["n1", "n2", "n3"]) {
    this.#host = host;
    this.#machine = machine;
    this.ids = ids;
    this.leader = ids[0] ?? null;
  }

  async propose(
    endpoint: string,
    commands: readonly Uint8Array[],
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<readonly ProposeOutcome[]> {
    this.calls.push({ endpoint, count: commands.length });
    this.inFlight++;
    this.maxInFlight = Math.max(this.maxInFlight, this.inFlight);
    try {
      return await this.#call("propose", endpoint, options.signal, async () => {
        this.#mustLead(endpoint);
        const results: ProposeOutcome[] = [];
        for (const data of commands) {
          const error = this.refuse(this.index + 1);
          if (error !== null) {
            results.push({ ok: false, error });
            if (error.outcome === "rejected") continue;
          }
          const index = ++this.index;
          const result = await this.#machine.apply({ index, term: this.term, data });
          if (error === null) results.push({ ok: true, index, result });
        }
        return results;
      });
    } finally {
      this.inFlight--;
    }
  }

  read(
    endpoint: string,
    query: Uint8Array,
    options: { readonly signal?: AbortSignal; readonly consistency?: Consistency } = {},
  ): Promise<ReadResult> {
    return this.#call("read", endpoint, options.signal, async () => {
      if (options.consistency !== "stale") this.#mustLead(endpoint);
      return { result: await this.#machine.query(query), appliedIndex: this.index };
    });
  }

  status(endpoint: string, options: { readonly signal?: AbortSignal } = {}): Promise<NodeStatus> {
    this.statusCalls.push(endpoint);
    return this.#call("status", endpoint, options.signal, () => {
      const leader = this.#believedBy(endpoint);
      const members = this.ids.map((id) => ({ id, address: id, incarnation: "", suffrage: "voter" as const }));
      return Promise.resolve({
        id: endpoint,
        lifecycle: "running",
        role: leader === endpoint ? "leader" : "follower",
        // Only a node that knows the newest leader has its term.
        term: leader === this.leader ? this.term : this.term - 1,
        leader: leader === null ? null : { id: leader, address: leader },
        membershipIndex: 1,
        members,
        removed: this.removed.has(endpoint),
      } as unknown as NodeStatus);
    });
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  /** Makes another node the leader. */
  elect(id: string | null): void {
    this.leader = id;
    this.term++;
  }

  #believedBy(endpoint: string): string | null {
    const belief = this.beliefs.get(endpoint);
    return belief === undefined ? this.leader : belief;
  }

  #mustLead(endpoint: string): void {
    if (endpoint === this.leader) return;
    const leader = this.#believedBy(endpoint);
    if (leader === null) throw new RaftError("no_leader", "no node leads");
    throw new RaftError("not_leader", `${endpoint} does not lead`, { leader: { id: leader, address: leader } });
  }

  async #call<T>(
    method: "propose" | "read" | "status",
    endpoint: string,
    signal: AbortSignal | undefined,
    work: () => Promise<T>,
  ): Promise<T> {
    const fault = this.ids.includes(endpoint) ? this.fault(method, endpoint) : "refused";
    await new Promise<void>((resolve) => void this.#host.clock.setTimer(this.latencyMs, resolve));
    if (fault === "refused") throw new RaftError("unreachable", `${endpoint} refuses connections`);
    if (fault === "lost") throw new RaftError("unreachable", "the connection broke", { outcome: "unknown" });
    if (fault === "late") {
      this.#host.clock.setTimer(500, () => void work().catch(() => {}));
      throw new RaftError("unreachable", "the connection broke", { outcome: "unknown" });
    }
    const result = fault === "hang" ? null : await work();
    if (fault === "unanswered") throw new RaftError("unreachable", "the connection broke", { outcome: "unknown" });
    if (result === null || fault === "hangApplied") {
      return await new Promise<never>((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
    }
    return result;
  }
}
