/**
 * Runs the suites that a page can run by itself in any browser:
 *
 *     deno run -A tests/browser/any_browser.ts          # and open the address that it prints
 *     deno run -A tests/browser/any_browser.ts firefox-esr --headless
 *
 * The arguments are a browser's command, which is started with the address; it must
 * let pages open others. Ends with `N passed, M failed`, and the browser with it.
 */

import { buildSite } from "../../browser-demo/site.ts";
import { traceHashes } from "../support/trace_hashes.ts";
import { Site } from "./browser.ts";

/** The page's report of one check: without a `failure` it succeeded, and without a `name` it is the end. */
export interface Report {
  readonly name: string;
  readonly failure: string;
  /** The traces of the simulation there, to compare with those here. */
  readonly hashes?: string;
}

const results = { passed: 0, failed: 0 };
const ended = Promise.withResolvers<void>();

const demo = await buildSite(false);

async function take(request: Request): Promise<Response | null> {
  const file = demo.find(({ name }) => request.url.split("?")[0]?.endsWith(`/demo/${name}`));
  if (file !== undefined) return new Response(file.bytes, { headers: { "content-type": file.type } });
  if (request.method !== "POST") return null;
  const { name, hashes, ...told } = await request.json() as Report;
  const failure = hashes === undefined || hashes === await traceHashes() ? told.failure : hashes;
  if (name === "") ended.resolve();
  else if (failure === "") {
    results.passed++;
    console.log(`ok ${name}`);
  } else {
    results.failed++;
    console.error(`FAILED ${name}\n${failure}`);
  }
  return new Response();
}

await using site = new Site(take);
const url = site.page("tests/browser/any_browser_page.ts");
console.log(url);
const [program, ...args] = Deno.args;
const profile = await Deno.makeTempDir();
const browser = program === undefined ? null : new Deno.Command(program, {
  args: [...args, url],
  env: { HOME: profile },
  stdout: "null",
  stderr: "inherit",
}).spawn();
await ended.promise;
console.log(`${results.passed} passed, ${results.failed} failed`);
browser?.kill();
await browser?.status;
await Deno.remove(profile, { recursive: true }).catch(() => {});
if (results.failed > 0 || results.passed === 0) Deno.exitCode = 1;
