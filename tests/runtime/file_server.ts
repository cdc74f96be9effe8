/** A web server for the project's files. */

import { ROOT } from "../../tools/run.ts";

/** A running file server. */
export interface FileServer extends AsyncDisposable {
  /** Its address, with a slash at the end. */
  readonly url: string;
  /** The paths of all requests. */
  readonly requested: readonly string[];
}

const TYPES: Record<string, string> = { ts: "text/typescript", json: "application/json", js: "text/javascript" };

/** Serves on a free port of the loopback interface. */
export function serveProject(): FileServer {
  const requested: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const path = decodeURIComponent(new URL(request.url).pathname).slice(1);
    requested.push(path);
    const type = TYPES[path.split(".").at(-1) ?? ""];
    if (type === undefined || path.includes("..")) return new Response("not found", { status: 404 });
    try {
      return new Response(await Deno.readFile(ROOT + path), { headers: { "content-type": type } });
    } catch {
      return new Response("not found", { status: 404 });
    }
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/`,
    requested,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** Makes an empty folder, which is removed at the end. */
export async function emptyFolder(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "raft-core-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
