/**
 * `deno task demo`: serves the demo to this machine.
 */

import { parseArgs } from "node:util";
import { buildSite } from "./site.ts";
import type { SiteFile } from "./site.ts";

const DEFAULT_PORT = 7800;

const USAGE = `Serves the demo: a Raft cluster that lives in your browser.

  deno task demo [--port PORT]

  --port PORT   the port on 127.0.0.1, or 0 for any free one (default: ${DEFAULT_PORT}, or any free one
                if that is taken). Browsers store data by host and port: the same port shows the
                same cluster again.
`;

/** Answers a request with the file it names. */
function answer(files: ReadonlyMap<string, SiteFile>, request: Request): Response {
  const { pathname } = new URL(request.url);
  const file = files.get(pathname === "/" ? "index.html" : pathname.slice(1));
  if (file === undefined) return new Response("There is no such page.\n", { status: 404 });
  return new Response(file.bytes, { headers: { "content-type": file.type, "cache-control": "no-store" } });
}

async function main(args: readonly string[]): Promise<void> {
  const options = { port: { type: "string" }, help: { type: "boolean", short: "h" } } as const;
  const { values: { port, help } } = parseArgs({ args: [...args], options });
  if (help === true) return console.log(USAGE);
  if (port !== undefined && (!/^\d{1,5}$/.test(port) || Number(port) > 65_535)) {
    throw new RangeError(`not a port: ${port}`);
  }
  const files = new Map((await buildSite(false)).map((file) => [file.name, file]));
  try {
    serve(files, Number(port ?? DEFAULT_PORT));
  } catch (error) {
    if (port !== undefined || !(error instanceof Deno.errors.AddrInUse)) throw error;
    serve(files, 0);
  }
}

function serve(files: ReadonlyMap<string, SiteFile>, port: number): void {
  Deno.serve({
    hostname: "127.0.0.1",
    port,
    onListen: ({ port }) => console.log(`Open http://127.0.0.1:${port}/ to see a Raft cluster. Press Ctrl+C to stop.`),
  }, (request) => answer(files, request));
}

if (import.meta.main) {
  await main(Deno.args).catch((error) => {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    Deno.exit(2);
  });
}
