/**
 * A client of the REST interface, which records what it asked and learned.
 *
 * @module
 */

import type { ExpectedVersion } from "../../../lib/kv/commands.ts";
import type { KeyValueInput, KeyValueOutput, Operation } from "../../../simulation/mod.ts";
import type { Stream } from "../../../simulation/decisions.ts";
import type { ByteNetwork } from "./byte_network.ts";
import { addressOf, ALLOWED_ORIGIN } from "./server_node.ts";
import type { ServerPlan } from "./server_node.ts";
import type { World } from "./world.ts";

const KEYS = ["a", "b", "c/d"];
/** The time after which a client gives up. */
const PATIENCE_MS = 7000;

/** A change that was acknowledged. */
export interface Acknowledged {
  readonly key: string;
  readonly value: string | null;
  readonly version: number;
}

/** The requests and answers of all clients of a run. */
export class Record {
  readonly operations: Operation<KeyValueInput, KeyValueOutput>[] = [];
  readonly acknowledged: Acknowledged[] = [];
  /** Each value that a request tried to write. */
  readonly written = new Set<string>();
}

export class RestClient {
  readonly name: string;
  readonly #world: World;
  readonly #network: ByteNetwork;
  readonly #address: string;
  readonly #plan: ServerPlan;
  readonly #record: Record;
  readonly #chance: Stream;
  readonly #fetch: ReturnType<ByteNetwork["fetch"]>;
  readonly #versions = new Map<string, number>();
  #values = 0;
  /** Requests that ended in order. */
  answered = 0;

  constructor(world: World, network: ByteNetwork, plan: ServerPlan, record: Record, name: string) {
    this.#world = world;
    this.#plan = plan;
    this.#record = record;
    this.name = name;
    this.#chance = world.run.decisions.stream(`client ${name}`);
    this.#network = network;
    this.#address = `http://${name}.client`;
    this.#fetch = network.fetch(this.#address);
  }

  /** Makes requests, one after the other, as long as `goesOn`. */
  async live(goesOn: () => boolean): Promise<void> {
    while (goesOn()) {
      await this.#world.sleepMs(this.#chance.next().between(5, 150));
      const id = `n${this.#chance.between(1, this.#plan.nodes)}`;
      if (this.#chance.chance(0.08)) await this.#probe(id);
      else await this.ask(id);
    }
  }

  /** Makes one request; returns its status, 0 without an answer. */
  async ask(id: string): Promise<number> {
    const chance = this.#chance;
    const key = chance.pick(KEYS)!;
    const kind = chance.pick(["get", "get", "get", "put", "put", "create", "replace", "any", "delete", "remove"])!;
    const version = this.#versions.get(key) ?? 1;
    const conditions: { readonly [kind: string]: readonly [ExpectedVersion, { readonly [name: string]: string }] } = {
      create: [0, { "if-none-match": "*" }],
      replace: [version, { "if-match": `"${version}"` }],
      remove: [version, { "if-match": `"${version}"` }],
      any: ["any", { "if-match": "*" }],
    };
    const [expectedVersion, condition] = conditions[kind] ?? [undefined, {}];
    const deletes = kind === "delete" || kind === "remove";
    const value = deletes ? null : this.#newValue();
    const input: KeyValueInput = kind === "get"
      ? { type: "get", key }
      : expectedVersion !== undefined
      ? { type: "compareAndSet", key, expectedVersion, value }
      : deletes
      ? { type: "delete", key }
      : { type: "put", key, value: value! };
    const method = kind === "get" ? "GET" : deletes ? "DELETE" : "PUT";
    const origin = chance.chance(0.2) ? { origin: chance.chance(0.5) ? ALLOWED_ORIGIN : addressOf(id) } : {};
    const init = { method, headers: { ...condition, ...origin }, ...(method === "PUT" ? { body: value! } : {}) };
    if (method === "PUT") this.#record.written.add(value!);
    return await this.#recorded(id, input, init);
  }

  #newValue(): string {
    const padding = this.#chance.chance(0.05) ? "x".repeat(this.#chance.between(1000, 100_000)) : "";
    return `${this.name}.${++this.#values}${padding}`;
  }

  async #recorded(id: string, input: KeyValueInput, init: RequestInit): Promise<number> {
    const { operations } = this.#record;
    const call = this.#world.nowMs;
    const operation = { client: this.name, input, call };
    const unknown = (): void => {
      if (input.type !== "get") operations.push({ ...operation, return: Infinity });
    };
    const [status, output] = await this.#answer(id, input, init);
    this.#world.run.trace.mark("answered", status);
    this.#world.run.trace.count(`status ${status}`);
    if (output === "unknown") unknown();
    else if (output !== "rejected") {
      this.answered++;
      // A deletion of what is not there tells no more than a read.
      const [seen, answer] = output === "absent" ? [{ type: "get", key: input.key } as const, null] : [input, output];
      operations.push({ ...operation, input: seen, output: answer, return: this.#world.nowMs });
      this.#learn(input, answer);
    }
    return status;
  }

  #learn(input: KeyValueInput, output: KeyValueOutput): void {
    const { key } = input;
    if (output === null) return void this.#versions.delete(key);
    const version = "version" in output ? output.version : output.currentVersion;
    if (version > 0) this.#versions.set(key, version);
    if (!("previousVersion" in output)) return;
    const value = input.type === "put" || input.type === "compareAndSet" ? input.value : null;
    this.#record.acknowledged.push({ key, value, version });
  }

  /** Returns the status and what the answer says about the outcome. */
  async #answer(
    id: string,
    input: KeyValueInput,
    init: RequestInit,
  ): Promise<readonly [number, KeyValueOutput | "absent" | "rejected" | "unknown"]> {
    let response: Response;
    let body: string;
    try {
      const url = `${addressOf(id)}/kv/${input.key}`;
      response = await this.#fetch(url, { ...init, signal: AbortSignal.timeout(PATIENCE_MS) });
      body = await response.text();
    } catch (error) {
      const { name, cause } = error as { readonly name: string; readonly cause?: { readonly code?: string } };
      const isOwed = name === "TimeoutError" && !this.#network.troubled(this.#address, addressOf(id), 2 * PATIENCE_MS);
      this.#world.require(!isOwed, () => `${id} has left a request of ${this.name} without an answer`);
      return [0, cause?.code === "ECONNREFUSED" ? "rejected" : "unknown"];
    }
    const { status, headers } = response;
    const version = Number(headers.get("etag")?.slice(1, -1) ?? 0);
    if (status === 412) return [status, { ok: false, currentVersion: version }];
    if (status === 404) return [status, input.type === "get" ? null : "absent"];
    if (status >= 400) {
      const { outcome } = JSON.parse(body) as { readonly outcome: "rejected" | "unknown" };
      this.#world.require(status === 503, () => `${this.name} received ${status} of ${id}: ${body}`);
      return [status, outcome];
    }
    if (input.type === "get") return [status, { value: body, version }];
    const written = JSON.parse(body) as { readonly version: number; readonly previousVersion: number };
    const { previousVersion } = written;
    if (init.method === "PUT" && (status === 201) !== (previousVersion === 0)) {
      this.#world.fail(`${this.name} received ${status} for a key that had version ${previousVersion}`);
    }
    const output = { version: written.version, previousVersion };
    return [status, input.type === "compareAndSet" ? { ok: true, ...output } : output];
  }

  /** Sends a write that the guard must refuse: its value may never be seen. */
  async #probe(id: string): Promise<void> {
    const own = addressOf(id);
    const headers = this.#chance.pick([
      { origin: "http://evil.example" },
      { origin: `${own}.evil.example` },
      { origin: `${own}1` },
      { origin: own.replace("http:", "ftp:") },
      { origin: `${ALLOWED_ORIGIN}.evil.example` },
      { origin: "null" },
      { host: "evil.example" },
      { host: `${id}.test.evil.example:7001` },
      { "sec-fetch-site": "cross-site" },
    ])!;
    const path = this.#chance.chance(0.5) ? "/kv/a" : "/raft.v1.AdminService/RemoveMember";
    const method = path === "/kv/a" ? "PUT" : "POST";
    try {
      const init = { method, headers: headers as unknown as HeadersInit, body: `forbidden.${this.#newValue()}` };
      const response = await this.#fetch(own + path, { ...init, signal: AbortSignal.timeout(PATIENCE_MS) });
      await response.text();
      this.#world.run.trace.count("probe of the guard");
      const refused = response.status === 403;
      this.#world.require(refused, () => `${id} answers ${response.status} to ${JSON.stringify(headers)}`);
    } catch {
      // The network failed.
    }
  }
}
