/// <reference lib="dom" />
/** Runs the suites of other pages in frames, one after the other, and reports to any_browser.ts. */

import type { Report } from "./any_browser.ts";

const SUITES = ["memory_page", "indexeddb_page", "indexeddb_worker_page", "tab_near_page", "tab_far_page"];

interface SuiteWindow extends Window {
  readonly traceHashes?: Promise<string>;
  readonly checks?: readonly string[];
  readonly runCheck: (name: string) => Promise<string>;
}

async function report(told: Report): Promise<void> {
  const line = document.createElement("li");
  line.textContent = `${told.failure === "" ? "ok" : "FAILED"} ${told.name} ${told.failure}`;
  document.body.append(line);
  await fetch("/report", { method: "POST", body: JSON.stringify(told) });
}

async function open(frame: HTMLIFrameElement, path: string): Promise<SuiteWindow> {
  frame.src = path;
  await new Promise((resolve) => frame.addEventListener("load", resolve, { once: true }));
  return frame.contentWindow as SuiteWindow;
}

async function suite(frame: HTMLIFrameElement, path: string): Promise<void> {
  const page = await open(frame, `/tests/browser/${path}.html`);
  for (let tries = 0; page.checks === undefined; tries++) {
    if (tries === 600) return await report({ name: path, failure: "the page offers no checks" });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  for (const name of page.checks) await report({ name: `${path}: ${name}`, failure: await page.runCheck(name) });
}

/** Does a visitor's first steps on the real page. */
async function visit(frame: HTMLIFrameElement): Promise<string> {
  const page = (await open(frame, "/demo/index.html")).document;
  const shows = async (pattern: RegExp): Promise<string> => {
    for (const end = performance.now() + 20_000; performance.now() < end;) {
      const found = pattern.exec(page.body.textContent ?? "");
      if (found !== null) return found[1] ?? "";
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`the demo does not show ${pattern}`);
  };
  const press = (name: RegExp): void => {
    [...page.querySelectorAll("button")].find((button) => name.test(button.textContent ?? ""))!.click();
  };
  try {
    const leader = await shows(/(n\d) leads 3 nodes/);
    press(/^Put$/);
    await shows(/colour is now “blue”/);
    press(/^Kill the leader/);
    await shows(new RegExp(`(?!${leader})n\\d leads`));
    press(/^Get$/);
    await shows(/colour is “blue”/);
    return "";
  } catch (error) {
    return String(error);
  }
}

const frame = document.createElement("iframe");
document.body.append(frame);
for (const path of SUITES) await suite(frame, path);
await report({ name: "the demo: put a value, kill the leader, get the value", failure: await visit(frame) });
const { traceHashes = "" } = await open(frame, "/tests/browser/trace_hashes_page.html");
await report({ name: "the same seeds give the same traces as in Deno", failure: "", hashes: await traceHashes });
await report({ name: "", failure: "" });
