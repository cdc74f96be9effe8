/**
 * Connections that are idle, slow, aborted, or too many.
 *
 * @module
 */

import { concatBytes } from "../../lib/bytes.ts";
import { fields, frame, head, opening } from "../fuzz/http2_inputs.ts";
import type { Attack, Flood } from "./attack.ts";
import { callHead, requestHead } from "./attack.ts";
import { pause } from "../fuzz/raw_socket.ts";

const RESET = { type: 3, cancel: Uint8Array.of(0, 0, 0, 8) };

/** Yields requests over HTTP/2 that are given up at once. */
function* resets(): Generator<Uint8Array> {
  const block = fields(head("GET", "/kv?limit=1000"));
  for (let stream = 1;;) {
    const frames = Array.from({ length: 50 }, () => {
      const pair = concatBytes([frame(1, 5, stream, block), frame(RESET.type, 0, stream, RESET.cancel)]);
      stream += 2;
      return pair;
    });
    yield concatBytes(frames);
  }
}

/** Yields a frame of HTTP/2 again and again, many at a time. */
function* repeated(one: Uint8Array): Generator<Uint8Array> {
  const many = concatBytes(new Array<Uint8Array>(500).fill(one));
  for (;;) yield many;
}

/** Frames of HTTP/2 that each cost an answer, or memory, and carry nothing. */
const CONTROL: readonly (readonly [first: Uint8Array, one: Uint8Array])[] = [
  [new Uint8Array(0), frame(6, 0, 0, new Uint8Array(8))],
  [new Uint8Array(0), frame(4, 0, 0, Uint8Array.of(0, 4, 0, 0, 255, 255))],
  [frame(1, 0, 1, fields(head("GET", "/livez"))), frame(9, 0, 1, fields([["x", "a".repeat(100)]]))],
  [frame(1, 4, 1, fields(head("PUT", "/kv/flood"))), frame(0, 0, 1)],
  [frame(1, 4, 1, fields(head("PUT", "/kv/flood"))), frame(8, 0, 0, Uint8Array.of(0, 0, 0, 1))],
  [frame(1, 4, 1, fields(head("PUT", "/kv/flood"))), frame(2, 0, 3, Uint8Array.of(0, 0, 0, 1, 1))],
];

/** Envelopes of senders that don't exist, each with an address of its own. */
async function forgedSenders(attack: Attack): Promise<void> {
  const { id, clusterId } = attack.target;
  let next = 0;
  await attack.repeat(2, async () => {
    const envelopes = Array.from({ length: 100 }, () => {
      const number = next++;
      return {
        protocolVersion: 1,
        clusterId,
        from: `x${number}`,
        fromIncarnation: "q",
        to: id,
        fromAddress: `127.0.0.${1 + number % 200}:9`,
        requestVote: { term: "1", preVote: true },
      };
    });
    const body = JSON.stringify({ envelopes });
    const text = callHead("PeerService/Send", "json", `content-length: ${body.length}`) + body;
    await attack.stream(text, [], true);
    await pause(20);
  });
}

/** Connections. */
export const CONNECTION_FLOODS: readonly Flood[] = [
  {
    name: "5,000 idle and half-open connections",
    async run(attack) {
      for (let round = 0; round < 10; round++) {
        await attack.holdMany(250, "");
        await attack.holdMany(250, "GET /livez HTTP/1.1\r\nx-a: ");
      }
      await attack.rest();
    },
  },
  {
    name: "1,200 bodies that stop",
    async run(attack) {
      await attack.holdMany(600, requestHead("PUT /kv/slow", "content-length: 1000000") + "x", true);
      await attack.holdMany(
        600,
        callHead("ClientService/Propose", "proto", "content-length: 1000000") + "x",
        true,
      );
      await attack.rest();
    },
  },
  {
    name: "2,000 silent streams of peers",
    async run(attack) {
      await attack.holdMany(2000, callHead("PeerService/Stream", "connect+proto", "transfer-encoding: chunked"), true);
      await attack.rest();
    },
  },
  { name: "rapid resets over HTTP/2", run: (attack) => attack.repeat(2, () => attack.stream(opening(), resets())) },
  {
    name: "control frames of HTTP/2, answers unread",
    run(attack) {
      let next = 0;
      return attack.repeat(6, () => {
        const [first, one] = CONTROL[next++ % CONTROL.length]!;
        return attack.stream(concatBytes([opening(), first]), repeated(one), false);
      });
    },
  },
  { name: "forged senders with addresses of their own", run: forgedSenders },
  {
    name: "500 connections beyond the open files",
    openFiles: 130,
    async run(attack) {
      await attack.holdMany(500, "");
      await attack.rest();
    },
  },
];
