/**
 * The page of the demo: finds out which cluster it shows and which nodes it runs,
 * starts them, and puts the picture in front of them.
 *
 * @module
 */

/// <reference lib="dom" />

import { RaftError } from "../mod.ts";
import { requestPersistence } from "../storage/indexeddb/mod.ts";
import { defaultCluster } from "./live/cluster_record.ts";
import { pageUrl, readParameters, serversName } from "./live/url.ts";
import { LiveSource } from "./live_source.ts";
import { mountDemo } from "./view/mod.ts";

const notice = document.querySelector<HTMLElement>("#notice")!;

/** Says something that everyone has to know who looks at this tab; nothing is said by an empty text. */
function say(text: string): void {
  notice.textContent = text;
  notice.hidden = text === "";
}

function failed(error: unknown): void {
  const hint = error instanceof RaftError ? ` ${error.hint}` : "";
  say(`${error instanceof Error ? error.message : String(error)}.${hint}`);
}

function lockedElsewhere(ids: readonly string[]): string {
  const names = ids.length === 1 ? `${ids[0]} runs` : `${ids.slice(0, -1).join(", ")} and ${ids.at(-1)} run`;
  return `${names} in another tab, which has the storage locked. This tab looks on. ` +
    "Add a node to take part from here.";
}

/** A browser may clear what a site has stored, unless it has agreed to keep it. It decides by itself, or asks. */
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
  // For the curious, at the console.
  Object.assign(globalThis, { raftDemo: source });
  addEventListener("pagehide", () => source.leave());
  // What a page holds is gone when it comes back from the cache of the way back.
  addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
  askToPersist();
  mountDemo(document.querySelector<HTMLElement>("#demo")!, source);
  if (parameters.join || (servers.length > 0 && parameters.nodes === null)) return void await source.addNode();
  const locked = await source.host(parameters.nodes ?? source.founders);
  if (locked.length > 0) say(lockedElsewhere([...locked].sort()));
}

main().catch(failed);
