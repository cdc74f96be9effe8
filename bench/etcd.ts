/**
 * The same load on three nodes of etcd, for a ratio in the same run: gRPC over one
 * connection to the leader, with one call for each operation.
 */

import type { ChildProcess } from "node:child_process";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import type { ClientHttp2Session } from "node:http2";
import { connect } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { eventually, freePort } from "../tests/support/server_processes.ts";
import type { Loads } from "./processes.ts";
import { loadTarget } from "./processes.ts";

const VALUE = new Uint8Array(100).fill(7);

/** Returns the version of the etcd on the PATH; `null` if there is none. */
export function etcdVersion(): string | null {
  try {
    const { stdout } = spawnSync("etcd", ["--version"], { encoding: "utf8" });
    return /etcd Version: (\S+)/.exec(stdout ?? "")?.[1] ?? null;
  } catch {
    return null;
  }
}

/** Starts three nodes, and measures them under the loads. */
export async function loadEtcd(seconds: number, limit: number): Promise<Loads> {
  const folder = mkdtempSync(join(tmpdir(), "raft-core-etcd-"));
  const children: ChildProcess[] = [];
  const clients: Client[] = [];
  try {
    const nodes = await Promise.all([1, 2, 3].map(async (n) => {
      return {
        name: `e${n}`,
        client: `http://127.0.0.1:${await freePort()}`,
        peer: `http://127.0.0.1:${await freePort()}`,
      };
    }));
    const cluster = nodes.map(({ name, peer }) => `${name}=${peer}`).join(",");
    for (const { name, client, peer } of nodes) {
      const flags = ["--name", name, "--data-dir", join(folder, name), "--initial-cluster", cluster];
      const urls = ["--listen-client-urls", client, "--advertise-client-urls", client];
      const peers = ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer];
      children.push(spawn("etcd", [...flags, ...urls, ...peers], { stdio: "ignore" }));
    }
    const leader = await eventually("etcd has a leader", async () => {
      for (const { client } of nodes) {
        const candidate = new Client(client);
        clients.push(candidate);
        if (await candidate.leads().catch(() => false)) return candidate;
        candidate.close();
      }
      return null;
    });
    return await loadTarget(leader, seconds, limit);
  } finally {
    for (const client of clients) client.close();
    await Promise.all(children.map((child) =>
      new Promise<void>((resolve) => {
        child.once("close", () => resolve());
        if (child.exitCode !== null || !child.kill("SIGKILL")) resolve();
      })
    ));
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The part of etcd's v3 API that is measured. */
class Client {
  readonly #session: ClientHttp2Session;

  constructor(address: string) {
    this.#session = connect(address);
    this.#session.on("error", () => {});
  }

  /** etcdserverpb.PutRequest: key and value. */
  readonly write = (n: number): Promise<unknown> => this.#call("KV/Put", fields([[1, keyOf(n)], [2, VALUE]]));

  /** etcdserverpb.RangeRequest: a key, linearizable. */
  readonly read = (n: number): Promise<unknown> => this.#call("KV/Range", fields([[1, keyOf(n)]]));

  /** Reports whether this node leads: the header's member (1, 2) is the leader (4). */
  async leads(): Promise<boolean> {
    const status = decoded(await this.#call("Maintenance/Status", new Uint8Array()));
    const header = status.get(1);
    const member = header instanceof Uint8Array ? decoded(header).get(2) : undefined;
    return member !== undefined && member === status.get(4) && member !== 0n;
  }

  close(): void {
    this.#session.destroy();
  }

  #call(method: string, message: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const stream = this.#session.request({
        ":method": "POST",
        ":path": `/etcdserverpb.${method}`,
        "content-type": "application/grpc",
        te: "trailers",
      });
      const chunks: Uint8Array[] = [];
      let status = "";
      stream.on("data", (chunk: Uint8Array) => chunks.push(chunk));
      stream.on("trailers", (trailers) => status = String(trailers["grpc-status"]));
      stream.on("error", reject);
      stream.on("end", () => {
        if (status !== "0") return reject(new Error(`etcd answers with status ${status || "none"}`));
        resolve(Buffer.concat(chunks).subarray(5));
      });
      const framed = new Uint8Array(5 + message.length);
      new DataView(framed.buffer).setUint32(1, message.length);
      framed.set(message, 5);
      stream.end(framed);
    });
  }
}

function keyOf(n: number): Uint8Array {
  return new TextEncoder().encode(`key-${n % 1000}`);
}

/** Encodes a protobuf message of bytes fields. */
function fields(all: readonly (readonly [number, Uint8Array])[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const [number, bytes] of all) writer.tag(number, WireType.LengthDelimited).bytes(bytes);
  return writer.finish();
}

/** Decodes a protobuf message that has only varints and bytes. Ids have 64 bits. */
function decoded(message: Uint8Array): Map<number, bigint | string | Uint8Array> {
  const reader = new BinaryReader(message);
  const found = new Map<number, bigint | string | Uint8Array>();
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    found.set(number, type === WireType.LengthDelimited ? reader.bytes() : reader.uint64());
  }
  return found;
}
