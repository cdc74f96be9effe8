/**
 * State machines over values instead of bytes.
 */

import { ByteReader, ByteWriter, concatBytes } from "../bytes.ts";
import type { ClientRequestOptions, Coordinator } from "../client/coordinator.ts";
import { RaftError } from "../errors.ts";
import type { Consistency } from "../node/types.ts";
import type { AppliedCommand, StateMachine } from "../state_machine.ts";

/** Turns values into bytes and back. */
export interface Codec<Value> {
  /** Returns the bytes of a value; equal on every node. */
  encode(value: Value): Uint8Array;
  /** Reads a value that was written by this or an older version of the state machine. */
  decode(bytes: Uint8Array, version: number): Value;
}

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder("utf-8", { fatal: true });

/** Returns the codec of values as JSON. Older versions are not migrated. */
export function jsonCodec<Value>(): Codec<Value> {
  return {
    encode: (value) => utf8Encoder.encode(JSON.stringify(value ?? null)),
    decode: (bytes) => JSON.parse(utf8Decoder.decode(bytes)) as Value,
  };
}

/** A state machine over values. It must be deterministic: no clock, no random source, no I/O. */
export interface TypedDefinition<State, Command, Answer, Query, Reading> {
  /**
   * The version of state and commands, from 1, written with each of them. A node stops
   * at a command of a newer version before anything changes, and refuses the leader's
   * snapshots of one: upgrade all nodes before any client sends commands of a new version.
   */
  readonly version: number;
  /** Returns the state before the first command. */
  initial(): State;
  /** Carries a command out by changing the state, and returns the answer. An exception stops the node. */
  apply(state: State, command: Command): Answer;
  /** Answers a query without changing the state. */
  query(state: State, query: Query): Reading;
  /** The bytes of the values. @default JSON */
  readonly codecs?: {
    readonly state?: Codec<State>;
    readonly command?: Codec<Command>;
    readonly answer?: Codec<Answer>;
    readonly query?: Codec<Query>;
    readonly reading?: Codec<Reading>;
  };
}

/** The part of a definition that a client needs. */
export type TypedCodecs<Command, Answer, Query, Reading> = Pick<
  TypedDefinition<unknown, Command, Answer, Query, Reading>,
  "version" | "codecs"
>;

/** Returns the state machine of a definition, for a node; wrap it in `Sessions` as any other. */
export function typedStateMachine<State, Command, Answer, Query, Reading>(
  definition: TypedDefinition<State, Command, Answer, Query, Reading>,
): StateMachine {
  const { version, codecs = {} } = definition;
  const stateCodec = codecs.state ?? jsonCodec<State>();
  const commandCodec = codecs.command ?? jsonCodec<Command>();
  const answerCodec = codecs.answer ?? jsonCodec<Answer>();
  const queryCodec = codecs.query ?? jsonCodec<Query>();
  const readingCodec = codecs.reading ?? jsonCodec<Reading>();
  let state = definition.initial();
  return {
    apply: ({ data }: AppliedCommand): Uint8Array =>
      answered(
        () => readVersioned(data, version, commandCodec, "a command"),
        (command) => answerCodec.encode(definition.apply(state, command)),
      ),
    query: (bytes) =>
      answered(
        () => readVersioned(bytes, version, queryCodec, "a query"),
        (query) => readingCodec.encode(definition.query(state, query)),
      ),
    snapshot(): AsyncIterable<Uint8Array> {
      // Captured now: the state changes while the snapshot is written.
      return once(writeVersioned(state, version, stateCodec));
    },
    restoresAtomically: true,
    async restore(snapshot: AsyncIterable<Uint8Array>): Promise<void> {
      const chunks: Uint8Array[] = [];
      for await (const chunk of snapshot) chunks.push(chunk.slice());
      state = readVersioned(concatBytes(chunks), version, stateCodec, "a snapshot");
    },
  };
}

/** Proposes commands and reads values. The caller closes the cluster's client. */
export class TypedClient<Command, Answer, Query, Reading> {
  readonly #definition: TypedCodecs<Command, Answer, Query, Reading>;
  readonly #cluster: TypedCluster;

  /** Creates a client of the cluster that replicates the definition's state machine. */
  constructor(definition: TypedCodecs<Command, Answer, Query, Reading>, cluster: TypedCluster) {
    this.#definition = definition;
    this.#cluster = cluster;
  }

  /** Proposes a command, and returns the answer. @throws {RaftError} see `Coordinator.propose` */
  async propose(command: Command, options: ClientRequestOptions = {}): Promise<Answer> {
    const { version, codecs = {} } = this.#definition;
    const bytes = writeVersioned(command, version, codecs.command ?? jsonCodec<Command>());
    const { result } = await this.#cluster.propose(bytes, options);
    return (codecs.answer ?? jsonCodec<Answer>()).decode(answerOf(result), version);
  }

  /** Asks the state machine. @throws {RaftError} see `Coordinator.read` */
  async read(query: Query, options: TypedReadOptions = {}): Promise<Reading> {
    const { version, codecs = {} } = this.#definition;
    const bytes = writeVersioned(query, version, codecs.query ?? jsonCodec<Query>());
    const { result } = await this.#cluster.read(bytes, options);
    return (codecs.reading ?? jsonCodec<Reading>()).decode(answerOf(result), version);
  }
}

/** Options of {@linkcode TypedClient.read}. */
export interface TypedReadOptions extends ClientRequestOptions {
  /** How fresh the answer must be. @default "linearizable" */
  readonly consistency?: Consistency;
}

/** A cluster that replicates a typed state machine. A Coordinator is one. */
export type TypedCluster = Pick<Coordinator, "propose" | "read">;

/** The first byte of commands, queries and snapshots. */
const MARK = 0x54;
const ANSWERED = 0;
const MALFORMED = 1;

/** Answers an unreadable request with an error; throws only for data of a newer version. */
function answered<Value>(read: () => Value, answer: (value: Value) => Uint8Array): Uint8Array {
  let value: Value;
  try {
    value = read();
  } catch (error) {
    if (error instanceof RaftError) throw error;
    return Uint8Array.of(MALFORMED);
  }
  const bytes = answer(value);
  return new ByteWriter(bytes.length + 1).byte(ANSWERED).raw(bytes).finish();
}

/** @throws {RaftError} `invalid_argument` if the state machine could not read the request; nothing was changed then */
function answerOf(result: Uint8Array): Uint8Array {
  if (result[0] === ANSWERED) return result.subarray(1);
  throw new RaftError("invalid_argument", "the state machine could not read the request");
}

function writeVersioned<Value>(value: Value, version: number, codec: Codec<Value>): Uint8Array {
  const bytes = codec.encode(value);
  return new ByteWriter(bytes.length + 10).byte(MARK).varint(version).raw(bytes).finish();
}

function readVersioned<Value>(bytes: Uint8Array, version: number, codec: Codec<Value>, what: string): Value {
  const reader = new ByteReader(bytes);
  if (reader.byte() !== MARK) throw new RangeError("not a typed value");
  const written = reader.varint();
  if (written > version) {
    throw new RaftError("unsupported_version", `${what} of version ${written}, but only ${version} is known here`, {
      hint: "Upgrade this node.",
    });
  }
  return codec.decode(reader.rest(), written);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  await Promise.resolve();
  yield bytes;
}
