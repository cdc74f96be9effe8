import assert from "node:assert/strict";
import { Directory } from "../../../lib/node/directory.ts";
import { membershipOf } from "../../../lib/raft/mod.ts";
import type { Member } from "../../../lib/raft/types.ts";

const n1: Member = { id: "n1", address: "a1", incarnation: "i1" };
const n2: Member = { id: "n2", address: "a2", incarnation: "i2" };
const moved: Member = { ...n2, address: "b2" };

Deno.test("a membership with a new address of a member replaces the former one, also in a rollback", () => {
  const directory = new Directory();
  const before = membershipOf({ voters: [n1, n2] });
  directory.update(before);
  directory.update(membershipOf({ voters: [n1, moved] }));
  assert.equal(directory.lookup("n2")?.address, "b2");
  assert.equal(directory.requester("n2")?.address, "b2");
  directory.update(before);
  assert.equal(directory.member("n2")?.address, "a2");
});

Deno.test("a member that is removed is remembered, and forgotten as such once it is a member again", () => {
  const directory = new Directory();
  directory.update(membershipOf({ voters: [n1, n2] }));
  directory.update(membershipOf({ voters: [n1] }));
  assert.equal(directory.member("n2"), undefined);
  assert.equal(directory.lookup("n2")?.address, "a2");
  directory.update(membershipOf({ voters: [n1, moved] }));
  assert.equal(directory.lookup("n2")?.address, "b2");
});

Deno.test("what a sender says of its address changes none of a member", () => {
  const directory = new Directory();
  directory.update(membershipOf({ voters: [n1, n2] }));
  directory.recordSender("n2", "elsewhere", "i2");
  assert.equal(directory.requester("n2")?.address, "a2");
  directory.recordSender("n2", "elsewhere", "another disk");
  assert.equal(directory.requester("n2")?.address, "elsewhere");
  assert.equal(directory.lookup("n2")?.address, "a2");
});

const addresses = (directory: Directory, id: string) => directory.answerTo(id).map(({ address }) => address);

Deno.test("answers go to where a member says that it is, beside where the membership has it, and requests don't", () => {
  const directory = new Directory();
  directory.update(membershipOf({ voters: [n1, n2] }));
  assert.deepEqual(addresses(directory, "n2"), ["a2"]);
  directory.recordSender("n2", "b2", "i2");
  assert.deepEqual(addresses(directory, "n2"), ["a2", "b2"]);
  assert.deepEqual([directory.lookup("n2")?.address, directory.member("n2")?.address], ["a2", "a2"]);
  // It has the membership with the move, or the move is undone.
  directory.update(membershipOf({ voters: [n1, moved] }));
  assert.deepEqual(addresses(directory, "n2"), ["b2"]);
  directory.recordSender("n2", "a2", "i2");
  assert.deepEqual(addresses(directory, "n2"), ["b2", "a2"]);
  assert.deepEqual(addresses(directory, "unknown"), []);
});

Deno.test("a node that learns an old membership from a leader that moved still answers it", () => {
  const directory = new Directory();
  directory.recordSender("n2", "b2", "i2");
  assert.deepEqual(addresses(directory, "n2"), ["b2"]);
  directory.update(membershipOf({ voters: [n1, n2] }));
  assert.deepEqual(addresses(directory, "n2"), ["a2", "b2"]);
  assert.equal(directory.lookup("n2")?.address, "a2");
});

Deno.test("where a member said that it is does not outlive its membership, and another data folder is answered alone", () => {
  const directory = new Directory();
  directory.update(membershipOf({ voters: [n1, n2] }));
  directory.recordSender("n2", "b2", "i2");
  directory.recordSender("n2", "c2", "another disk");
  assert.deepEqual(addresses(directory, "n2"), ["c2"]);
  directory.update(membershipOf({ voters: [n1] }));
  directory.update(membershipOf({ voters: [n1, n2] }));
  assert.deepEqual(addresses(directory, "n2"), ["a2"]);
  // The data folder of a sender from before is not the member's.
  const other = new Directory();
  other.recordSender("n2", "b2", "another disk");
  other.update(membershipOf({ voters: [n1, n2] }));
  assert.deepEqual(addresses(other, "n2"), ["a2"]);
});

Deno.test("the leader is known by its data folder while a node that lags receives memberships from before it", () => {
  const now = "new disk";
  for (const isMember of [true, false]) {
    const directory = new Directory();
    // The first message finds the former folder in the membership, or none.
    if (isMember) directory.update(membershipOf({ voters: [n1, n2] }));
    directory.recordSender("n2", "b2", now);
    for (const members of [[n1, n2], [n1, n2], [n1, moved]]) {
      directory.update(membershipOf({ voters: members }), "n2");
      assert.deepEqual(directory.requester("n2"), { address: "b2", incarnation: now });
      assert.equal(directory.lookup("n2")?.incarnation, "i2", "this node's own requests go to the member");
    }
    directory.update(membershipOf({ voters: [n1, { ...n2, incarnation: now }] }), "n2");
    assert.deepEqual(addresses(directory, "n2"), ["a2"]);
    // Another node leads: the membership decides again.
    directory.recordSender("n2", "c2", "third disk");
    directory.update(membershipOf({ voters: [n1, n2] }), "n1");
    assert.equal(directory.requester("n2")?.incarnation, "i2");
  }
});

Deno.test("a leader whose data folder was not known is that of the next membership", () => {
  const directory = new Directory();
  directory.update(membershipOf({ voters: [n1, { ...n2, incarnation: "" }] }), "n2");
  directory.update(membershipOf({ voters: [n1, n2] }), "n2");
  assert.equal(directory.requester("n2")?.incarnation, "i2");
});
