import assert from "node:assert/strict";
import { encodeMembership, membershipOf } from "../../../lib/raft/membership.ts";
import { awaitBootstrap, clusterIdOf, decideBootstrap } from "../../../hosting/bootstrap.ts";
import { SERVER_HINTS } from "../../../server/hints.ts";
import type { PeerIdentity } from "../../../transport/wire/identity.ts";

const member = (n: number) => ({ id: `n${n}`, address: `http://h:${n}`, incarnation: `i${n}` });
const peersOf = (n: number) => [1, 2, 3].filter((other) => other !== n).map(member);

function answer(n: number, more: Partial<PeerIdentity> = {}): PeerIdentity {
  const { id: nodeId, address, incarnation } = member(n);
  return {
    nodeId,
    address,
    incarnation,
    clusterId: "",
    empty: true,
    knowsCaller: false,
    membership: new Uint8Array(0),
    ...more,
  };
}

function decide(n: number, answers: readonly PeerIdentity[]) {
  return decideBootstrap(member(n), peersOf(n), new Map(answers.map((one) => [one.nodeId, one])), SERVER_HINTS);
}

const first = membershipOf({ voters: [member(1), member(2), member(3)] });
const running = { clusterId: clusterIdOf(first), empty: false };

Deno.test("all empty and all reached: every node bootstraps the same cluster", () => {
  const decisions = [
    decide(1, [answer(2), answer(3)]),
    decide(2, [answer(3), answer(1)]),
    decide(3, [answer(1), answer(2)]),
  ];
  for (const decision of decisions) {
    assert.deepEqual(decision, { type: "bootstrap", membership: first, clusterId: running.clusterId });
  }
  assert.match(running.clusterId, /^[0-9a-f]{32}$/);
});

Deno.test("one is missing: wait, and name it", () => {
  assert.deepEqual(decide(1, [answer(2)]), { type: "wait", missing: ["n3"] });
});

Deno.test("addresses are the members' own, so that --peers may spell them differently", () => {
  const decision = decide(1, [answer(2, { address: "http://two:2" }), answer(3)]);
  assert.ok(decision.type === "bootstrap");
  assert.equal(decision.membership.members[1]?.address, "http://two:2");
});

Deno.test("the others have bootstrapped with this node: it bootstraps like them, although one is down again", () => {
  const decision = decide(3, [answer(1, { ...running, knowsCaller: true, membership: encodeMembership(first) })]);
  assert.deepEqual(decision, { type: "bootstrap", membership: first, clusterId: running.clusterId });
});

Deno.test("the cluster has changed since: this node waits for the leader's log", () => {
  const decision = decide(3, [answer(1, { ...running, knowsCaller: true })]);
  assert.deepEqual(decision, { type: "join", clusterId: running.clusterId });
});

Deno.test("a membership that isn't the cluster's first, lacks this folder or is unreadable, is not used to bootstrap", () => {
  const other = membershipOf({ voters: [member(1), member(2), { ...member(3), incarnation: "old" }] });
  const encoded = [other, membershipOf({ voters: [member(1), member(3)] })].map(encodeMembership);
  for (const membership of [...encoded, Uint8Array.of(255)]) {
    const decision = decide(3, [answer(1, { ...running, knowsCaller: true, membership })]);
    assert.equal(decision.type, "join");
  }
});

Deno.test("an empty folder under an old id is refused, and the message says how to replace the node", () => {
  for (const answers of [[answer(1, running)], [answer(1, running), answer(2)], [answer(2), answer(1, running)]]) {
    assert.throws(() => decide(3, answers), (error: { code: string; hint: string }) => {
      assert.equal(error.code, "refused");
      assert.match(error.hint, /raft member remove n3.*--join.*raft member add n3 h:3/);
      return true;
    });
  }
});

Deno.test("another node answers at a peer's address", () => {
  const answers = new Map([["n2", answer(4)]]);
  assert.throws(() => decideBootstrap(member(1), peersOf(1), answers, SERVER_HINTS), { code: "identity_mismatch" });
});

Deno.test("another incarnation gives another cluster", () => {
  const again = membershipOf({ voters: [member(1), member(2), { ...member(3), incarnation: "i3'" }] });
  assert.notEqual(clusterIdOf(again), running.clusterId);
});

Deno.test("asks again until all have answered, and reports the missing ones once", async () => {
  let asked = 0;
  const told: (readonly string[])[] = [];
  const decision = await awaitBootstrap({
    hints: SERVER_HINTS,
    self: member(1),
    peers: peersOf(1),
    ask(address) {
      if (address.endsWith("3") && ++asked < 4) return Promise.reject(new Error("down"));
      return Promise.resolve(answer(Number(address.at(-1))));
    },
    waiting: (missing) => told.push(missing),
    signal: new AbortController().signal,
    intervalMs: 1,
  });
  assert.equal(decision.type, "bootstrap");
  assert.equal(asked, 4);
  assert.deepEqual(told, [["n3"]]);
});

Deno.test("stops asking when it is aborted", async () => {
  const closing = new AbortController();
  const waited = awaitBootstrap({
    hints: SERVER_HINTS,
    self: member(1),
    peers: peersOf(1),
    ask: () => Promise.reject(new Error("down")),
    waiting: () => closing.abort(),
    signal: closing.signal,
  });
  await assert.rejects(waited, { name: "AbortError" });
});
