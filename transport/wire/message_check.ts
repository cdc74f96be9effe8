/**
 * Checks of encoded messages before they are decoded. Two bytes are enough for an
 * element that takes a hundred times as much once it is an object, so limits
 * that are looked at after decoding come too late.
 */

import { type DescField, type DescMessage, fromBinary, type MessageShape, ScalarType } from "@bufbuild/protobuf";
import { RaftError, withoutStack } from "../../lib/errors.ts";
import { malformed } from "./checked.ts";

/** The most commands in one call. */
export const MAX_COMMANDS = 4096;

/** The most fields in one message, those of nested messages included. */
export const MAX_FIELDS: number = 256 * 1024;

/** The longest string, in bytes. Ids and addresses are shorter; this leaves room for the text of errors. */
const MAX_STRING_BYTES: number = 64 * 1024;

/** The most elements of a repeated field in one message, however the message nests them. */
const DEFAULT_MAX_ELEMENTS = 4096;
const MAX_ELEMENTS: { readonly [field: string]: number } = {
  "raft.v1.StreamRequest.envelopes": 1024,
  "raft.v1.SendRequest.envelopes": 1024,
  "raft.v1.AppendEntries.entries": 64 * 1024,
  "raft.v1.ProposeRequest.commands": MAX_COMMANDS,
  "raft.v1.ChangeMembershipRequest.voters": 1024,
  "raft.v1.ChangeMembershipRequest.learners": 1024,
  "raft.v1.AttachRequest.addresses": 64,
  "raft.v1.AnnounceRequest.addresses": 64,
};

const VARINT = 0;
const FIXED_64 = 1;
const DELIMITED = 2;
const FIXED_32 = 5;

/** A field, as far as checks need it. */
interface Rule {
  readonly field: DescField;
  readonly wireType: number;
  /** Counts the elements so far, unless the field is singular. */
  readonly maxElements: number;
  readonly isString: boolean;
  readonly isBytes: boolean;
  /** The rules of its message. */
  readonly nested: () => Rules | undefined;
}

interface Rules {
  readonly byNumber: ReadonlyMap<number, Rule>;
  readonly byName: ReadonlyMap<string, Rule>;
}

/** The elements and fields of one message so far. */
interface Counts {
  fields: number;
  readonly elements: Map<Rule, number>;
}

const RULES = new WeakMap<DescMessage, Rules>();

function rulesOf(desc: DescMessage): Rules {
  let rules = RULES.get(desc);
  if (rules === undefined) {
    const all = desc.fields.map(ruleOf);
    rules = {
      byNumber: new Map(all.map((rule) => [rule.field.number, rule])),
      byName: new Map(all.flatMap((rule) => [[rule.field.jsonName, rule], [rule.field.name, rule]])),
    };
    RULES.set(desc, rules);
  }
  return rules;
}

function ruleOf(field: DescField): Rule {
  const { message, scalar } = field;
  const repeated = field.fieldKind === "list" || field.fieldKind === "map";
  return {
    field,
    // Lists of packed numbers, which no message has, are delimited too.
    wireType: repeated ? DELIMITED : wireTypeOf(field),
    maxElements: repeated ? MAX_ELEMENTS[`${field.parent.typeName}.${field.name}`] ?? DEFAULT_MAX_ELEMENTS : Infinity,
    isString: scalar === ScalarType.STRING,
    isBytes: scalar === ScalarType.BYTES,
    nested: () => message === undefined ? undefined : rulesOf(message),
  };
}

function wireTypeOf({ message, scalar }: DescField): number {
  if (message !== undefined) return DELIMITED;
  switch (scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return DELIMITED;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return FIXED_64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return FIXED_32;
    default:
      return VARINT;
  }
}

/**
 * Checks a binary message without decoding it: the structure, and the limits of
 * its numbers of elements and fields. Looks at each tag and skips each value.
 *
 * @throws {RaftError} `invalid_argument` or `too_large` for the first part that is wrong
 */
export function checkMessage(desc: DescMessage, bytes: Uint8Array): void {
  new BinaryCheck(bytes).message(rulesOf(desc), bytes.length);
}

/** Decodes a message that is within the limits. Its bytes are views of `bytes`; unknown fields are dropped. @throws */
export function decodeMessage<Desc extends DescMessage>(desc: Desc, bytes: Uint8Array): MessageShape<Desc> {
  checkMessage(desc, bytes);
  return fromBinary(desc, bytes, { readUnknownFields: false });
}

class BinaryCheck {
  readonly #bytes: Uint8Array;
  readonly #counts: Counts = { fields: 0, elements: new Map() };
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Checks the fields of a message up to `end`. Nesting is as deep as the known messages, none of which contains itself. */
  message(rules: Rules, end: number): void {
    while (this.#at < end) {
      const tag = this.#uint32(end);
      const rule = rules.byNumber.get(tag >>> 3);
      const wireType = tag & 7;
      if (tag < 8 || (rule !== undefined && rule.wireType !== wireType)) {
        throw malformed("the type of a field is wrong");
      }
      countField(this.#counts);
      if (rule !== undefined) countElement(this.#counts, rule);
      if (wireType === DELIMITED) this.#delimited(rule, end);
      else this.#skip(wireType, end);
    }
  }

  #delimited(rule: Rule | undefined, end: number): void {
    const length = this.#uint32(end);
    const valueEnd = this.#at + length;
    if (valueEnd > end) throw malformed("a field ends after its message");
    if (rule?.isString && length > MAX_STRING_BYTES) throw tooLong(rule);
    const nested = rule?.nested();
    if (nested !== undefined) this.message(nested, valueEnd);
    this.#at = valueEnd;
  }

  #skip(wireType: number, end: number): void {
    if (wireType === VARINT) this.#varint(end);
    else if (wireType === FIXED_64) this.#at += 8;
    else if (wireType === FIXED_32) this.#at += 4;
    // Groups, which no message has and which would nest without end, and unknown types.
    else throw malformed("the type of a field is wrong");
    if (this.#at > end) throw malformed("a field ends after its message");
  }

  /** Reads a tag or a length. A longer one is refused, because the decoder would take its last 32 bits for all of it. */
  #uint32(end: number): number {
    const start = this.#at;
    const value = this.#varint(end);
    if (this.#at - start > 5 || value > 0xffffffff) throw malformed("a tag or a length is too long");
    return value;
  }

  /** Reads a number; exactly, if it is of no more than 32 bits. */
  #varint(end: number): number {
    let value = 0;
    let factor = 1;
    for (let length = 1; length <= 10 && this.#at < end; length++) {
      const byte = this.#bytes[this.#at++]!;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      factor *= 128;
    }
    throw malformed("a number is cut off, or too long");
  }
}

function countField(counts: Counts): void {
  if (++counts.fields > MAX_FIELDS) throw tooMany(MAX_FIELDS, "fields");
}

function countElement({ elements }: Counts, rule: Rule): void {
  if (rule.maxElements === Infinity) return;
  const count = (elements.get(rule) ?? 0) + 1;
  if (count > rule.maxElements) throw tooMany(rule.maxElements, rule.field.name.replaceAll("_", " "));
  elements.set(rule, count);
}

function tooMany(limit: number, what: string): RaftError {
  return withoutStack(() => new RaftError("too_large", `a message carries at most ${limit} ${what}`));
}

function tooLong({ field }: Rule): RaftError {
  return malformed(`${field.name} is longer than ${MAX_STRING_BYTES}`);
}

/** The most values in a JSON message. JSON is for tools: nodes and clients send binary messages. */
const MAX_JSON_VALUES = 16 * 1024;
const MAX_JSON_DEPTH = 32;
/** The longest number, be it text or not: parsing a long one takes more than linear time. */
const MAX_NUMBER_LENGTH = 64;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Checks a message in JSON as {@linkcode checkMessage} does: first its bytes, so
 * that parsing it costs little, then the values against the fields.
 *
 * @throws {RaftError} `invalid_argument` or `too_large`
 */
export function checkJson(desc: DescMessage, bytes: Uint8Array): void {
  countJson(bytes);
  let value: unknown;
  try {
    value = withoutStack(() => JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    throw malformed("the body is not JSON");
  }
  checkObject(rulesOf(desc), value, { fields: 0, elements: new Map() });
}

/** Checks the number and the depth of values, and the length of numbers, in JSON that may be malformed. */
function countJson(bytes: Uint8Array): void {
  let values = 1;
  let depth = 0;
  let bare = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) at = stringEnd(bytes, at);
    const opens = byte === 0x5b || byte === 0x7b;
    if (opens || byte === 0x2c) values++;
    if (opens) depth++;
    else if (byte === 0x5d || byte === 0x7d) depth--;
    bare = byte > 0x20 && byte !== 0x2c && byte !== 0x3a ? bare + 1 : 0;
    if (opens || byte === QUOTE) bare = 0;
    if (values > MAX_JSON_VALUES) throw tooMany(MAX_JSON_VALUES, "values in JSON");
    if (depth > MAX_JSON_DEPTH) throw malformed(`it nests deeper than ${MAX_JSON_DEPTH}`);
    if (bare > MAX_NUMBER_LENGTH) throw malformed(`a number is longer than ${MAX_NUMBER_LENGTH}`);
  }
}

/** Returns where the string that begins at `at` ends. Looks for each quote at once: strings may have megabytes. */
function stringEnd(bytes: Uint8Array, at: number): number {
  for (let end = bytes.indexOf(QUOTE, at + 1); end >= 0; end = bytes.indexOf(QUOTE, end + 1)) {
    let backslashes = 0;
    while (bytes[end - 1 - backslashes] === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
  return bytes.length;
}

function checkObject(rules: Rules, value: unknown, counts: Counts): void {
  // The decoder refuses another type.
  if (typeof value !== "object" || value === null) return;
  for (const [name, part] of Object.entries(value)) {
    const rule = rules.byName.get(name);
    if (rule === undefined) continue;
    for (const item of Array.isArray(part) ? part : [part]) {
      countElement(counts, rule);
      checkValue(rule, item, counts);
    }
  }
}

function checkValue(rule: Rule, value: unknown, counts: Counts): void {
  const nested = rule.nested();
  if (nested !== undefined) return checkObject(nested, value, counts);
  if (typeof value !== "string" || rule.isBytes) return;
  if (value.length > (rule.isString ? MAX_STRING_BYTES : MAX_NUMBER_LENGTH)) throw tooLong(rule);
}
