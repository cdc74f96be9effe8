/**
 * Requests that are small, or never whole, and would be dear to receive.
 *
 * @module
 */

import { gzipSync } from "node:zlib";
import { concatBytes } from "../../lib/bytes.ts";
import type { Attack, Flood } from "./attack.ts";
import { callHead, requestHead } from "./attack.ts";

const MIB = 1024 * 1024;
const PROTO = { "content-type": "application/proto" };
const JSON_TYPE = { "content-type": "application/json" };

/** Returns a message of `count` empty elements of its first field. */
function emptyElements(count: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(2 * count);
  for (let at = 0; at < bytes.length; at += 2) bytes[at] = 0x0a;
  return bytes;
}

/** Yields the same chunk without end. */
function* endless<T>(chunk: T): Generator<T> {
  for (;;) yield chunk;
}

/** Yields a body of one-byte chunks, 16,384 of them at a time, behind a first part. */
function* tinyChunks(first = ""): Generator<string> {
  if (first !== "") yield `${first.length.toString(16)}\r\n${first}\r\n`;
  yield* endless("1\r\n\0\r\n".repeat(16 * 1024));
}

const CHUNKED = "transfer-encoding: chunked";

/** Compressed messages that would be 200 MB, in each place where a client may say that something is compressed. */
async function bombs(attack: Attack): Promise<void> {
  const bomb = gzipSync(new Uint8Array(200 * MIB));
  const frame = concatBytes([Uint8Array.of(1, ...[24, 16, 8, 0].map((bits) => bomb.length >>> bits)), bomb]);
  const length = (bytes: Uint8Array) => `content-length: ${bytes.length}`;
  const requests: readonly (readonly [head: string, body: Uint8Array])[] = [
    [requestHead("PUT /kv/bomb", "content-encoding: gzip", length(bomb)), bomb],
    [callHead("ClientService/Propose", "proto", "content-encoding: gzip", length(bomb)), bomb],
    [callHead("PeerService/Send", "proto", "content-encoding: gzip", length(bomb)), bomb],
    [callHead("AdminService/AddMember", "json", "content-encoding: gzip", length(bomb)), bomb],
    [callHead("PeerService/Stream", "connect+proto", "connect-content-encoding: gzip", length(frame)), frame],
    [callHead("ClientService/Propose", "grpc-web+proto", "grpc-encoding: gzip", length(frame)), frame],
  ];
  let next = 0;
  await attack.repeat(4, async () => {
    const [head, body] = requests[next++ % requests.length]!;
    await attack.stream(head, [body]);
  });
}

/** Messages and bodies. */
export const MESSAGE_FLOODS: readonly Flood[] = [
  {
    name: "16 MB of empty envelopes",
    run: (attack) => attack.post(2, "/raft.v1.PeerService/Send", emptyElements(8 * MIB), PROTO),
  },
  {
    name: "8 MB of empty commands",
    run: (attack) => attack.post(2, "/raft.v1.ClientService/Propose", emptyElements(4 * MIB), PROTO),
  },
  {
    name: "a million commands in JSON",
    run(attack) {
      const body = `{"commands":[${new Array<string>(MIB).fill('""').join(",")}]}`;
      return attack.post(2, "/raft.v1.ClientService/Propose", body, JSON_TYPE);
    },
  },
  {
    name: "bodies of megabytes that never end",
    async run(attack) {
      const blob = new Uint8Array(MIB);
      const peers = callHead("PeerService/Send", "proto", `content-length: ${64 * MIB - 1}`);
      const clients = callHead("ClientService/Propose", "proto", `content-length: ${16 * MIB - 1}`);
      const send = (head: string, mib: number) => attack.stream(head, new Array<Uint8Array>(mib).fill(blob));
      await attack.repeat(52, () => attack.opened % 4 === 0 ? send(peers, 62) : send(clients, 15));
    },
  },
  {
    name: "streams of peers in one-byte chunks",
    run: (attack) =>
      attack.repeat(
        4,
        () => attack.stream(callHead("PeerService/Stream", "connect+proto", CHUNKED), tinyChunks("\0\x01\0\0\0")),
      ),
  },
  {
    name: "bodies in one-byte chunks",
    run(attack) {
      const heads = [requestHead("PUT /kv/tiny", CHUNKED), callHead("ClientService/Propose", "proto", CHUNKED)];
      return attack.repeat(4, () => attack.stream(heads[attack.opened % heads.length]!, tinyChunks()));
    },
  },
  { name: "compressed messages of 200 MB", run: bombs },
];
