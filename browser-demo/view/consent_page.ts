/**
 * The page in place of the demo until the user agrees to what a link asks for.
 */

import { html, render } from "lit-html";
import type { TemplateResult } from "lit-html";
import type { Question } from "../live/consent.ts";
import { addTheme } from "./theme.ts";
import { listOf } from "./words.ts";

/** Shows the question. Resolves when the user agrees, and never otherwise. */
export function askConsent(root: HTMLElement, question: Question, ownUrl: string): Promise<void> {
  addTheme(root.ownerDocument);
  return new Promise((resolve) => render(content(question, ownUrl, resolve), root));
}

function content(question: Question, ownUrl: string, agree: () => void): TemplateResult {
  const { servers, nodes } = question;
  const node = nodes.length === 0 ? "a new node" : listOf(nodes);
  return html`
    <div class="raft-demo">
      <main class="question">
        <section class="card" aria-labelledby="question">
          <h1 id="question">Join this cluster?</h1>
          ${servers.length === 0 ? ofTabs(question, node) : ofServers(servers, node)}
          <p>Nothing has been stored or sent yet. Join only if you opened this link on purpose.</p>
          <div class="buttons">
            <button type="button" class="primary" @click=${agree}>Join with a node in this browser</button>
            <a class="button" href=${ownUrl}>Show a cluster of my own</a>
          </div>
        </section>
      </main>
    </div>
  `;
}

function ofServers(servers: readonly string[], node: string): TemplateResult {
  return html`
    <p>This link asks your browser to take part in the cluster of these servers:</p>
    <ul>${servers.map((server) => html`<li><code>${server}</code></li>`)}</ul>
    <p>If you join, this page</p>
    <ul>
      <li>connects to these servers, and to the others of their cluster;</li>
      <li>stores ${node}, with a copy of the cluster's data, in this browser;</li>
      <li>adds it to the cluster as a learner: it receives every change, and has no vote.</li>
    </ul>
  `;
}

function ofTabs({ cluster }: Question, node: string): TemplateResult {
  return html`
    <p>This link asks your browser to run ${node} of the cluster <code>${cluster}</code>, in the tabs of this browser.</p>
    <p>If you join, this page</p>
    <ul>
      <li>stores ${node}, with a copy of the cluster's data, in this browser;</li>
      <li>adds it to the cluster as a voter.</li>
    </ul>
  `;
}
