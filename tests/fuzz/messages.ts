/**
 * Random messages of any type, by their descriptors.
 *
 * @module
 */

import { create, ScalarType } from "@bufbuild/protobuf";
import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import type { Draw } from "./draw.ts";

/** The most elements of a list, but for the outermost one. */
const MAX_ELEMENTS = 4;
const MAX_DEPTH = 5;
/** The largest size of a field of bytes, and that of an element of a long list. */
const MAX_BYTES = 300_000;
const MAX_LISTED_BYTES = 30;

/** Returns a message of this type in which any field may have any value. */
export function randomMessage(desc: DescMessage, draw: Draw, depth = 0): Message {
  const message: Record<string, unknown> = {};
  for (const member of desc.members) {
    if (member.kind === "oneof") {
      const field = draw.pick([null, ...member.fields]);
      if (field !== null) message[member.localName] = { case: field.localName, value: valueOf(field, draw, depth) };
    } else if (draw.chance(0.8)) message[member.localName] = valueOf(member, draw, depth);
  }
  return create(desc, message);
}

function valueOf(field: DescField, draw: Draw, depth: number): unknown {
  if (field.fieldKind === "list") {
    const many = depth === 0 && draw.chance(0.1);
    const count = many ? draw.size(5000) : draw.whole(0, MAX_ELEMENTS);
    // Many equal elements cost the server as much as different ones, and the sender less.
    const some = Array.from({ length: Math.min(count, MAX_ELEMENTS) }, () => {
      return many ? listed(field, draw) : single(field, draw, depth);
    });
    return Array.from({ length: count }, (_, at) => some[at % MAX_ELEMENTS]);
  }
  return single(field, draw, depth);
}

/** Returns a small element of a long list. */
function listed(field: DescField, draw: Draw): unknown {
  if (field.message !== undefined) return create(field.message);
  return field.scalar === ScalarType.BYTES ? draw.bytes(draw.size(MAX_LISTED_BYTES)) : single(field, draw, MAX_DEPTH);
}

function single(field: DescField, draw: Draw, depth: number): unknown {
  if (field.message !== undefined) {
    return depth >= MAX_DEPTH ? create(field.message) : randomMessage(field.message, draw, depth + 1);
  }
  if (field.enum !== undefined) return draw.whole(0, field.enum.values.length);
  return scalar(field, draw);
}

function scalar(field: DescField, draw: Draw): unknown {
  switch (field.scalar) {
    case ScalarType.STRING:
      return field.name.includes("address") ? draw.address() : draw.text();
    case ScalarType.BYTES:
      return draw.bytes(draw.size(draw.chance(0.05) ? MAX_BYTES : 300));
    case ScalarType.BOOL:
      return draw.chance(0.5);
    case ScalarType.UINT32:
      return draw.pick([0, 1, 2 ** 31, 2 ** 32 - 1, draw.whole(0, 2 ** 32 - 1)]);
    case ScalarType.UINT64:
      return draw.number();
    case ScalarType.DOUBLE:
      return draw.pick([0, -1, NaN, Infinity, 1e300]);
    default:
      throw new Error(`no choice for the type of ${field.name}`);
  }
}
