/// <reference lib="dom" />
/** Sends the names of the checks, then runs the one that it receives, and sends the result. */

import { checks } from "./indexeddb_checks.ts";

addEventListener("message", async ({ data: name }) => {
  let failure = "";
  try {
    const check = checks.find((one) => one.name === name);
    if (check === undefined) throw new Error(`there is no check "${name}"`);
    await check.run();
  } catch (error) {
    failure = error instanceof Error ? `${error.stack ?? error.message}` : String(error);
  }
  postMessage(failure);
});
postMessage(checks.map((check) => check.name));
