/** The models that TLC explores, and the broken variants in which it has to find a counterexample. */

import type { Checked, Tlc } from "./tlc.ts";

/** Bounds of a model: see the constants of docs/tla/Raft.tla. */
export interface Model {
  readonly name: string;
  /** The number of nodes: a, b, c, … */
  readonly servers: number;
  /** Voters of the first membership; the first of the nodes. */
  readonly voters: number;
  /** Voters and learners of memberships that an operator may ask for, as letters: "ab", "abc/d". */
  readonly targets?: readonly string[];
  /** The nodes that may campaign, as letters; all by default. */
  readonly candidates?: string;
  readonly campaigns: number;
  readonly indexes: number;
  readonly proposals?: number;
  readonly changes?: number;
  readonly crashes?: number;
  readonly snapshots?: number;
  /** Set if a write takes time. */
  readonly slowDisks?: boolean;
  /** The invariants that are checked, if others would be violated before. */
  readonly invariants?: readonly string[];
  /** Set for a model that takes very long, explored only on request. */
  readonly long?: boolean;
}

/** A model with a rule left out. */
export interface Broken extends Model {
  /** The rule, by its name in docs/tla. */
  readonly bug: string;
  /** The properties of which one has to be violated. */
  readonly violates: readonly string[];
}

const INVARIANTS = ["ElectionSafety", "LogMatching", "LeaderCompleteness", "StateMachineSafety"] as const;

export const MODELS: readonly Model[] = [
  { name: "elections and replication", servers: 3, voters: 3, campaigns: 2, indexes: 3 },
  { name: "slow disks and crashes", servers: 3, voters: 3, campaigns: 1, indexes: 3, crashes: 1, slowDisks: true },
  { name: "snapshots", servers: 3, voters: 3, campaigns: 2, indexes: 2, snapshots: 1 },
  { name: "a joint change", servers: 3, voters: 1, targets: ["bc"], campaigns: 2, indexes: 5, changes: 1 },
  {
    name: "one voter at a time",
    servers: 3,
    voters: 2,
    targets: ["abc", "a", "ab"],
    campaigns: 2,
    indexes: 4,
    changes: 2,
    long: true,
  },
  {
    name: "joint changes with learners",
    servers: 3,
    voters: 1,
    targets: ["bc", "abc", "a/b"],
    campaigns: 2,
    indexes: 5,
    changes: 2,
    long: true,
  },
];

export const BROKEN: readonly Broken[] = [
  {
    name: "a node votes twice",
    bug: "votesTwice",
    violates: ["ElectionSafety"],
    servers: 3,
    voters: 3,
    campaigns: 1,
    indexes: 2,
  },
  {
    name: "votes and acknowledgements leave before they are on disk",
    bug: "sendsBeforeDurable",
    violates: ["ElectionSafety"],
    servers: 3,
    voters: 3,
    campaigns: 1,
    indexes: 2,
    crashes: 1,
    slowDisks: true,
  },
  {
    name: "a vote goes to any log",
    bug: "anyLogIsUpToDate",
    violates: ["LeaderCompleteness"],
    servers: 3,
    voters: 3,
    campaigns: 2,
    indexes: 3,
  },
  {
    name: "a vote goes to any log, and another entry is committed",
    bug: "anyLogIsUpToDate",
    violates: ["StateMachineSafety"],
    invariants: ["StateMachineSafety"],
    servers: 3,
    voters: 3,
    campaigns: 2,
    indexes: 3,
  },
  {
    name: "entries of older terms are committed by counting",
    bug: "commitsOldTerms",
    long: true,
    violates: ["LeaderCompleteness"],
    servers: 3,
    voters: 3,
    candidates: "ac",
    campaigns: 4,
    indexes: 3,
  },
  {
    name: "entries are appended without looking at the one before",
    bug: "noPrevCheck",
    violates: ["LogMatching"],
    servers: 3,
    voters: 3,
    campaigns: 2,
    indexes: 3,
  },
  {
    name: "a leader that is cut back continues to lead",
    bug: "cutBackKeepsLeading",
    violates: ["LeaderAppendOnly"],
    servers: 3,
    voters: 3,
    campaigns: 1,
    indexes: 2,
    crashes: 1,
    slowDisks: true,
  },
  {
    name: "a joint membership needs only its new majority",
    bug: "jointNeedsOneMajority",
    violates: ["ElectionSafety", "LeaderCompleteness", "StateMachineSafety"],
    servers: 3,
    voters: 3,
    targets: ["c"],
    candidates: "bc",
    campaigns: 2,
    indexes: 4,
    changes: 1,
  },
  {
    name: "several voters change at once without a joint membership",
    bug: "noJoint",
    violates: ["ElectionSafety", "LeaderCompleteness", "StateMachineSafety"],
    servers: 3,
    voters: 3,
    targets: ["c"],
    candidates: "bc",
    campaigns: 2,
    indexes: 4,
    changes: 1,
  },
  {
    name: "two changes are uncommitted at a time",
    bug: "twoChangesAtATime",
    violates: ["ElectionSafety", "LeaderCompleteness", "StateMachineSafety"],
    servers: 3,
    voters: 3,
    targets: ["ab", "a"],
    candidates: "ab",
    campaigns: 2,
    indexes: 5,
    changes: 2,
  },
  {
    name: "a change begins before the leader has committed in its term",
    bug: "changesBeforeOwnCommit",
    long: true,
    violates: ["ElectionSafety", "LeaderCompleteness", "StateMachineSafety"],
    servers: 4,
    voters: 4,
    targets: ["abc", "bcd"],
    candidates: "ab",
    campaigns: 3,
    indexes: 4,
    changes: 2,
  },
];

/** Explores a model, with rules left out. */
export async function explore(
  tlc: Tlc,
  model: Model,
  bugs: readonly string[] = [],
  limitMs?: number,
): Promise<Checked> {
  const names = Array.from({ length: model.servers }, (_, at) => String.fromCharCode(97 + at));
  const members = (text: string): string => {
    const [voters, learners = ""] = text.split("/").map((ids) => [...ids].join(", "));
    return `Membership({${voters}}, {}, {${learners}}, {})`;
  };
  const { targets = [], proposals = 0, changes = 0, crashes = 0, snapshots = 0, slowDisks = false } = model;
  const module = [
    "---- MODULE Model ----",
    "EXTENDS Raft, TLC",
    `CONSTANTS ${names.join(", ")}`,
    `ModelFirst == ${members(names.slice(0, model.voters).join(""))}`,
    `ModelTargets == {${targets.map(members).join(", ")}}`,
    `Symmetry == Permutations({${names.join(", ")}})`,
    "====",
  ].join("\n");
  // Nodes can be exchanged for each other unless memberships name them.
  const symmetric = targets.length === 0 && model.voters === model.servers && model.candidates === undefined;
  const config = [
    `CONSTANTS ${names.map((name) => `${name} = ${name}`).join(" ")}`,
    `Server = {${names.join(", ")}} None = None First <- ModelFirst Targets <- ModelTargets`,
    `Candidates = {${[...model.candidates ?? names].join(", ")}}`,
    `Bugs = {${bugs.map((bug) => JSON.stringify(bug)).join(", ")}}`,
    `MaxCampaigns = ${model.campaigns} MaxIndex = ${model.indexes} MaxProposals = ${proposals} MaxChanges = ${changes} MaxCrashes = ${crashes}`,
    `MaxSnapshots = ${snapshots} Instant = ${slowDisks ? "FALSE" : "TRUE"}`,
    "SPECIFICATION Spec",
    `INVARIANTS ${(model.invariants ?? INVARIANTS).join(" ")}${bugs.length === 0 ? " SendsWhatItMay" : ""}`,
    "PROPERTIES LeaderAppendOnly",
    ...symmetric ? ["SYMMETRY Symmetry"] : [],
  ].join("\n");
  return await tlc.check({
    module: "Model",
    modules: { Model: module },
    config,
    long: true,
    ...limitMs === undefined ? {} : { timeoutMs: limitMs },
  });
}
