/**
 * Clients that ask for much and read little, and calls that wait.
 *
 * @module
 */

import { concatBytes } from "../../lib/bytes.ts";
import { fields, frame, head, opening } from "../fuzz/http2_inputs.ts";
import { pause } from "../fuzz/raw_socket.ts";
import type { Attack, Flood } from "./attack.ts";
import { callHead, putValues, requestHead } from "./attack.ts";

const MIB = 1024 * 1024;
const LARGE = 1_000_000;
const VALUES = 16;
const LANES = 40;
const PROPOSE = "/raft.v1.ClientService/Propose";
const LIST = requestHead("GET /kv?limit=10000");

/** Writes large values at intervals, so that each watcher has something to be sent. */
async function writeBeside(attack: Attack): Promise<void> {
  const body = new Uint8Array(LARGE).fill(118);
  for (let at = 0; !attack.over; at++) {
    const sent = fetch(`${attack.target.address}/kv/flood/watched${at % VALUES}`, { method: "PUT", body });
    await sent.then((response) => response.body?.cancel(), () => {});
    await pause(200);
  }
}

/** Streams of one HTTP/2 connection that ask for something, and have no window to be sent it. */
function withoutWindow(path: string, streams: number): Uint8Array {
  const block = fields(head("GET", path));
  const frames = Array.from({ length: streams }, (_, at) => frame(1, 5, 2 * at + 1, block));
  return concatBytes([opening(Uint8Array.of(0, 4, 0, 0, 0, 0)), ...frames]);
}

/** Batches of 8 MB, many at a time. */
async function proposals(attack: Attack): Promise<void> {
  const length = Uint8Array.of(0x0a, ...[0, 7, 14].map((bits) => (LARGE >>> bits & 127) | (bits < 14 ? 128 : 0)));
  const body = Uint8Array.from(concatBytes(new Array<Uint8Array[]>(8).fill([length, new Uint8Array(LARGE)]).flat()));
  await attack.post(LANES, PROPOSE, body, { "content-type": "application/proto" });
}

/** Batches in JSON, as large as they may be. */
async function proposalsInJson(attack: Attack): Promise<void> {
  const body = JSON.stringify({ commands: new Array<string>(3).fill(btoa("\0".repeat(LARGE))) });
  await attack.post(LANES, PROPOSE, body, { "content-type": "application/json" });
}

/** Pages that never read what is relayed to them, and parcels for them. */
async function parcels(attack: Attack): Promise<void> {
  for (let page = 0; page < 200 && !attack.over; page++) {
    const message = JSON.stringify({ page: `p${page}`, addresses: [`tab:v${page}`] });
    const size = [24, 16, 8, 0].map((bits) => String.fromCharCode(message.length >>> bits & 255)).join("");
    const text = callHead("RelayService/Attach", "connect+json", `content-length: ${5 + message.length}`);
    attack.hold(Uint8Array.from(`${text}\0${size}${message}`, (character) => character.charCodeAt(0)));
  }
  const packet = btoa("z".repeat(MIB));
  let number = 0;
  await attack.repeat(2, async () => {
    number++;
    const to = `tab:v${1 + number % 199}`;
    const body = JSON.stringify({
      page: "p0",
      number: String(number),
      parcels: [{ to, from: "tab:v0", packet }, { to, from: "tab:v0", packet }],
    });
    const url = `${attack.target.address}/raft.v1.RelayService/Forward`;
    const headers = { "content-type": "application/json" };
    attack.opened++;
    const response = await fetch(url, { method: "POST", headers, body }).catch(() => null);
    await response?.body?.cancel();
    if (response === null || !response.ok) attack.refused++;
  });
}

/** Readers. */
export const READER_FLOODS: readonly Flood[] = [
  {
    name: "3,000 watchers of values of 1 MB, unread",
    async run(attack) {
      await attack.holdMany(3000, requestHead("GET /kv?watch"));
      await writeBeside(attack);
    },
  },
  {
    name: "10,000 watches over HTTP/2 without a window",
    async run(attack) {
      await attack.holdMany(50, withoutWindow("/kv?watch", 200));
      await writeBeside(attack);
    },
  },
  {
    name: "100 lists of megabytes, unread",
    prepare: (target) => putValues(target, 60, LARGE),
    async run(attack) {
      await attack.holdMany(100, LIST);
      await attack.rest();
    },
  },
  {
    name: "250 pipelines of 20 lists of megabytes, unread",
    prepare: (target) => putValues(target, VALUES, LARGE),
    async run(attack) {
      await attack.holdMany(250, LIST.repeat(20));
      await attack.rest();
    },
  },
  {
    name: "10,000 lists over HTTP/2 without a window",
    prepare: (target) => putValues(target, VALUES, LARGE),
    async run(attack) {
      await attack.holdMany(50, withoutWindow("/kv?limit=10000", 200));
      await attack.rest();
    },
  },
  {
    name: "pipelines of small requests, unread",
    async run(attack) {
      await attack.holdMany(200, requestHead("GET /status").repeat(2000));
      await attack.rest();
    },
  },
  { name: "proposals of 8 MB, 40 at a time", run: proposals },
  { name: "proposals of 4 MB in JSON, 40 at a time", run: proposalsInJson },
  { name: "parcels for pages that don't read", run: parcels },
  { name: "proposals of 8 MB for a leader that hangs", hangsLeader: true, run: proposals },
  { name: "proposals in JSON for a leader that hangs", hangsLeader: true, run: proposalsInJson },
];
