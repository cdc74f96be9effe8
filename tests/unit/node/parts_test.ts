import assert from "node:assert/strict";
import { AdminRequests } from "../../../lib/node/admin.ts";
import { Directory } from "../../../lib/node/directory.ts";
import { leadershipLost } from "../../../lib/node/errors.ts";
import { LogRetention, type RetentionContext } from "../../../lib/node/log_retention.ts";
import { LogSizes } from "../../../lib/node/log_sizes.ts";
import { LogWriter } from "../../../lib/node/log_writer.ts";
import type { NodeContext } from "../../../lib/node/context.ts";
import { PeerWatch } from "../../../lib/node/peer_watch.ts";
import { Reads } from "../../../lib/node/reads.ts";
import { Removal } from "../../../lib/node/removal.ts";
import { restoreStaged } from "../../../lib/node/staged_restore.ts";
import type { NodeStatus } from "../../../lib/node/types.ts";
import { emptyMembership, membershipOf } from "../../../lib/raft/membership.ts";
import type { Raft } from "../../../lib/raft/mod.ts";
import type { Entry, EntryRead, Membership, PeerProgress, SnapshotMeta } from "../../../lib/raft/types.ts";
import { crc32c } from "../../../lib/crc32c.ts";
import { RaftError } from "../../../lib/errors.ts";

const member = (id: string, incarnation = `${id}-disk`) => ({ id, address: `${id}:1`, incarnation });
const membership = (...ids: string[]): Membership => membershipOf({ voters: ids.map((id) => member(id)) });
const outcome = (promise: Promise<unknown>) =>
  promise.then((value) => value, (error: RaftError) => `${error.code} ${error.outcome}`);

Deno.test("a transfer ends by the next leader; one to a named voter only by that one", async () => {
  const admin = new AdminRequests();
  const any = admin.transfer("n2", false, 30, undefined);
  const named = admin.transfer("n2", true, 30, undefined);
  admin.observe({ type: "leaderChanged", leader: null, term: 2 });
  admin.observe({ type: "leaderChanged", leader: "n3", term: 2 });
  assert.deepEqual([await outcome(any), await outcome(named)], ["n3", "leadership_lost unknown"]);
  const taken = admin.transfer("n2", true, 30, undefined);
  admin.observe({ type: "leaderChanged", leader: "n2", term: 3 });
  assert.equal(await outcome(taken), "n2");
});

Deno.test("a transfer that no election follows is given up after its time", async () => {
  const admin = new AdminRequests();
  const transfer = outcome(admin.transfer("n2", false, 3, undefined));
  let ended = false;
  transfer.then(() => ended = true);
  for (let tick = 1; tick <= 3; tick++) {
    await Promise.resolve();
    assert.equal(ended, false, `after ${tick - 1} ticks`);
    admin.tick();
  }
  assert.equal(await transfer, "not_ready unknown");
});

Deno.test("a membership change has an unknown outcome once leadership is lost, and ends with the leave of a joint one", async () => {
  const admin = new AdminRequests();
  const lost = admin.change(7, undefined);
  admin.lostLeadership();
  assert.equal(await outcome(lost), "leadership_lost unknown");
  const change = admin.change(7, undefined);
  const joint = { ...membership("n1", "n2"), outgoing: ["n3"] };
  admin.observe({ type: "membershipCommitted", index: 6, membership: membership("n1") });
  admin.observe({ type: "membershipCommitted", index: 7, membership: joint });
  admin.observe({ type: "membershipCommitted", index: 8, membership: membership("n1", "n2") });
  assert.deepEqual(await change, membership("n1", "n2"));
});

Deno.test("reads of a round are confirmed once, and rejected when the node ends", async () => {
  const reads = new Reads();
  const target = { readIndex: () => null };
  const explain = () => new RaftError("no_leader", "none");
  const first = reads.add(new Uint8Array(1), null, undefined);
  reads.submit(target, explain);
  reads.confirmed({ id: 1, index: 3 });
  reads.confirmed({ id: 1, index: 3 });
  const due = reads.takeDue(3);
  assert.deepEqual([due.length, reads.held], [1, 0]);
  due[0]!.pending.resolve({ result: new Uint8Array(0), appliedIndex: 3 });
  await first;
  const second = reads.add(new Uint8Array(1), null, undefined);
  reads.submit(target, explain);
  const queued = reads.add(new Uint8Array(1), null, undefined);
  const waiting = reads.add(new Uint8Array(1), 9, undefined);
  reads.endAll(() => leadershipLost("rejected"));
  const outcomes = await Promise.all([second, queued, waiting].map(outcome));
  assert.deepEqual(outcomes, Array(3).fill("leadership_lost rejected"));
  assert.equal(reads.count, 0);
});

Deno.test("a directory remembers former members, and a bounded number of other senders", () => {
  const directory = new Directory();
  directory.update(membership("n1", "n2", "n3"));
  directory.update(membership("n1", "n2"));
  assert.deepEqual([directory.lookup("n3")?.address, directory.member("n3")], ["n3:1", undefined]);
  for (let i = 0; i < 1000; i++) directory.recordSender(`x${i}`, `x${i}:1`, "disk");
  assert.equal(directory.lookup("n3"), undefined);
  const known = Array.from({ length: 1000 }, (_, i) => directory.lookup(`x${i}`)).filter((peer) => peer !== undefined);
  assert.deepEqual([known.length, directory.lookup("x999")?.address], [128, "x999:1"]);
});

Deno.test("answers go to the data folder that asked, until the membership changes", () => {
  const directory = new Directory();
  directory.update(membership("n1", "n2"));
  directory.recordSender("n2", "other:1", "other-disk");
  assert.deepEqual([directory.requester("n2")?.address, directory.lookup("n2")?.address], ["other:1", "n2:1"]);
  directory.update(membership("n1", "n2", "n3"));
  assert.equal(directory.requester("n2")?.address, "n2:1");
});

const peer = (parts: Partial<PeerProgress>): PeerProgress => ({
  id: "n2",
  matchIndex: 0,
  nextIndex: 1,
  neededIndex: 1,
  state: "snapshot",
  ticksSinceContact: 0,
  inflightMessages: 0,
  inflightBytes: 0,
  ...parts,
});

Deno.test("entries are kept for a receiver until a newer snapshot's trailing entries serve it", () => {
  const sizes = new LogSizes();
  const entry = (index: number): Entry => ({ index, term: 1, type: "command", data: new Uint8Array(70_000) });
  for (let index = 1; index <= 300; index++) sizes.add(entry(index));
  let progress: PeerProgress[] = [];
  const raft = { firstIndex: 1, progress: () => progress, snapshot: { index: 100 } as SnapshotMeta };
  const context: RetentionContext = {
    raft,
    events: { emit: () => {} } as unknown as RetentionContext["events"],
    config: { trailingEntries: 10, maxRetainedBytes: 1e9, electionTicks: 10 },
  };
  const retention = new LogRetention(context, sizes);
  retention.add("n2");
  progress = [peer({ neededIndex: 101 })];
  assert.deepEqual([retention.limit({ index: 100 }), retention.retainedBytes], [90, 0]);
  // It has installed its snapshot, and is behind the next one's trailing entries.
  progress = [peer({ neededIndex: 101, state: "replicate" })];
  retention.limit({ index: 100 });
  assert.equal(retention.limit({ index: 200 }), 100);
  assert.ok(retention.retains && retention.retainedBytes >= 80 * 70_000);
  progress = [peer({ neededIndex: 250, state: "replicate" })];
  assert.deepEqual([retention.limit({ index: 200 }), retention.retains, retention.retainedBytes], [190, false, 0]);
  progress = [peer({ neededIndex: 191, state: "replicate" })];
  assert.equal(retention.limit({ index: 290 }), 280, "it has caught up before, and is a receiver no longer");
});

Deno.test("sizes begin at zero after a restored snapshot", () => {
  const sizes = new LogSizes();
  const entry = (index: number): Entry => ({ index, term: 1, type: "command", data: new Uint8Array(1000) });
  for (let index = 1; index <= 300; index++) sizes.add(entry(index));
  sizes.reset(500);
  assert.equal(sizes.after(500), 0);
  sizes.add(entry(501));
  assert.equal(sizes.after(500), 1032);
});

Deno.test("entries that can't be read are answered as none, so that they are asked for again", async () => {
  const answers: (readonly Entry[])[] = [];
  const failures: unknown[] = [];
  const context = {
    raft: { firstIndex: 1, entriesRead: (_: EntryRead, entries: readonly Entry[]) => answers.push(entries) },
    storage: { entries: () => Promise.reject(new Error("EIO")) },
    events: { emit: (_: string, detail: unknown) => failures.push(detail) },
    guard: (run: () => unknown) => run(),
    wake: () => {},
    config: {},
  } as unknown as NodeContext;
  const parts = { applier: { sizes: new LogSizes() } } as unknown as ConstructorParameters<typeof LogWriter>[2];
  new LogWriter(context, 0, parts).read({ peer: "n2", from: 1, to: 5, maxBytes: 100 });
  await new Promise((resolve) => setTimeout(resolve));
  assert.deepEqual([answers, failures.length], [[[]], 1]);
});

Deno.test("a node learns of its removal from a newer membership with another data folder, not from an older one", () => {
  const raft = { membershipIndex: 5, membership: membership("n1", "n2"), membershipCommitted: true, leader: null };
  const identity = { nodeId: "n1", incarnation: "n1-disk", clusterId: "c" };
  const told = (membershipIndex: number, members: Membership) => {
    const removal = new Removal(
      { ...raft, previousMembership: raft.membership, commitIndex: 9 } as unknown as Raft,
      10,
    );
    const status = {
      clusterId: "c",
      lifecycle: "running",
      leader: { id: "n2", address: "" },
      membershipCommitted: true,
    };
    removal.learn({ ...status, membershipIndex, membership: members } as unknown as NodeStatus, identity);
    return removal.known(identity);
  };
  assert.equal(told(4, membership("n2")), false);
  assert.equal(told(6, membership("n2")), true);
  assert.equal(told(6, membership("n1", "n2")), false);
  assert.equal(told(6, membershipOf({ voters: [member("n1", "other-disk"), member("n2")] })), true);
});

Deno.test("a silent peer that was removed and added again is new: nothing is reported of its former silence", () => {
  const events: unknown[] = [];
  let ids = ["n1", "n2"];
  let ticksSinceContact = 99;
  const context = {
    raft: {
      get membership() {
        return ids.length === 0 ? emptyMembership : membership(...ids);
      },
      progress: () => ids.filter((id) => id !== "n1").map((id) => peer({ id, ticksSinceContact })),
    },
    config: { electionTicks: 10, tickMs: 10 },
    events: { emit: (_: string, detail: { answers: boolean }) => events.push(detail.answers) },
  } as unknown as NodeContext;
  const watch = new PeerWatch(context, { locate: (id) => ({ id, address: "" }) });
  for (let i = 0; i < 15; i++) watch.tick();
  assert.deepEqual(events, [false]);
  ids = ["n1"];
  watch.tick();
  ids = ["n1", "n2"];
  ticksSinceContact = 0;
  watch.tick();
  assert.deepEqual(events, [false]);
});

Deno.test("§7: a snapshot that was restored and is not installed gives way to the former state", async () => {
  for (const restoresAtomically of [true, false]) {
    let state = "former";
    const text = new TextEncoder();
    const stateMachine = {
      restoresAtomically,
      apply: () => new Uint8Array(0),
      query: () => new Uint8Array(0),
      async *snapshot() {
        yield await Promise.resolve(text.encode(state));
      },
      async restore(chunks: AsyncIterable<Uint8Array>) {
        let restored = "";
        for await (const chunk of chunks) restored += new TextDecoder().decode(chunk);
        state = restored;
      },
    };
    const bytes = text.encode("the leader's");
    const meta = {
      id: "s",
      index: 9,
      term: 1,
      membership: emptyMembership,
      size: bytes.length,
      checksum: crc32c(bytes),
    };
    const reader = {
      meta,
      read: (offset: number, length: number) => Promise.resolve(bytes.slice(offset, offset + length)),
      close: () => Promise.resolve(),
    };
    const staged = { meta, open: () => Promise.resolve(reader), install: () => false };
    assert.deepEqual(await restoreStaged(stateMachine, staged, () => Promise.resolve()), { installed: false });
    assert.equal(state, "former", `atomically: ${restoresAtomically}`);
  }
});
