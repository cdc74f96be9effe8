/**
 * The server's command line.
 */

import { Command, InvalidArgumentError, Option } from "commander";
import type { PeerAddress } from "../hosting/bootstrap.ts";
import type { ListenAddress } from "./addresses.ts";
import { EXIT } from "./exit_codes.ts";
import type { LogFormat } from "./log.ts";
import type { ServerOptions } from "./server.ts";
import { nodeUrl } from "../transport/wire/address.ts";
import { VERSION } from "./version.ts";

type WithoutDefault = "advertise" | "peers" | "expectedClusterId" | "maxConnections";
type NotText = "stateMachine" | "logger" | "storage" | "stoppedLingerMs";

/** The parsed command line of server/main.ts. */
export interface ServerArguments
  extends Required<Omit<ServerOptions, NotText | WithoutDefault>>, Pick<ServerOptions, WithoutDefault> {
  readonly logFormat: LogFormat;
  /** The memory of the process above which garbage is collected early, in bytes; 0 for never. */
  readonly softMemoryBytes: number;
}

/** Parses `host:port` with an optional scheme to a base URL. */
export function parseAddress(value: string): string {
  try {
    // The port is required: 80 is never intended, and URL would hide it.
    if (/:\d+\/?$/.test(value)) return nodeUrl(value);
  } catch {
    // Reported below.
  }
  throw new InvalidArgumentError(`Expected HOST:PORT, not ${JSON.stringify(value)}.`);
}

/** Parses `host:port`, with IPv6 addresses in brackets. */
export function parseListen(value: string): ListenAddress {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/[\]]+)):(\d{1,5})$/.exec(value);
  const port = Number(match?.[3]);
  if (match === null || port > 65535) {
    throw new InvalidArgumentError(`Expected HOST:PORT to listen on, not ${JSON.stringify(value)}.`);
  }
  return { hostname: match[1] ?? match[2] ?? "", port };
}

/** Parses `n1=host:port,n2=…`. */
export function parsePeers(value: string): readonly PeerAddress[] {
  const peers = value.split(",").map((part) => {
    const at = part.indexOf("=");
    if (at < 1) throw new InvalidArgumentError(`Expected ID=HOST:PORT, not ${JSON.stringify(part)}.`);
    return { id: nodeId(part.slice(0, at).trim()), address: parseAddress(part.slice(at + 1).trim()) };
  });
  if (new Set(peers.map((peer) => peer.id)).size !== peers.length) {
    throw new InvalidArgumentError("An id appears twice.");
  }
  if (new Set(peers.map((peer) => peer.address)).size !== peers.length) {
    throw new InvalidArgumentError("An address appears twice.");
  }
  return peers;
}

/** Checks a node's name, for an option or an argument. */
export function nodeId(value: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(value)) return value;
  throw new InvalidArgumentError(
    `Expected a node id, not ${JSON.stringify(value)}: 1 to 64 letters, digits, ".", "_" or "-", beginning with a ` +
      `letter or a digit.`,
  );
}

/** Returns a parser of whole numbers between two bounds, for the value of an option. */
export function integer(min: number, max: number): (value: string) => number {
  return (value) => {
    const number = /^\d+$/.test(value) ? Number(value) : NaN;
    if (!(number >= min && number <= max)) {
      throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`);
    }
    return number;
  };
}

/** Parses a factor from 0 to 1000, for the value of an option. */
export function factor(value: string): number {
  const number = /^\d+(\.\d+)?$/.test(value) ? Number(value) : NaN;
  if (!(number <= 1000)) throw new InvalidArgumentError("Expected a number from 0 to 1000.");
  return number;
}

/** Collects the values of an option that is repeated, or a list. */
export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, ...value.split(",").map((part) => part.trim()).filter((part) => part !== "")];
}

const EXAMPLE = `
Start a new cluster of three, each in a terminal of its own:
  main.ts --id n1 --data d1 --listen 127.0.0.1:7001 --peers n1=127.0.0.1:7001,n2=127.0.0.1:7002,n3=127.0.0.1:7003
Start a node to be added to a running cluster with "raft member add":
  main.ts --id n4 --data d4 --listen 127.0.0.1:7004 --join

Exit codes: 0 done, 1 failed, 2 usage, 5 stopped by its storage, 6 refused by a safety check, 130 interrupted.
`;

/** Defaults that the help must not show. */
const UNSET: Pick<ServerArguments, "join" | "leaseReads" | "allowHost" | "allowOrigin" | "allowAdminOrigin"> = {
  join: false,
  leaseReads: false,
  allowHost: [],
  allowOrigin: [],
  allowAdminOrigin: [],
};

/** Adds help and version. Afterwards a CommanderError ends the parsing, with the exit code of the process. */
export function withUsage(command: Command): Command {
  return command.version(VERSION, "--version", "print the version")
    .helpOption("--help", "print this help")
    .allowExcessArguments(false)
    .exitOverride((error) => {
      // Help and version that were asked for are no errors.
      error.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
      throw error;
    });
}

function command(): Command {
  const server = new Command("server").description("Runs one node of a replicated key-value cluster.")
    .requiredOption("--id <id>", "the node's name, unique in its cluster", nodeId)
    .requiredOption("--data <dir>", "the node's data folder, created if missing")
    .addOption(
      new Option("--listen <host:port>", "the address to listen on; one port serves everything")
        .argParser(parseListen).default({ hostname: "127.0.0.1", port: 7001 }, "127.0.0.1:7001"),
    )
    .option(
      "--advertise <host:port>",
      "its address for other nodes (default: its entry in --peers, or --listen)",
      parseAddress,
    )
    .option(
      "--peers <id=host:port,...>",
      "all nodes of a new cluster, including this one; ignored once there is data",
      parsePeers,
    )
    .option("--join", "with an empty data folder: wait to be added to a running cluster")
    .option("--cluster-id <id>", "the only cluster that it belongs to, or waits to be added to", nodeId)
    .option(
      "--election-timeout-ms <ms>",
      "a follower campaigns after this long without a leader",
      integer(10, 600_000),
      1000,
    )
    .option(
      "--heartbeat-interval-ms <ms>",
      "the longest pause between two messages of a leader",
      integer(1, 60_000),
      100,
    )
    .option(
      "--snapshot-entries <count>",
      "take a snapshot after this many entries; 0 for never",
      integer(0, 1e9),
      10_000,
    )
    .option(
      "--snapshot-bytes <bytes>",
      "or after this many bytes of them; 0 for never (both 0: no snapshots)",
      integer(0, 1e12),
      64 * 1024 * 1024,
    )
    .option(
      "--snapshot-ratio <factor>",
      "but not before the log is this many times as large as the last snapshot",
      factor,
      1,
    )
    .option(
      "--max-log-bytes <bytes>",
      "take one after this many bytes of entries, whatever the ratio; 0 for no bound",
      integer(0, 1e12),
      1024 ** 3,
    )
    .option(
      "--trailing-entries <count>",
      "keep this many entries before a snapshot, for slow followers",
      integer(0, 1e9),
      1000,
    )
    .option(
      "--max-retained-bytes <bytes>",
      "as the leader, keep up to this many bytes before it for members that receive a snapshot; 0 for none",
      integer(0, 1e12),
      512 * 1024 * 1024,
    )
    .option(
      "--snapshot-bytes-per-second <bytes>",
      "send snapshots to a member no faster than this; 0 for no cap",
      integer(0, 1e12),
      64 * 1024 * 1024,
    )
    .option(
      "--request-timeout-ms <ms>",
      "the longest wait of a request for a leader and a quorum",
      integer(1, 600_000),
      5000,
    )
    .option(
      "--max-connections <count>",
      "the most connections at a time (default: what the limit of open files leaves, at most 4096)",
      integer(1, 1e6),
    )
    .option(
      "--headers-timeout-ms <ms>",
      "close a connection whose request head is not whole so long after it began",
      integer(1, 600_000),
      10_000,
    )
    .option(
      "--idle-timeout-ms <ms>",
      "close a connection without a request for this long (default: 60000, under Deno 10000)",
      integer(1, 86_400_000),
    )
    .option("--lease-reads", "answer ?consistency=lease from a lease; needs clocks that drift by less than 10 %")
    .option("--allow-host <name>", "also answer to this Host (repeatable, or a list); * for any", collect)
    .option(
      "--allow-origin <origin>",
      "let web pages of this origin call (repeatable, or a list); * for any",
      collect,
    )
    .option(
      "--allow-admin-origin <origin>",
      "let web pages of this origin call, and administer the cluster (repeatable, or a list)",
      collect,
    )
    .addOption(new Option("--log-format <format>", "the format of log lines").choices(["text", "json"]).default("text"))
    .addHelpText("after", EXAMPLE);
  return withUsage(withLimits(server));
}

/** Less under Bun, which holds each arriving body a second time. */
const SOFT_MEMORY_BYTES = ("Bun" in globalThis ? 192 : 256) * 1024 * 1024;

/** Adds the options that bound the memory of a server. */
function withLimits(server: Command): Command {
  return server
    .option(
      "--soft-memory-bytes <bytes>",
      "collect garbage early while the process takes more than this; 0 to leave it to the runtime",
      integer(0, 1e12),
      SOFT_MEMORY_BYTES,
    )
    .option(
      "--max-receive-bytes <bytes>",
      "refuse the largest requests when those being received or answered take more than this",
      integer(8 * 1024 * 1024, 1e12),
      64 * 1024 * 1024,
    )
    .option(
      "--body-timeout-ms <ms>",
      "give up a request whose body has not arrived after this long",
      integer(1, 600_000),
      30_000,
    )
    .option("--max-watchers <count>", "refuse watchers beyond this many", integer(0, 1e6), 2000)
    .option(
      "--max-watch-bytes <bytes>",
      "end the slowest watchers when changes being sent take more than this",
      integer(1, 1e12),
      32 * 1024 * 1024,
    )
    .option(
      "--watch-stall-timeout-ms <ms>",
      "end a watcher that has read nothing of a change for this long",
      integer(10, 3_600_000),
      30_000,
    )
    .option(
      "--max-answer-bytes <bytes>",
      "refuse reads when large answers being sent take more than this",
      integer(1, 1e12),
      32 * 1024 * 1024,
    )
    .option(
      "--answer-stall-timeout-ms <ms>",
      "break off a large answer whose client has read nothing for this long",
      integer(10, 3_600_000),
      30_000,
    )
    .option(
      "--max-forwarded-requests <count>",
      "refuse requests when this many are forwarded to the leader, or wait for one",
      integer(1, 1e6),
      2048,
    )
    .option(
      "--max-forwarded-bytes <bytes>",
      "or when they take more than this",
      integer(1, 1e12),
      32 * 1024 * 1024,
    );
}

/**
 * Parses the command line.
 *
 * @param args Without the program's own name.
 * @param print Receives help and errors; standard output and error if left out.
 * @throws {CommanderError} See {@linkcode withUsage}.
 */
export function parseArguments(args: readonly string[], print?: (text: string) => void): ServerArguments {
  const parser = command();
  if (print !== undefined) parser.configureOutput({ writeOut: print, writeErr: print });
  parser.parse([...args], { from: "user" });
  const { clusterId, ...given } = parser.opts<ServerArguments & { readonly clusterId?: string }>();
  const options = { ...UNSET, ...given, ...clusterId === undefined ? {} : { expectedClusterId: clusterId } };
  checkTogether(parser, options);
  return options;
}

/** Checks the options against each other. */
function checkTogether(parser: Command, options: ServerArguments): void {
  if (options.electionTimeoutMs < 2 * options.heartbeatIntervalMs) {
    parser.error("error: --election-timeout-ms must be at least twice --heartbeat-interval-ms");
  }
  if (options.join && options.peers !== undefined) {
    parser.error("error: --join and --peers exclude each other: a node starts a cluster, or is added to one");
  }
  const self = options.peers?.find((peer) => peer.id === options.id);
  if (options.peers !== undefined && self === undefined) {
    parser.error(`error: --peers must name this node: ${options.id}=HOST:PORT is missing`);
  }
  if (self !== undefined && options.advertise !== undefined && self.address !== options.advertise) {
    parser.error(`error: --advertise is ${options.advertise}, but --peers has ${self.address} for ${options.id}`);
  }
}
