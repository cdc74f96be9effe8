/**
 * What an operator does to a cluster, by calls to its nodes. Any node passes on
 * to the leader what only a leader can do.
 *
 * @module
 */

import { RaftError } from "../../mod.ts";
import type { NodeId } from "../../mod.ts";
import { AdminService } from "../../transport/wire/gen/raft/v1/admin_pb.ts";
import { callUnary } from "../../transport/packet/packet_client.ts";
import type { TabTransport } from "../../transport/tab/mod.ts";
import { machineMs } from "./observation.ts";
import type { Picture } from "./picture.ts";

/** What may be over in a moment. */
const PASSING = new Set(["not_leader", "no_leader", "not_ready", "membership_change_in_progress", "unreachable"]);
const RETRY_MS = 250;
/** Time for an election or two. */
const TIMEOUT_MS = 12_000;

/** Asks nodes by their addresses. */
export class Operator {
  readonly #picture: Picture;
  readonly #transport: TabTransport;
  readonly #servers: readonly string[];

  /** @param servers whom to ask as long as no node is known */
  constructor(picture: Picture, transport: TabTransport, servers: readonly string[]) {
    this.#picture = picture;
    this.#transport = transport;
    this.#servers = servers;
  }

  /** The node is no member once this resolves. */
  async removeMember(id: NodeId): Promise<void> {
    try {
      await this.#atAny((to, signal) => {
        return callUnary(this.#transport, AdminService.method.removeMember, to, { id }, { signal });
      });
    } catch (error) {
      // It is none already: an earlier request came through, and its answer did not.
      if (!(error instanceof RaftError) || error.code !== "invalid_argument") throw error;
    }
  }

  /** The node leads once this resolves. */
  async transferLeadership(to: NodeId): Promise<void> {
    await this.#atAny((address, signal) => {
      return callUnary(this.#transport, AdminService.method.transferLeadership, address, { to }, { signal });
    });
  }

  /** The node has a snapshot of all that it has applied. */
  async takeSnapshot(id: NodeId): Promise<void> {
    const address = this.#picture.node(id)?.view.address;
    if (address === undefined) throw new RaftError("unreachable", `${id} is not to be found`);
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    await callUnary(this.#transport, AdminService.method.takeSnapshot, address, {}, { signal });
  }

  /** Asks the leader, or whoever runs, until it is done or the time is over. */
  async #atAny(ask: (address: string, signal: AbortSignal) => Promise<unknown>): Promise<void> {
    const deadlineMs = machineMs() + TIMEOUT_MS;
    for (;;) {
      const address = this.#anyAddress();
      try {
        if (address === undefined) throw noNode();
        return void await ask(address, AbortSignal.timeout(Math.max(1, deadlineMs - machineMs())));
      } catch (error) {
        const passing = error instanceof RaftError && error.outcome === "rejected" && PASSING.has(error.code);
        if (!passing || machineMs() + RETRY_MS > deadlineMs) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  #anyAddress(): string | undefined {
    const running = this.#picture.nodes.filter(({ view }) => view.life === "running");
    const leader = running.filter(({ view }) => view.role === "leader").sort((a, b) => b.view.term - a.view.term)[0];
    return (leader ?? running[0])?.view.address ?? this.#servers[0];
  }
}

function noNode(): RaftError {
  return new RaftError("unreachable", "no node runs", { hint: "Restart a majority of the voters." });
}
