import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { RaftError } from "../../../lib/errors.ts";
import { EXIT, exitCodeOf } from "../../../server/exit_codes.ts";
import { isAlive, readiness, readinessText } from "../../../server/health.ts";
import { hostnameOf, isLoopback } from "../../../server/guard.ts";
import { jsonBytes, jsonLine, percentDecode, queryBytes } from "../../../server/http_bytes.ts";
import { createLogger, formatLine, guardedLogger } from "../../../server/log.ts";
import { problemOf, problemResponse } from "../../../server/problem.ts";
import { VERSION } from "../../../server/version.ts";
import { BootstrappingNode } from "../../../hosting/bootstrapping_node.ts";

Deno.test("the version is deno.json's", () => {
  const { version } = JSON.parse(readFileSync(new URL("../../../deno.json", import.meta.url), "utf8"));
  assert.equal(VERSION, version);
});

Deno.test("exit codes: an unknown outcome comes before its cause", () => {
  assert.equal(exitCodeOf(new RaftError("unreachable", "")), EXIT.unreachable);
  assert.equal(exitCodeOf(new RaftError("unreachable", "", { outcome: "unknown" })), EXIT.unknown);
  assert.equal(exitCodeOf(new RaftError("no_leader", "")), EXIT.noLeader);
  assert.equal(exitCodeOf(new RaftError("damaged", "")), EXIT.unhealthy);
  assert.equal(exitCodeOf(new RaftError("refused", "")), EXIT.refused);
  assert.equal(exitCodeOf(new Error()), EXIT.failed);
});

Deno.test("a log line is one line, and can't be forged by a value", () => {
  const line = formatLine("text", "T", "warn", "two\nlines", { id: "n1", reason: "x\nT error y", none: null });
  assert.equal(line, `T warn  two; lines id=n1 reason="x\\nT error y"`);
  assert.deepEqual(JSON.parse(formatLine("json", "T", "info", "m", { a: 1 })), {
    time: "T",
    level: "info",
    message: "m",
    a: 1,
  });
});

Deno.test("a logger that throws harms no caller", () => {
  const fail = (): never => {
    throw new Error("no space left on device");
  };
  const { info, warn, error } = guardedLogger({ info: fail, warn: fail, error: fail });
  for (const log of [info, warn, error]) log("a line", { a: 1 });
  createLogger("text", {}, fail).error("another");
});

Deno.test("host names", () => {
  assert.equal(hostnameOf("LOCALHOST:80"), "localhost");
  assert.equal(hostnameOf("[::1]:80"), "[::1]");
  assert.equal(hostnameOf("host."), "host");
  assert.equal(hostnameOf("[0:0:0:0:0:0:0:1]:80"), "[::1]");
  assert.equal(hostnameOf("[FD00::0A]"), "[fd00::a]");
  for (const bad of ["", "a b", "a/b", "user@host", "host:port", "host:1:2", "[::1", "::1", "[::1::2]", "[::1]80"]) {
    assert.equal(hostnameOf(bad), null);
  }
  assert.ok(isLoopback("127.9.8.7") && isLoopback("[::1]") && isLoopback("localhost"));
  assert.ok(isLoopback("::1") && isLoopback("0:0:0:0:0:0:0:1") && isLoopback("[::ffff:127.0.0.1]"));
  assert.ok(!isLoopback("127.0.0.1.evil.example") && !isLoopback("0.0.0.0") && !isLoopback("10.0.0.1"));
  assert.ok(!isLoopback("::") && !isLoopback("[::ffff:10.0.0.1]") && !isLoopback("fd00::1"));
});

Deno.test("percent-decoding gives bytes", () => {
  assert.deepEqual([...percentDecode("a%2Fb%00%ff+")], [0x61, 0x2f, 0x62, 0, 0xff, 0x2b]);
  assert.deepEqual([...percentDecode("é")], [0xc3, 0xa9]);
  for (const bad of ["%", "%1", "%zz", "a%"]) {
    assert.throws(() => percentDecode(bad), { code: "invalid_argument", outcome: "rejected" });
  }
  assert.deepEqual([...queryBytes(new URL("http://h/?x&prefix=%FE&y"), "prefix") ?? []], [0xfe]);
  assert.equal(queryBytes(new URL("http://h/?prefixed=1"), "prefix"), null);
});

Deno.test("bytes in JSON: text if they are, else base64", () => {
  assert.deepEqual(jsonBytes("key", new TextEncoder().encode("\u{feff}é")), { key: "\u{feff}é" });
  assert.deepEqual(jsonBytes("key", new Uint8Array([0xff, 0])), { keyBase64: "/wA=" });
});

Deno.test("problem details tell code, outcome, hint and leader; the inside of a fault stays inside", async () => {
  const error = new RaftError("not_leader", "n1 does not lead", {
    hint: "Ask n2.",
    leader: { id: "n2", address: "http://h:2" },
  });
  const response = problemResponse(problemOf(error));
  assert.equal(response.status, 503);
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  assert.equal(response.headers.get("retry-after"), "1");
  assert.deepEqual(await response.json(), {
    type: "urn:raft-core:error:not_leader",
    title: "This node does not lead",
    status: 503,
    detail: "n1 does not lead.",
    code: "not_leader",
    outcome: "rejected",
    hint: "Ask n2.",
    leader: { id: "n2", address: "http://h:2" },
  });
  const inside = problemOf(new TypeError("secret"));
  assert.equal(inside.status, 500);
  assert.equal(inside.outcome, "unknown");
  assert.ok(!JSON.stringify(inside).includes("secret"));
});

Deno.test("an unknown outcome has no retry-after", () => {
  const response = problemResponse(problemOf(new RaftError("timeout", "late", { outcome: "unknown" })));
  assert.equal(response.status, 503);
  assert.equal(response.headers.get("retry-after"), null);
});

Deno.test("a node that waits for its cluster is alive, but not ready", () => {
  const waiting = new BootstrappingNode({ nodeId: "n1", incarnation: "i", clusterId: "" });
  waiting.waitFor(["n2", "n3"]);
  assert.match(waiting.reason(), /n2, n3/);
  assert.ok(isAlive(waiting.status()));
  const checks = readiness(waiting.status());
  assert.deepEqual(checks.filter(({ ok }) => !ok).map(({ name }) => name), ["member", "leader"]);
  assert.match(readinessText(checks), /\[-\]leader failed: no leader is known\n/);
});

Deno.test("JSON on a line, whatever its characters", () => {
  for (const text of ["", "plain", "é", "aé", "éa", "\u{1f600}", `${"x".repeat(1000)}é`, "\ud800"]) {
    assert.equal(new TextDecoder().decode(jsonLine({ text })), `${JSON.stringify({ text })}\n`);
  }
});
