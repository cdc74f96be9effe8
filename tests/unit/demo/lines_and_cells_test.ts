import assert from "node:assert/strict";
import { paper } from "../../../browser-demo/view/explain.ts";
import type { Explanation } from "../../../browser-demo/view/explain.ts";
import { FeedLines, LINES_KEPT } from "../../../browser-demo/view/feed_lines.ts";
import { cellAt, COLUMNS, firstColumn, indexWords } from "../../../browser-demo/view/log_cells.ts";
import { entriesOf, freshNode } from "../../support/demo_views.ts";

function line(text: string, key?: string): Explanation {
  const plain: Explanation = { text, section: paper("§5.2"), tone: "plain", important: false };
  return key === undefined ? plain : { ...plain, group: { key, parts: [text], say: (parts) => parts.join("+") } };
}

Deno.test("lines of one group become one, even with others between them", () => {
  const feed = new FeedLines();
  feed.add(0, line("a", "votes"));
  feed.add(10, line("between"));
  feed.add(20, line("b", "votes"));
  feed.add(20, line("b", "votes"));
  assert.deepEqual(feed.lines.map(({ said }) => said.text), ["a+b", "between"]);
  feed.add(60_000, line("c", "votes"));
  assert.equal(feed.lines.length, 3);
});

Deno.test("the feed keeps the newest lines, and none twice in a row", () => {
  const feed = new FeedLines();
  for (let at = 0; at < 100; at++) feed.add(at * 1000, line(`line ${at}`));
  feed.add(99_000, line("line 99"));
  assert.equal(feed.lines.length, LINES_KEPT);
  assert.equal(feed.lines.at(-1)?.said.text, "line 99");
});

const FOLLOWER = {
  ...freshNode("n2"),
  entries: entriesOf(1, 1, 2, 2).slice(1),
  firstIndex: 2,
  lastIndex: 4,
  snapshot: { index: 2, term: 1 },
  commitIndex: 3,
  appliedIndex: 2,
  durableIndex: 3,
};
const LEADER = {
  ...freshNode("n1"),
  role: "leader" as const,
  entries: entriesOf(1, 1, 2, 3),
  lastIndex: 4,
  commitIndex: 3,
  progress: [{ id: "n2", matchIndex: 3, nextIndex: 5, state: "replicate" as const }],
};

Deno.test("a cell shows term, commit, applied and durable marks, the snapshot's end, and the leader's match and next", () => {
  const cells = [1, 2, 3, 4, 5].map((index) => cellAt(FOLLOWER, index, LEADER));
  assert.deepEqual(cells.map(({ what }) => what), ["compacted", "entry", "entry", "entry", "none"]);
  assert.deepEqual(cells.map(({ term }) => term), [0, 1, 2, 2, 0]);
  assert.deepEqual(cells.map(({ committed }) => committed), [true, true, true, false, false]);
  assert.deepEqual(cells.map(({ applied }) => applied), [true, true, false, false, false]);
  assert.deepEqual(cells.map(({ durable }) => durable), [true, true, true, false, false]);
  assert.deepEqual(cells.map(({ boundary }) => boundary), [false, true, false, false, false]);
  assert.deepEqual(cells.map(({ match }) => match), [false, false, true, false, false]);
  assert.deepEqual(cells.map(({ next }) => next), [false, false, false, false, true]);
  assert.equal(cellAt(LEADER, 3, LEADER).match, false);
});

Deno.test("the newest entries are shown, with a place for the next", () => {
  assert.equal(firstColumn([FOLLOWER]), 1);
  assert.equal(firstColumn([{ ...FOLLOWER, lastIndex: 100 }]), 102 - COLUMNS);
});

Deno.test("an index is described over all logs, even if they differ", () => {
  assert.equal(
    indexWords([LEADER, FOLLOWER], LEADER, 3),
    "Entry 3: put k = 3 (term 2), in the logs of n1 and n2. Committed.",
  );
  assert.equal(
    indexWords([LEADER, FOLLOWER], LEADER, 4),
    "Entry 4: put k = 4 (term 3), in the log of n1; or put k = 4 (term 2), in the log of n2. Not committed.",
  );
  assert.match(indexWords([FOLLOWER], null, 1), /part of a snapshot/);
  assert.match(indexWords([FOLLOWER], null, 9), /no entry 9 yet/);
});
