import assert from "node:assert/strict";
import { RaftError } from "../../../lib/errors.ts";
import type { KeyValueEntry } from "../../../lib/kv/commands.ts";
import type { KeyValueChange } from "../../../lib/kv/watch.ts";
import { cli, errorOf, statuses } from "./support.ts";
import type { FakeRemote } from "./support.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Returns a remote that records puts and answers as configured. */
function putter(answer: Awaited<ReturnType<FakeRemote["put"]>> = { ok: true, version: 7, previousVersion: 4 }) {
  const calls: { key: Uint8Array; value: Uint8Array; expected: unknown }[] = [];
  const remote: Partial<FakeRemote> = {
    put(key, value, expected) {
      calls.push({ key, value, expected });
      return Promise.resolve(answer);
    },
  };
  return { calls, remote };
}

Deno.test("put: a value from the command line", async () => {
  const { calls, remote } = putter();
  const ran = await cli(["kv", "put", "colour", "grün"], { remote });
  assert.deepEqual(ran, { ...ran, code: 0, out: `"colour" now has version 7.\n`, err: "" });
  assert.deepEqual(calls, [{ key: bytes("colour"), value: bytes("grün"), expected: undefined }]);
});

Deno.test("put: an empty value is one", async () => {
  const { calls, remote } = putter();
  assert.equal((await cli(["kv", "put", "k", ""], { remote })).code, 0);
  assert.equal(calls[0]?.value.length, 0);
});

Deno.test("put: a value from standard input, byte for byte", async () => {
  const { calls, remote } = putter();
  const stdin = [new Uint8Array([0, 255]), new Uint8Array([10])];
  assert.equal((await cli(["kv", "put", "k", "-"], { remote, stdin })).code, 0);
  assert.deepEqual(calls[0]?.value, new Uint8Array([0, 255, 10]));
});

Deno.test("put: a value from a file", async () => {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeFile(path, new Uint8Array([1, 0, 254]));
    const { calls, remote } = putter();
    assert.equal((await cli(["kv", "put", "k", "--file", path], { remote })).code, 0);
    assert.deepEqual(calls[0]?.value, new Uint8Array([1, 0, 254]));
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("put: a file that can't be read", async () => {
  const missing = await cli(["kv", "put", "k", "--file", "/no/such/file"]);
  assert.equal(missing.code, 1);
  assert.match(missing.err, /Can't read "\/no\/such\/file": no such file\./);
  const folder = await cli(["kv", "put", "k", "--file", "."]);
  assert.equal(folder.code, 1);
  assert.match(folder.err, /it is a folder/);
});

Deno.test("put: a value over the limit is not sent, and an endless one is not read to its end", async () => {
  let read = 0;
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) {
      read++;
      yield await Promise.resolve(new Uint8Array(64 * 1024));
    }
  }
  const ran = await cli(["kv", "put", "k", "-", "--json"], { stdin: endless() });
  assert.equal(ran.code, 1);
  assert.equal(errorOf(ran)["code"], "too_large");
  assert.equal(read, 25);
});

Deno.test("put: conditions", async () => {
  const { calls, remote } = putter();
  await cli(["kv", "put", "k", "v", "--if-version", "12"], { remote });
  await cli(["kv", "put", "k", "v", "--if-absent"], { remote });
  assert.deepEqual(calls.map(({ expected }) => expected), [12, 0]);
});

Deno.test("put: a condition that doesn't hold ends with 6", async () => {
  const { remote } = putter({ ok: false, reason: "conflict", currentVersion: 9 });
  const ran = await cli(["kv", "put", "k", "v", "--if-version", "8"], { remote });
  assert.equal(ran.code, 6);
  assert.match(ran.err, /"k" was not changed: its version is 9\./);
  const asJson = await cli(["kv", "put", "k", "v", "--if-version", "8", "--json"], { remote });
  assert.equal(asJson.out, "");
  assert.deepEqual(errorOf(asJson), {
    key: "k",
    currentVersion: 9,
    code: "conflict",
    message: `"k" was not changed: its version is 9`,
    hint: "Read it again, then decide.",
    outcome: "rejected",
    exitCode: 6,
  });
});

Deno.test("put --json", async () => {
  const { remote } = putter();
  const ran = await cli(["kv", "put", "k", "v", "--json"], { remote });
  assert.deepEqual(JSON.parse(ran.out), { key: "k", version: 7, previousVersion: 4 });
});

Deno.test("put: Ctrl-C while standard input is silent", async () => {
  const interrupted = new AbortController();
  async function* silent(): AsyncGenerator<Uint8Array> {
    queueMicrotask(() => interrupted.abort());
    await new Promise(() => {});
    yield new Uint8Array();
  }
  const ran = await cli(["kv", "put", "k", "-"], { stdin: silent(), signal: interrupted.signal });
  assert.equal(ran.code, 130);
});

Deno.test("get: the bytes alone, a newline on a terminal only", async () => {
  const value = new Uint8Array([0x61, 0xff, 0]);
  const remote: Partial<FakeRemote> = { get: () => Promise.resolve({ value, version: 3 }) };
  assert.deepEqual((await cli(["kv", "get", "k"], { remote })).bytes, value);
  assert.deepEqual((await cli(["kv", "get", "k"], { remote, terminal: true })).bytes, new Uint8Array([...value, 10]));
  const line: Partial<FakeRemote> = { get: () => Promise.resolve({ value: bytes("x\n"), version: 3 }) };
  assert.equal((await cli(["kv", "get", "k"], { remote: line, terminal: true })).out, "x\n");
});

Deno.test("get --json: base64 for bytes that are not UTF-8", async () => {
  const remote: Partial<FakeRemote> = { get: () => Promise.resolve({ value: new Uint8Array([255]), version: 3 }) };
  const ran = await cli(["kv", "get", "/w==", "--base64", "--json"], { remote });
  assert.deepEqual(JSON.parse(ran.out), { keyBase64: "/w==", valueBase64: "/w==", version: 3 });
});

Deno.test("get: a missing key ends with 1, and prints nothing", async () => {
  const remote: Partial<FakeRemote> = { get: () => Promise.resolve(null) };
  const ran = await cli(["kv", "get", "a\x1b[2Jb"], { remote });
  assert.deepEqual([ran.code, ran.out], [1, ""]);
  assert.equal(ran.err, `error: There is no key "a\\x1b[2Jb".\n`);
  assert.equal(errorOf(await cli(["kv", "get", "k", "--json"], { remote }))["code"], "not_found");
});

Deno.test("get: the requested consistency", async () => {
  const asked: string[] = [];
  const remote: Partial<FakeRemote> = {
    get(_, { consistency }) {
      asked.push(consistency);
      return Promise.resolve({ value: bytes("v"), version: 1 });
    },
  };
  await cli(["kv", "get", "k"], { remote });
  await cli(["kv", "get", "k", "--consistency", "stale"], { remote });
  assert.deepEqual(asked, ["linearizable", "stale"]);
});

Deno.test("delete: reports whether there was such a key", async () => {
  const remote = (previousVersion: number): Partial<FakeRemote> => ({
    delete: () => Promise.resolve({ ok: true, version: 9, previousVersion }),
  });
  assert.deepEqual((await cli(["kv", "delete", "k"], { remote: remote(4) })).out, `Deleted "k".\n`);
  const absent = await cli(["kv", "rm", "k"], { remote: remote(0) });
  assert.deepEqual([absent.code, absent.out], [0, `There was no key "k".\n`]);
  assert.deepEqual(JSON.parse((await cli(["kv", "delete", "k", "--json"], { remote: remote(0) })).out), {
    key: "k",
    deleted: false,
    version: 9,
    previousVersion: 0,
  });
});

Deno.test("delete: a version that differs ends with 6", async () => {
  const remote: Partial<FakeRemote> = {
    delete: (_, expected) => Promise.resolve({ ok: false, reason: "conflict", currentVersion: Number(expected) + 1 }),
  };
  const ran = await cli(["kv", "delete", "k", "--if-version", "4"], { remote });
  assert.deepEqual([ran.code, ran.out], [6, ""]);
  assert.match(ran.err, /its version is 5/);
});

/** Returns a store of this many keys, with pages of at most `page`. */
function lister(keys: number, page = 1000) {
  const limits: number[] = [];
  const all: KeyValueEntry[] = Array.from({ length: keys }, (_, at) => ({
    key: bytes(`k${String(at).padStart(5, "0")}`),
    value: bytes(`v${at}`),
    version: at + 1,
  }));
  const remote: Partial<FakeRemote> = {
    list({ limit, startAfter, keysOnly }) {
      limits.push(limit);
      const after = startAfter === undefined ? "" : new TextDecoder().decode(startAfter);
      const rest = all.filter(({ key }) => new TextDecoder().decode(key) > after);
      const entries = rest.slice(0, Math.min(limit, page))
        .map((entry) => keysOnly ? { ...entry, value: new Uint8Array() } : entry);
      return Promise.resolve({ entries, more: rest.length > entries.length, revision: 99 });
    },
  };
  return { remote, limits };
}

Deno.test("list: a table", async () => {
  const ran = await cli(["kv", "list"], { remote: lister(2).remote });
  assert.equal(ran.out, "KEY     VERSION  VALUE\nk00000        1  v0\nk00001        2  v1\n");
  assert.equal(ran.err, "");
});

Deno.test("list: reads pages up to the limit, and reports that there is more", async () => {
  const { remote, limits } = lister(2500, 700);
  const ran = await cli(["kv", "list", "--limit", "1500", "--keys-only"], { remote });
  assert.equal(ran.out.split("\n").length, 1501);
  assert.deepEqual(limits, [1000, 800, 100]);
  assert.match(ran.err, /There are more keys\. Continue with --after "k01499", or use --limit 0\./);
});

Deno.test("list: all keys, and those after a key", async () => {
  const { remote } = lister(2500);
  assert.equal((await cli(["kv", "list", "--limit", "0", "-k"], { remote })).out.split("\n").length, 2501);
  const rest = await cli(["kv", "list", "--after", "k02497", "-k"], { remote });
  assert.equal(rest.out, "k02498\nk02499\n");
});

Deno.test("list --json", async () => {
  const ran = await cli(["kv", "list", "--limit", "1", "--json"], { remote: lister(2).remote });
  assert.deepEqual(JSON.parse(ran.out), {
    entries: [{ key: "k00000", value: "v0", version: 1 }],
    more: true,
    revision: 99,
    interleaved: false,
  });
  assert.equal(ran.err, "");
  const keys = await cli(["kv", "list", "-k", "--json"], { remote: lister(1).remote });
  assert.deepEqual(JSON.parse(keys.out).entries, [{ key: "k00000", version: 1 }]);
});

Deno.test("list: pages of different states are reported, with the revision from which a watch misses nothing", async () => {
  const { remote } = lister(2500);
  const revisions = [102, 101, 105];
  const list: FakeRemote["list"] = async (options) => ({
    ...await remote.list!(options),
    revision: revisions.shift()!,
  });
  const all = ["kv", "list", "--limit", "0", "--keys-only"];
  const { revision, interleaved } = JSON.parse((await cli([...all, "--json"], { remote: { list } })).out);
  assert.deepEqual([revision, interleaved], [101, true]);
  revisions.push(102, 102, 103);
  assert.match((await cli(all, { remote: { list } })).err, /There were writes while the keys were read/);
});

Deno.test("list: nothing", async () => {
  const ran = await cli(["kv", "list", "x"], { remote: lister(0).remote });
  assert.deepEqual([ran.code, ran.out, ran.err], [0, "", "There are no keys.\n"]);
});

/** Yields changes in runs; each run is one connection, which then breaks. */
function watched(runs: readonly (readonly KeyValueChange[])[]) {
  const from: number[] = [];
  const remote: Partial<FakeRemote> = {
    ...statuses({ n1: {}, n2: {}, n3: {} }),
    list: () => Promise.resolve({ entries: [], more: false, revision: 41 }),
    async *watch(_endpoint, _prefix, version) {
      const changes = runs[from.push(version) - 1] ?? [];
      yield* changes;
      await Promise.resolve();
      throw new RaftError("unreachable", "the connection failed", { outcome: "unknown" });
    },
  };
  return { remote, from };
}

const put = (version: number): KeyValueChange => ({
  type: "put",
  key: bytes("k"),
  value: bytes(`v${version}`),
  version,
});
const removal = (version: number): KeyValueChange => ({ type: "delete", key: bytes("k"), value: null, version });

Deno.test("watch: begins after the current state, and continues without a gap after a broken connection", async () => {
  const { remote, from } = watched([[put(44)], [], [removal(47), put(50)]]);
  const ran = await cli(["kv", "watch", "--json", "--count", "3"], { remote });
  assert.equal(ran.code, 0);
  assert.deepEqual(from, [42, 45, 45]);
  assert.deepEqual(ran.out.trim().split("\n").map((line) => JSON.parse(line)), [
    { type: "put", key: "k", value: "v44", version: 44 },
    { type: "delete", key: "k", version: 47 },
    { type: "put", key: "k", value: "v50", version: 50 },
  ]);
});

Deno.test("watch: from a version", async () => {
  const { remote, from } = watched([[put(7)]]);
  const ran = await cli(["kv", "watch", "--from", "5", "-n", "1"], { remote });
  assert.deepEqual(from, [5]);
  assert.equal(ran.out, "       7  put     k  v7\n");
});

Deno.test("watch: Ctrl-C ends it with 130, and prints nothing", async () => {
  const interrupted = new AbortController();
  const remote: Partial<FakeRemote> = {
    ...watched([]).remote,
    async *watch(_endpoint, _prefix, _version, { signal }) {
      yield put(44);
      interrupted.abort();
      await Promise.resolve();
      throw new RaftError("aborted", "the call was aborted", { cause: signal.reason });
    },
  };
  const ran = await cli(["kv", "watch"], { remote, signal: interrupted.signal });
  assert.deepEqual([ran.code, ran.err], [130, ""]);
  assert.match(ran.out, /v44/);
});

Deno.test("watch: changes that have been discarded", async () => {
  const remote: Partial<FakeRemote> = {
    ...watched([]).remote,
    // deno-lint-ignore require-yield -- it fails before it yields
    async *watch() {
      await Promise.resolve();
      throw new RaftError("compacted", "changes from version 1 on are wanted", { hint: "List the keys again." });
    },
  };
  const ran = await cli(["kv", "watch", "--from", "1", "--json"], { remote });
  assert.equal(ran.code, 1);
  assert.equal(errorOf(ran)["code"], "compacted");
});

Deno.test("watch: gives up once no server has answered for the timeout", async () => {
  const { remote } = watched([]);
  const ran = await cli(["kv", "watch", "--timeout-ms", "300"], { remote });
  assert.equal(ran.code, 3);
});
