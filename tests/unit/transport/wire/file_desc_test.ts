import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { create, createFileRegistry, type DescFile, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { GenFile } from "@bufbuild/protobuf/codegenv2";
import { base64Encode } from "@bufbuild/protobuf/wire";
import { type FieldDescriptorProtoSchema, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { descriptorOf, descriptorText } from "../../../../transport/wire/descriptor_text.ts";
import { fileDesc } from "../../../../transport/wire/file_desc.ts";

const GENERATED = new URL("../../../../transport/wire/gen/raft/v1/", import.meta.url);

/** A descriptor as plain data: what stands above it, and other messages, by name. */
function plain(value: unknown, depth = 0): unknown {
  if (typeof value === "function") return undefined;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => plain(item, depth));
  const { kind, typeName, name } = value as { kind?: string; typeName?: string; name?: string };
  const isReference = depth > 0 && (kind === "file" || kind === "message" || kind === "enum" || kind === "oneof");
  if (isReference && depth > 1) return `${kind} ${typeName ?? name}`;
  const fields = Object.entries(value).filter(([key]) => key !== "proto" && key !== "parent" && key !== "file");
  return Object.fromEntries(fields.map(([key, item]) => [key, plain(item, depth + 1)]));
}

/** What a generated file says of itself. */
interface Described {
  readonly name: string;
  readonly text: string;
  readonly imports: readonly string[];
}

function described(source: string): Described {
  const [, name = "", text = "", , imports = ""] = /fileDesc\("([^"]+)", "([^"]+)"(, \[([^\]]*)\])?\)/.exec(source) ??
    [];
  return { name, text, imports: imports.split(", ").filter((other) => other !== "") };
}

Deno.test("generated code: the descriptors are those that Protobuf-ES itself makes", async () => {
  const files = new Map<string, Described>();
  for (const name of await readdir(GENERATED)) {
    const source = await readFile(new URL(name, GENERATED), "utf8");
    files.set(`file_raft_v1_${name.replace("_pb.ts", "")}`, described(source));
  }
  const enums = new Set(
    [...files.values()].flatMap(({ text }) => [...text.matchAll(/=(\w+)/g)].map(([, name]) => name)),
  );
  const made = new Map<string, readonly [GenFile, DescFile]>();
  const make = (id: string): readonly [GenFile, DescFile] => {
    const before = made.get(id);
    if (before !== undefined) return before;
    const { name, text, imports } = files.get(id)!;
    const needed = imports.map(make);
    const proto = descriptorOf(name, text, needed.map(([, { proto }]) => proto.name), (type) => enums.has(type));
    // The compiler leaves these to whoever reads the descriptor.
    for (const field of proto.messageType.flatMap(({ field }) => field)) field.jsonName = camelCase(field.name);
    const registry = createFileRegistry(proto, (name) => needed.find(([, { proto }]) => proto.name === name)?.[1]);
    const both = [fileDesc(name, text, needed.map(([ours]) => ours)), registry.getFile(proto.name)!] as const;
    made.set(id, both);
    return both;
  };
  for (const id of files.keys()) {
    const [ours, theirs] = make(id);
    assert.deepEqual(plain(ours), plain(theirs), id);
    assert.ok(theirs.messages.length > 0 && theirs.messages.every(({ fields }) => fields !== undefined));
  }
  assert.ok(made.size >= 8);
});

function camelCase(name: string): string {
  return name.replace(/_(\w)/g, (_, next: string) => next.toUpperCase());
}

/** A descriptor with one message, which has one field. */
function descriptor(field: MessageInitShape<typeof FieldDescriptorProtoSchema>): string {
  const messageType = [{ name: "M", field: [field] }];
  const proto = { name: "f.proto", package: "raft.v1", syntax: "proto3", messageType };
  return base64Encode(toBinary(FileDescriptorProtoSchema, create(FileDescriptorProtoSchema, proto)));
}

Deno.test("generated code: a descriptor that the text can't tell as a whole is refused", () => {
  const field = { name: "a", number: 1, label: 1, type: 9 } as const;
  assert.deepEqual(descriptorText(descriptor(field)), { name: "f", text: "+M;a 1 string" });
  assert.throws(() => descriptorText(descriptor({ ...field, defaultValue: "b" })), /can't tell all of f.proto/);
  assert.throws(() => descriptorText(descriptor({ ...field, options: { deprecated: true } })), /can't tell all/);
  const foreign = { ...field, type: 11, typeName: ".google.protobuf.Any" } as const;
  assert.throws(() => descriptorText(descriptor(foreign)), /of another package/);
});
