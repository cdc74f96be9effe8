/**
 * Planted bugs: mutants of tests/mutants whose traces the specification has to refuse, at
 * the event in which the rule is broken.
 */

import type { ProtocolEvent, TracedMessage, TracedState } from "../../simulation/mod.ts";
import { mutants } from "../../tests/mutants/mod.ts";
import { MutantSandbox } from "../mutants/sandbox.ts";
import type { Tlc } from "./tlc.ts";
import { checkTraces, MAX_EVENTS, readFolder } from "./traces.ts";
import type { NamedTrace } from "./traces.ts";

/** A mutant, and the event at which its traces are refused. */
interface Planted {
  readonly mutant: string;
  /** The event in words. */
  readonly event: string;
  /** Reports whether the rule is broken in this event of a node, given the state before. */
  readonly isBroken: (event: ProtocolEvent, before: TracedState) => boolean;
}

const receives = (event: ProtocolEvent, type: TracedMessage["type"]): TracedMessage | null =>
  event.kind === "receive" && event.message?.type === type ? event.message : null;

const sends = (event: ProtocolEvent, wrong: (message: TracedMessage) => boolean): boolean =>
  event.kind === "send" && event.messages!.some(({ message }) => wrong(message));

const votesFor = (event: ProtocolEvent): boolean =>
  receives(event, "RequestVote") !== null && event.state!.votedFor === event.from;

const commits = (event: ProtocolEvent, before: TracedState): boolean =>
  event.state!.commitIndex > before.commitIndex && (before.role === "leader" || event.state!.role === "leader");

const changes = ({ state }: ProtocolEvent): boolean => state?.membership !== undefined;

export const PLANTED: readonly Planted[] = [
  {
    mutant: "double-vote",
    event: "a second vote in a term",
    isBroken: (event, before) => votesFor(event) && before.votedFor !== null && before.term === event.state!.term,
  },
  {
    mutant: "vote-before-durable",
    event: "a vote that leaves before it is on disk",
    isBroken: (event) =>
      sends(event, ({ type, voteGranted }) => type === "RequestVoteResponse" && voteGranted === true),
  },
  {
    mutant: "candidacy-before-durable",
    event: "a candidacy that leaves before it is on disk",
    isBroken: (event) => sends(event, ({ type, preVote }) => type === "RequestVote" && preVote === false),
  },
  {
    mutant: "acknowledged-before-durable",
    event: "an acknowledgement of an entry that is not on disk",
    isBroken: (event, { durableIndex }) => sends(event, ({ matchIndex }) => (matchIndex as number) > durableIndex),
  },
  {
    mutant: "half-quorum",
    event: "an election or a commit by half of the voters",
    isBroken: (event, before) => commits(event, before) || event.state!.role !== before.role,
  },
  {
    mutant: "leader-counts-itself-early",
    event: "a commit that counts the leader's own entry before it is on disk",
    isBroken: commits,
  },
  {
    mutant: "learners-commit",
    event: "a commit that counts a learner",
    isBroken: commits,
  },
  {
    mutant: "unproven-committed",
    event: "a commit beyond what the message proved",
    isBroken: (event, before) => {
      const message = receives(event, "AppendEntries");
      if (message === null) return false;
      const proven = (message["prevLogIndex"] as number) + (message["entries"] as readonly unknown[]).length;
      return event.state!.commitIndex > Math.max(before.commitIndex, proven);
    },
  },
  {
    mutant: "commit-index-goes-back",
    event: "a commit index that goes back",
    isBroken: (event, before) => event.state!.commitIndex < before.commitIndex,
  },
  {
    mutant: "matching-entries-truncated",
    event: "entries of the leader that are truncated",
    isBroken: (event, before) => receives(event, "AppendEntries") !== null && event.state!.lastIndex < before.lastIndex,
  },
  {
    mutant: "several-voters-in-one-step",
    event: "a change of several voters that is not joint",
    isBroken: (event) => event.kind === "changeMembership" && event.state!.membership!.outgoing.length === 0,
  },
  {
    mutant: "joint-left-before-commit",
    event: "a joint membership that is left before it has committed",
    isBroken: (event) => changes(event),
  },
  {
    mutant: "snapshot-acknowledged-before-durable",
    event: "an acknowledgement of a snapshot that is not on disk",
    isBroken: (event) =>
      sends(event, ({ type, status }) => type === "InstallSnapshotResponse" && status === "installed"),
  },
  {
    mutant: "no-no-op",
    event: "a leader without an entry of its term",
    isBroken: (event, before) => event.state!.role === "leader" && before.role !== "leader",
  },
];

/** The seeds that are simulated with each mutant. */
const SEEDS = 24;
/** The most traces of a mutant that are checked. */
const TRACES = 12;

/** The verdict on a planted bug. */
export interface PlantedVerdict {
  readonly planted: Planted;
  readonly traces: number;
  /** The traces that were refused at the event in which the rule is broken. */
  readonly refusedRightly: number;
  /** The first of the others. */
  readonly wrong: { readonly trace: string; readonly event: ProtocolEvent } | null;
}

/** Returns the state of a node before an event. */
function stateBefore({ events }: NamedTrace, { event, node }: ProtocolEvent): TracedState | null {
  return events.slice(0, event - 1).findLast((before) => before.node === node && before.state !== undefined)?.state ??
    null;
}

/** Simulates each mutant in a copy of the source, and checks its traces. */
export async function* checkPlanted(tlc: Tlc, names: readonly string[]): AsyncGenerator<PlantedVerdict> {
  const sandbox = await MutantSandbox.open(new AbortController().signal);
  try {
    for (const planted of PLANTED) {
      if (names.length > 0 && !names.includes(planted.mutant)) continue;
      yield await checkOne(tlc, sandbox, planted);
    }
  } finally {
    await sandbox.close();
  }
}

async function checkOne(tlc: Tlc, sandbox: MutantSandbox, planted: Planted): Promise<PlantedVerdict> {
  const mutant = mutants.find(({ name }) => name === planted.mutant);
  if (mutant === undefined) throw new Error(`there is no mutant "${planted.mutant}"`);
  const folder = await Deno.makeTempDir({ prefix: "planted_" });
  try {
    await sandbox.apply(mutant.edits);
    const jobs = ["--jobs", String(tlc.workers)];
    const record = ["tools/tla/main.ts", ...jobs, "record", folder, "--count", String(SEEDS)];
    const ran = await sandbox.deno(["run", "--allow-all", "--no-check", ...record], 600_000);
    if (!ran.ok) throw new Error(`${planted.mutant} could not be simulated:\n${ran.output.slice(-2000)}`);
    const traces = (await readFolder(folder)).filter(({ events }) => events.length <= MAX_EVENTS).slice(0, TRACES);
    let refusedRightly = 0;
    let wrong: PlantedVerdict["wrong"] = null;
    for (const { trace, refused } of await checkTraces(tlc, traces)) {
      if (refused === null) continue;
      const before = stateBefore(trace, refused);
      if (before !== null && planted.isBroken(refused, before)) refusedRightly++;
      else wrong ??= { trace: trace.name.replace(/^.*\//, ""), event: refused };
    }
    return { planted, traces: traces.length, refusedRightly, wrong };
  } finally {
    await sandbox.restore();
    await Deno.remove(folder, { recursive: true });
  }
}
