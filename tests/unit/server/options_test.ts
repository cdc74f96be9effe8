import assert from "node:assert/strict";
import { CommanderError } from "commander";
import { advertisedAddress } from "../../../server/addresses.ts";
import { parseArguments } from "../../../server/options.ts";

const minimal = ["--id", "n1", "--data", "d"];

function parse(...args: string[]) {
  return parseArguments([...minimal, ...args], () => {});
}

function usageError(args: readonly string[]): { error: CommanderError; printed: string } {
  let printed = "";
  try {
    parseArguments(args, (text) => void (printed += text));
  } catch (error) {
    assert.ok(error instanceof CommanderError);
    return { error, printed };
  }
  throw new Error(`accepted: ${args.join(" ")}`);
}

Deno.test("the required options, and the defaults", () => {
  const options = parse();
  assert.equal(options.id, "n1");
  assert.equal(options.data, "d");
  assert.deepEqual(options.listen, { hostname: "127.0.0.1", port: 7001 });
  assert.equal(options.electionTimeoutMs, 1000);
  assert.equal(options.heartbeatIntervalMs, 100);
  assert.equal(options.logFormat, "text");
  assert.equal(options.join, false);
  const { snapshotEntries, snapshotBytes, snapshotRatio, maxLogBytes } = options;
  assert.deepEqual([snapshotEntries, snapshotBytes, snapshotRatio, maxLogBytes], [10_000, 2 ** 26, 1, 2 ** 30]);
  const { trailingEntries, maxRetainedBytes, snapshotBytesPerSecond } = options;
  assert.deepEqual([trailingEntries, maxRetainedBytes, snapshotBytesPerSecond], [1000, 2 ** 29, 2 ** 26]);
  assert.equal(advertisedAddress(options, 7001), "http://127.0.0.1:7001");
});

Deno.test("a ratio may be a fraction", () => {
  assert.equal(parse("--snapshot-ratio", "0.5").snapshotRatio, 0.5);
});

Deno.test("peers become base URLs, and define the advertised address", () => {
  const options = parse("--peers", "n1=127.0.0.1:7001, n2=http://host:7002,n3=[::1]:7003");
  assert.deepEqual(options.peers, [
    { id: "n1", address: "http://127.0.0.1:7001" },
    { id: "n2", address: "http://host:7002" },
    { id: "n3", address: "http://[::1]:7003" },
  ]);
  assert.equal(advertisedAddress(parse("--peers", "n1=host:7009"), 1), "http://host:7009");
});

Deno.test("the cluster that a node belongs to", () => {
  assert.equal(parse("--join", "--cluster-id", "c1").expectedClusterId, "c1");
  assert.equal("expectedClusterId" in parse("--join"), false);
});

Deno.test("IPv6 to listen on", () => {
  const options = parse("--listen", "[::1]:0");
  assert.deepEqual(options.listen, { hostname: "::1", port: 0 });
  assert.equal(advertisedAddress(options, 5), "http://[::1]:5");
});

for (
  const [what, args] of [
    ["no id", ["--data", "d"]],
    ["no data", ["--id", "n1"]],
    ["an id with a slash", ["--id", "a/b", "--data", "d"]],
    ["an id of 65 characters", ["--id", "x".repeat(65), "--data", "d"]],
    ["an unknown flag", [...minimal, "--frobnicate"]],
    ["an argument too many", [...minimal, "more"]],
    ["a port over 65535", [...minimal, "--listen", "127.0.0.1:65536"]],
    ["no port", [...minimal, "--listen", "127.0.0.1"]],
    ["a negative timeout", [...minimal, "--election-timeout-ms", "-1"]],
    ["a ratio that is not a number", [...minimal, "--snapshot-ratio", "1x"]],
    ["a negative ratio", [...minimal, "--snapshot-ratio", "-1"]],
    ["a timeout with a unit", [...minimal, "--election-timeout-ms", "1s"]],
    ["a heartbeat as slow as the election timeout", [...minimal, "--heartbeat-interval-ms", "1000"]],
    ["peers without this node", [...minimal, "--peers", "n2=127.0.0.1:7002"]],
    ["a peer named twice", [...minimal, "--peers", "n1=h:1,n1=h:2"]],
    ["an address named twice", [...minimal, "--peers", "n1=h:1,n2=h:1"]],
    ["a peer without address", [...minimal, "--peers", "n1"]],
    ["a peer's address with a path", [...minimal, "--peers", "n1=http://h:1/path"]],
    ["join and peers", [...minimal, "--join", "--peers", "n1=h:1"]],
    ["two opinions of where it is reached", [...minimal, "--advertise", "h:2", "--peers", "n1=h:1"]],
    ["an unknown log format", [...minimal, "--log-format", "xml"]],
  ] as const
) {
  Deno.test(`usage: ${what}`, () => {
    const { error, printed } = usageError(args);
    assert.equal(error.exitCode, 2);
    assert.match(printed, /^error: /);
  });
}

Deno.test("help and version are not errors", () => {
  const help = usageError(["--help"]);
  assert.equal(help.error.exitCode, 0);
  assert.match(help.printed, /--election-timeout-ms/);
  assert.match(help.printed, /\(default: 127\.0\.0\.1:7001\)/);
  assert.doesNotMatch(help.printed, /default: (?:false|\[|\{)/);
  const version = usageError(["--version"]);
  assert.equal(version.error.exitCode, 0);
  assert.match(version.printed, /^\d+\.\d+\.\d+\n$/);
});
