/**
 * The events of a node in the counts and the story of a run.
 */

import type { RaftNode } from "../../lib/node/mod.ts";
import type { Run } from "../run.ts";
import { describeEvent } from "../story.ts";

/**
 * Counts and describes the events of a node from now on.
 *
 * @param refusals set to count refused messages, which costs an event for each metric of the node
 */
export function tellEvents({ trace }: Run, name: string, node: RaftNode, refusals: boolean): void {
  node.addEventListener("raft", ({ detail }) => {
    trace.count(detail.type);
    if (detail.type === "electionStarted" && !detail.preVote) trace.count("campaign");
    const line = trace.story === null ? null : describeEvent(detail);
    if (line !== null) trace.describe(name, line);
  });
  node.addEventListener("snapshot", ({ detail: { index, reason } }) => {
    if (reason === "installed") trace.count("snapshot installed");
    trace.describe(name, `${reason === "taken" ? "takes" : "installs"} a snapshot at ${index}`);
  });
  if (!refusals) return;
  node.addEventListener("metric", ({ detail }) => {
    if (detail.type === "refused") trace.count(`refused: ${detail.kind}`);
  });
}
