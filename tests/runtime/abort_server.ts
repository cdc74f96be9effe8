/**
 * A server that answers no request, and prints when one begins and when it is aborted: for tests in each runtime.
 */

import { listen } from "../../server/listen.ts";

const listener = await listen({
  hostname: "127.0.0.1",
  port: 0,
  handler: (request) => {
    const { pathname } = new URL(request.url);
    console.log(`begins ${pathname}`);
    return new Promise((resolve) => {
      request.signal.addEventListener("abort", () => {
        console.log(`aborted ${pathname}`);
        resolve(new Response());
      });
    });
  },
});
console.log(`port ${listener.port}`);
