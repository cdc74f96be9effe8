/**
 * A node's standing in its cluster: whether it was removed, whether the others reach
 * it where the membership has it, and whether its term lets it take part. It is told at once, in the log and as `reason`
 * of the status.
 */

import { systemClock } from "../lib/host.ts";
import type { RaftNode } from "../lib/node/mod.ts";
import { sentence } from "../lib/sentence.ts";
import { LeaderSearch } from "../hosting/leader_search.ts";
import { TERM_HINT } from "./hints.ts";
import type { Logger } from "./log.ts";
import { OwnAddress } from "./own_address.ts";
import type { ServerRelay } from "./relay.ts";

/** Options of {@linkcode Standing}. */
export interface StandingOptions {
  readonly node: Pick<RaftNode, "status" | "diagnostics" | "learn" | "addEventListener">;
  /** Asks the members. */
  readonly relay: Pick<ServerRelay, "client" | "identify">;
  /** The base URL of the port that the server listens on. */
  readonly listens: string;
  /** The base URL at which the server was told to be reached. */
  readonly advertise?: string | undefined;
  /** The trouble with the term that it started with; `null` if there is none. */
  readonly termTrouble: string | null;
  /** The minimum election timeout, in milliseconds. */
  readonly electionTimeoutMs?: number | undefined;
  readonly logger: Logger;
  /** Fires when the server ends. */
  readonly signal: AbortSignal;
}

/** Watches the standing of one node. */
export class Standing {
  readonly #options: StandingOptions;
  readonly #address: OwnAddress;
  readonly #search: LeaderSearch;

  constructor(options: StandingOptions) {
    const { node, relay, listens, advertise, electionTimeoutMs, logger } = options;
    this.#options = options;
    this.#address = new OwnAddress({
      status: () => node.status(),
      listens,
      advertise,
      identify: (address, signal) => {
        const { id, incarnation } = node.status();
        return relay.identify(address, { nodeId: id, incarnation, address }, signal);
      },
      logger,
    });
    this.#search = new LeaderSearch({
      node,
      client: relay.client,
      clock: systemClock,
      electionTimeoutMs,
      report: (reason) => reason === undefined ? undefined : logger.warn(`No leader: ${this.reason()}`),
    });
  }

  /** Begins to watch. */
  start(): void {
    const { node, signal, termTrouble, logger } = this.#options;
    const checkAddress = (): void => void this.#address.check(signal);
    node.addEventListener("removed", ({ detail }) => this.#log(detail.removed));
    node.addEventListener("raft", ({ detail }) => {
      if (detail.type === "membershipCommitted") checkAddress();
    });
    if (node.status().removed) this.#log(true);
    if (termTrouble !== null) logger.error(sentence(termTrouble), { hint: TERM_HINT });
    checkAddress();
    void this.#search.run(signal);
  }

  /** Returns the reason why the node takes no part in its cluster, if it knows one. */
  reason(): string | undefined {
    const { node, termTrouble } = this.#options;
    const { removed, leader } = node.status();
    if (removed) return "this node was removed from its cluster";
    return (leader === null ? termTrouble : null) ?? this.#address.reason() ?? this.#search.reason();
  }

  #log(removed: boolean): void {
    const { node, logger } = this.#options;
    const { id } = node.status();
    if (!removed) return logger.info("A leader counts on this node again: it was not removed, or was added again");
    logger.warn("This node was removed from its cluster: it takes no more part in it", {
      hint:
        `Stop it. To add it again: start it with an empty data folder and --join, then raft member add ${id} HOST:PORT`,
    });
  }
}
