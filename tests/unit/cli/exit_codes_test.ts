import assert from "node:assert/strict";
import { RaftError } from "../../../lib/errors.ts";
import type { RaftErrorOptions } from "../../../lib/errors.ts";
import { EXIT } from "../../../server/exit_codes.ts";
import { OutputClosed } from "../../../server/cli/io.ts";
import { run } from "../../../server/cli/run.ts";
import { cli, errorOf } from "./support.ts";

function putFails(error: Error): Parameters<typeof cli>[1] {
  return { remote: { put: () => Promise.reject(error) } };
}

Deno.test("each cause has its exit code", async () => {
  const cause = (code: "unreachable" | "no_leader"): RaftErrorOptions => ({ cause: new RaftError(code, "why") });
  const cases: [RaftError | Error, number][] = [
    [new RaftError("unreachable", "x"), EXIT.unreachable],
    [new RaftError("no_leader", "x"), EXIT.noLeader],
    [new RaftError("not_leader", "x"), EXIT.noLeader],
    [new RaftError("timeout", "x"), EXIT.noLeader],
    [new RaftError("timeout", "x", cause("no_leader")), EXIT.noLeader],
    [new RaftError("timeout", "x", cause("unreachable")), EXIT.unreachable],
    [new RaftError("stopped", "x"), EXIT.unhealthy],
    [new RaftError("storage", "x"), EXIT.unhealthy],
    [new RaftError("refused", "x"), EXIT.refused],
    [new RaftError("timeout", "x", { outcome: "unknown" }), EXIT.unknown],
    [new RaftError("unreachable", "x", { outcome: "unknown" }), EXIT.unknown],
    [new RaftError("session_expired", "x", { outcome: "unknown" }), EXIT.unknown],
    [new RaftError("internal", "x"), EXIT.failed],
    [new RaftError("too_large", "x"), EXIT.failed],
    [new Error("x"), EXIT.failed],
  ];
  for (const [error, code] of cases) {
    const ran = await cli(["kv", "put", "k", "v", "--json"], putFails(error));
    assert.equal(ran.code, code, String(error));
    assert.equal(errorOf(ran)["exitCode"], code);
    assert.equal(errorOf(ran)["outcome"], error instanceof RaftError ? error.outcome : "rejected");
    assert.equal(ran.out, "");
  }
});

Deno.test("an unknown outcome advises to check before repeating", async () => {
  const ran = await cli(["kv", "put", "k", "v"], putFails(new RaftError("timeout", "late", { outcome: "unknown" })));
  assert.match(ran.err, /^error: Late\.\nhint: It may have been carried out/);
});

Deno.test("the leader of an error is reported", async () => {
  const leader = { id: "n2", address: "http://h:2" };
  const ran = await cli(["kv", "put", "k", "v", "--json"], putFails(new RaftError("not_leader", "x", { leader })));
  assert.deepEqual(errorOf(ran)["leader"], leader);
});

Deno.test("Ctrl-C takes precedence over any other cause, and keeps the outcome", async () => {
  const interrupted = new AbortController();
  const ran = await cli(["kv", "put", "k", "v", "--json"], {
    signal: interrupted.signal,
    remote: {
      put() {
        interrupted.abort();
        return Promise.reject(new RaftError("aborted", "x", { outcome: "unknown" }));
      },
    },
  });
  assert.equal(ran.code, 130);
  assert.deepEqual([errorOf(ran)["code"], errorOf(ran)["outcome"]], ["aborted", "unknown"]);
});

Deno.test("a reader that has gone away, as head does, is not a failure", async () => {
  const closed = () => Promise.reject(new OutputClosed("EPIPE"));
  const sink = { isTerminal: false, write: closed };
  const code = await run(["--help"], {
    stdout: sink,
    stderr: sink,
    stdin: { isTerminal: false, read: () => (async function* () {})() },
    env: {},
    signal: new AbortController().signal,
  }, {
    connect: () => assert.fail("no server is asked"),
    log: { verify: () => assert.fail("no folder is read"), dump: () => assert.fail("no folder is read") },
  });
  assert.equal(code, 0);
});

Deno.test("the client is closed, whether a command succeeds or fails", async () => {
  let closed = 0;
  const close = (): Promise<void> => {
    closed++;
    return Promise.resolve();
  };
  await cli(["kv", "get", "k"], { remote: { close, get: () => Promise.resolve(null) } });
  await cli(["kv", "get", "k"], { remote: { close, get: () => Promise.reject(new Error("x")) } });
  assert.equal(closed, 2);
});

Deno.test("the docs list all exit codes in one table", async () => {
  const text = await Deno.readTextFile(new URL("../../../docs/exit_codes.md", import.meta.url));
  const listed = [...text.matchAll(/^\| +(\d+) \|/gm)].map((match) => Number(match[1]));
  assert.deepEqual(listed, Object.values(EXIT));
});
