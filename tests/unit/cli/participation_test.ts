import assert from "node:assert/strict";
import type { RefusedMessages } from "../../../lib/node/types.ts";
import { survivedFailures } from "../../../server/cli/participation.ts";
import type { StatusDocument } from "../../../server/status.ts";
import { cli, MEMBERS, statuses, statusOf } from "./support.ts";

type Answers = Record<string, Partial<StatusDocument>>;
const ALL: Answers = { n1: {}, n2: {}, n3: {}, n4: {} };
const CUT = { role: "preCandidate", leader: null } as const;

/** Returns the leader's status in which it has not heard `id` for so long. */
function deaf(id: string, lastContactMs: number | null = 60_000): Partial<StatusDocument> {
  return { peers: statusOf("n2").peers.map((peer) => peer.id === id ? { ...peer, lastContactMs } : peer) };
}

function refused(from: string, kind: string, reason: string, lastMs = 100): { refused: RefusedMessages[] } {
  return { refused: [{ from, kind, reason, count: 9, lastMs }] };
}

interface Found {
  readonly code: number;
  readonly head: string;
  readonly up: number;
  readonly survives: number | null;
  readonly leader: string | null;
  /** The problems of each node. */
  readonly problems: Record<string, readonly string[]>;
  readonly ups: readonly string[];
}

async function status(answers: Answers): Promise<Found> {
  const remote = statuses(answers);
  const text = await cli(["status"], { remote });
  const json = await cli(["status", "--json"], { remote });
  assert.equal(text.code, json.code);
  const document = JSON.parse(json.out);
  const nodes: { id: string; up: boolean; problems: string[] }[] = document.nodes;
  for (const { problems } of nodes) for (const problem of problems) assert.ok(text.out.includes(problem), text.out);
  return {
    code: text.code,
    head: text.out.split("\n")[0] ?? "",
    up: document.voters.up,
    survives: document.survives,
    leader: document.leader?.id ?? null,
    problems: Object.fromEntries(nodes.map(({ id, problems }) => [id, problems])),
    ups: nodes.filter(({ up }) => up).map(({ id }) => id),
  };
}

/** Checks that n3 takes no part, with these problems, and that the rest is well. */
async function assertCut(answers: Answers, ...problems: readonly (string | RegExp)[]): Promise<void> {
  const found = await status({ ...ALL, ...answers });
  assert.deepEqual([found.code, found.up, found.survives, found.leader], [5, 2, 0, "n2"]);
  assert.match(found.head, /2 of 3 voters up, survives none$/);
  assert.deepEqual(found.ups, ["n1", "n2", "n4"]);
  const actual = found.problems["n3"] ?? [];
  assert.equal(actual.length, problems.length, JSON.stringify(actual));
  for (const [at, problem] of problems.entries()) {
    if (typeof problem === "string") assert.equal(actual[at], problem);
    else assert.match(actual[at]!, problem);
  }
}

Deno.test("status: a candidate without a leader takes no part, although it answers", async () => {
  await assertCut({ n2: deaf("n3"), n3: CUT }, "it has no leader");
});

Deno.test("status: a candidate of a higher term does not hide the leader", async () => {
  await assertCut({ n2: deaf("n3"), n3: { ...CUT, term: 9 } }, "it has no leader");
});

Deno.test("status: a follower that the leader does not hear takes no part", async () => {
  await assertCut({ n2: deaf("n3", 12_340) }, "the leader has not heard it for 12.3 s");
  await assertCut({ n2: deaf("n3", null) }, "the leader has not heard it in this term");
});

Deno.test("status: the patience with a follower is the leader's election timeout", async () => {
  const slow = { ...deaf("n3", 8000), electionTimeoutMs: 10_000 };
  assert.deepEqual((await status({ ...ALL, n2: slow })).code, 0);
  const fast = { ...deaf("n3", 800), electionTimeoutMs: 500 };
  assert.equal((await status({ ...ALL, n2: fast })).code, 5);
});

Deno.test("status: a refused version or identity is named, from either side", async () => {
  const version = "protocol version 2, this node's is 1";
  await assertCut(
    { n2: { ...deaf("n3"), ...refused("n3", "protocolVersion", version) }, n3: CUT },
    "it has no leader",
    `n2 refuses its messages: ${version}`,
  );
  const identity = 'node "n3" has another data folder than the member of that name';
  await assertCut(
    { n1: refused("n3", "senderIncarnation", identity), n2: deaf("n3"), n3: { ...CUT, ...refused("n2", "x", "y") } },
    "it has no leader",
    `n1 refuses its messages: ${identity}`,
    "it refuses messages of n2: y",
  );
});

Deno.test("status: an old refusal, or one of another node, is no cause", async () => {
  const old = refused("n3", "cluster", "old", 3_600_000);
  await assertCut(
    { n1: refused("n9", "cluster", "other"), n2: { ...deaf("n3"), ...old }, n3: CUT },
    "it has no leader",
  );
});

Deno.test("status: an address that differs from the membership's, a broken link, and a hung disk", async () => {
  const reason = "the membership has this node at http://127.0.0.1:7003, but it listens on http://127.0.0.1:7013";
  await assertCut({ n2: deaf("n3"), n3: { ...CUT, reason } }, "it has no leader", reason);
  const link = (id: string, error: string) => ({
    links: [{ id, address: "http://127.0.0.1:7003", connected: false, error }],
  });
  await assertCut(
    { n2: { ...deaf("n3"), ...link("n3", "no server answers") } },
    /has not heard it/,
    "no link from the leader: no server answers at 127.0.0.1:7003",
  );
  await assertCut(
    { n2: deaf("n3"), n3: { ...CUT, ...link("n2", "hangs") } },
    "it has no leader",
    "no link to the leader: hangs at 127.0.0.1:7003",
  );
  await assertCut(
    { n2: deaf("n3"), n3: { durableIndex: 110 } },
    /has not heard it/,
    "its disk has not written entries 111 to 120",
  );
});

Deno.test("status: a voter whose disk hangs acknowledges nothing, although the leader hears it", async () => {
  await assertCut({ n3: { pendingWriteMs: 4200 } }, "its disk hangs: a write has taken 4.2 s");
  const slow = await status({ ...ALL, n3: { pendingWriteMs: 300 } });
  assert.deepEqual([slow.code, slow.up], [0, 3]);
});

Deno.test("status: several causes at once are all named", async () => {
  await assertCut(
    { n2: { ...deaf("n3"), ...refused("n3", "cluster", "foreign") }, n3: { ...CUT, reason: "moved", durableIndex: 1 } },
    "it has no leader",
    "moved",
    "n2 refuses its messages: foreign",
    "its disk has not written entries 2 to 120",
  );
});

Deno.test("status: another leader, another cluster, another data folder", async () => {
  const leads = { role: "leader" as const, term: 2, leader: { id: "n3", address: "http://127.0.0.1:7003" } };
  await assertCut({ n2: deaf("n3"), n3: leads }, "it leads the outdated term 2, n2 leads term 3");
  const follows = { term: 2, leader: { id: "n1", address: "http://127.0.0.1:7001" } };
  await assertCut({ n2: deaf("n3"), n3: follows }, "it follows n1, not n2");
  await assertCut({ n2: deaf("n3"), n3: { ...CUT, clusterId: "c2", term: 9 } }, "it is in cluster c2");
  await assertCut({ n2: deaf("n3"), n3: { ...CUT, incarnation: "wiped" } }, /^its data folder is not the member's/);
});

Deno.test("status: a removed node says so, and is no voter that is missing", async () => {
  const members = MEMBERS.filter(({ id }) => id !== "n3");
  const rest = {
    members,
    membership: { voters: ["n1", "n2"], outgoing: [], learners: ["n4"], learnersNext: [], members },
  };
  const gone = { ...CUT, role: "follower" as const, removed: true, reason: "this node was removed from its cluster" };
  const remote = statuses({ n1: rest, n2: rest, n3: gone, n4: rest });
  const ran = await cli(["status", "--server", "127.0.0.1:7003,127.0.0.1:7001"], { remote });
  assert.equal(ran.code, 0);
  assert.match(ran.out, /2 of 2 voters up, survives none/);
  assert.match(ran.out, /^n3 .* not a member .* this node was removed from its cluster$/m);
});

Deno.test("status: a learner that takes no part is shown, and costs no vote", async () => {
  const found = await status({ ...ALL, n2: deaf("n4") });
  assert.deepEqual([found.code, found.up, found.survives], [0, 3, 1]);
  assert.deepEqual(found.problems["n4"], ["the leader has not heard it for 60.0 s"]);
});

Deno.test("status: without a quorum there is none to lead, whatever a node says", async () => {
  const alone = { peers: statusOf("n2").peers.map((peer) => ({ ...peer, lastContactMs: 60_000 })) };
  const found = await status({ n2: alone, n4: {} });
  assert.deepEqual([found.code, found.up, found.survives], [4, 1, null]);
  assert.match(found.head, /1 of 3 voters up, no quorum$/);
});

Deno.test("status: nodes without a leader name their broken links", async () => {
  const links = ["n2", "n3"].map((id) => ({
    id,
    address: `http://h:${id[1]}`,
    connected: false,
    error: "no server answers",
  }));
  const found = await status({ n1: { ...CUT, links } });
  assert.deepEqual([found.code, found.up, found.leader], [4, 0, null]);
  assert.deepEqual(found.problems["n1"], [
    "no leader",
    "no link to n2: no server answers at h:2",
    "no link to n3: no server answers at h:3",
  ]);
});

Deno.test("status: a node that answers the leader and not this machine is up", async () => {
  let asked = 0;
  const fake = statuses({ n1: {}, n2: {}, n4: {} });
  const remote = {
    async status(...args: Parameters<typeof fake.status>) {
      const found = await fake.status(...args);
      if (found.id === "n2") asked++;
      return found.id === "n2" ? { ...found, ...deaf("n3", 20) } : found;
    },
  };
  const ran = await cli(["status"], { remote });
  assert.equal(ran.code, 0);
  assert.match(ran.out, /3 of 3 voters up/);
  assert.match(ran.out, /^n3 .* no server answers at 127\.0\.0\.1:7003, but its peers hear it$/m);
  assert.ok(asked >= 2, "the leader was asked again: it may have heard the node before it ended");
});

Deno.test("status: servers of an older version, without the new fields, are judged by what they have", async () => {
  const { removed: _removed, ...old } = statusOf("n3");
  const found = await status({ ...ALL, n3: old });
  assert.deepEqual([found.code, found.up], [0, 3]);
});

Deno.test("status: a cluster of one", async () => {
  const members = MEMBERS.slice(1, 2);
  const one = {
    members,
    peers: [],
    membership: { voters: ["n2"], outgoing: [], learners: [], learnersNext: [], members },
  };
  const ran = await cli(["status", "--server", "127.0.0.1:7002"], { remote: statuses({ n2: one }) });
  assert.equal(ran.code, 0);
  assert.match(ran.out, /1 of 1 voter up, survives none/);
});

Deno.test("survived failures: each half of a joint configuration needs its quorum", () => {
  const of = (voters: string[], outgoing: string[], up: string[]) =>
    survivedFailures({ voters, outgoing, learners: [], learnersNext: [], members: [] }, (id) => up.includes(id));
  assert.equal(of(["a", "b", "c"], [], ["a", "b", "c"]), 1);
  assert.equal(of(["a", "b", "c", "d"], [], ["a", "b", "c", "d"]), 1);
  assert.equal(of(["a", "b", "c", "d", "e"], [], ["a", "b", "c", "d", "e"]), 2);
  assert.equal(of(["a", "b", "c"], ["a", "d", "e"], ["a", "b", "c", "d", "e"]), 1);
  assert.equal(of(["a", "b", "c"], ["a", "d", "e"], ["a", "b", "c", "d"]), 0);
  assert.equal(of(["a", "b", "c"], ["d", "e", "f"], ["a", "b", "c", "d"]), -1);
  assert.equal(of(["a"], [], ["a"]), 0);
});
