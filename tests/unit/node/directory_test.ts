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
