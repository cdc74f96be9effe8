import assert from "node:assert/strict";
import type { ClusterEvent } from "../../../browser-demo/source.ts";
import { inOrder } from "../../../browser-demo/view/order.ts";

const asks = (atMs: number): ClusterEvent => ({
  node: "n1",
  atMs,
  what: { type: "electionStarted", term: 2, preVote: true, reason: "timeout" },
});
const agrees = (atMs: number): ClusterEvent => ({
  node: "n2",
  atMs,
  what: { type: "voteGranted", to: "n1", term: 2, preVote: true },
});
const commits = (atMs: number): ClusterEvent => ({ node: "n3", atMs, what: { type: "committed", index: 1 } });

Deno.test("an answer with an earlier time comes after its request, and all else stays in order", () => {
  assert.deepEqual(inOrder([asks(12), commits(11), agrees(10)]), [asks(12), commits(11), agrees(10)]);
  assert.deepEqual(inOrder([commits(14), asks(12), agrees(10)]), [asks(12), agrees(10), commits(14)]);
});

Deno.test("a second campaign of one term stays behind the first", () => {
  const events = [asks(10), agrees(11), asks(900), agrees(901)];
  assert.deepEqual(inOrder([...events].reverse()), events);
});
