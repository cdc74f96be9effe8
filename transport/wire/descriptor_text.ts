/**
 * Descriptors as the text that file_desc.ts reads, and back. For generate.ts, and
 * for tests: nothing of it is part of a program.
 *
 * @module
 */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import {
  type DescriptorProto,
  type FieldDescriptorProto,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  type MethodDescriptorProto,
} from "@bufbuild/protobuf/wkt";
import { ITEM, PACKAGE, SCALARS } from "./file_desc.ts";

/** The text of a descriptor as protoc-gen-es writes it. @throws {Error} if the text can't say all of it */
export function descriptorText(base64: string): { readonly name: string; readonly text: string } {
  const bytes = base64Decode(base64);
  const proto = fromBinary(FileDescriptorProtoSchema, bytes);
  const name = proto.name.replace(/\.proto$/, "");
  const text = [
    ...proto.messageType.flatMap((one) => [`+${one.name}`, ...one.field.map((field) => fieldText(one, field))]),
    ...proto.enumType.flatMap((one) => [`=${one.name}`, ...one.value.map(({ name, number }) => `${name} ${number}`)]),
    ...proto.service.flatMap((one) => [`:${one.name}`, ...one.method.map(methodText)]),
  ].join(ITEM);
  const fields = proto.messageType.flatMap(({ field }) => field);
  const enums = new Set(fields.filter(({ type }) => type === Type.ENUM).map(({ typeName }) => shortName(typeName)));
  // What is said in another way than is known here, or not at all, shows now.
  const again = descriptorOf(name, text, [], (type) => enums.has(type));
  const whole = toBinary(FileDescriptorProtoSchema, { ...proto, dependency: [] });
  if (toBinary(FileDescriptorProtoSchema, again).join() === whole.join()) return { name, text };
  throw new Error(`file_desc.ts can't tell all of ${proto.name}`);
}

/** The descriptor that a text is of. @param isEnum tells of the types that are named */
export function descriptorOf(
  name: string,
  text: string,
  dependency: string[],
  isEnum: (type: string) => boolean,
): FileDescriptorProto {
  const groups = new Map<string, string[][]>();
  let group: string[][] = [];
  for (const item of text.split(ITEM)) {
    if (/^\w/.test(item)) group.push(item.split(" "));
    else groups.set(item, group = []);
  }
  const marked = <T>(mark: string, make: (name: string, items: string[][]) => T): T[] =>
    [...groups].filter(([head]) => head.startsWith(mark)).map(([head, items]) => make(head.slice(1), items));
  return create(FileDescriptorProtoSchema, {
    ...{ name: `${name}.proto`, package: PACKAGE, syntax: "proto3", dependency },
    messageType: marked("+", (name, items) => ({ name, ...messageParts(items, isEnum) })),
    enumType: marked("=", (name, items) => ({
      name,
      value: items.map(([name = "", number]) => ({ name, number: Number(number) })),
    })),
    service: marked(":", (name, items) => ({ name, method: items.map(methodOf) })),
  });
}

function fieldText({ oneofDecl }: DescriptorProto, field: FieldDescriptorProto): string {
  const { name, number, type, typeName, label, proto3Optional, oneofIndex } = field;
  const kind = typeName === "" ? SCALARS[type] : shortName(typeName);
  const mark = label === Label.REPEATED ? "*" : proto3Optional ? "?" : "";
  const inOneof = Object.hasOwn(field, "oneofIndex") && !proto3Optional;
  return `${name} ${number} ${kind}${mark}${inOneof ? ` ${oneofDecl[oneofIndex]?.name}` : ""}`;
}

function messageParts(items: string[][], isEnum: (type: string) => boolean) {
  const oneofs = new Set(items.flatMap(([, , , oneof]) => oneof ?? []));
  // An optional field is a group of its own, after all others.
  const optional = items.filter(([, , kind]) => kind?.endsWith("?")).map(([name]) => `_${name}`);
  const groups = [...oneofs, ...optional];
  const field = items.map(([name = "", number, kind = "", oneof]) => {
    const type = kind.replace(/\W$/, "");
    const scalar = SCALARS.indexOf(type);
    const group = groups.indexOf(kind.endsWith("?") ? `_${name}` : oneof ?? "");
    return {
      name,
      number: Number(number),
      label: kind.endsWith("*") ? Label.REPEATED : Label.OPTIONAL,
      type: scalar > 0 ? scalar as Type : isEnum(type) ? Type.ENUM : Type.MESSAGE,
      ...(scalar > 0 ? {} : { typeName: `.${PACKAGE}.${type}` }),
      ...(group < 0 ? {} : { oneofIndex: group }),
      ...(kind.endsWith("?") ? { proto3Optional: true } : {}),
    };
  });
  return { field, oneofDecl: groups.map((name) => ({ name })) };
}

function methodText({ name, inputType, outputType, clientStreaming, serverStreaming }: MethodDescriptorProto): string {
  const kind = clientStreaming
    ? serverStreaming ? " bidi_streaming" : " client_streaming"
    : serverStreaming
    ? " server_streaming"
    : "";
  return `${name} ${shortName(inputType)} ${shortName(outputType)}${kind}`;
}

function methodOf([name = "", input, output, kind = ""]: string[]) {
  return {
    name,
    inputType: `.${PACKAGE}.${input}`,
    outputType: `.${PACKAGE}.${output}`,
    ...(/^(bidi|client)/.test(kind) ? { clientStreaming: true } : {}),
    ...(/^(bidi|server)/.test(kind) ? { serverStreaming: true } : {}),
  };
}

/** All our types are in one package, and none in another. */
function shortName(typeName: string): string {
  const name = typeName.slice(PACKAGE.length + 2);
  if (`.${PACKAGE}.${name}` === typeName && /^\w+$/.test(name)) return name;
  throw new Error(`${typeName} is of another package, or lies in another type`);
}
