/** Finds a Chromium for the tests in tests/browser. */

import { run } from "./run.ts";

/** Returns the path of the first of these programs that is on the PATH. */
async function which(...names: readonly string[]): Promise<string | null> {
  const look = names.map((name) => `command -v ${name}`).join(" || ");
  return (await run(["sh", "-c", look], { quiet: true })).output.trim() || null;
}

/**
 * Returns the path of a Chromium: `CHROMIUM_PATH`, else one on the PATH, else
 * Debian's, which is installed if this process has the permission.
 *
 * @throws {Error} if there is none
 */
export async function chromium(): Promise<string> {
  const found = Deno.env.get("CHROMIUM_PATH");
  if (found !== undefined) return found;
  const path = await which("chromium", "chromium-browser", "google-chrome", "google-chrome-stable");
  if (path !== null) return path;
  if (Deno.build.os === "linux" && Deno.uid() === 0 && await which("apt-get") !== null) {
    console.log("apt-get install chromium");
    await run(["apt-get", "update"], { quiet: true });
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    await run(["apt-get", "install", "--yes", "--no-install-recommends", "chromium"], { quiet: true, env });
    const path = await which("chromium");
    if (path !== null) return path;
  }
  throw new Error("the browser tests need Chromium: install it, or set CHROMIUM_PATH");
}
