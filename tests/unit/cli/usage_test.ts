import assert from "node:assert/strict";
import { cli, errorOf } from "./support.ts";

Deno.test("help goes to standard output, and ends with 0", async () => {
  for (const args of [["--help"], ["help"], ["help", "kv"], ["kv", "--help"], ["kv", "help", "put"]]) {
    const { code, out, err } = await cli(args);
    assert.equal(code, 0, args.join(" "));
    assert.match(out, /^Usage: raft/);
    assert.equal(err, "");
  }
});

Deno.test("the help of each command has examples", async () => {
  const commands = [
    "status",
    "kv put",
    "kv get",
    "kv delete",
    "kv list",
    "kv watch",
    "member list",
    "member add",
    "member promote",
    "member remove",
    "leader transfer",
    "snapshot take",
    "log verify",
    "log dump",
  ];
  for (const command of commands) {
    const { code, out } = await cli([...command.split(" "), "--help"]);
    assert.equal(code, 0, command);
    assert.match(out, new RegExp(`^Usage: raft ${command}`));
    assert.match(out, new RegExp(`Examples:\n(.*\n)*.*raft ${command}`), command);
    assert.match(out, /--json/, command);
  }
});

Deno.test("the version", async () => {
  assert.match((await cli(["--version"])).out, /^\d+\.\d+\.\d+\n$/);
});

Deno.test("an invalid command line ends with 2, and reaches no server", async () => {
  const lines = [
    "",
    "kv",
    "member",
    "kv putt a b",
    "kv get",
    "kv get a b",
    "kv put a",
    "kv put a b c",
    "kv put a b --file x",
    "kv put a b --if-version 1 --if-absent",
    "kv put a b --if-version 0",
    "kv put a b --if-version x",
    "kv get a --consistency sometimes",
    "kv get %% --base64",
    "kv list --limit -1",
    "kv watch --count 0",
    "member add n4",
    "member add n4 7004",
    "member add n/4 127.0.0.1:7004",
    "member remove",
    "status --timeout-ms 0",
    "status --server 7001",
    "status --server ftp://a:1",
    "status --server http://user:secret@a:1",
    "status --bogus",
    "log verify",
    "log dump x --from -1",
  ];
  for (const line of lines) {
    const ran = await cli(line === "" ? [] : line.split(" "));
    assert.equal(ran.code, 2, line);
    assert.equal(ran.out, "", line);
    assert.notEqual(ran.err, "", line);
  }
});

Deno.test("an empty key is a usage error", async () => {
  assert.equal((await cli(["kv", "get", ""])).code, 2);
});

Deno.test("a key over the limit is a usage error", async () => {
  assert.equal((await cli(["kv", "get", "k".repeat(1025)])).code, 2);
});

Deno.test("a typo gets a suggestion", async () => {
  assert.match((await cli(["kv", "putt", "a", "b"])).err, /Did you mean put\?/);
  assert.match((await cli(["stauts"])).err, /Did you mean status\?/);
  assert.match((await cli(["status", "--jsn"])).err, /Did you mean --json\?/);
});

Deno.test("with --json a usage error is JSON", async () => {
  for (
    const args of [["kv", "putt", "--json"], ["kv", "get", "--json"], ["--json", "kv", "put", "a"], ["kv", "--json"]]
  ) {
    const ran = await cli(args);
    const error = errorOf(ran);
    assert.equal(ran.code, 2, args.join(" "));
    assert.equal(error["code"], "usage");
    assert.equal(error["exitCode"], 2);
    assert.equal(error["outcome"], "rejected");
    assert.doesNotMatch(String(error["message"]), /^error|Usage/);
  }
});

Deno.test("servers: the flag takes precedence over RAFT_SERVER, and that over the default", async () => {
  const remote = { get: () => Promise.resolve({ value: new Uint8Array(), version: 1 }) };
  const servers = async (args: string[], env: Record<string, string> = {}) =>
    (await cli([...args, "kv", "get", "k"].filter((arg) => arg !== ""), { remote, env })).endpoints;

  assert.deepEqual(await servers([]), ["http://127.0.0.1:7001", "http://127.0.0.1:7002", "http://127.0.0.1:7003"]);
  assert.deepEqual(await servers([], { RAFT_SERVER: "a:1, b:2,a:1" }), ["http://a:1", "http://b:2"]);
  assert.deepEqual(await servers(["--server", "c:3"], { RAFT_SERVER: "a:1" }), ["http://c:3"]);
  assert.deepEqual(await servers(["-s", "c:3,d:4", "-s", "https://e/raft/"]), [
    "http://c:3",
    "http://d:4",
    "https://e/raft",
  ]);
  assert.deepEqual(await servers(["-s", "[::1]:5"]), ["http://[::1]:5"]);

  const inner = await cli(["--server", "a:1", "kv", "get", "k", "--server", "b:2"], { remote });
  assert.deepEqual(inner.endpoints, ["http://b:2"]);
});

Deno.test("RAFT_SERVER is checked like the flag", async () => {
  const ran = await cli(["status"], { env: { RAFT_SERVER: "nonsense" } });
  assert.equal(ran.code, 2);
  assert.match(ran.err, /Invalid server "nonsense"/);
});

Deno.test("arguments after -- are never options", async () => {
  let value = "";
  const ran = await cli(["kv", "put", "k", "--", "--json"], {
    remote: {
      put(_, bytes) {
        value = new TextDecoder().decode(bytes);
        return Promise.resolve({ ok: true, version: 1, previousVersion: 0 });
      },
    },
  });
  assert.equal(ran.code, 0);
  assert.equal(value, "--json");
  assert.doesNotMatch(ran.out, /{/);
});
