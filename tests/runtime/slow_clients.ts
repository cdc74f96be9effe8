/**
 * Clients that ask and don't read, on real sockets: the runtimes differ in what they buffer for them.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import * as http2 from "node:http2";
import * as net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Readable } from "node:stream";
import { createLogger } from "../../server/log.ts";
import { type Server, type ServerOptions, startServer } from "../../server/server.ts";
import { eventually } from "../support/server_processes.ts";
import type { Suite } from "./portable.ts";

const MIB = 1024 * 1024;

/** Runs a server of one node. */
async function withServer(options: Partial<ServerOptions>, run: (server: Server) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "raft-slow-"));
  const data = join(folder, "n1");
  const logger = createLogger("text", {}, () => {});
  const { port } = await freePort();
  const peers = [{ id: "n1", address: `http://127.0.0.1:${port}` }];
  const server = await startServer({ id: "n1", data, peers, logger, ...options });
  try {
    await server.running;
    await eventually("it leads", () => server.status().role === "leader");
    await run(server);
  } finally {
    await server.close();
    await rm(folder, { recursive: true });
  }
}

async function freePort(): Promise<{ readonly port: number }> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return { port };
}

async function put({ address }: Server, key: string, value: Uint8Array<ArrayBuffer> | string): Promise<number> {
  const response = await fetch(`${address}/kv/${key}`, { method: "PUT", body: value });
  return (await response.json() as { readonly version: number }).version;
}

async function metric({ address }: Server, name: string): Promise<number> {
  const text = await (await fetch(`${address}/metrics`)).text();
  return Number(text.split("\n").find((line) => line.startsWith(`${name} `))?.slice(name.length + 1));
}

/** A client that sends one request and reads only when asked. */
interface RawClient {
  /** Reads to the end of the connection, or until `enough`, which sees the latest part of the text. */
  read(enough?: (text: string) => boolean): Promise<string>;
  close(): void;
}

async function http1(server: Server, path: string): Promise<RawClient> {
  const socket = net.connect(server.port, "127.0.0.1");
  await once(socket, "connect");
  socket.pause();
  socket.on("error", () => {});
  socket.write(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1:${server.port}\r\n\r\n`);
  return { read: (enough) => collect(socket, enough), close: () => socket.destroy() };
}

async function h2(server: Server, path: string): Promise<RawClient> {
  const session = http2.connect(server.address);
  session.on("error", () => {});
  const stream = session.request({ ":path": path });
  stream.on("error", () => {});
  stream.pause();
  await once(stream, "response");
  return { read: (enough) => collect(stream, enough), close: () => session.destroy() };
}

/** The end of what was read before, within which a searched text may have begun. */
const TAIL_LENGTH = 100;

function collect(stream: Readable, enough: (text: string) => boolean = () => false): Promise<string> {
  const parts: string[] = [];
  let latest = "";
  return new Promise((resolve) => {
    const done = (): void => resolve(parts.join(""));
    stream.on("data", (chunk: Uint8Array) => {
      const part = new TextDecoder("latin1").decode(chunk);
      parts.push(part);
      latest = latest.slice(-TAIL_LENGTH) + part;
      // Not in all of the text, megabytes for each of a thousand parts.
      if (enough(latest)) done();
    });
    // A stream that was reset has lost what it had buffered.
    if (stream.destroyed) return done();
    for (const end of ["end", "close", "error"]) stream.once(end, done);
    stream.resume();
  });
}

const CLIENTS = { "HTTP/1.1": http1, "HTTP/2": h2 } as const;

/** The suite. */
export const slowClients: Suite = {
  name: "clients that don't read",
  cases: Object.entries(CLIENTS).flatMap(([protocol, open]) => [
    {
      name: `${protocol}: a stalled watcher is ended by the timeout, others are not; it resumes without a gap`,
      run: () =>
        withServer({ watchStallTimeoutMs: 3000 }, async (server) => {
          const first = await put(server, "begin", "0");
          const stalled = await open(server, `/kv?watch&from=${first}`);
          const reads = await open(server, `/kv?watch&from=${first}`);
          const seen = reads.read((text) => text.includes('"key":"last"'));
          await eventually("both watch", async () => await metric(server, "raft_watchers") === 2);
          // More than sockets buffer, less than the history.
          for (let at = 0; at < 12; at++) await put(server, `k${at}`, new Uint8Array(MIB).fill(97 + at));
          await eventually("one is ended", async () => await metric(server, "raft_watchers") === 1);
          assert.equal(await metric(server, 'raft_watches_ended_total{reason="slow"}'), 1);
          await put(server, "last", "1");
          assert.equal((await seen).match(/^event: put$/gm)?.length, 14);
          const text = await stalled.read();
          stalled.close();
          reads.close();
          // The changes that it has completely, then a reason or a cut.
          const ids = [...text.matchAll(/^id: (\d+)\n(?:event: put\ndata: .*)\r?\n/gm)].map(([, id]) => Number(id));
          assert.ok(ids.length < 14, "it was not stalled");
          const from = (ids.at(-1) ?? first - 1) + 1;
          const resumed = await open(server, `/kv?watch&from=${from}`);
          const rest = await resumed.read((text) => text.includes('"key":"last"'));
          resumed.close();
          const others = [...rest.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
          assert.equal(others[0], from);
          assert.equal(others.length, 14 - ids.length);
        }),
    },
    {
      name: `${protocol}: hundreds of stalled watchers and a value of 1 MiB take little memory`,
      run: () =>
        withServer({}, async (server) => {
          const clients = await Promise.all(Array.from({ length: 200 }, () => open(server, "/kv?watch")));
          await eventually("all watch", async () => await metric(server, "raft_watchers") === 200);
          const before = process.memoryUsage().rss;
          for (let at = 0; at < 6; at++) await put(server, `k${at}`, new Uint8Array(MIB).fill(97));
          // Copies for each watcher would be 1.2 GB.
          const grown = (process.memoryUsage().rss - before) / MIB;
          assert.ok(grown < 350, `${grown} MiB`);
          const began = performance.now();
          await put(server, "beside", "1");
          assert.ok(performance.now() - began < 5000);
          for (const client of clients) client.close();
          await eventually("no watcher is left", async () => await metric(server, "raft_watchers") === 0);
          assert.equal(await metric(server, "raft_watch_buffered_bytes"), 0);
        }),
    },
    {
      name: `${protocol}: large answers that are not read are bounded, then broken off`,
      run: () =>
        withServer({ maxAnswerBytes: 8 * MIB, answerStallTimeoutMs: 1000 }, async (server) => {
          for (let at = 0; at < 8; at++) await put(server, `k${at}`, new Uint8Array(MIB).fill(97));
          const clients = [];
          // Sockets buffer some megabytes each.
          for (let at = 0; at < 24; at++) clients.push(await open(server, `/kv/k${at % 8}`));
          await eventually("they stall", async () => await metric(server, "raft_answer_bytes") > 0);
          assert.ok(await metric(server, "raft_answer_bytes") <= 8 * MIB);
          await eventually("all are broken off, or were sent", async () => {
            return await metric(server, "raft_answer_bytes") === 0;
          });
          assert.equal((await (await fetch(`${server.address}/kv/k1`)).arrayBuffer()).byteLength, MIB);
          for (const client of clients) client.close();
        }),
    },
  ]),
};
