import assert from "node:assert/strict";
import { RaftNode } from "../../../lib/node/mod.ts";
import { encodeMembership, membershipOf } from "../../../lib/raft/mod.ts";
import type { Entry, SnapshotMeta } from "../../../lib/raft/types.ts";
import type { LoadedState } from "../../../lib/storage.ts";
import { MemoryStorage } from "../../../storage/memory.ts";
import { MemoryNetwork } from "../../../transport/memory.ts";
import { Journal } from "../../support/journal.ts";
import { VirtualHost } from "../../support/virtual_host.ts";

const membership = membershipOf({ voters: [{ id: "n1", address: "n1", incarnation: "" }] });
const entry = (index: number, changes: Partial<Entry> = {}): Entry => {
  return { index, term: 1, type: "membership", data: encodeMembership(membership), ...changes };
};
const snapshot: SnapshotMeta = { id: "s", index: 3, term: 1, membership, size: 0, checksum: 0 };

const log: LoadedState = {
  identity: { nodeId: "n1", incarnation: "i", clusterId: "c" },
  hardState: { term: 2, votedFor: null },
  snapshot: null,
  lastIndex: 5,
  termStarts: [{ index: 1, term: 1 }, { index: 4, term: 2 }],
  memberships: [entry(1)],
};

/** Starts and closes a node with what its storage is said to hold. */
async function start(loaded: LoadedState): Promise<void> {
  const host = new VirtualHost();
  const storage = new MemoryStorage();
  await storage.load();
  const transport = new MemoryNetwork({ host }).transport("n1");
  const node = await host.run(
    RaftNode.start({ id: "n1", address: "n1", stateMachine: new Journal(), storage, loaded, transport, host }),
  );
  await host.run(node.close());
}

Deno.test("a state that a node leaves on its disk is taken", async () => {
  await start(log);
  await start({ ...log, memberships: [entry(1), entry(4)] });
  await start({ ...log, lastIndex: 0, termStarts: [], memberships: [], hardState: { term: 0, votedFor: null } });
});

const WRONG: readonly (readonly [what: string, change: Partial<LoadedState>, reason: RegExp])[] = [
  ["a term that is no number", { hardState: { term: NaN, votedFor: null } }, /the term is NaN/],
  ["a term beyond the safe integers", { hardState: { term: 2 ** 53, votedFor: null } }, /the term is 9007199254740992/],
  ["a negative end", { lastIndex: -1 }, /ends at entry -1/],
  ["an entry above the node's term", { hardState: { term: 1, votedFor: null } }, /entry 4 has term 2, and the node's/],
  ["terms that go down", { termStarts: [{ index: 1, term: 2 }, { index: 4, term: 1 }] }, /entry 4 has term 1, below/],
  ["terms out of order", { termStarts: [{ index: 4, term: 1 }, { index: 1, term: 2 }] }, /a term begins at entry 1/],
  ["a term after the end", { termStarts: [{ index: 1, term: 1 }, { index: 6, term: 2 }] }, /a term begins at entry 6/],
  ["entries without a term", { termStarts: [{ index: 2, term: 1 }] }, /the term of entry 1 is missing/],
  ["no first membership", { memberships: [] }, /entry 1 is not a membership/],
  [
    "a membership that is none",
    { memberships: [entry(1), entry(4, { data: new Uint8Array(3) })] },
    /entry 4: the bytes/,
  ],
  ["memberships out of order", { memberships: [entry(1), entry(4), entry(2)] }, /entry 2 is not a membership/],
  ["a snapshot without a voter", { snapshot: { ...snapshot, membership: { ...membership, voters: [] } } }, /one voter/],
  ["a snapshot above the node's term", { snapshot: { ...snapshot, term: 9 } }, /term 9, and the node's term is 2/],
  ["a snapshot after the end", { snapshot: { ...snapshot, index: 9 } }, /ends at entry 5, before the snapshot's 9/],
];

for (const [what, change, reason] of WRONG) {
  Deno.test(`a state that no node leaves on its disk is refused at the start: ${what}`, async () => {
    await assert.rejects(start({ ...log, ...change }), (error: Error & { readonly code?: string }) => {
      assert.equal(error.code, "damaged");
      assert.match(error.message, reason);
      return true;
    });
  });
}
