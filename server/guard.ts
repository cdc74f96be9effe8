/**
 * Refuses requests with a foreign Host or Origin: without that, any web page
 * could reach a server on loopback through its visitor's browser (cross-site
 * requests, DNS rebinding).
 */

import type { MiddlewareHandler } from "hono";
import { problem, problemResponse } from "./problem.ts";

/** The names of a machine for itself. */
const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];

/** Reports whether a host name or address, with or without brackets, means this machine alone. */
export function isLoopback(hostname: string): boolean {
  const host = hostnameOf(hostname) ?? hostnameOf(`[${hostname}]`);
  // The last is IPv4's 127.0.0.0/8 as IPv6 maps it (RFC 4291 §2.5.5.2).
  return host !== null && (LOOPBACK.includes(host) || /^127(\.\d{1,3}){3}$|^\[::ffff:7f[0-9a-f]{2}:/.test(host));
}

/**
 * Returns the host of `host[:port]` as URLs have it: in lower case, IPv6 addresses
 * in brackets and in their shortest form; `null` if it is malformed.
 */
export function hostnameOf(authority: string): string | null {
  const match = /^(\[[0-9a-f:.]+\]|[^\s:/?#@%\\[\]]+)(?::(\d{1,5}))?$/i.exec(authority);
  if (Number(match?.[2] ?? 0) > 65_535) return null;
  const host = match?.[1]?.toLowerCase().replace(/\.$/, "") ?? "";
  // A host that makes no URL, such as 1.2.3.999, would fail later, in a way of each runtime.
  if (host === "" || !URL.canParse(`http://${host}`)) return null;
  return host.startsWith("[") ? new URL(`http://${host}`).hostname : host;
}

/** Returns an origin as browsers send it. Origins other than http and https (an extension's) stay as they are. */
export function originAsSent(origin: string): string {
  return /^https?:/i.test(origin) && URL.canParse(origin) ? new URL(origin).origin : origin;
}

export interface GuardOptions {
  /** Host names (no ports) that the server answers to, beside loopback names. `*` allows all. */
  readonly hosts: readonly string[];
  /** Origins (`https://app.example`) of web pages that may call the server. `*` allows all. */
  readonly origins: readonly string[];
  /** Origins of web pages that may administer the cluster, too. */
  readonly adminOrigins: readonly string[];
}

/** Returns middleware that answers 403 to requests for another host or from another origin. */
export function hostGuard(options: GuardOptions): MiddlewareHandler {
  const hosts = new Set(options.hosts.map((host) => hostnameOf(host) ?? hostnameOf(`[${host}]`) ?? host));
  const admins = lowerCase(options.adminOrigins);
  const origins = new Set([...admins, ...lowerCase(options.origins)]);
  const anyHost = hosts.has("*");
  const anyOrigin = origins.has("*");

  return async (context, next) => {
    // HTTP/2 has :authority in place of Host; the listeners put it into the URL.
    const authority = context.req.header("host") ?? new URL(context.req.url).host;
    const host = hostnameOf(authority);
    if (host === null || !(anyHost || hosts.has(host) || isLoopback(host))) return foreignHost(authority);
    const origin = context.req.header("origin")?.toLowerCase();
    if (origin === undefined) {
      const site = context.req.header("sec-fetch-site");
      const foreign = site === "cross-site" || site === "same-site";
      return foreign && !anyOrigin ? foreignOrigin("another origin may not call this server") : await next();
    }
    if (sameOrigin(origin, authority)) return await next();
    const pages = `the origin ${quote(origin)} may not`;
    if (!anyOrigin && !origins.has(origin)) return foreignOrigin(`${pages} call this server`);
    const { path } = context.req;
    if (PEER_PATH.test(path)) return foreignOrigin(`${pages} take part as a node of its own`, "Use the relay.");
    if (ADMIN_PATH.test(path) && !admins.has(origin)) {
      return foreignOrigin(
        `${pages} administer the cluster`,
        "Start it with --allow-admin-origin ORIGIN to allow them.",
      );
    }
    return await next();
  };
}

/** The calls between nodes, and those of operators. */
const PEER_PATH = /\/raft\.v1\.PeerService\//;
const ADMIN_PATH = /\/raft\.v1\.AdminService\//;

function lowerCase(origins: readonly string[]): Set<string> {
  return new Set(origins.map((origin) => origin.toLowerCase().replace(/\/$/, "")));
}

function foreignOrigin(what: string, hint = "Start it with --allow-origin ORIGIN to allow them."): Response {
  return problemResponse(problem("forbidden_origin", `pages of ${what}`, { hint }));
}

/** Returns the answer to a request for another host, or for a malformed one. */
export function foreignHost(authority: string): Response {
  return problemResponse(problem("forbidden_host", `this server does not answer to the host ${quote(authority)}`, {
    hint: "Use its advertised address, or start it with --allow-host NAME.",
  }));
}

/** Reports whether the server itself served the page of this origin, in lower case. */
function sameOrigin(origin: string, authority: string): boolean {
  return origin === `http://${authority.toLowerCase()}` || origin === `https://${authority.toLowerCase()}`;
}

function quote(value: string): string {
  return JSON.stringify(value.slice(0, 100));
}
