/**
 * The HTTP interface of a node, as a Hono app: for the server, or mounted in an
 * app of your own.
 */

import { Hono } from "hono";
import { cors } from "hono/cors";
import type { ClientTransport } from "../lib/client/client_transport.ts";
import { RaftError } from "../lib/errors.ts";
import { refusal } from "../transport/connect/fetch_handler.ts";
import { toConnectError } from "../transport/wire/connect_errors.ts";
import { Answers } from "./answers.ts";
import type { FetchHandler } from "./listener.ts";
import { BodyReceiver } from "../transport/connect/mod.ts";
import { hostGuard, originAsSent } from "./guard.ts";
import { isAlive, readiness, readinessText } from "./health.ts";
import { keyValueRoutes, methodNotAllowed } from "./kv_routes.ts";
import type { Logger } from "./log.ts";
import { Metrics } from "./metrics.ts";
import { problem, problemOf, problemResponse } from "./problem.ts";
import { ForwardBudget } from "../hosting/forward_budget.ts";
import type { ServedNode } from "../hosting/served_node.ts";
import { KeyValueCalls } from "./services/kv.ts";
import type { PeerLinkStatus } from "../transport/connect/mod.ts";
import type { WatchSource } from "../lib/kv/client.ts";
import { statusDocument } from "./status.ts";
import { Watchers } from "./watchers.ts";

/** Options of {@linkcode createApp}. */
export interface AppOptions {
  /** The node to serve. */
  readonly node: ServedNode;
  /** Its key-value state machine, to watch. Without it (another state machine) `/kv` is not served. */
  readonly store?: WatchSource;
  /** Reaches other nodes, for requests that only the leader can handle. */
  readonly client: ClientTransport;
  /** Answers Connect-RPC calls; without it only HTTP is served. */
  readonly services?: FetchHandler;
  /** Host names to answer to, beside loopback names; `*` allows all. @default none */
  readonly hosts?: readonly string[];
  /** Origins of web pages that may call; `*` allows all. @default none */
  readonly origins?: readonly string[];
  /** Origins of web pages that may call, and administer the cluster. @default none */
  readonly adminOrigins?: readonly string[];
  /** The longest wait of a request for a leader and a quorum, in milliseconds. @default 5000 */
  readonly requestTimeoutMs?: number;
  /** Counts and bounds the watchers. @default new ones, with the default limits */
  readonly watchers?: Watchers;
  /** Bounds the requests that are forwarded to the leader. @default a new one, with the default limits */
  readonly forwards?: ForwardBudget;
  /** Receives the bodies of requests. @default one with its defaults */
  readonly receiver?: BodyReceiver;
  /** Bounds the answers being sent. @default new ones, with the default limits */
  readonly answers?: Answers;
  /** The metrics of the node. @default new ones */
  readonly metrics?: Metrics;
  /** Receives unexpected errors. */
  readonly logger?: Logger;
  /** Returns the reason why the node is not running (yet, or any longer), or takes no part in its cluster. */
  reason?(): string | undefined;
  /** Returns the state of the way to another node's address. */
  link?(address: string): PeerLinkStatus | undefined;
}

/** The app: the part of a `Hono` that is needed to serve, mount or test it. */
export interface App {
  /** Answers a request: for a server, or for `mount` of another app. */
  readonly fetch: (request: Request) => Response | Promise<Response>;
  /** Answers a request for a path, without a server: for tests. */
  readonly request: (path: string, init?: RequestInit) => Response | Promise<Response>;
}

/** The longest time that Chromium caches a preflight answer. */
const PREFLIGHT_AGE_S = 7200;

const SERVICE_PATH = /\/raft\.v1\.[A-Za-z]+\/[A-Za-z]+$/;

/**
 * Creates the app.
 *
 * @example Mounted under a path of your own
 * ```ts
 * import { Hono } from "hono";
 * import { type AppOptions, createApp } from "./server/mod.ts";
 *
 * declare const options: AppOptions;
 * const own = new Hono();
 * own.mount("/store", createApp(options).fetch);
 * ```
 */
export function createApp(options: AppOptions): App {
  const { node } = options;
  const app = new Hono();
  const adminOrigins = (options.adminOrigins ?? []).map(originAsSent);
  const origins = [...adminOrigins, ...(options.origins ?? []).map(originAsSent)];
  app.use(hostGuard({ hosts: options.hosts ?? [], origins, adminOrigins }));
  if (origins.length > 0) {
    app.use(cors({
      origin: origins.includes("*") ? "*" : [...origins],
      exposeHeaders: ["etag", "raft-revision", "retry-after"],
      // Browsers forget a preflight answer without an age after five seconds, and a busy page would ask again and again.
      maxAge: PREFLIGHT_AGE_S,
    }));
  }
  app.use(async (context, next) => {
    await next();
    // The length that a GET would have: the body is left out.
    const { res, req } = context;
    if (req.method === "HEAD" && !res.headers.has("content-length")) {
      res.headers.set("content-length", String((await res.clone().arrayBuffer()).byteLength));
    }
  });
  app.onError((error) => {
    const content = problemOf(error);
    if (content.code === "internal") options.logger?.error(`Unexpected error: ${error.stack ?? error.message}`);
    return problemResponse(content);
  });
  const paths = `/status, ${options.store === undefined ? "" : "/kv/KEY, "}/livez, /readyz and /metrics`;
  app.notFound((context) =>
    problemResponse(problem("not_found", `there is nothing at ${context.req.path.slice(0, 200)}`, {
      hint: `See ${paths}.`,
    }))
  );

  const { client, services, store, requestTimeoutMs: timeoutMs = 5000, receiver = new BodyReceiver() } = options;
  if (services !== undefined) {
    app.all("*", async (context, next) => {
      return SERVICE_PATH.test(context.req.path) ? await services(context.req.raw) : await next();
    });
  }
  healthRoutes(app, options);
  const { answers = new Answers() } = options;
  if (store !== undefined) {
    const { watchers = new Watchers(), forwards = new ForwardBudget() } = options;
    const reason = () => options.reason?.();
    const calls = new KeyValueCalls({ node, client, store, timeoutMs, watchers, forwards, answers, reason });
    app.route("/", keyValueRoutes(calls, receiver));
  }
  const fetch = async (request: Request): Promise<Response> => bounded(answers, request, await app.fetch(request));
  return { fetch, request: (path, init) => fetch(new Request(new URL(path, "http://localhost"), init)) };
}

/** Requests whose answer may be withheld, because they have no effect. */
const READ_PATH = /\.(ClientService\/Read|KeyValueService\/(Get|List))$/;

/** Counts an answer until the client has read it; without room for it, answers `busy`. */
function bounded(answers: Answers, request: Request, answer: Response): Response {
  const path = new URL(request.url).pathname;
  try {
    return answers.bounded(request, answer, request.method === "GET" || READ_PATH.test(path));
  } catch (error) {
    const busy = RaftError.from(error);
    const refused = SERVICE_PATH.test(path) ? refusal(429, toConnectError(busy)) : problemResponse(problemOf(busy));
    for (const [name, value] of answer.headers) {
      if (name === "vary" || name.startsWith("access-control-")) refused.headers.set(name, value);
    }
    return refused;
  }
}

function healthRoutes(app: Hono, options: AppOptions): void {
  const { node } = options;
  const headers = { "cache-control": "no-store" };
  app.get("/status", (context) => {
    const status = node.status();
    const content = statusDocument(status, {
      reason: options.reason?.(),
      diagnostics: node.diagnostics?.(),
      link: (address) => options.link?.(address),
    });
    const document = JSON.stringify(content, null, 2) + "\n";
    return context.body(document, isAlive(status) ? 200 : 503, { ...headers, "content-type": "application/json" });
  });
  app.get("/livez", (context) => {
    return isAlive(node.status())
      ? context.text("ok\n", 200, headers)
      : context.text(`${options.reason?.() ?? "stopped"}\n`, 503, headers);
  });
  app.get("/readyz", (context) => {
    const checks = readiness(node.status(), options.reason?.());
    const ready = checks.every(({ ok }) => ok);
    const verbose = context.req.query("verbose") !== undefined || !ready;
    return context.text(verbose ? readinessText(checks) : "ok\n", ready ? 200 : 503, headers);
  });
  const metrics = options.metrics ?? new Metrics(() => node.status());
  if (options.metrics === undefined) metrics.observe(node);
  app.get(
    "/metrics",
    async (context) => context.body(await metrics.text(), 200, { "content-type": metrics.contentType }),
  );
  for (const path of ["/status", "/livez", "/readyz", "/metrics"]) {
    app.all(path, () => methodNotAllowed("GET, HEAD"));
  }
}
