/**
 * `member list`, `add`, `promote`, `demote` and `remove`.
 */

import type { Command } from "commander";
import { RaftError } from "../../lib/errors.ts";
import { messageOf } from "../../lib/node/errors.ts";
import { isTabAddress, nodeAddress } from "../../transport/wire/address.ts";
import { sentence } from "../../lib/sentence.ts";
import { nodeId } from "../options.ts";
import { withCommonOptions } from "./arguments.ts";
import { aboutMembers, usageError } from "./errors.ts";
import type { Remote, RemoteCallOptions } from "./connect_remote.ts";
import type { Registry } from "./registry.ts";
import type { CommonOptions, Session } from "./session.ts";
import { count, safeText, shortAddress, table } from "./text.ts";

/** A change of the membership may wait for a node that catches up. */
const CHANGE_TIMEOUT_MS = 60_000;

const ADD_HELP = `
The node must be running, with an empty data folder and --join. It receives the log first, and becomes a voter
once it has caught up; the command waits for that, up to --timeout-ms. After a failure, run it again to continue.

For a member that has come back at another address with its data folder, the command records the new address.

Examples:
  deno run -A server/main.ts --id n4 --data d4 --listen 127.0.0.1:7004 --join
  raft member add n4 127.0.0.1:7004
  raft member add n5 127.0.0.1:7005 --learner
`;

const REMOVE_HELP = `
Refused (exit code 6) if the remaining nodes that are up could not commit anything. A removed node keeps
running until you stop it, and does not disturb the others.

Examples:
  raft member remove n4
`;

export function addMemberCommands(root: Command, registry: Registry): void {
  const member = root.command("member").description("The members of the cluster.");

  const list = withCommonOptions(member.command("list").alias("ls"))
    .description("Lists all members.")
    .addHelpText("after", "\nExamples:\n  raft member list\n  raft member list --json | jq -r '.members[].id'");
  registry.handle<CommonOptions>(list, async (session) => {
    const members = await membersNow(session);
    await session.print(members, () => listText(session, members));
  });

  const add = withCommonOptions(member.command("add"), CHANGE_TIMEOUT_MS)
    .description("Adds a node; waits until it has caught up, and makes it a voter.")
    .argument("<id>", "the node's name, as it was started with", nodeId)
    .argument("<address>", "its address for the other nodes: HOST:PORT, a URL, or tab:ID in a browser")
    .option("--learner", "keep it a learner, without a vote")
    .addHelpText("after", ADD_HELP.trimEnd());
  registry.handle<CommonOptions & { readonly learner?: true }>(add, async (session, [id = "", text = ""], options) => {
    const address = memberAddress(text);
    const learner = options.learner === true;
    const before = await memberNow(session, id);
    if (before === null && !isTabAddress(address)) await probe(session, address);
    if (!learner && before?.suffrage !== "voter") await session.note(`Waiting until ${id} has caught up…`);
    await change(session, (admin, call) => admin.add({ id, address, learner }, call));
    await printChange(session, id, before, learner ? "learner" : "voter");
  });

  const changeCommand = (name: "promote" | "demote" | "remove", after: "voter" | "learner" | null): Command => {
    const command = withCommonOptions(member.command(name), CHANGE_TIMEOUT_MS);
    registry.handle<CommonOptions>(command, async (session, [id = ""]) => {
      const before = await memberNow(session, id);
      await change(session, (admin, call) => admin[name](id, call));
      await printChange(session, id, before, after);
    });
    return command;
  };
  changeCommand("promote", "voter")
    .description("Makes a learner a voter; refused while it lags far behind.")
    .argument("<id>", "the learner", nodeId)
    .addHelpText("after", "\nExamples:\n  raft member promote n5");
  changeCommand("demote", "learner")
    .description("Makes a voter a learner; refused if the other voters that are up are not a quorum.")
    .argument("<id>", "the voter", nodeId)
    .addHelpText("after", "\nExamples:\n  raft member demote n3");
  changeCommand("remove", null).alias("rm")
    .description("Removes a node from the cluster.")
    .argument("<id>", "the node", nodeId)
    .addHelpText("after", REMOVE_HELP.trimEnd());
}

/** Parses the address of a node that other nodes are to call: stricter than that of a server to ask, which may be a proxy. */
function memberAddress(text: string): string {
  try {
    return nodeAddress(text);
  } catch {
    throw usageError(`invalid address ${JSON.stringify(text)}: expected HOST:PORT, without a path, or tab:ID`);
  }
}

/** Checks whether the node answers from here. A remark, not an error: maybe only the other nodes can reach it. */
async function probe(session: Session, address: string): Promise<void> {
  try {
    await session.remote.status(address, { signal: session.io.signal, timeoutMs: 1000 });
  } catch (error) {
    if (error instanceof RaftError) {
      await session.note(`${sentence(`${messageOf(error)} from here`)} Asking the cluster all the same.`);
    }
  }
}

/** Returns the members, as the document of `--json`. */
async function membersNow(session: Session) {
  const admin = await session.remote.admin(session.call());
  const { leader, membership: _membership, ...list } = await admin.members(session.call());
  return { ...list, leader: leader?.id ?? null };
}

type MemberList = Awaited<ReturnType<typeof membersNow>>;

/** Returns a member as it is before the change; `null` if it is not one. */
async function memberNow(session: Session, id: string): Promise<MemberList["members"][number] | null> {
  const { members } = await membersNow(session);
  return members.find((member) => member.id === id) ?? null;
}

async function change(
  session: Session,
  change: (admin: Awaited<ReturnType<Remote["admin"]>>, call: RemoteCallOptions) => Promise<unknown>,
): Promise<void> {
  try {
    const call = session.call(CHANGE_TIMEOUT_MS);
    await change(await session.remote.admin(call), call);
  } catch (error) {
    throw aboutMembers(error);
  }
}

async function printChange(
  session: Session,
  id: string,
  former: MemberList["members"][number] | null,
  after: "voter" | "learner" | null,
): Promise<void> {
  const list = await membersNow(session);
  // It may have been a voter before `add --learner`.
  const present = list.members.find((member) => member.id === id);
  const before = former?.suffrage ?? null;
  const now = after === null ? null : present?.suffrage ?? after;
  const moved = former !== null && present !== undefined && present.address !== former.address;
  const voters = list.members.filter(({ suffrage }) => suffrage === "voter").length;
  const said = moved
    ? `${id} is a ${now} at ${shortAddress(present.address)} now.`
    : now === before
    ? now === null ? `${id} was not a member.` : `${id} is already a ${now}.`
    : now === null
    ? `${id} was removed from the cluster.`
    : before === null
    ? `${id} was added to the cluster as a ${now}.`
    : `${id} is a ${now} now.`;
  await session.print(
    { id, before, now, changed: now !== before || moved, ...list },
    () => `${said} ${count(voters, "voter")} in all.\n`,
  );
}

function listText(session: Session, { members, leader, membershipCommitted }: MemberList): string {
  const rows = members.map(({ id, address, suffrage, incarnation }) => [
    id === leader ? session.paint("bold", safeText(id)) : safeText(id),
    shortAddress(address),
    suffrage === "outgoing" ? "voter (leaving)" : suffrage,
    id === leader ? session.paint("green", "leader") : "",
    safeText(incarnation),
  ]);
  const columns = ["NODE", "ADDRESS", "SUFFRAGE", "", "DATA FOLDER"];
  return table(columns, rows) + (membershipCommitted ? "" : "\nThis membership is not committed yet.\n");
}
