import assert from "node:assert/strict";
import { crc32c } from "../../../lib/crc32c.ts";
import { SnapshotReceiver } from "../../../lib/node/snapshot_receiver.ts";
import type { ReceiverContext } from "../../../lib/node/snapshot_receiver.ts";
import { type RestoreOutcome, UnreadableSnapshot } from "../../../lib/node/staged_restore.ts";
import { emptyMembership } from "../../../lib/raft/mod.ts";
import type { InstallSnapshot, SnapshotMeta } from "../../../lib/raft/types.ts";
import { MemoryStorage } from "../../../storage/memory.ts";
import { settle } from "../../support/virtual_host.ts";

const meta = (id: string, index: number, data: Uint8Array): SnapshotMeta => ({
  id,
  index,
  term: 1,
  membership: emptyMembership,
  size: data.length,
  checksum: crc32c(data),
});

function chunk(snapshot: SnapshotMeta, data: Uint8Array, offset: number, end: number): InstallSnapshot {
  return { type: "InstallSnapshot", term: 1, round: 1, snapshot, offset, data: data.slice(offset, end) };
}

async function make(restored: () => RestoreOutcome | null = () => null, until: Promise<unknown> = Promise.resolve()) {
  const storage = new MemoryStorage();
  await storage.load();
  const log: string[] = [];
  const state = { commitIndex: 0, superseded: 0 };
  const raft: ReceiverContext["raft"] = {
    snapshotProgress: (to, id, offset, status) => log.push(`${to} ${id} ${offset} ${status}`),
    installSnapshot: (from, { id }) => {
      log.push(`install ${id} from ${from}`);
      return true;
    },
    get commitIndex() {
      return state.commitIndex;
    },
  };
  const config = { electionTicks: 10 };
  const receiver = new SnapshotReceiver({ storage, raft, config, wake: () => {} }, {
    applier: {
      restore: async ({ meta: { id }, open, install }) => {
        const reader = await open();
        log.push(`restore ${id} of ${(await reader.read(0, 1000)).length} bytes`);
        await reader.close();
        await until;
        return restored() ?? { installed: install() };
      },
    },
    logWriter: { failedBeside: () => log.push("failed") },
    messenger: { refused: (from, { kind, reason }) => log.push(`refused ${kind} of ${from}: ${reason}`) },
    taker: { supersede: () => void state.superseded++ },
  });
  return { receiver, log, storage, state };
}

const data = new Uint8Array(10).map((_, i) => i);

Deno.test("chunks in order make a snapshot; repeated and skipped ones are answered with the missing offset", async () => {
  const { receiver, log } = await make();
  const snapshot = meta("s", 5, data);
  receiver.received("a", chunk(snapshot, data, 0, 4));
  await settle();
  receiver.received("a", chunk(snapshot, data, 0, 4));
  receiver.received("a", chunk(snapshot, data, 8, 10));
  await settle();
  receiver.received("a", chunk(snapshot, data, 4, 8));
  receiver.received("a", chunk(snapshot, data, 8, 10));
  await settle();
  assert.deepEqual(log, [
    "a s 4 accepted",
    "a s 4 accepted",
    "a s 4 accepted",
    "a s 8 accepted",
    "restore s of 10 bytes",
    "install s from a",
  ]);
});

Deno.test("bytes with a wrong checksum are never installed, and are requested again", async () => {
  const { receiver, log } = await make();
  const snapshot = { ...meta("s", 5, data), checksum: 1 };
  receiver.received("a", chunk(snapshot, data, 0, 10));
  await settle();
  assert.deepEqual(log, [
    "refused snapshot of a: its snapshot at index 5 can't be restored: its bytes have a wrong checksum",
    "a s 0 failed",
  ]);
});

Deno.test("two snapshots of the same index are never mixed, and a newer one replaces an older one", async () => {
  const { receiver, log } = await make();
  const other = data.map((byte) => byte + 100);
  const [first, second] = [meta("s1", 5, data), meta("s2", 5, other)];
  receiver.received("a", chunk(first, data, 0, 5));
  receiver.received("b", chunk(second, other, 5, 10));
  await settle();
  receiver.received("b", chunk(second, other, 0, 5));
  receiver.received("b", chunk(second, other, 5, 10));
  await settle();
  receiver.received("a", chunk(meta("s0", 4, data), data, 0, 10));
  assert.deepEqual(log.slice(0, 2).sort(), ["a s1 5 accepted", "b s2 0 accepted"]);
  assert.deepEqual(log.slice(2, 5), ["b s2 5 accepted", "restore s2 of 10 bytes", "install s2 from b"]);
});

Deno.test("an older snapshot does not disturb the one in progress", async () => {
  const { receiver, log } = await make();
  const snapshot = meta("new", 9, data);
  receiver.received("a", chunk(snapshot, data, 0, 5));
  receiver.received("a", chunk(meta("old", 5, data), data, 0, 10));
  receiver.received("a", chunk(snapshot, data, 5, 10));
  await settle();
  assert.deepEqual(log, ["a new 5 accepted", "restore new of 10 bytes", "install new from a"]);
});

Deno.test("a new leader's older snapshot replaces one that is no longer sent", async () => {
  const { receiver, log } = await make();
  receiver.received("a", chunk(meta("new", 9, data), data, 0, 5));
  await settle();
  const older = meta("old", 5, data);
  receiver.received("b", chunk(older, data, 0, 5));
  await settle();
  receiver.received("b", chunk(older, data, 5, 10));
  await settle();
  assert.deepEqual(log, ["a new 5 accepted", "b old 5 accepted", "restore old of 10 bytes", "install old from b"]);
});

Deno.test("an empty snapshot is one chunk", async () => {
  const { receiver, log } = await make();
  const none = new Uint8Array();
  receiver.received("a", chunk(meta("s", 5, none), none, 0, 0));
  receiver.received("a", chunk(meta("s", 5, none), none, 0, 0));
  await settle();
  assert.deepEqual(log, ["a s 0 accepted", "restore s of 0 bytes", "install s from a"]);
});

Deno.test("nothing is installed after stop", async () => {
  const { receiver, log } = await make();
  receiver.received("a", chunk(meta("s", 5, data), data, 0, 10));
  receiver.stop();
  await settle();
  receiver.received("a", chunk(meta("t", 6, data), data, 0, 10));
  await settle();
  assert.deepEqual(log, []);
});

Deno.test("a snapshot that can't be restored is refused and not installed; its bytes are not taken again at once", async () => {
  let readable = false;
  const { receiver, log } = await make(() =>
    readable ? null : { error: new UnreadableSnapshot("it is of another kind") }
  );
  const snapshot = meta("s", 5, data);
  const send = async (): Promise<string[]> => {
    log.length = 0;
    receiver.received("a", chunk(snapshot, data, 0, 5));
    await settle();
    receiver.received("a", chunk(snapshot, data, 5, 10));
    await settle();
    return log.slice();
  };
  assert.deepEqual(await send(), [
    "a s 5 accepted",
    "restore s of 10 bytes",
    "refused snapshot of a: its snapshot at index 5 can't be restored: it is of another kind",
    "a s 0 failed",
  ]);
  assert.deepEqual(await send(), ["a s 0 failed", "a s 0 accepted"]);
  readable = true;
  let attempts = 1;
  while (!(await send()).includes("install s from a")) assert.ok(++attempts < 100);
  assert.ok(attempts > 10, `${attempts} attempts`);
});

Deno.test("while a snapshot is restored, another one waits for the end", async () => {
  const { promise: held, resolve: end } = Promise.withResolvers<void>();
  const { receiver, log } = await make(() => null, held);
  receiver.received("a", chunk(meta("s1", 5, data), data, 0, 10));
  await settle();
  receiver.received("b", chunk(meta("s2", 6, data), data, 0, 10));
  receiver.received("a", chunk(meta("s1", 5, data), data, 10, 10));
  await settle();
  assert.deepEqual(log, ["restore s1 of 10 bytes", "a s1 10 accepted"]);
  end();
  await settle();
  receiver.received("b", chunk(meta("s2", 6, data), data, 0, 10));
  await settle();
  assert.deepEqual(log.slice(2), ["install s1 from a", "restore s2 of 10 bytes", "install s2 from b"]);
});

Deno.test("a snapshot ends the node's own as soon as it begins to arrive", async () => {
  const { receiver, state } = await make();
  receiver.received("a", chunk(meta("s", 5, data), data, 0, 5));
  assert.deepEqual([receiver.isReceiving, state.superseded], [true, 1]);
  receiver.received("a", chunk(meta("s", 5, data), data, 5, 10));
  await settle();
  assert.deepEqual([receiver.isReceiving, state.superseded], [false, 1]);
});

Deno.test("a snapshot that is no longer sent is dropped after ten election timeouts, and one that the log overtakes at once", async () => {
  const { receiver, state, log } = await make();
  const snapshot = meta("s", 5, data);
  receiver.received("a", chunk(snapshot, data, 0, 5));
  for (let tick = 0; tick < 100; tick++) receiver.tick();
  assert.equal(receiver.isReceiving, true);
  receiver.received("a", chunk(snapshot, data, 0, 5));
  for (let tick = 0; tick < 100; tick++) receiver.tick();
  assert.equal(receiver.isReceiving, true, "a repeated chunk shows that it is still sent");
  receiver.tick();
  assert.equal(receiver.isReceiving, false);
  receiver.received("a", chunk(snapshot, data, 0, 5));
  receiver.tick();
  assert.equal(receiver.isReceiving, true, "it may begin again");
  state.commitIndex = 5;
  receiver.tick();
  assert.equal(receiver.isReceiving, false);
  await settle();
  assert(!log.some((line) => line.startsWith("install")));
});

Deno.test("an answer confirms the round of the newest chunk, and chunks that wait for the disk are bounded", async () => {
  const storage = new MemoryStorage();
  await storage.load();
  const answers: { readonly offset: number; readonly round: number }[] = [];
  const raft: ReceiverContext["raft"] = {
    snapshotProgress: (_to, _id, offset, _status, round) => answers.push({ offset, round }),
    installSnapshot: () => true,
    commitIndex: 0,
  };
  const receiver = new SnapshotReceiver({ storage, raft, config: { electionTicks: 10 }, wake: () => {} }, {
    applier: { restore: () => new Promise(() => {}) },
    logWriter: { failedBeside: () => {} },
    messenger: { refused: () => {} },
    taker: { supersede: () => {} },
  });
  const large = new Uint8Array(20);
  const snapshot = meta("s", 5, large);
  // None of them is written before the test lets go of the thread.
  for (let at = 0; at < 20; at++) receiver.received("n1", { ...chunk(snapshot, large, at, at + 1), round: 1 + at });
  assert.deepEqual(answers.slice(0, 2), [{ offset: 8, round: 9 }, { offset: 8, round: 10 }]);
  await settle();
  assert.ok(answers.some(({ offset, round }) => offset === 1 && round === 20));
});
