/**
 * Envelopes as protobuf messages. Arrivals are checked so far that the protocol
 * can rely on their types and numbers; the node decides whether they are meant
 * for it, and whether they are current.
 */

import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { decodeMembership, validateMembership } from "../../lib/raft/membership.ts";
import type {
  AppendEntries,
  Entry,
  EntryType,
  InstallSnapshot,
  InstallSnapshotResponse,
  Message,
  SnapshotMeta,
} from "../../lib/raft/types.ts";
import type { Envelope } from "../../lib/transport.ts";
import {
  bigIntegers,
  entryIndex,
  idString,
  malformed,
  MAX_ADDRESS_LENGTH,
  MAX_ID_LENGTH,
  present,
  safeInteger,
  safeIntegers,
  shortString,
  wellFormed,
} from "./checked.ts";
import type {
  AppendEntries as WireAppendEntries,
  Entry as WireEntry,
  EntrySchema,
  Envelope as WireEnvelope,
  InstallSnapshot as WireInstallSnapshot,
  SnapshotMeta as WireSnapshotMeta,
  SnapshotMetaSchema,
} from "./gen/raft/v1/peer_pb.ts";
import {
  EntryType as WireEntryType,
  EnvelopeSchema,
  InstallSnapshotStatus as WireSnapshotStatus,
} from "./gen/raft/v1/peer_pb.ts";
import { decodeMessage } from "./message_check.ts";
import { membershipFromWire, membershipToWire } from "./membership_codec.ts";

/** The most snapshot bytes in one message. */
export const MAX_CHUNK_BYTES: number = 256 * 1024;

/** The longest encoded membership: some thousands of members. */
const MAX_MEMBERSHIP_BYTES = 1024 * 1024;

const ENTRY_TYPES: Readonly<Record<EntryType, WireEntryType>> = {
  command: WireEntryType.COMMAND,
  noop: WireEntryType.NOOP,
  membership: WireEntryType.MEMBERSHIP,
};

const SNAPSHOT_STATUSES: Readonly<Record<InstallSnapshotResponse["status"], WireSnapshotStatus>> = {
  accepted: WireSnapshotStatus.ACCEPTED,
  installed: WireSnapshotStatus.INSTALLED,
  failed: WireSnapshotStatus.FAILED,
};

/** Returns the approximate size of an envelope on the wire, in bytes: enough for limits. */
export function envelopeSize(envelope: Envelope): number {
  const { message } = envelope;
  let size = 128;
  if (message.type === "InstallSnapshot") size += 256 + message.data.length;
  if (message.type === "AppendEntries") { for (const entry of message.entries) size += 24 + entry.data.length; }
  return size;
}

/** Encodes one envelope. */
export function encodeEnvelope(envelope: Envelope): Uint8Array<ArrayBuffer> {
  return toBinary(EnvelopeSchema, create(EnvelopeSchema, envelopeToWire(envelope)));
}

/**
 * Decodes the output of {@linkcode encodeEnvelope}. Entries and chunks are views of `bytes`.
 *
 * @throws {RaftError} `invalid_argument` for anything else
 */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  return envelopeFromWire(wellFormed("an envelope", () => decodeMessage(EnvelopeSchema, bytes)));
}

/** Returns the wire form of an envelope. */
export function envelopeToWire(envelope: Envelope): MessageInitShape<typeof EnvelopeSchema> {
  const { message, ...identity } = envelope;
  return { ...identity, message: messageToWire(message) };
}

/** Reads an envelope. @throws {RaftError} `invalid_argument` if a field is missing, unknown or out of range */
export function envelopeFromWire(wire: WireEnvelope): Envelope {
  return {
    protocolVersion: wire.protocolVersion,
    clusterId: shortString(wire.clusterId, MAX_ID_LENGTH, "clusterId"),
    from: idString(wire.from, "from"),
    fromIncarnation: shortString(wire.fromIncarnation, MAX_ID_LENGTH, "fromIncarnation"),
    fromAddress: shortString(wire.fromAddress, MAX_ADDRESS_LENGTH, "fromAddress"),
    to: idString(wire.to, "to"),
    toIncarnation: shortString(wire.toIncarnation, MAX_ID_LENGTH, "toIncarnation"),
    message: messageFromWire(wire.message),
  };
}

type WireMessage = NonNullable<MessageInitShape<typeof EnvelopeSchema>["message"]>;

/** The 64-bit numbers of each type of message. */
const NUMBERS = {
  requestVote: ["term", "lastLogIndex", "lastLogTerm"],
  appendEntries: ["term", "prevLogIndex", "prevLogTerm", "leaderCommit", "round"],
  appendEntriesResponse: ["term", "matchIndex", "prevLogIndex", "conflictIndex", "conflictTerm", "round"],
  installSnapshot: ["term", "round", "offset"],
  installSnapshotResponse: ["term", "round", "offset", "matchIndex"],
  term: ["term"],
} as const;

function messageToWire(message: Message): WireMessage {
  switch (message.type) {
    case "RequestVote":
      return { case: "requestVote", value: { ...message, ...bigIntegers(message, NUMBERS.requestVote) } };
    case "RequestVoteResponse":
      return { case: "requestVoteResponse", value: { ...message, ...bigIntegers(message, NUMBERS.term) } };
    case "AppendEntries": {
      const entries = message.entries.map(entryToWire);
      return { case: "appendEntries", value: { ...bigIntegers(message, NUMBERS.appendEntries), entries } };
    }
    case "AppendEntriesResponse": {
      const numbers = bigIntegers(message, NUMBERS.appendEntriesResponse);
      return { case: "appendEntriesResponse", value: { ...numbers, success: message.success } };
    }
    case "InstallSnapshot": {
      const snapshot = snapshotMetaToWire(message.snapshot);
      const numbers = bigIntegers(message, NUMBERS.installSnapshot);
      return { case: "installSnapshot", value: { ...numbers, snapshot, data: message.data } };
    }
    case "InstallSnapshotResponse": {
      const numbers = bigIntegers(message, NUMBERS.installSnapshotResponse);
      const status = SNAPSHOT_STATUSES[message.status];
      return { case: "installSnapshotResponse", value: { ...numbers, snapshotId: message.snapshotId, status } };
    }
    case "TimeoutNow":
      return { case: "timeoutNow", value: bigIntegers(message, NUMBERS.term) };
  }
}

function messageFromWire(wire: WireEnvelope["message"]): Message {
  switch (wire.case) {
    case undefined:
      throw malformed("its type is missing or unknown");
    case "requestVote": {
      const { preVote, leadershipTransfer } = wire.value;
      return { type: "RequestVote", ...safeIntegers(wire.value, NUMBERS.requestVote), preVote, leadershipTransfer };
    }
    case "requestVoteResponse": {
      const { voteGranted, preVote } = wire.value;
      return { type: "RequestVoteResponse", ...safeIntegers(wire.value, NUMBERS.term), voteGranted, preVote };
    }
    case "appendEntries":
      return appendEntriesFromWire(wire.value);
    case "appendEntriesResponse": {
      const numbers = safeIntegers(wire.value, NUMBERS.appendEntriesResponse);
      return { type: "AppendEntriesResponse", ...numbers, success: wire.value.success };
    }
    case "installSnapshot":
      return installSnapshotFromWire(wire.value);
    case "installSnapshotResponse": {
      const { snapshotId, status } = wire.value;
      return {
        type: "InstallSnapshotResponse",
        ...safeIntegers(wire.value, NUMBERS.installSnapshotResponse),
        snapshotId: idString(snapshotId, "snapshotId"),
        status: keyOf(SNAPSHOT_STATUSES, status, "a snapshot response's status"),
      };
    }
    case "timeoutNow":
      return { type: "TimeoutNow", ...safeIntegers(wire.value, NUMBERS.term) };
  }
}

function entryToWire(entry: Entry): MessageInitShape<typeof EntrySchema> {
  return {
    index: BigInt(entry.index),
    term: BigInt(entry.term),
    type: ENTRY_TYPES[entry.type],
    data: entry.data,
  };
}

function entryFromWire(wire: WireEntry): Entry {
  const type = keyOf(ENTRY_TYPES, wire.type, "an entry's type");
  if (type === "noop" && wire.data.length > 0) throw malformed("a noop has data");
  if (type === "membership" && wire.data.length > MAX_MEMBERSHIP_BYTES) throw malformed("a membership is too long");
  if (type === "membership") wellFormed("a membership", () => decodeMembership(wire.data));
  return {
    index: entryIndex(wire.index, "an entry's index"),
    term: safeInteger(wire.term, "term"),
    type,
    data: wire.data,
  };
}

/** Entries follow `prevLogIndex` without a gap, and terms never go down (§5.3). */
function appendEntriesFromWire(wire: WireAppendEntries): AppendEntries {
  const numbers = safeIntegers(wire, NUMBERS.appendEntries);
  const entries = wire.entries.map(entryFromWire);
  let { prevLogIndex: index, prevLogTerm: lastTerm } = numbers;
  for (const entry of entries) {
    if (entry.index !== ++index) throw malformed(`entry ${entry.index} stands where ${index} should be`);
    if (entry.term < lastTerm || entry.term > numbers.term) {
      throw malformed(`entry ${entry.index} has term ${entry.term}`);
    }
    lastTerm = entry.term;
  }
  return { type: "AppendEntries", ...numbers, entries };
}

function installSnapshotFromWire(wire: WireInstallSnapshot): InstallSnapshot {
  const numbers = safeIntegers(wire, NUMBERS.installSnapshot);
  const snapshot = snapshotMetaFromWire(present(wire.snapshot, "snapshot"));
  const { data } = wire;
  if (data.length > MAX_CHUNK_BYTES) throw malformed(`a chunk of ${data.length} bytes is over ${MAX_CHUNK_BYTES}`);
  if (numbers.offset + data.length > snapshot.size) throw malformed("a chunk ends after its snapshot");
  return { type: "InstallSnapshot", ...numbers, snapshot, data };
}

function snapshotMetaToWire(meta: SnapshotMeta): MessageInitShape<typeof SnapshotMetaSchema> {
  return {
    id: meta.id,
    index: BigInt(meta.index),
    term: BigInt(meta.term),
    membership: membershipToWire(meta.membership),
    size: BigInt(meta.size),
    checksum: meta.checksum,
  };
}

function snapshotMetaFromWire(wire: WireSnapshotMeta): SnapshotMeta {
  const membership = membershipFromWire(present(wire.membership, "a snapshot's membership"));
  wellFormed("a membership", () => validateMembership(membership));
  return {
    id: idString(wire.id, "a snapshot's id"),
    index: entryIndex(wire.index, "a snapshot's index"),
    term: safeInteger(wire.term, "a snapshot's term"),
    membership,
    size: safeInteger(wire.size, "a snapshot's size"),
    checksum: wire.checksum,
  };
}

/** Returns the name that stands for a number of the wire. @throws {RaftError} `invalid_argument` if none does */
export function keyOf<Key extends string>(names: Readonly<Record<Key, number>>, value: number, what: string): Key {
  for (const name in names) if (names[name] === value) return name;
  throw malformed(`${what} is unknown: ${value}`);
}
