/** A terminal, an environment and a cluster in memory. */

import { RaftError } from "../../../lib/errors.ts";
import type { Member } from "../../../lib/raft/types.ts";
import type { PeerStatus, Suffrage } from "../../../lib/node/types.ts";
import type { CliIo } from "../../../server/cli/io.ts";
import type { LogTools } from "../../../server/cli/log_tools.ts";
import type { NewMember } from "../../../lib/client/admin_calls.ts";
import type { KeyValueList, KeyValueListOptions } from "../../../lib/kv/client.ts";
import type { CompareResult } from "../../../lib/kv/commands.ts";
import type { ExpectedVersion, VersionedValue } from "../../../lib/kv/commands.ts";
import type { Consistency } from "../../../lib/node/types.ts";
import type { Remote, RemoteCallOptions } from "../../../server/cli/connect_remote.ts";
import { run } from "../../../server/cli/run.ts";
import type { StatusDocument } from "../../../server/status.ts";

/** The output and the exit code of a run. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly bytes: Uint8Array;
  /** The servers that the run connected to, if any. */
  readonly endpoints: readonly string[] | null;
}

/** The members as `--json` prints them. */
export interface MemberList {
  readonly clusterId: string;
  readonly leader: string | null;
  readonly members: readonly (Member & { readonly suffrage: Suffrage })[];
  readonly membershipIndex: number;
  readonly membershipCommitted: boolean;
}

type Call = RemoteCallOptions;
type Read = Call & { readonly consistency: Consistency };
type List = Read & Omit<KeyValueListOptions, "startAfter"> & {
  readonly limit: number;
  readonly startAfter?: Uint8Array;
};

/** The calls of all clients of a cluster. */
export interface FakeRemote extends Pick<Remote, "status" | "watch" | "close"> {
  put(
    key: Uint8Array,
    value: Uint8Array,
    expected: ExpectedVersion | undefined,
    options: Call,
  ): Promise<CompareResult>;
  delete(key: Uint8Array, expected: ExpectedVersion | undefined, options: Call): Promise<CompareResult>;
  get(key: Uint8Array, options: Read): Promise<VersionedValue | null>;
  list(options: List): Promise<KeyValueList>;
  listMembers(options: Call): Promise<MemberList>;
  addMember(member: NewMember, options: Call): Promise<void>;
  promoteMember(id: string, options: Call): Promise<void>;
  demoteMember(id: string, options: Call): Promise<void>;
  removeMember(id: string, options: Call): Promise<void>;
  transferLeadership(to: string | null, options: Call): Promise<string>;
  takeSnapshot(endpoint: string, options: Call): Promise<number>;
}

function remoteOf(some: Partial<FakeRemote>): Remote {
  const fake = only<FakeRemote>(some);
  const keys = {
    compareAndSet: (key: Uint8Array, expected: ExpectedVersion | undefined, value: Uint8Array | null, options: Call) =>
      value === null ? fake.delete(key, expected, options) : fake.put(key, value, expected, options),
    get: async (key: Uint8Array, options: Read) => ({
      value: undefined,
      version: 0,
      revision: 0,
      ...await fake.get(key, options),
    }),
    list: (options: List) => fake.list(options),
  };
  const admin = {
    async members(options: Call) {
      const { leader, ...list } = await fake.listMembers(options);
      return { ...list, leader: leader === null ? null : { id: leader, address: "" } };
    },
    add: (member: NewMember, options: Call) => fake.addMember(member, options),
    promote: (id: string, options: Call) => fake.promoteMember(id, options),
    demote: (id: string, options: Call) => fake.demoteMember(id, options),
    remove: (id: string, options: Call) => fake.removeMember(id, options),
    transferLeadership: (to: string | undefined, options: Call) => fake.transferLeadership(to ?? null, options),
    takeSnapshot: (endpoint: string, options: Call) => fake.takeSnapshot(endpoint, options),
  };
  return {
    status: (endpoint, options) => fake.status(endpoint, options),
    watch: (endpoint, prefix, from, options) => fake.watch(endpoint, prefix, from, options),
    keys: () => Promise.resolve(keys as unknown as Awaited<ReturnType<Remote["keys"]>>),
    admin: () => Promise.resolve(admin as unknown as Awaited<ReturnType<Remote["admin"]>>),
    close: () => some.close?.() ?? Promise.resolve(),
  };
}

/** The environment of one run. */
export interface World {
  readonly remote?: Partial<FakeRemote>;
  readonly log?: Partial<LogTools>;
  readonly env?: Record<string, string>;
  readonly stdin?: readonly Uint8Array[] | AsyncIterable<Uint8Array>;
  readonly terminal?: boolean;
  readonly signal?: AbortSignal;
}

/** Fails the test on a call that it does not expect. */
function only<T extends object>(methods: Partial<T>): T {
  return new Proxy(methods as T, {
    get(target, name) {
      if (name in target || name === "then") return Reflect.get(target, name);
      return () => {
        throw new Error(`${String(name)} was not expected`);
      };
    },
  });
}

/** Runs a command. */
export async function cli(args: readonly string[], world: World = {}): Promise<Ran> {
  const bytes: number[] = [];
  let err = "";
  let endpoints: readonly string[] | null = null;
  const encoder = new TextEncoder();
  const stdin = world.stdin ?? [];
  const io: CliIo = {
    stdout: {
      isTerminal: world.terminal === true,
      write(data) {
        for (const byte of typeof data === "string" ? encoder.encode(data) : data) bytes.push(byte);
        return Promise.resolve();
      },
    },
    stderr: {
      isTerminal: world.terminal === true,
      write(data) {
        err += data;
        return Promise.resolve();
      },
    },
    stdin: {
      isTerminal: false,
      async *read() {
        yield* stdin;
      },
    },
    env: world.env ?? {},
    signal: world.signal ?? new AbortController().signal,
  };
  const code = await run(args, io, {
    connect(given) {
      endpoints = given;
      return remoteOf(world.remote ?? {});
    },
    log: only<LogTools>(world.log ?? {}),
  });
  const written = Uint8Array.from(bytes);
  return { code, out: new TextDecoder().decode(written), err, bytes: written, endpoints };
}

/** Returns the error document that `--json` writes to standard error. */
export function errorOf({ err }: Ran): Record<string, unknown> {
  return (JSON.parse(err) as { error: Record<string, unknown> }).error;
}

/** Three voters and a learner. */
export const MEMBERS: readonly (Member & { readonly suffrage: Suffrage })[] = ["n1", "n2", "n3", "n4"].map((
  id,
  at,
) => ({
  id,
  address: `http://127.0.0.1:700${at + 1}`,
  incarnation: `folder-${id}`,
  suffrage: at === 3 ? "learner" : "voter",
}));

/** Returns the status of a node, with n2 as the leader. */
export function statusOf(id: string, more: Partial<StatusDocument> = {}): StatusDocument {
  const peer = (of: string, matchIndex: number): PeerStatus => ({
    id: of,
    matchIndex,
    nextIndex: matchIndex + 1,
    state: "replicate",
    lastContactMs: 10,
  });
  return {
    id,
    incarnation: `folder-${id}`,
    clusterId: "c1",
    lifecycle: "running",
    role: id === "n2" ? "leader" : "follower",
    term: 3,
    leader: { id: "n2", address: "http://127.0.0.1:7002" },
    commitIndex: 120,
    appliedIndex: 120,
    durableIndex: 120,
    lastIndex: 120,
    firstIndex: 1,
    snapshotIndex: 100,
    members: MEMBERS,
    membership: { voters: ["n1", "n2", "n3"], outgoing: [], learners: ["n4"], learnersNext: [], members: MEMBERS },
    membershipIndex: 1,
    membershipCommitted: true,
    removed: false,
    peers: id === "n2" ? [peer("n1", 120), peer("n3", 90), peer("n4", 0)] : [],
    storage: { healthy: true, error: null },
    uptimeMs: 65_000,
    version: "0.1.0",
    ...more,
  };
}

/** Returns the leader's peers; it has not heard those that do not answer for a minute. */
function peersOf(answers: Record<string, unknown>): readonly PeerStatus[] {
  return statusOf("n2").peers.map((peer) => ({ ...peer, lastContactMs: peer.id in answers ? 10 : 60_000 }));
}

/** Answers for each node by id; the others can't be reached. */
export function statuses(answers: Record<string, Partial<StatusDocument>>): Pick<Remote, "status"> {
  return {
    status(endpoint) {
      const id = MEMBERS.find(({ address }) => address === endpoint)?.id;
      const answer = id === undefined ? undefined : answers[id];
      const { host } = new URL(endpoint);
      return id === undefined || answer === undefined
        ? Promise.reject(new RaftError("unreachable", `no server answers at ${host}`))
        : Promise.resolve(statusOf(id, { ...(id === "n2" ? { peers: peersOf(answers) } : {}), ...answer }));
    },
  };
}
