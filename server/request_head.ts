/**
 * The check of a request's first line and Host, as they arrived: before a URL,
 * which resolves dots and drops characters without a word, is made of them.
 */

import { METHODS } from "node:http";
import { foreignHost, hostnameOf } from "./guard.ts";
import { problem, problemResponse } from "./problem.ts";

/** A request as it arrived. */
export interface RequestHead {
  /** The method, in its own case. */
  readonly method: string;
  /** The request target: a path with its query, or a whole URL. */
  readonly target: string;
  /** The Host header, or `:authority` in HTTP/2; `null` without one. */
  readonly authority: string | null;
}

/** The methods that node:http reads; without CONNECT, which asks for a tunnel. */
const KNOWN_METHODS = new Set(METHODS.filter((method) => method !== "CONNECT"));

/** Returns the answer to a request that no route may see; `null` if it is well-formed. */
export function refusedHead({ method, target, authority }: RequestHead): Response | null {
  if (!KNOWN_METHODS.has(method) || !/^\/|^https?:\/\//.test(target)) return badRequest();
  // Names of other alphabets arrive as Punycode.
  const isAscii = /^[\x21-\x7e]*$/.test(authority ?? "");
  if (authority !== null && (!isAscii || hostnameOf(authority) === null)) return foreignHost(authority);
  // Behind a proxy that ends TLS, HTTP/2 still names the scheme of the client.
  const origin = `${/^https?/.exec(target)?.[0]}://${authority ?? ""}`;
  const path = target.startsWith(origin) ? target.slice(origin.length) : target;
  const fault = faultOf(path);
  return fault === null ? null : problemResponse(problem("invalid_argument", fault));
}

/** Returns what makes a path ambiguous: another program would read another path. */
function faultOf(target: string): string | null {
  if (!target.startsWith("/")) return "the request's target must be a path of the host that it names";
  if (/[^\x21-\x7e]/.test(target)) return "a path can't contain spaces or control characters; percent-encode them";
  if (target.includes("#")) return 'a path can\'t contain a "#"; write %23';
  const [path = ""] = target.split("?", 1);
  if (path.includes("\\")) return "a path can't contain a backslash; write %5C";
  const dots = path.split("/").some((segment) => /^(\.|%2e){1,2}$/i.test(segment));
  return dots ? 'a segment of a path can\'t be "." or ".."' : null;
}

/** Returns the answer to what is not HTTP as this server speaks it. */
export function badRequest(): Response {
  return new Response(null, { status: 400, headers: { "content-length": "0" } });
}
