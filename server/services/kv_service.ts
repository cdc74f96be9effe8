/**
 * KeyValueService: {@linkcode KeyValueCalls} on the wire.
 */

import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { RaftError } from "../../lib/errors.ts";
import type { ExpectedVersion } from "../../lib/kv/commands.ts";
import type { KeyValueChange } from "../../lib/kv/watch.ts";
import { encodedStream, framed } from "../../transport/connect/encoded_stream.ts";
import { safeInteger } from "../../transport/wire/checked.ts";
import { ChangeType, type KeyValueService, WatchResponseSchema } from "../../transport/wire/gen/raft/v1/kv_pb.ts";
import type { CompareAndSetRequest, WatchResponse } from "../../transport/wire/gen/raft/v1/kv_pb.ts";
import { consistencyFromWire } from "../../transport/wire/status_codec.ts";
import type { KeyValueCalls } from "./kv.ts";

/** Returns the service to mount. */
export function keyValueService(calls: KeyValueCalls): ServiceImpl<typeof KeyValueService> {
  const { keys } = calls;
  return {
    async put({ key, value }, { signal }) {
      return { version: BigInt((await keys.put(key, value, { signal })).version) };
    },
    async get({ key, consistency }, { signal }) {
      const { value, version } = await keys.get(key, { signal, consistency: consistencyFromWire(consistency) });
      return value === undefined ? {} : { item: { key, value, version: BigInt(version) } };
    },
    async delete({ key, ifVersion }, { signal }) {
      const expected = ifVersion === undefined ? undefined : safeInteger(ifVersion, "if_version");
      const answer = await keys.compareAndSet(key, expected, null, { signal });
      if (!answer.ok) return { deleted: false, version: BigInt(answer.currentVersion) };
      return { deleted: answer.previousVersion !== 0, version: BigInt(answer.previousVersion) };
    },
    async compareAndSet(request, { signal }) {
      const answer = await keys.compareAndSet(request.key, conditionOf(request), request.value, { signal });
      return answer.ok
        ? { written: true, version: BigInt(answer.version) }
        : { written: false, version: BigInt(answer.currentVersion) };
    },
    async list({ prefix, limit, startAfter, consistency }, { signal }) {
      const answer = await calls.list({
        prefix,
        ...(startAfter.length === 0 ? {} : { startAfter }),
        ...(limit === 0 ? {} : { limit }),
        signal,
        consistency: consistencyFromWire(consistency),
      });
      return {
        items: answer.entries.map(({ key, value, version }) => ({ key, value, version: BigInt(version) })),
        more: answer.more,
      };
    },
    async *watch({ prefix, fromVersion: from }, { signal, values }) {
      const fromVersion = from === undefined ? null : safeInteger(from, "from_version");
      const answer = values.get(encodedStream);
      if (answer === null) throw new RaftError("unsupported", "a watch needs a stream of its own");
      const { format, body: stream } = answer;
      const encode = format === "json" ? encodeJson : encodeBinary;
      for await (const frame of calls.watchEncoded({ prefix, fromVersion, signal, stream, format, encode })) {
        answer.send(frame);
        yield {};
      }
    },
  };
}

function messageOf({ type, key, value, version }: KeyValueChange): WatchResponse {
  return create(WatchResponseSchema, {
    changes: [{
      type: type === "put" ? ChangeType.PUT : ChangeType.DELETE,
      key,
      value: value ?? new Uint8Array(0),
      version: BigInt(version),
    }],
    version: BigInt(version),
  });
}

function encodeBinary(change: KeyValueChange): Uint8Array {
  return framed(toBinary(WatchResponseSchema, messageOf(change)));
}

function encodeJson(change: KeyValueChange): Uint8Array {
  return framed(new TextEncoder().encode(toJsonString(WatchResponseSchema, messageOf(change))));
}

function conditionOf({ condition }: CompareAndSetRequest): ExpectedVersion {
  switch (condition.case) {
    case "ifVersion":
      return safeInteger(condition.value, "if_version");
    case "ifExists":
      return condition.value ? "any" : 0;
    default:
      throw new RaftError("invalid_argument", "a compare-and-set needs a condition");
  }
}
