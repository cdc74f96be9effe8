/**
 * `status`: an overview of the whole cluster.
 */

import type { Command } from "commander";
import { systemClock } from "../../lib/host.ts";
import { pause } from "../../lib/pause.ts";
import { isTabAddress } from "../../transport/wire/address.ts";
import { integer } from "../options.ts";
import { EXIT } from "../exit_codes.ts";
import { sentence } from "../../lib/sentence.ts";
import { withCommonOptions } from "./arguments.ts";
import { failureOf } from "./errors.ts";
import type { Registry } from "./registry.ts";
import type { CommonOptions, Session } from "./session.ts";
import type { ClusterHealth, NodeHealth } from "./cluster_health.ts";
import { clusterHealth, exitCodeOfHealth, peerOf } from "./cluster_health.ts";
import { count, duration, safeText, shortAddress, table } from "./text.ts";

interface StatusOptions extends CommonOptions {
  readonly watch?: true;
  readonly intervalMs: number;
}

const HELP = `
Asks the servers, and then every member that they know. A node is up if it leads, or follows the leader and the
leader hears it. Exits with 0 if there is a leader and every voter is up, 3 if no server answers, 4 if there is no
leader or no quorum, 5 if a voter is not up, or a node has stopped or its storage failed.

HEALTH says why a node is not up: no server answers, its data folder or its version is refused, the membership has
it at another address, no link from the leader, its disk, it was removed.

LAG is the number of entries of the leader's log that a node does not have yet.

Examples:
  raft status
  raft status --watch
  raft status --json | jq -r .leader.id
`;

export function addStatusCommand(root: Command, registry: Registry): void {
  const status = withCommonOptions(root.command("status"))
    .description("Shows every node: role, term, indexes, storage.")
    .option("-w, --watch", "repeat until Ctrl-C; with --json one line each time")
    .option("--interval-ms <ms>", "the interval of --watch", integer(50, 3_600_000), 1000)
    .addHelpText("after", HELP.trimEnd());
  registry.handle<StatusOptions>(status, async (session, _, options) => {
    if (options.watch === true) return await watch(session, options.intervalMs);
    const health = await clusterHealth(session, true);
    await session.print(health, () => statusText(session, health));
    return exitCodeOfHealth(health);
  });
}

async function watch(session: Session, intervalMs: number): Promise<number> {
  const { io } = session;
  for (let first = true; !io.signal.aborted; first = false) {
    const began = performance.now();
    let document: unknown;
    let text: string;
    try {
      const health = await clusterHealth(session, true);
      document = health;
      text = statusText(session, health);
    } catch (error) {
      if (io.signal.aborted) break;
      // A watch continues while the cluster is down.
      const failure = failureOf(error, false);
      document = { error: failure };
      text = `${session.paint("red", "error:")} ${safeText(sentence(failure.message))}\n`;
    }
    // Home, then the text, then clear the rest of the last screen: no flicker.
    const shown = io.stdout.isTerminal
      ? `${first ? "\x1b[2J" : ""}\x1b[H${text.replaceAll("\n", "\x1b[K\n")}\x1b[J`
      : `${first ? "" : "\n"}${text}`;
    await session.printLine(document, () => shown);
    await pause(systemClock, Math.max(0, intervalMs - (performance.now() - began)), io.signal);
  }
  return EXIT.interrupted;
}

const NUMBERS = ["TERM", "COMMIT", "APPLIED", "LAST", "SNAPSHOT", "LAG", "UPTIME"];
const COLUMNS = ["NODE", "ADDRESS", "ROLE", ...NUMBERS, "HEALTH"];

function statusText(session: Session, health: ClusterHealth): string {
  const { paint } = session;
  const rows = health.nodes.map((node) => row(session, health, node));
  const leader = health.leader === null
    ? paint("red", "no leader")
    : `leader ${paint("bold", safeText(health.leader.id))} (${shortAddress(health.leader.address)})`;
  const begun = health.clusterId === "" ? "no cluster yet" : `cluster ${safeText(health.clusterId)}`;
  const { total, up } = health.voters;
  const present = `${up} of ${count(total, "voter")} up`;
  const head = [
    begun,
    leader,
    `term ${health.term}`,
    ...(total === 0 ? [] : [up < total ? paint("yellow", present) : present, survivalOf(session, health)]),
  ].filter((part) => part !== "").join(", ");
  return `${head}\n\n${table(COLUMNS, rows, NUMBERS)}${warnings(session, health)}`;
}

/** Returns in words how many more failures the cluster survives. */
function survivalOf({ paint }: Session, { survives, voters, leader }: ClusterHealth): string {
  if (leader === null) return "";
  if (survives === null) return paint("red", "no quorum");
  if (survives > 0) return `survives ${count(survives, "more failure")}`;
  // A single voter never survives its own failure; with others it is a matter of those that are not up.
  return voters.total <= 2 && voters.up === voters.total ? "survives none" : paint("yellow", "survives none");
}

function row(session: Session, health: ClusterHealth, node: NodeHealth): readonly string[] {
  const { paint } = session;
  const { status } = node;
  const trouble = node.problems.join("; ");
  const name = safeText(node.id ?? "?");
  if (status === undefined) {
    // It can't be asked from here; that says nothing about its health.
    const role = node.up || isTabAddress(node.address) ? "?" : paint("red", "down");
    return [name, shortAddress(node.address), role, "", "", "", "", "", "", "", safeText(trouble)];
  }
  const leads = node.id === health.leader?.id && status.role === "leader";
  const lead = health.nodes.find(({ id }) => id === health.leader?.id)?.status;
  const peer = peerOf(health, node.id);
  const lag = peer === undefined || lead === undefined ? "" : String(Math.max(0, lead.lastIndex - peer.matchIndex));
  return [
    leads ? paint("bold", name) : name,
    shortAddress(node.address),
    leads ? paint("green", "leader") : roleOf(node),
    String(status.term),
    String(status.commitIndex),
    String(status.appliedIndex),
    String(status.lastIndex),
    String(status.snapshotIndex),
    lag,
    duration(status.uptimeMs),
    trouble === "" ? "ok" : paint("red", safeText(trouble)),
  ];
}

function roleOf({ status, suffrage }: NodeHealth): string {
  if (status?.role === "follower" && suffrage === "learner") return "learner";
  if (status?.role === "follower" && suffrage === null) return "not a member";
  return status?.role === "preCandidate" ? "candidate" : status?.role ?? "";
}

function warnings(session: Session, health: ClusterHealth): string {
  const clusters = new Set(health.nodes.flatMap(({ status }) => status?.clusterId ? [status.clusterId] : []));
  if (clusters.size < 2) return "";
  return `\n${session.paint("yellow", "warning:")} these servers belong to ${clusters.size} clusters.\n`;
}
