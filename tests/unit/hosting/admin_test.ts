import assert from "node:assert/strict";
import { RaftError } from "../../../lib/errors.ts";
import { systemClock } from "../../../lib/host.ts";
import type { MembershipTarget, NodeStatus } from "../../../lib/node/types.ts";
import { pause } from "../../../lib/pause.ts";
import { membershipOf } from "../../../lib/raft/membership.ts";
import type { Member } from "../../../lib/raft/types.ts";
import { SERVER_HINTS } from "../../../server/hints.ts";
import { Admin } from "../../../hosting/admin.ts";
import type { AdminOptions } from "../../../hosting/admin.ts";
import { BootstrappingNode } from "../../../hosting/bootstrapping_node.ts";
import type { PeerIdentity } from "../../../transport/wire/identity.ts";

const member = (n: number): Member => ({ id: `n${n}`, address: `http://h:${n}`, incarnation: `i${n}` });
const { signal } = new AbortController();

/** A leader of n1, n2, n3 that commits every change at once. */
class Leader extends BootstrappingNode {
  voters: readonly Member[] = [1, 2, 3].map(member);
  learners: readonly Member[] = [];
  readonly changes: MembershipTarget[] = [];
  /** The match index of each peer, of 5000 entries. */
  readonly match = new Map<string, number>([["n2", 5000], ["n3", 5000]]);
  /** Milliseconds since each answered. */
  readonly contact = new Map<string, number>();
  outgoing: readonly string[] = [];
  committed = true;

  constructor() {
    super({ nodeId: "n1", incarnation: "i1", clusterId: "c" });
  }

  override status(): NodeStatus {
    const { voters, learners } = this;
    const peers = [...voters, ...learners].filter(({ id }) => id !== "n1").map(({ id }) => ({
      id,
      matchIndex: this.match.get(id) ?? 0,
      nextIndex: 1,
      state: "replicate" as const,
      lastContactMs: this.match.has(id) ? this.contact.get(id) ?? 10 : null,
    }));
    return {
      ...super.status(),
      role: "leader",
      leader: { id: "n1", address: "http://h:1" },
      commitIndex: 5000,
      members: [
        ...voters.map((one) => ({ ...one, suffrage: "voter" as const })),
        ...learners.map((one) => ({ ...one, suffrage: "learner" as const })),
      ],
      membership: { ...membershipOf({ voters, learners }), outgoing: this.outgoing },
      membershipCommitted: this.committed,
      removed: false,
      peers,
    };
  }

  override readonly changeMembership = (change?: MembershipTarget): Promise<never> => {
    this.changes.push(change!);
    this.voters = change!.voters;
    this.learners = change!.learners ?? [];
    return Promise.resolve(this.status().membership as never);
  };

  /** The ids of the current voters and learners. */
  get ids(): [string[], string[]] {
    return [this.voters.map(({ id }) => id), this.learners.map(({ id }) => id)];
  }
}

function setUp(found: Partial<PeerIdentity> = {}, options: Partial<AdminOptions> = {}) {
  const node = new Leader();
  const identified = { nodeId: "n4", incarnation: "i4", clusterId: "", empty: true, ...found };
  const admin = new Admin({
    node,
    identify: () => Promise.resolve(identified),
    hints: SERVER_HINTS,
    pollIntervalMs: 1,
    ...options,
  });
  return { node, admin };
}

const n4 = { id: "n4", address: "http://h:4", learner: false };

Deno.test("add: a learner first, a voter once it has caught up (dissertation §4.2.1)", async () => {
  const { node, admin } = setUp();
  const added = admin.add(n4, signal);
  while (node.changes.length === 0) await Promise.resolve();
  assert.deepEqual(node.ids, [["n1", "n2", "n3"], ["n4"]]);
  assert.equal(node.learners[0]?.incarnation, "i4");
  node.match.set("n4", 4100);
  await added;
  assert.equal(node.changes.length, 2);
  assert.deepEqual(node.ids, [["n1", "n2", "n3", "n4"], []]);
});

Deno.test("add: does not wait for a node that stays a learner", async () => {
  const { node, admin } = setUp();
  await admin.add({ ...n4, learner: true }, signal);
  assert.deepEqual(node.ids, [["n1", "n2", "n3"], ["n4"]]);
});

Deno.test("add: continues where an earlier call ended, and does nothing twice", async () => {
  const { node, admin } = setUp({ empty: false, clusterId: "c" });
  node.learners = [member(4)];
  node.match.set("n4", 5000);
  await admin.add(n4, signal);
  assert.equal(node.changes.length, 1);
  await admin.add(n4, signal);
  assert.equal(node.changes.length, 1);
  assert.deepEqual(node.ids, [["n1", "n2", "n3", "n4"], []]);
});

Deno.test("add: a learner that doesn't catch up in time stays one, and the hint says how to continue", async () => {
  const { node, admin } = setUp();
  const late = AbortSignal.abort();
  await assert.rejects(admin.add(n4, late), (error: RaftError) => {
    assert.equal(error.code, "not_ready");
    assert.equal(error.outcome, "unknown");
    assert.match(error.hint, /raft member promote n4/);
    return true;
  });
  assert.deepEqual(node.ids, [["n1", "n2", "n3"], ["n4"]]);
});

for (
  const [what, found, request, code] of [
    ["another node answers there", { nodeId: "n5" }, n4, "identity_mismatch"],
    ["it is of another cluster", { clusterId: "other", empty: false }, n4, "refused"],
    ["it has data of its own", { empty: false }, n4, "refused"],
    ["its folder isn't the expected one", {}, { ...n4, incarnation: "i9" }, "identity_mismatch"],
    ["a member is at that address", {}, { ...n4, address: "http://h:2" }, "refused"],
    ["a member of that id has another folder", { nodeId: "n3" }, { ...n4, id: "n3", address: "http://h:3" }, "refused"],
  ] as const
) {
  Deno.test(`add is refused: ${what}`, async () => {
    const { node, admin } = setUp(found);
    await assert.rejects(admin.add(request, signal), { code, outcome: "rejected" });
    assert.equal(node.changes.length, 0);
  });
}

Deno.test("add and change end within seconds where no node answers, and are not to be repeated elsewhere", async () => {
  const node = new Leader();
  const admin = new Admin({
    node,
    identify: () => Promise.reject(new RaftError("unreachable", "no node answers")),
    hints: SERVER_HINTS,
  });
  const began = performance.now();
  const refused = { code: "refused", outcome: "rejected", message: "no node answers at http://h:4" } as const;
  const change = { voters: [{ ...n4, incarnation: "" }] };
  await Promise.all([
    assert.rejects(admin.add(n4, signal), refused),
    assert.rejects(admin.change(change, signal), refused),
  ]);
  assert.ok(performance.now() - began < 10_000);
  assert.equal(node.changes.length, 0);
});

Deno.test("add: a node that is just starting may come up meanwhile", async () => {
  const node = new Leader();
  let asked = 0;
  let starting = false;
  const admin = new Admin({
    node,
    identify: () =>
      ++asked < 3
        ? Promise.reject(new RaftError("unreachable", "no node answers"))
        : Promise.resolve({ nodeId: "n4", incarnation: "i4", clusterId: "", empty: true }),
    mayBeStarting: () => starting,
    hints: SERVER_HINTS,
    pollIntervalMs: 1,
  });
  await assert.rejects(admin.add({ ...n4, learner: true }, signal), { code: "refused" });
  assert.equal(asked, 1, "what has answered is not asked again");
  starting = true;
  await admin.add({ ...n4, learner: true }, signal);
  assert.deepEqual([asked, node.ids], [3, [["n1", "n2", "n3"], ["n4"]]]);
});

Deno.test("add: a learner that is no longer there while it catches up is not waited for", async () => {
  const { node, admin } = setUp({}, { maxSilenceMs: 20 });
  node.match.set("n4", 2500);
  node.contact.set("n4", 5000);
  await assert.rejects(admin.add(n4, signal), (error: RaftError) => {
    assert.deepEqual([error.code, error.outcome], ["refused", "unknown"]);
    assert.match(error.message, /n4 was added as a learner, but has not answered for/);
    return true;
  });
  assert.deepEqual(node.ids, [["n1", "n2", "n3"], ["n4"]]);
});

Deno.test("promote: only a learner that has caught up", async () => {
  const { node, admin } = setUp();
  node.learners = [member(4)];
  await assert.rejects(admin.promote("n4", signal), { code: "not_ready", outcome: "rejected" });
  node.match.set("n4", 2500);
  await assert.rejects(admin.promote("n4", signal), { code: "not_ready", message: /lacks 2500 entries/ });
  await assert.rejects(admin.promote("n9", signal), { code: "invalid_argument" });
  node.match.set("n4", 5000);
  await admin.promote("n4", signal);
  assert.deepEqual(node.ids, [["n1", "n2", "n3", "n4"], []]);
});

Deno.test("promote, add and change: not a learner that has been silent for an election timeout", async () => {
  const { node, admin } = setUp({ empty: false, clusterId: "c" });
  node.learners = [member(4)];
  node.match.set("n4", 5000);
  node.contact.set("n4", 1001);
  const silent = { code: "not_ready", message: /n4 has not answered for 1\.0 s/ };
  await assert.rejects(admin.promote("n4", signal), { ...silent, outcome: "rejected", hint: SERVER_HINTS.notThere });
  await assert.rejects(admin.change({ voters: [1, 2, 3, 4].map(member) }, signal), silent);
  await assert.rejects(admin.add(n4, AbortSignal.timeout(20)), { code: "not_ready" });
  assert.deepEqual(node.changes, []);
  node.contact.set("n4", 900);
  await admin.promote("n4", signal);
  assert.deepEqual(node.ids, [["n1", "n2", "n3", "n4"], []]);
});

Deno.test("remove: a voter, a learner, but not an unknown node", async () => {
  const { node, admin } = setUp();
  node.learners = [member(4)];
  await admin.remove("n4", signal);
  await admin.remove("n3", signal);
  assert.deepEqual(node.ids, [["n1", "n2"], []]);
  await assert.rejects(admin.remove("n3", signal), { code: "invalid_argument" });
});

Deno.test("change: refused if the voters that are up could not commit; new ones are", async () => {
  const { node, admin } = setUp();
  for (const id of ["n2", "n3"]) node.contact.set(id, 5000);
  await assert.rejects(admin.change({ voters: [1, 2].map(member) }, signal), {
    code: "refused",
    message: "only 1 of the 2 voters after this change are up; 2 are needed",
  });
  assert.deepEqual(node.changes, []);
  await admin.change({ voters: [1, 4].map(member) }, signal);
  assert.deepEqual(node.ids, [["n1", "n4"], []]);
});

Deno.test("remove: the last voter stays", async () => {
  const { node, admin } = setUp();
  node.voters = [member(1)];
  await assert.rejects(admin.remove("n1", signal), { code: "refused" });
});

Deno.test("remove: refused if the remaining nodes that are up could not commit; a node that is down may be removed", async () => {
  const { node, admin } = setUp();
  node.contact.set("n3", 60_000);
  await assert.rejects(admin.remove("n2", signal), {
    code: "refused",
    message: /only 1 of the 2 voters after this change are up; 2 are needed/,
  });
  await admin.remove("n3", signal);
  assert.deepEqual(node.ids, [["n1", "n2"], []]);
});

Deno.test("nothing is changed during a joint change", async () => {
  const { node, admin } = setUp();
  node.outgoing = ["n1"];
  await assert.rejects(admin.remove("n2", AbortSignal.timeout(20)), {
    code: "membership_change_in_progress",
    outcome: "rejected",
  });
  assert.deepEqual(node.changes, []);
});

Deno.test("a change waits for the one before it, and is made of the members of that moment", async () => {
  const { node, admin } = setUp();
  node.committed = false;
  const changes = [admin.add({ ...n4, learner: true }, signal), admin.demote("n3", signal)];
  await pause(systemClock, 20);
  assert.deepEqual(node.changes, []);
  node.committed = true;
  await Promise.all(changes);
  assert.deepEqual([node.ids[0], node.ids[1].toSorted()], [["n1", "n2"], ["n3", "n4"]]);
});

Deno.test("add and change take nothing of a foreign answer into their errors", async () => {
  const secret = "s3cr3t";
  const failing = [
    new RaftError("refused", secret, { hint: secret, leader: { id: secret, address: secret } }),
    new RaftError("internal", secret, { outcome: "unknown" }),
    new Error(secret),
  ];
  const told: RaftError[] = [];
  const tell = (error: RaftError): boolean => told.push(error) > 0;
  const target = { voters: [member(1), member(4)], learners: [] };
  for (const failure of failing) {
    const admin = new Admin({ node: new Leader(), identify: () => Promise.reject(failure), hints: SERVER_HINTS });
    for (const start of [() => admin.add(n4, signal), () => admin.change(target, signal)]) {
      const call = start();
      await assert.rejects(call, {
        code: "refused",
        outcome: "rejected",
        message: "no node answers at http://h:4",
      });
      await call.catch(tell);
    }
  }
  const { admin } = setUp({ nodeId: secret, clusterId: secret });
  await admin.add(n4, signal).catch(tell);
  assert.equal(told.length, 7);
  assert.ok(!JSON.stringify(told).includes(secret), JSON.stringify(told));
});

Deno.test("change: a member is asked at its new address", async () => {
  const { node, admin } = setUp({ nodeId: "n3", incarnation: "i3", clusterId: "c", empty: false });
  const moved = { id: "n3", address: "http://h:33", incarnation: "" };
  const target = { voters: [member(1), member(2), moved] };
  await admin.change(target, signal);
  assert.deepEqual(node.voters[2], { ...moved, incarnation: "i3" });
  const { node: other, admin: wrong } = setUp({ nodeId: "n3", incarnation: "i9" });
  await assert.rejects(wrong.change(target, signal), { code: "refused" });
  assert.deepEqual(other.changes, []);
});

Deno.test("a node that doesn't lead names the leader", async () => {
  class Follower extends Leader {
    override status(): NodeStatus {
      return { ...super.status(), role: "follower", leader: { id: "n2", address: "http://h:2" } };
    }
  }
  const admin = new Admin({
    node: new Follower(),
    identify: () => Promise.reject(new Error("not asked")),
    hints: SERVER_HINTS,
  });
  await assert.rejects(admin.remove("n3", signal), { code: "not_leader", leader: { id: "n2", address: "http://h:2" } });
});

Deno.test("admin: an address that no message could carry is refused before it is in the log", async () => {
  const { node, admin } = setUp();
  const address = `http://h/${"x".repeat(1100)}`;
  const voters = [member(1), member(2), { ...member(3), address }];
  await assert.rejects(admin.change({ voters, learners: [] }, signal), { code: "invalid_argument" });
  await assert.rejects(admin.add({ id: "n4", address, learner: true }, signal), { code: "invalid_argument" });
  assert.deepEqual(node.changes, []);
});

Deno.test("add: a member that has moved gets its new address, and keeps its suffrage", async () => {
  const { node, admin } = setUp({ nodeId: "n3", incarnation: "i3", clusterId: "c", empty: false });
  const membership = await admin.add({ id: "n3", address: "http://h:33", learner: false }, signal);
  assert.equal(membership.members.find(({ id }) => id === "n3")?.address, "http://h:33");
  assert.deepEqual(node.ids, [["n1", "n2", "n3"], []]);
  assert.equal(node.changes.length, 1);
  await admin.add({ id: "n3", address: "http://h:33", learner: false }, signal);
  assert.equal(node.changes.length, 1, "nothing changes then");
});

Deno.test("add: another data folder at a new address does not take a member over", async () => {
  const { node, admin } = setUp({ nodeId: "n3", incarnation: "wiped", empty: true });
  const moved = { id: "n3", address: "http://h:33", learner: false };
  await assert.rejects(admin.add(moved, signal), { code: "refused" });
  assert.equal(node.changes.length, 0);
});
