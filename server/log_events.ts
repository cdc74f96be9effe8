/**
 * Log lines of a node's events: one for each change of role or membership and each
 * storage error, none per request.
 */

import type { Membership, RaftEvent } from "../lib/raft/types.ts";
import type { LogFields, Logger } from "./log.ts";
import type { PeerLinkStatus } from "../transport/connect/mod.ts";
import type { ServedNode } from "../hosting/served_node.ts";

/**
 * Begins to log the events of a node.
 *
 * @param since the last index of the log at the start: what is up to it happened in an earlier run, and is no news
 * @param link returns the state of the way to an address, to log why a peer does not answer
 */
export function logEvents(
  node: ServedNode,
  logger: Logger,
  since: number,
  link: (address: string) => PeerLinkStatus | undefined = () => undefined,
): void {
  const { id } = node.status();
  node.addEventListener("raft", ({ detail }) => {
    if (!isHistory(node, detail, since)) logRaftEvent(id, detail, logger);
  });
  node.addEventListener("snapshot", ({ detail }) => {
    if (detail.reason === "installed") {
      logger.info("Installed a snapshot from the leader", { index: detail.index, bytes: detail.size });
    }
  });
  node.addEventListener("entriesDropped", ({ detail: { peer, index, bytes } }) => {
    const what = `Dropped entries that ${peer} still needs: they exceed --max-retained-bytes, and it must receive ` +
      "another snapshot. Raise --max-retained-bytes or --snapshot-bytes-per-second, or write less until it has caught up";
    logger.warn(what, { index, bytes });
  });
  node.addEventListener("storageError", ({ detail }) => {
    logger.error(`Storage: ${detail.error.message}`, { consequence: detail.consequence });
  });
  node.addEventListener("joined", ({ detail: { clusterId, from, fromAddress } }) => {
    logger.info(`Belongs to cluster ${clusterId} now, as ${JSON.stringify(from.slice(0, 64))} said`, {
      address: fromAddress.slice(0, 64),
    });
  });
  node.addEventListener("refused", ({ detail }) => {
    logger.warn(`Refused a message from ${JSON.stringify(detail.from.slice(0, 64))}: ${detail.reason}`, {
      address: detail.fromAddress.slice(0, 64),
      kind: detail.kind,
    });
  });
  node.addEventListener("peer", ({ detail: { id, address, answers, silentMs } }) => {
    const seconds = (silentMs / 1000).toFixed(1);
    if (answers) return logger.info(`${id} answers again`, { address, silentSeconds: seconds });
    const { connected = false, error = null } = link(address) ?? {};
    logger.warn(`${id} does not answer`, {
      address,
      silentSeconds: seconds,
      cause: error ?? (connected ? "it is connected, but takes no messages, or hangs" : "no connection yet"),
    });
  });
  node.addEventListener("stopped", ({ detail }) => logger.error(`Stopped: ${detail.error.message}`));
}

/**
 * Reports whether an event only replays the log: a membership from an earlier run of this node, or one that a later
 * membership had replaced already when the log was received.
 */
function isHistory(node: ServedNode, event: RaftEvent, since: number): boolean {
  if (event.type !== "membershipCommitted") return false;
  const { membershipIndex, membershipCommitted } = node.status();
  return event.index <= since || (membershipCommitted && event.index < membershipIndex);
}

function logRaftEvent(id: string, event: RaftEvent, logger: Logger): void {
  switch (event.type) {
    case "roleChanged":
      logger.info(`Now ${event.role}`, { term: event.term, reason: event.reason });
      return;
    case "leaderChanged":
      if (event.leader !== null && event.leader !== id) logger.info(`Follows ${event.leader}`, { term: event.term });
      return;
    case "membershipCommitted":
      logger.info("Membership is committed", { index: event.index, ...described(event.membership) });
      return;
    case "membershipChanged":
      if (event.reason !== "appended") {
        logger.info(`Membership was ${event.reason === "restored" ? "restored by a snapshot" : "rolled back"}`, {
          index: event.index,
          ...described(event.membership),
        });
      }
      return;
    case "transferStarted":
      logger.info(`Hands leadership over to ${event.to}`);
      return;
    default:
      return;
  }
}

/** Returns the names of the members, as fields of a line. */
export function described({ voters, outgoing, learners }: Membership): LogFields {
  return {
    voters: voters.join(",") || undefined,
    outgoing: outgoing.join(",") || undefined,
    learners: learners.join(",") || undefined,
  };
}
