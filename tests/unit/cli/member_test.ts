import assert from "node:assert/strict";
import { RaftError } from "../../../lib/errors.ts";
import { cli, errorOf, MEMBERS, statusOf } from "./support.ts";
import type { FakeRemote, MemberList } from "./support.ts";

function listOf(members: MemberList["members"]): MemberList {
  return { clusterId: "c1", leader: "n2", members, membershipIndex: 1, membershipCommitted: true };
}

/** Returns a cluster that carries out membership changes. */
function cluster(overrides: Partial<FakeRemote> = {}): { remote: Partial<FakeRemote>; calls: unknown[] } {
  let members = [...MEMBERS];
  const calls: unknown[] = [];
  const remote: Partial<FakeRemote> = {
    status: () => Promise.resolve(statusOf("n5")),
    listMembers: () => Promise.resolve(listOf(members)),
    addMember({ id, address, learner = false }) {
      calls.push({ id, address, learner });
      members = members.filter((member) => member.id !== id);
      members.push({ id, address, incarnation: `folder-${id}`, suffrage: learner ? "learner" : "voter" });
      return Promise.resolve();
    },
    promoteMember(id) {
      members = members.map((member) => member.id === id ? { ...member, suffrage: "voter" } : member);
      return Promise.resolve();
    },
    demoteMember(id) {
      members = members.map((member) => member.id === id ? { ...member, suffrage: "learner" } : member);
      return Promise.resolve();
    },
    removeMember(id) {
      members = members.filter((member) => member.id !== id);
      return Promise.resolve();
    },
    ...overrides,
  };
  return { remote, calls };
}

Deno.test("member list", async () => {
  const { remote } = cluster();
  const ran = await cli(["member", "list"], { remote });
  assert.deepEqual(ran.out.split("\n").slice(0, 3), [
    "NODE  ADDRESS         SUFFRAGE          DATA FOLDER",
    "n1    127.0.0.1:7001  voter             folder-n1",
    "n2    127.0.0.1:7002  voter     leader  folder-n2",
  ]);
  assert.deepEqual(JSON.parse((await cli(["member", "ls", "--json"], { remote })).out), listOf(MEMBERS));
});

Deno.test("member add: waits for a voter, and reports the result", async () => {
  const { remote, calls } = cluster();
  const ran = await cli(["member", "add", "n5", "127.0.0.1:7005"], { remote });
  assert.equal(ran.code, 0);
  assert.equal(ran.out, "n5 was added to the cluster as a voter. 4 voters in all.\n");
  assert.equal(ran.err, "Waiting until n5 has caught up…\n");
  assert.deepEqual(calls, [{ id: "n5", address: "http://127.0.0.1:7005", learner: false }]);
});

Deno.test("member add --learner --json", async () => {
  const { remote, calls } = cluster();
  const ran = await cli(["member", "add", "n5", "http://h:1", "--learner", "--json"], { remote });
  const { id, before, now, changed } = JSON.parse(ran.out);
  assert.deepEqual({ id, before, now, changed }, { id: "n5", before: null, now: "learner", changed: true });
  assert.deepEqual(calls, [{ id: "n5", address: "http://h:1", learner: true }]);
  assert.equal(ran.err, "");
});

Deno.test("member add: a node that can't be reached from here may be reached by the others", async () => {
  const { remote } = cluster({
    status: () => Promise.reject(new RaftError("unreachable", "no server answers at 127.0.0.1:7005")),
  });
  const ran = await cli(["member", "add", "n5", "127.0.0.1:7005"], { remote });
  assert.equal(ran.code, 0);
  assert.match(ran.err, /^No server answers at 127\.0\.0\.1:7005 from here\./);
});

Deno.test("member add: does not wait for a node that is already a voter", async () => {
  const { remote } = cluster();
  const ran = await cli(["member", "add", "n1", "127.0.0.1:7001"], { remote });
  assert.deepEqual([ran.code, ran.out, ran.err], [0, "n1 is already a voter. 3 voters in all.\n", ""]);
});

Deno.test("member promote, demote and remove", async () => {
  const { remote } = cluster();
  assert.equal((await cli(["member", "demote", "n3"], { remote })).out, "n3 is a learner now. 2 voters in all.\n");
  assert.equal((await cli(["member", "promote", "n3"], { remote })).out, "n3 is a voter now. 3 voters in all.\n");
  assert.equal((await cli(["member", "promote", "n4"], { remote })).out, "n4 is a voter now. 4 voters in all.\n");
  assert.equal((await cli(["member", "promote", "n4"], { remote })).out, "n4 is already a voter. 4 voters in all.\n");
  const removed = await cli(["member", "remove", "n4"], { remote });
  assert.equal(removed.out, "n4 was removed from the cluster. 3 voters in all.\n");
});

Deno.test("a refusal by a safety check ends with 6, with its hint", async () => {
  const refusals = [
    new RaftError("refused", "n1 is the last voter", { hint: "Add one first." }),
    new RaftError("not_ready", "n4 lacks 5000 entries", { hint: "Wait until it has caught up." }),
    new RaftError("membership_change_in_progress", "another change is under way", { hint: "Try again." }),
    new RaftError("identity_mismatch", "the node is n7, not n5", { hint: "Look." }),
  ];
  for (const refusal of refusals) {
    const fails = (): Promise<never> => Promise.reject(refusal);
    const { remote } = cluster({ addMember: fails, promoteMember: fails, removeMember: fails });
    for (const args of [["add", "n5", "h:1"], ["promote", "n4"], ["remove", "n1"]]) {
      const ran = await cli(["member", ...args, "--json"], { remote });
      const error = errorOf(ran);
      assert.equal(ran.code, 6, refusal.code);
      assert.deepEqual([error["code"], error["message"], error["hint"], error["exitCode"]], [
        refusal.code,
        refusal.message,
        refusal.hint,
        6,
      ]);
    }
  }
});

Deno.test("an unknown member is a plain failure with a hint", async () => {
  const unknown = (): Promise<never> => Promise.reject(new RaftError("invalid_argument", "n9 is not a member"));
  const { remote } = cluster({ removeMember: unknown, transferLeadership: unknown });
  for (const args of [["member", "remove", "n9"], ["leader", "transfer", "n9"]]) {
    const ran = await cli(args, { remote });
    assert.equal(ran.code, 1);
    assert.equal(ran.err, "error: n9 is not a member.\nhint: See: raft member list\n");
  }
});

Deno.test("leader transfer", async () => {
  const asked: (string | null)[] = [];
  const remote: Partial<FakeRemote> = {
    transferLeadership(to) {
      asked.push(to);
      return Promise.resolve(to ?? "n3");
    },
  };
  assert.equal((await cli(["leader", "transfer"], { remote })).out, "n3 is the leader now.\n");
  assert.deepEqual(JSON.parse((await cli(["leader", "transfer", "n1", "--json"], { remote })).out), { leader: "n1" });
  assert.deepEqual(asked, [null, "n1"]);
});
