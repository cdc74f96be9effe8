/**
 * `leader transfer`, and `snapshot take`.
 */

import type { Command } from "commander";
import { RaftError } from "../../lib/errors.ts";
import { isTabAddress } from "../../transport/wire/address.ts";
import { nodeId } from "../options.ts";
import { withCommonOptions } from "./arguments.ts";
import { aboutMembers, CliError } from "./errors.ts";
import { EXIT } from "../exit_codes.ts";
import type { Registry } from "./registry.ts";
import type { CommonOptions, Session } from "./session.ts";
import { clusterHealth } from "./cluster_health.ts";
import { shortAddress } from "./text.ts";

/** Longer than the election timeout that a transfer may take. */
const TRANSFER_TIMEOUT_MS = 10_000;
const SNAPSHOT_TIMEOUT_MS = 60_000;

export function addLeaderCommands(root: Command, registry: Registry): void {
  const leader = root.command("leader").description("Leadership.");
  const transfer = withCommonOptions(leader.command("transfer"), TRANSFER_TIMEOUT_MS)
    .description("Transfers leadership, without waiting for an election timeout.")
    .argument("[to]", "the next leader, a voter (default: the most up-to-date one)", nodeId)
    .addHelpText("after", "\nExamples:\n  raft leader transfer\n  raft leader transfer n2");
  registry.handle<CommonOptions>(transfer, async (session, [to]) => {
    const call = session.call(TRANSFER_TIMEOUT_MS);
    const admin = await session.remote.admin(call);
    const id = await admin.transferLeadership(to, call).catch((error) => {
      throw aboutMembers(error);
    });
    await session.print({ leader: id }, () => `${id} is the leader now.\n`);
  });
}

export function addSnapshotCommands(root: Command, registry: Registry): void {
  const snapshot = root.command("snapshot").description("Snapshots of the state.");
  const take = withCommonOptions(snapshot.command("take"), SNAPSHOT_TIMEOUT_MS)
    .description("Makes one node take a snapshot now, and discard the log that it covers.")
    .argument("[id]", "the node (default: the leader)", nodeId)
    .addHelpText("after", "\nExamples:\n  raft snapshot take\n  raft snapshot take n3 --json");
  registry.handle<CommonOptions>(take, async (session, [id]) => {
    const node = await nodeToAsk(session, id);
    const call = session.call(SNAPSHOT_TIMEOUT_MS);
    const index = await (await session.remote.admin(call)).takeSnapshot(node.address, call);
    await session.print(
      { id: node.id, index },
      () => `${node.id} (${shortAddress(node.address)}) has a snapshot up to index ${index}.\n`,
    );
  });
}

async function nodeToAsk(
  session: Session,
  id: string | undefined,
): Promise<{ readonly id: string; readonly address: string }> {
  const health = await clusterHealth(session);
  if (id === undefined) {
    const leader = health.leader;
    if (leader !== null) return leader;
    throw new CliError("no_leader", EXIT.noLeader, "there is no leader now", {
      hint: "Name the node: raft snapshot take ID",
    });
  }
  const node = health.nodes.find((other) => other.id === id);
  if (node === undefined) {
    throw new CliError("invalid_argument", EXIT.failed, `node ${id} is not a member of this cluster`, {
      hint: "See: raft member list",
    });
  }
  // It would wait for its answer for as long as a snapshot may take.
  if (!node.reachable && !isTabAddress(node.address)) {
    throw new RaftError("unreachable", `node ${id} does not answer: ${node.error ?? "unreachable"}`, {
      hint: "Bring it back first, or its connection. See: raft status",
    });
  }
  return { id, address: node.address };
}
