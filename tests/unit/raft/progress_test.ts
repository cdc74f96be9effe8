import assert from "node:assert/strict";
import { Progress } from "../../../lib/raft/progress.ts";

function replicating(next = 1): Progress {
  const peer = new Progress("n2", "disk", next);
  peer.becomeReplicate();
  return peer;
}

Deno.test("in probe one message is under way, and the next index stays until it is answered", () => {
  const peer = new Progress("n2", "disk", 5);
  peer.sent(7, 100);
  assert.deepEqual([peer.nextIndex, peer.probing, peer.inflightMessages], [5, true, 0]);
  assert.equal(peer.acknowledge(7), true);
  assert.deepEqual([peer.matchIndex, peer.nextIndex], [7, 8]);
});

Deno.test("in replicate the next index runs ahead, and messages in flight are counted", () => {
  const peer = replicating();
  peer.sent(2, 10);
  peer.sent(5, 20);
  peer.sent(6, 30);
  assert.deepEqual([peer.nextIndex, peer.inflightMessages, peer.inflightBytes], [7, 3, 60]);
  assert.equal(peer.acknowledge(4), true);
  assert.deepEqual(
    [peer.matchIndex, peer.inflightMessages, peer.inflightBytes],
    [4, 2, 50],
    "a message is freed as a whole",
  );
  assert.equal(peer.acknowledge(6), true);
  assert.deepEqual([peer.nextIndex, peer.inflightMessages, peer.inflightBytes], [7, 0, 0]);
});

Deno.test("matchIndex never goes back, and 0 <= match < next", () => {
  const peer = replicating();
  peer.acknowledge(9);
  assert.equal(peer.acknowledge(9), false);
  assert.equal(peer.acknowledge(3), false);
  assert.deepEqual([peer.matchIndex, peer.nextIndex], [9, 10]);
  peer.becomeProbe(2);
  assert.deepEqual([peer.matchIndex, peer.nextIndex], [9, 10]);
});

Deno.test("rule 10: nothing counts as in flight once the state changed", () => {
  for (
    const leave of [
      (p: Progress) => p.becomeProbe(1),
      (p: Progress) => p.becomeSnapshot(0),
      (p: Progress) => p.becomeReplicate(),
    ]
  ) {
    const peer = replicating();
    peer.sent(2, 10);
    leave(peer);
    assert.deepEqual([peer.inflightMessages, peer.inflightBytes, peer.probing], [0, 0, false]);
  }
});

Deno.test("a peer that has not answered in this term has no last contact", () => {
  const peer = replicating();
  assert.equal(peer.report().ticksSinceContact, Number.POSITIVE_INFINITY);
  peer.contacted = true;
  peer.ticksSinceContact = 3;
  assert.deepEqual(peer.report(), {
    id: "n2",
    matchIndex: 0,
    nextIndex: 1,
    neededIndex: 1,
    state: "replicate",
    ticksSinceContact: 3,
    inflightMessages: 0,
    inflightBytes: 0,
  });
});

Deno.test("§7: a peer needs the log from behind its match, from where it is probed, or from behind the snapshot on its way", () => {
  const peer = replicating();
  peer.acknowledge(4);
  peer.sent(9, 10);
  assert.equal(peer.neededIndex, 5, "entries in flight may be lost");
  peer.becomeProbe(7);
  assert.equal(peer.neededIndex, 7);
  peer.becomeSnapshot(20);
  assert.equal(peer.neededIndex, 21);
  peer.acknowledge(20);
  peer.becomeProbe(peer.matchIndex + 1);
  assert.equal(peer.neededIndex, 21);
});
