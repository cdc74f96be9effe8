/**
 * The page of the demo: reads from its address which cluster it shows and which
 * nodes it runs, starts them, and shows the view.
 *
 * @module
 */

/// <reference lib="dom" />

import { requestPersistence } from "../storage/indexeddb/mod.ts";
import { defaultCluster } from "./live/cluster_record.ts";
import { pageUrl, readParameters, serversName } from "./live/url.ts";
import { LiveSource } from "./live_source.ts";
import { mountDemo } from "./view/mod.ts";
import { errorWords, listOf } from "./view/words.ts";

const notice = document.querySelector<HTMLElement>("#notice")!;

/** Shows a text that matters to everyone who looks at this tab; an empty one hides the notice. */
function say(text: string): void {
  notice.textContent = text;
  notice.hidden = text === "";
}

function failed(error: unknown): void {
  const { message, hint } = errorWords(error);
  say(`${message} ${hint}`.trim());
}

function lockedElsewhere(ids: readonly string[]): string {
  return `${listOf(ids)} ${ids.length === 1 ? "runs" : "run"} in another tab, which has the storage locked. ` +
    "This tab only shows the cluster. Add a node to take part from here.";
}

/** Requests persistent storage: a browser may clear a site's data otherwise. It decides by itself, or asks the user. */
function askToPersist(): void {
  const ask = (): void => void requestPersistence().catch(() => {});
  addEventListener("pointerdown", ask, { once: true });
  addEventListener("keydown", ask, { once: true });
}

async function main(): Promise<void> {
  const parameters = readParameters(location.href);
  const { servers, electionTimeoutMs } = parameters;
  const cluster = servers.length > 0 ? serversName(servers) : parameters.cluster ?? await defaultCluster();
  const source = await LiveSource.open({
    ...{ cluster, servers, electionTimeoutMs, failed },
    script: new URL("node_worker.js", import.meta.url),
    href: location.href,
    nodesChanged(ids) {
      history.replaceState(null, "", pageUrl(location.href, { cluster, servers }, ids));
      say("");
    },
  });
  // For the console.
  Object.assign(globalThis, { raftDemo: source });
  addEventListener("pagehide", () => source.leave());
  // A page that comes back from the back-forward cache has lost its workers' storage.
  addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
  askToPersist();
  mountDemo(document.querySelector<HTMLElement>("#demo")!, source);
  if (parameters.join || (servers.length > 0 && parameters.nodes === null)) return void await source.addNode();
  const locked = await source.host(parameters.nodes ?? source.founders);
  if (locked.length > 0) say(lockedElsewhere([...locked].sort()));
}

main().catch(failed);
