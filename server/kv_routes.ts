/**
 * `/kv`: the key-value store for `curl`.
 */

import type { Context } from "hono";
import { Hono } from "hono";
import { RaftError } from "../lib/errors.ts";
import { LIST_MAX_ENTRIES, VALUE_MAX_BYTES } from "../lib/kv/commands.ts";
import type { ExpectedVersion } from "../lib/kv/commands.ts";
import type { Consistency } from "../lib/node/types.ts";
import { jsonEntry, jsonLine, percentDecode, queryBytes } from "./http_bytes.ts";
import { problem, problemResponse } from "./problem.ts";
import type { BodyKind, BodyReceiver } from "../transport/connect/mod.ts";
import type { KeyValueCalls } from "./services/kv.ts";
import { WATCH_HEADERS, watchResponse } from "./watch.ts";

const VALUE_BODY: BodyKind = { maxBytes: VALUE_MAX_BYTES, peer: false };

/**
 * Returns the routes for `PUT`, `GET` and `DELETE /kv/KEY`, and `GET /kv` to list and to watch.
 *
 * The key is everything after `/kv/`, slashes included, percent-decoded to
 * bytes. (A key of one or two dots can't be written as a path; use the
 * key-value service for that.) The version of a value is its `ETag`.
 */
export function keyValueRoutes(calls: KeyValueCalls, receiver: BodyReceiver): Hono {
  const app = new Hono();
  app.get("/kv", (context) => flag(context, "watch") ? watch(calls, context) : list(calls, context));
  app.all("/kv", () => methodNotAllowed("GET, HEAD"));
  app.get("/kv/*", (context) => get(calls, context));
  app.put("/kv/*", (context) => put(calls, receiver, context));
  app.delete("/kv/*", (context) => remove(calls, context));
  app.all("/kv/*", () => methodNotAllowed("GET, HEAD, PUT, DELETE"));
  return app;
}

/** Returns a 405 that names the allowed methods. */
export function methodNotAllowed(allow: string): Response {
  return problemResponse(problem("method_not_allowed", `allowed here: ${allow}`), { allow });
}

/**
 * Refuses unknown parameters: a misspelt one would otherwise change the answer, or
 * drop the condition of a write.
 */
function onlyParameters(context: Context, ...known: readonly string[]): void {
  const names = [...new URL(context.req.url).searchParams.keys()];
  for (const [at, name] of names.entries()) {
    if (names.indexOf(name) < at) throw new RaftError("invalid_argument", `the parameter ${name} is given twice`);
    if (known.includes(name)) continue;
    const hint = `It takes ${known.join(", ") || "none"}.`;
    throw new RaftError("invalid_argument", `this request has no parameter ${JSON.stringify(name.slice(0, 100))}`, {
      hint,
    });
  }
}

/** Reports whether a flag is set: a parameter without a value, or with `=true`. */
function flag(context: Context, name: string): boolean {
  const text = context.req.query(name);
  if (text === undefined || text === "false") return false;
  if (text === "" || text === "true") return true;
  throw new RaftError("invalid_argument", `${name} takes no value, or true or false`);
}

async function get(calls: KeyValueCalls, context: Context): Promise<Response> {
  onlyParameters(context, "consistency");
  const { value, version, revision } = await calls.keys.get(keyOf(context), readOptions(context));
  const headers = { "raft-revision": String(revision), "cache-control": "no-store" };
  if (value === undefined) return problemResponse(problem("not_found", "there is no such key"), headers);
  const etag = etagOf(version);
  if (matches(context.req.header("if-none-match"), version)) {
    return new Response(null, { status: 304, headers: { ...headers, etag } });
  }
  // Its buffer is not a SharedArrayBuffer, which the type can't express.
  return new Response(value as Uint8Array<ArrayBuffer>, {
    headers: {
      ...headers,
      etag,
      // Values are untrusted bytes: a browser must never take them for a page.
      "content-type": "application/octet-stream",
      "x-content-type-options": "nosniff",
      // Set here, because the answer to a HEAD has no body to measure.
      "content-length": String(value.length),
    },
  });
}

async function put(calls: KeyValueCalls, receiver: BodyReceiver, context: Context): Promise<Response> {
  onlyParameters(context);
  const key = keyOf(context);
  const expected = condition(context);
  const { raw } = context.req;
  const answer = await receiver.whole(
    raw,
    VALUE_BODY,
    (value) => calls.keys.compareAndSet(key, expected, value, { signal: raw.signal }),
  );
  if (!answer.ok) return conflict(answer.currentVersion);
  const { version, previousVersion } = answer;
  return json({ version, previousVersion }, previousVersion === 0 ? 201 : 200, { etag: etagOf(version) });
}

async function remove(calls: KeyValueCalls, context: Context): Promise<Response> {
  onlyParameters(context);
  const { signal } = context.req.raw;
  const answer = await calls.keys.compareAndSet(keyOf(context), condition(context), null, { signal });
  if (!answer.ok) return conflict(answer.currentVersion);
  if (answer.previousVersion === 0) return problemResponse(problem("not_found", "there is no such key"));
  return json({ deleted: true, version: answer.version, previousVersion: answer.previousVersion });
}

async function list(calls: KeyValueCalls, context: Context): Promise<Response> {
  onlyParameters(context, "prefix", "limit", "after", "keys", "consistency", "watch");
  const url = new URL(context.req.url);
  const startAfter = queryBytes(url, "after");
  const keysOnly = flag(context, "keys");
  const answer = await calls.list({
    prefix: queryBytes(url, "prefix") ?? new Uint8Array(0),
    ...(startAfter === null ? {} : { startAfter }),
    limit: number(context, "limit", 1, LIST_MAX_ENTRIES) ?? 1000,
    keysOnly,
    ...readOptions(context),
  });
  return json({
    entries: answer.entries.map((entry) => jsonEntry(keysOnly ? { ...entry, value: null } : entry)),
    more: answer.more,
    revision: answer.revision,
  });
}

function watch(calls: KeyValueCalls, context: Context): Promise<Response> {
  onlyParameters(context, "watch", "prefix", "from");
  const prefix = queryBytes(new URL(context.req.url), "prefix") ?? new Uint8Array(0);
  const from = number(context, "from", 0, Number.MAX_SAFE_INTEGER);
  // Sent by an EventSource that reconnects.
  const last = context.req.header("last-event-id");
  const resumed = last !== undefined && /^\d{1,15}$/.test(last) ? Number(last) + 1 : null;
  const fromVersion = resumed ?? from;
  // The answer to a HEAD has no body that could end the watch.
  if (context.req.raw.method === "HEAD") return Promise.resolve(new Response(null, { headers: WATCH_HEADERS }));
  return watchResponse((watch) => calls.watchEncoded({ ...watch, prefix, fromVersion }), context.req.raw);
}

/** Returns the rest of the path after `/kv/`, percent-decoded to bytes. */
function keyOf(context: Context): Uint8Array {
  const path = new URL(context.req.url).pathname;
  const at = path.indexOf("/kv/");
  // The router saw the raw path; URL has resolved its dots.
  if (at < 0) throw new RaftError("invalid_argument", 'a segment of a path can\'t be "." or ".."');
  return percentDecode(path.slice(at + "/kv/".length));
}

function readOptions(context: Context): { readonly consistency: Consistency; readonly signal: AbortSignal } {
  const wanted = context.req.query("consistency") ?? "linearizable";
  if (wanted !== "linearizable" && wanted !== "lease" && wanted !== "stale") {
    throw new RaftError("invalid_argument", "consistency must be linearizable, lease or stale");
  }
  return { consistency: wanted, signal: context.req.raw.signal };
}

function number(context: Context, name: string, min: number, max: number): number | null {
  const text = context.req.query(name);
  if (text === undefined) return null;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  throw new RaftError("invalid_argument", `${name} must be a whole number from ${min} to ${max}`);
}

/** Returns the condition of a write. `If-Match: "7"`: this version. `If-Match: *`: any version. `If-None-Match: *`: no such key. */
function condition(context: Context): ExpectedVersion | undefined {
  const match = context.req.header("if-match")?.trim();
  const noneMatch = context.req.header("if-none-match")?.trim();
  if (match !== undefined && noneMatch !== undefined) {
    throw new RaftError("invalid_argument", "If-Match and If-None-Match exclude each other here");
  }
  if (noneMatch !== undefined) {
    if (noneMatch === "*") return 0;
    throw new RaftError("invalid_argument", "a write takes only If-None-Match: *, for a key that must not exist");
  }
  if (match === undefined) return undefined;
  if (match === "*") return "any";
  const version = /^"(\d{1,16})"$/.exec(match)?.[1];
  if (version === undefined || !Number.isSafeInteger(Number(version)) || Number(version) === 0) {
    throw new RaftError("invalid_argument", `If-Match takes one ETag as returned by GET, such as "7", or *`);
  }
  return Number(version);
}

function matches(header: string | undefined, version: number): boolean {
  if (header === undefined) return false;
  const tags = header.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags.includes("*") || tags.includes(etagOf(version));
}

function etagOf(version: number): string {
  return `"${version}"`;
}

function conflict(currentVersion: number): Response {
  const now = currentVersion === 0 ? "there is no such key" : `the key has version ${currentVersion}`;
  const headers: Record<string, string> = currentVersion === 0 ? {} : { etag: etagOf(currentVersion) };
  return problemResponse(problem("precondition_failed", `${now}; nothing was changed`), headers);
}

function json(content: unknown, status = 200, headers: Record<string, string> = {}): Response {
  const body = jsonLine(content);
  return new Response(body, {
    status,
    headers: {
      "content-type": "application/json",
      "cache-control": "no-store",
      "content-length": String(body.length),
      ...headers,
    },
  });
}
