import assert from "node:assert/strict";
import { encodeDelete, encodePut } from "../../../lib/kv/commands.ts";
import { KeyValue } from "../../../lib/kv/key_value.ts";
import { encodeMembership, membershipOf } from "../../../lib/raft/membership.ts";
import type { Entry, PersistBatch } from "../../../lib/raft/types.ts";
import { encodePlain, encodeRegister, encodeSessionCommand } from "../../../lib/sessions/session_codec.ts";
import { Sessions } from "../../../lib/sessions/sessions.ts";
import { fileLogTools as log } from "../../../server/cli/log_tools.ts";
import { createFileStorage } from "../../../storage/file/mod.ts";
import { cli, errorOf } from "./support.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Writes one batch per entry into `dir`. */
async function fill(dir: string, entries: readonly Entry[]): Promise<void> {
  const storage = createFileStorage(dir);
  await storage.load();
  await storage.initialize({ nodeId: "n1", incarnation: "f".repeat(32), clusterId: "c1" });
  let sequence = 1;
  await storage.persist({ sequence, hardState: { term: 1, votedFor: "n1" }, snapshot: null, entries: [] });
  for (const entry of entries) {
    await storage.persist({ sequence: ++sequence, hardState: null, snapshot: null, entries: [entry] });
  }
  await storage.close();
}

const MEMBERSHIP = membershipOf({ voters: [{ id: "n1", address: "http://h:1", incarnation: "f".repeat(32) }] });

const ENTRIES: readonly Entry[] = [
  { index: 1, term: 1, type: "membership", data: encodeMembership(MEMBERSHIP) },
  { index: 2, term: 1, type: "noop", data: new Uint8Array() },
  { index: 3, term: 1, type: "command", data: encodeRegister() },
  {
    index: 4,
    term: 1,
    type: "command",
    data: encodeSessionCommand({
      session: 3,
      sequence: 1,
      lowestOutstanding: 1,
      command: encodePut(bytes("k"), bytes("v\x1b"), 7),
    }),
  },
  { index: 5, term: 1, type: "command", data: encodePlain(encodeDelete(bytes("k"))) },
  { index: 6, term: 1, type: "command", data: new Uint8Array([9, 255]) },
];

/** Runs `test` with a folder that holds a node's data in `n1`. */
async function withFolder(test: (dir: string, parent: string) => Promise<void>): Promise<void> {
  const parent = await Deno.makeTempDir();
  try {
    await fill(`${parent}/n1`, ENTRIES);
    await test(`${parent}/n1`, parent);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
}

Deno.test("log verify: an intact folder", async () => {
  await withFolder(async (dir) => {
    const ran = await cli(["log", "verify", dir], { log });
    assert.equal(ran.code, 0);
    assert.match(ran.out, /^ok: .* is intact\.$/m);
    assert.match(ran.out, /^ {2}entries +1 to 6$/m);
    assert.match(ran.out, /^ {2}term +1, vote for n1$/m);
    const document = JSON.parse((await cli(["log", "verify", dir, "--json"], { log })).out);
    assert.deepEqual(
      [document.dir, document.nodeId, document.clusterId, document.firstIndex, document.lastIndex, document.term],
      [dir, "n1", "c1", 1, 6, 1],
    );
    assert.deepEqual([document.votedFor, document.snapshot, document.tornBytes], ["n1", null, 0]);
  });
});

Deno.test("log verify: a torn tail is reported, and is not damage", async () => {
  await withFolder(async (dir) => {
    const file = await Deno.open(`${dir}/log-0000000001`, { append: true });
    await file.write(new Uint8Array(17).fill(1));
    file.close();
    const ran = await cli(["log", "verify", dir], { log });
    assert.equal(ran.code, 0);
    assert.match(ran.out, /17 bytes of an incomplete batch, to be truncated/);
    const dumped = await cli(["log", "dump", dir, "--json"], { log });
    assert.deepEqual([dumped.code, JSON.parse(dumped.out.trim().split("\n").at(-1) ?? "").type], [0, "tornTail"]);
  });
});

Deno.test("damage ends with 5, and names file and offset; dump prints the records before it", async () => {
  await withFolder(async (dir) => {
    const path = `${dir}/log-0000000001`;
    const lines = (await cli(["log", "dump", dir, "--json"], { log })).out.trim().split("\n").map((line) =>
      JSON.parse(line)
    );
    const { offset } = lines.find((line) => line.index === 4);
    const data = await Deno.readFile(path);
    data[offset + 40]! ^= 1;
    await Deno.writeFile(path, data);

    const ran = await cli(["log", "verify", dir, "--json"], { log });
    const error = errorOf(ran);
    assert.deepEqual([ran.code, ran.out, error["code"]], [5, "", "damaged"]);
    assert.match(String(error["message"]), new RegExp(`log-0000000001.*${offset}`));
    assert.match(String(error["hint"]), /Remove the node/);

    const dumped = await cli(["log", "dump", dir], { log });
    assert.equal(dumped.code, 5);
    assert.match(dumped.out, /a new session/);
    assert.doesNotMatch(dumped.out, /put "k"/);
  });
});

/** Puts one more batch into a folder. */
async function more(dir: string, batch: Partial<PersistBatch>): Promise<void> {
  const storage = createFileStorage(dir);
  await storage.load();
  await storage.persist({ sequence: 8, hardState: null, snapshot: null, entries: [], ...batch });
  await storage.close();
}

Deno.test("log verify: a log that no node could start with is damage", async () => {
  await withFolder(async (dir) => {
    await more(dir, { entries: [{ index: 7, term: 5, type: "noop", data: new Uint8Array() }] });
    const ran = await cli(["log", "verify", dir, "--json"], { log });
    const error = errorOf(ran);
    assert.deepEqual([ran.code, error["code"]], [5, "damaged"]);
    assert.match(String(error["message"]), /entry 7 has term 5, and the node's term is 1/);
  });
});

Deno.test("log verify: a term that no elections led to ends with 5, and says what to do", async () => {
  for (
    const [term, reason] of [[2 ** 53 - 1, "no election can follow"], [
      2 ** 40,
      "does not come from elections",
    ]] as const
  ) {
    await withFolder(async (dir) => {
      await more(dir, { hardState: { term, votedFor: null } });
      const ran = await cli(["log", "verify", dir], { log });
      assert.equal(ran.code, 5);
      assert.match(ran.out, new RegExp(`^warning: .* is intact, but its term, ${term}, .*${reason}`));
      assert.match(ran.out, /^hint: .*replace this one/m);
      const document = JSON.parse((await cli(["log", "verify", dir, "--json"], { log })).out);
      assert.match(document.termTrouble, new RegExp(reason));
    });
  }
});

/** Puts a snapshot with these bytes in force. */
async function snapshotIn(dir: string, content: readonly Uint8Array[]): Promise<void> {
  const storage = createFileStorage(dir);
  await storage.load();
  const writer = await storage.createSnapshot();
  for (const chunk of content) await writer.write(chunk);
  const { offset: size, checksum } = writer;
  const snapshot = { id: "s", index: 6, term: 1, membership: MEMBERSHIP, size, checksum };
  await writer.stage(snapshot);
  await storage.persist({ sequence: 8, hardState: null, snapshot, entries: [] });
  await storage.close();
}

Deno.test("log verify: a snapshot is read as the key-value store reads it, and other snapshot files are named", async () => {
  await withFolder(async (dir) => {
    const state = new Sessions(new KeyValue());
    for (const { index, term, type, data } of ENTRIES) if (type === "command") await state.apply({ index, term, data });
    const content: Uint8Array[] = [];
    for await (const chunk of state.snapshot()) content.push(chunk);
    await snapshotIn(dir, content);
    await Deno.writeTextFile(`${dir}/snapshot-0000000009`, "left");
    await Deno.writeTextFile(`${dir}/snapshot-0000000010.tmp`, "left");
    const ran = await cli(["log", "verify", dir], { log });
    assert.deepEqual([ran.code, ran.err], [0, ""]);
    assert.match(ran.out, /snapshot-0000000009 is not named by the log/);
    const document = JSON.parse((await cli(["log", "verify", dir, "--json"], { log })).out);
    assert.deepEqual(document.otherSnapshots, ["snapshot-0000000009", "snapshot-0000000010.tmp"]);
  });
});

for (const [what, content] of [["nothing", []], ["something else", [bytes("another state machine's")]]] as const) {
  Deno.test(`log verify: a snapshot of ${what} is damage, unless any content is asked for`, async () => {
    await withFolder(async (dir) => {
      await snapshotIn(dir, content);
      const ran = await cli(["log", "verify", dir, "--json"], { log });
      const error = errorOf(ran);
      assert.deepEqual([ran.code, ran.out, error["code"]], [5, "", "damaged"]);
      assert.match(String(error["message"]), /snapshot-0000000001.*can't read the snapshot/);
      const any = await cli(["log", "verify", dir, "--any-content"], { log });
      assert.deepEqual([any.code, any.err], [0, ""]);
    });
  });
}

Deno.test("log dump: a line a record", async () => {
  await withFolder(async (dir) => {
    const ran = await cli(["log", "dump", dir], { log });
    const lines = ran.out.trim().split("\n").map((line) => line.replace(/^\S+ +\d+ +/, ""));
    assert.deepEqual(lines.filter((line) => !line.startsWith("batch end")), [
      "1  term        vote for n1",
      "1      1  membership  voters n1",
      "2      1  noop",
      "3      1  command     a new session",
      `4      1  command     put "k" = v\\x1b if version 7 (session 3, 1)`,
      `5      1  command     delete "k"`,
      "6      1  command     2 bytes: \\x09\\xff",
    ]);
  });
});

Deno.test("log dump --json: documents, within bounds", async () => {
  await withFolder(async (dir) => {
    const ran = await cli(["log", "dump", dir, "--json", "--from", "4", "--to", "6"], { log });
    const documents = ran.out.trim().split("\n").map((line) => JSON.parse(line));
    const entries = documents.map(({ file, offset, bytes, ...rest }) => {
      assert.equal(file, "log-0000000001");
      assert.ok(offset > 0 && bytes > 0);
      return rest;
    });
    assert.deepEqual(entries, [
      {
        type: "command",
        index: 4,
        term: 1,
        session: 3,
        sequence: 1,
        request: "put",
        key: "k",
        value: "v\x1b",
        expectedVersion: 7,
      },
      { type: "command", index: 5, term: 1, request: "delete", key: "k" },
      { type: "command", index: 6, term: 1, dataBase64: "Cf8=" },
    ]);
  });
});

Deno.test("a path that is not a data folder, or the parent of several, is distinguished from a damaged one", async () => {
  await withFolder(async (_, parent) => {
    const several = await cli(["log", "verify", parent], { log });
    assert.equal(several.code, 1);
    assert.match(several.err, /hint: Name one of: .*n1/);
    const missing = await cli(["log", "dump", `${parent}/nowhere`, "--json"], { log });
    assert.deepEqual([missing.code, errorOf(missing)["code"]], [1, "file"]);
    await Deno.writeTextFile(`${parent}/file`, "");
    assert.equal((await cli(["log", "verify", `${parent}/file`], { log })).code, 1);
  });
});
