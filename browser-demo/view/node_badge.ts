/**
 * A node in the picture: a button with its name, term, role, votes and value. The
 * role is a shape, a word and a colour: a leader is filled and has a crown, a
 * candidate is a diamond, a learner is dotted, and a node that does not run is
 * crossed out.
 */

import { html, nothing, svg } from "lit-html";
import type { TemplateResult } from "lit-html";
import type { NodeView } from "../source.ts";
import type { ClusterModel, ShownValue } from "./model.ts";
import type { Point } from "./ring.ts";
import { HEIGHT } from "./ring.ts";
import { stateWord } from "./words.ts";

/** Returns the button of one node. */
export function nodeBadge(view: NodeView, { x, y }: Point, model: ClusterModel): TemplateResult {
  const { id, term, home, life, leader, votedFor } = view;
  // The node at the top has its links below it, and the node at the bottom has no room there.
  const words = Math.abs(x - 50) < 5 && Math.abs(y - HEIGHT / 2) > 5 ? "beside" : "below";
  // Its vote matters while there is no leader.
  const voted = life === "running" && leader === null && votedFor !== null && votedFor !== id;
  return html`
    <button
      type="button"
      class="node"
      style="left: ${x}%; top: ${(y / HEIGHT) * 100}%"
      data-node=${id}
      data-words=${words}
      data-state=${stateWord(view)}
      aria-pressed=${model.selectedNode === id}
      @click=${() => model.selectNode(id)}
    >
      <svg class="shape" viewBox="0 0 100 100" aria-hidden="true" focusable="false">
        <circle class="round" cx="50" cy="50" r="42" />
        <rect class="diamond" x="17" y="17" width="66" height="66" rx="10" transform="rotate(45 50 50)" />
        <path class="crown" d="M32 3 L35 -16 L44 -6 L50 -20 L56 -6 L65 -16 L68 3 Z" />
        <path class="cross" d="M20 20 L80 80 M80 20 L20 80" />
        <path class="bars" d="M43 13 V24 M57 13 V24" />
        <g class="votes">${votesOf(view).map(voteMark)}</g>
      </svg>
      <span class="inside"><span class="id">${id}</span> <span class="term">term ${term}</span></span>
      <span class="under">
        <span class="role">${stateWord(view)}</span>
        ${home === "this page" ? nothing : html`<span class="home">${home}</span>`}
        ${voted ? html`<span class="voted">voted for ${votedFor}</span>` : nothing}
        ${valueChip(life === "running" ? model.values.get(id) : undefined, model.watchedKey)}
      </span>
    </button>
  `;
}

/** Returns a node's own value of the watched key. A narrow page hides the key. */
function valueChip(value: ShownValue, key: string): TemplateResult | typeof nothing {
  if (value === undefined) return nothing;
  return value === null
    ? html`<span class="chip" data-empty>no ${key}</span>`
    : html`<span class="chip"><span class="key">${key} = </span>${value}</span>`;
}

type Vote = "granted" | "denied" | "open";

/** Returns the answer of each voter in a campaign: granted, denied, or none yet. */
function votesOf({ life, role, membership: { voters, outgoing }, votes }: NodeView): Vote[] {
  if (life !== "running" || (role !== "candidate" && role !== "preCandidate")) return [];
  return [...new Set([...voters, ...outgoing])].map((id) => {
    const vote = votes.find(({ from }) => from === id);
    return vote === undefined ? "open" : vote.granted ? "granted" : "denied";
  });
}

const MARKS = { granted: "M-5 0 L-1.5 4 L5 -4", denied: "M-4 -4 L4 4 M4 -4 L-4 4", open: "" };

/** Returns the mark of one vote of several around the upper half. */
function voteMark(vote: Vote, index: number, { length }: readonly Vote[]): TemplateResult {
  const angle = -Math.PI / 2 + (index - (length - 1) / 2) * 0.46;
  const at = `translate(${(50 + 66 * Math.cos(angle)).toFixed(1)} ${(50 + 66 * Math.sin(angle)).toFixed(1)})`;
  return svg`
    <g class="vote ${vote}" transform=${at}>
      <circle r="10.5" />
      <path d=${MARKS[vote]} />
    </g>
  `;
}
