import assert from "node:assert/strict";
import type { ProtocolEvent, TracedState } from "../../../simulation/mod.ts";
import { convert } from "../../../tools/tla/convert.ts";
import { BROKEN, MODELS } from "../../../tools/tla/models.ts";
import { PLANTED } from "../../../tools/tla/planted.ts";
import { SPECIFICATION } from "../../../tools/tla/tlc.ts";
import { ROOT } from "../../../tools/run.ts";
import { mutants } from "../../mutants/mod.ts";

const ALONE = { voters: ["n1.0", "n2.0"], outgoing: [], learners: [], learnersNext: [] };
const STATE: TracedState = {
  term: 2,
  votedFor: "n1",
  role: "leader",
  commitIndex: 1,
  firstIndex: 1,
  lastIndex: 2,
  lastTerm: 2,
  durableIndex: 1,
  snapshotIndex: 0,
};

function lines(events: readonly Omit<ProtocolEvent, "event" | "atMs">[]): string[] {
  const { text } = convert(events.map((body, at) => ({ event: at + 1, atMs: 0, ...body })));
  return text.split("\n").filter((line) => line.startsWith("<<"));
}

Deno.test("a trace becomes TLA+ values: nodes and memberships by number, states only when they change", () => {
  const [start, propose, send, receive] = lines([
    { node: "n1.0", kind: "start", state: { ...STATE, membership: ALONE } },
    { node: "n1.0", kind: "propose", count: 3, state: { ...STATE, lastIndex: 5 } },
    {
      node: "n1.0",
      kind: "send",
      state: { ...STATE, lastIndex: 5 },
      messages: [{
        to: "n2",
        message: {
          type: "AppendEntries",
          term: 2,
          prevLogIndex: 0,
          prevLogTerm: 0,
          leaderCommit: 1,
          entries: [{ term: 1, type: "membership", membership: ALONE }, { term: 2, type: "noop" }],
        },
      }],
    },
    {
      node: "n2.0",
      kind: "receive",
      from: "n1",
      sentBy: [3, 0],
      message: { type: "AppendEntries", term: 2 },
      state: { ...STATE, role: "follower", membership: ALONE },
    },
  ]);
  assert.equal(start, `<<"start",1,<<2,1,"leader",1,0,2,2,0,1>>>>,`);
  assert.equal(propose, `<<"propose",1,<<2,1,"leader",1,0,5,2,0,1>>,3>>,`);
  assert.equal(send, `<<"send",1,<<>>,<<<<"Append",2,2,0,0,1,<<<<1,1>>,<<2>>>>>>>>>>,`);
  assert.equal(receive, `<<"receive",2,<<2,1,"follower",1,0,2,2,0,1>>,3,1>>>>,`);
});

Deno.test("only messages that change nothing are left out of a converted trace, and a message that was not sent stays", () => {
  const state = { ...STATE, membership: ALONE };
  const answer = { type: "AppendEntriesResponse", term: 2, success: true, matchIndex: 2 } as const;
  const receive = (more: Partial<ProtocolEvent>) =>
    ({ node: "n1.0", kind: "receive", from: "n2", state, ...more }) as const;
  const sent: Omit<ProtocolEvent, "event" | "atMs"> = {
    node: "n2.0",
    kind: "send",
    state,
    messages: [{ to: "n1", message: answer }],
  };
  const converted = lines([
    { node: "n1.0", kind: "start", state },
    sent,
    receive({ message: answer, sentBy: [2, 0] }),
    receive({ message: answer, sentBy: [2, 0] }),
    receive({ message: { ...answer, success: false }, sentBy: [2, 0] }),
    receive({ message: answer, refused: true, sentBy: [2, 0] }),
    receive({ message: { ...answer, matchIndex: 3 }, sentBy: null }),
  ]);
  const kinds = converted.map((line) => /"(\w+)"/.exec(line)![1]);
  assert.deepEqual(kinds, ["start", "send", "receive", "receive"]);
  assert.ok(converted[3]!.startsWith(`<<"receive",1,<<>>,0,0>>`), "it names no event, so that it is refused");
});

Deno.test("a trace with a replaced disk is not converted", () => {
  assert.throws(
    () => lines([{ node: "n1.1", kind: "start", state: { ...STATE, membership: ALONE } }]),
    /replaced disk/,
  );
});

Deno.test("each rule that the specification can leave out has a broken model, and planted bugs are mutants", async () => {
  const texts: string[] = [];
  for (const name of ["RaftNode", "Raft"]) texts.push(await Deno.readTextFile(`${ROOT}${SPECIFICATION}${name}.tla`));
  const rules = new Set([...texts.join().matchAll(/"(\w+)" \\in Bugs/g)].map(([, rule]) => rule));
  assert.deepEqual([...new Set(BROKEN.map(({ bug }) => bug))].sort(), [...rules].sort());
  const properties = new Set(BROKEN.flatMap(({ violates }) => violates));
  for (const property of properties) assert.ok(texts.join().includes(`\n${property} ==`), property);
  assert.ok(MODELS.length >= 4 && PLANTED.length >= 10);
  for (const { mutant } of PLANTED) assert.ok(mutants.some(({ name }) => name === mutant), mutant);
});
