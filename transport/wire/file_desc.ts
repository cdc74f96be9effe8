/**
 * Descriptors of the generated messages, made by hand.
 *
 * Protobuf-ES keeps a file's descriptor as bytes, reads them by the schema of
 * descriptor.proto, and makes of them what its functions need. That takes more
 * than all of our messages together: a sixth of what a page with a node in it
 * loads. Ours use a small part of Protobuf, so that they can be written down as
 * text, and made directly. descriptor_text.ts writes the text, and refuses what
 * this does not know.
 *
 * The text is a list of items: `+Message`, `=Enum` or `:Service`, and after each
 * its fields (`name number type oneof`, where the type ends in `*` if repeated
 * and in `?` if optional), its values (`NAME number`), or its methods (`Name
 * Input Output kind`).
 *
 * @module
 */

import type {
  DescEnum,
  DescField,
  DescFile,
  DescMessage,
  DescMethod,
  DescOneof,
  DescService,
} from "@bufbuild/protobuf";
import type { GenFile } from "@bufbuild/protobuf/codegenv2";

/** All our files are in it. */
export const PACKAGE = "raft.v1";
/** Scalar types by their number in descriptor.proto. */
export const SCALARS: readonly string[] =
  "- double float int64 uint64 int32 fixed64 fixed32 bool string group message bytes uint32".split(" ");
export const ITEM = ";";

const [EXPLICIT, IMPLICIT] = [1, 2];
const EDITION_PROTO3 = 999;

type Made<T> = { -readonly [K in keyof T]: T[K] };
/** What is the same in every kind of descriptor. */
const common = { proto: {}, deprecated: false };

/**
 * For generated code: a file's descriptor.
 *
 * @internal
 */
export function fileDesc(name: string, text: string, imports: readonly GenFile[] = []): GenFile {
  const file = {
    ...common,
    kind: "file",
    proto: { name: `${name}.proto`, package: PACKAGE },
    edition: EDITION_PROTO3,
    name,
    dependencies: imports,
    enums: [] as DescEnum[],
    messages: [] as DescMessage[],
    extensions: [],
    services: [] as DescService[],
    toString: () => `file ${name}.proto`,
  };
  const made = file as unknown as GenFile;
  const items = text.split(ITEM);
  // First whatever a field may be of, then the fields.
  for (const item of items) {
    if (item.startsWith("+")) file.messages.push(message(made, item.slice(1)));
    else if (item.startsWith("=")) file.enums.push(enumeration(made, item.slice(1)));
    else if (item.startsWith(":")) file.services.push(service(made, item.slice(1)));
  }
  let add: (words: string[]) => void = () => {};
  const types = [made, ...imports];
  const next = { "+": file.messages.values(), "=": file.enums.values(), ":": file.services.values() };
  for (const item of items) {
    const mark = item[0];
    if (mark === "+") add = addField.bind(null, next[mark].next().value!, types);
    else if (mark === "=") add = addValue.bind(null, next[mark].next().value!);
    else if (mark === ":") add = addMethod.bind(null, next[mark].next().value!, types);
    else add(item.split(" "));
  }
  return made;
}

function message(file: DescFile, name: string): DescMessage {
  const typeName = `${PACKAGE}.${name}`;
  const nested = { nestedEnums: [], nestedMessages: [], nestedExtensions: [] };
  const parts = { fields: [], field: {}, oneofs: [], members: [], ...nested };
  const made = { ...common, kind: "message", file, parent: undefined, name, typeName, ...parts };
  return { ...made, toString: () => `message ${typeName}` } as unknown as DescMessage;
}

function enumeration(file: DescFile, name: string): DescEnum {
  const typeName = `${PACKAGE}.${name}`;
  const sharedPrefix = `${name[0]}${name.slice(1).replace(/[A-Z]/g, "_$&")}_`.toLowerCase();
  const parts = { open: true, value: {}, values: [], sharedPrefix };
  const made = { ...common, kind: "enum", file, parent: undefined, name, typeName, ...parts };
  return { ...made, toString: () => `enum ${typeName}` } as unknown as DescEnum;
}

function service(file: DescFile, name: string): DescService {
  const typeName = `${PACKAGE}.${name}`;
  const made = { ...common, kind: "service", file, name, typeName, methods: [], method: {} };
  return { ...made, toString: () => `service ${typeName}` } as unknown as DescService;
}

function addField(parent: DescMessage, types: readonly DescFile[], words: string[]): void {
  const [name = "", number, kind = "", group] = words;
  const [, type = "", mark] = /^(\w+)(.?)$/.exec(kind)!;
  const repeated = mark === "*";
  const scalar = SCALARS.indexOf(type);
  const ofMessage = find(types, "messages", type);
  const ofEnum = find(types, "enums", type);
  const single = ofMessage ? "message" : ofEnum ? "enum" : "scalar";
  const oneof = group === undefined ? undefined : oneofOf(parent, group);
  const localName = camelCase(name);
  const field = {
    ...common,
    kind: "field",
    name,
    number: Number(number),
    scalar: scalar < 0 ? undefined : scalar,
    message: ofMessage,
    enum: ofEnum,
    presence: !repeated && (oneof || mark === "?" || ofMessage) ? EXPLICIT : IMPLICIT,
    utf8Validation: true,
    fieldKind: repeated ? "list" : single,
    listKind: repeated ? single : undefined,
    mapKind: undefined,
    mapKey: undefined,
    delimitedEncoding: ofMessage ? false : undefined,
    packed: repeated ? !ofMessage && type !== "string" && type !== "bytes" : undefined,
    longAsString: false,
    getDefaultValue: repeated ? undefined : () => undefined,
    parent,
    oneof,
    localName,
    jsonName: localName,
    toString: () => `field ${parent.typeName}.${name}`,
  } as unknown as DescField;
  parent.fields.push(field);
  parent.field[localName] = field;
  if (oneof === undefined) parent.members.push(field);
  else oneof.fields.push(field);
}

/** The group of this name, which comes into being with its first field. */
function oneofOf(parent: DescMessage, name: string): DescOneof {
  const known = parent.oneofs.find((oneof) => oneof.name === name);
  if (known !== undefined) return known;
  const toString = (): string => `oneof ${parent.typeName}.${name}`;
  const made = { ...common, kind: "oneof", parent, fields: [], name, localName: camelCase(name), toString };
  const oneof = made as unknown as DescOneof;
  parent.oneofs.push(oneof);
  parent.members.push(oneof);
  return oneof;
}

function addValue(parent: DescEnum, [name = "", digits]: string[]): void {
  const number = Number(digits);
  const localName = name.slice(parent.sharedPrefix!.length);
  const made = { ...common, kind: "enum_value", parent, name, localName, number, jsonName: name };
  const value = { ...made, toString: () => `enum value ${parent.typeName}.${name}` };
  parent.values.push(value as unknown as DescEnum["values"][number]);
  parent.value[number] = value as unknown as DescEnum["values"][number];
}

function addMethod(parent: DescService, types: readonly DescFile[], words: string[]): void {
  const [name = "", input = "", output = "", methodKind = "unary"] = words;
  const localName = `${name[0]?.toLowerCase()}${name.slice(1)}`;
  const method = {
    ...common,
    kind: "rpc",
    parent,
    name,
    localName,
    methodKind,
    input: find(types, "messages", input),
    output: find(types, "messages", output),
    idempotency: 0,
    toString: () => `rpc ${parent.typeName}.${name}`,
  } as unknown as DescMethod;
  parent.methods.push(method);
  (parent.method as Made<DescService["method"]>)[localName] = method;
}

function find<K extends "messages" | "enums">(types: readonly DescFile[], kind: K, name: string) {
  for (const file of types) {
    const found = (file[kind] as readonly DescFile[K][number][]).find((type) => type.name === name);
    if (found !== undefined) return found;
  }
  return undefined;
}

function camelCase(name: string): string {
  return name.replace(/_(\w)/g, (_, next: string) => next.toUpperCase());
}
