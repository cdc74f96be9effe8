/**
 * A node in the picture: a button with its name, term, role, votes and value. The
 * role is a shape, a word and a colour: a leader is filled and has a crown, a
 * candidate is a diamond, a learner is dotted, and a node that does not run is
 * crossed out.
 */

import type { NodeId } from "../../mod.ts";
import type { NodeView } from "../source.ts";
import { button, h, setAttribute, setText, svg } from "./dom.ts";
import type { ClusterModel } from "./model.ts";
import type { Point } from "./ring.ts";
import { HEIGHT } from "./ring.ts";
import { stateWord } from "./words.ts";

/** The button of one node. */
export class NodeBadge {
  readonly element: HTMLButtonElement;
  readonly #votes = svg("g", { class: "votes" });
  readonly #id = h("span", { class: "id" });
  readonly #term = h("span", { class: "term" });
  readonly #role = h("span", { class: "role" });
  readonly #home = h("span", { class: "home" });
  readonly #vote = h("span", { class: "voted" });
  readonly #key = h("span", { class: "key" });
  readonly #value = h("span");
  readonly #chip = h("span", { class: "chip" }, this.#key, this.#value);
  #shownVotes = "";

  constructor(id: NodeId, select: () => void) {
    const shape = svg(
      "svg",
      { class: "shape", viewBox: "0 0 100 100", "aria-hidden": "true", focusable: "false" },
      svg("circle", { class: "round", cx: 50, cy: 50, r: 42 }),
      svg("rect", { class: "diamond", x: 17, y: 17, width: 66, height: 66, rx: 10, transform: "rotate(45 50 50)" }),
      svg("path", { class: "crown", d: "M32 3 L35 -16 L44 -6 L50 -20 L56 -6 L65 -16 L68 3 Z" }),
      svg("path", { class: "cross", d: "M20 20 L80 80 M80 20 L20 80" }),
      svg("path", { class: "bars", d: "M43 13 V24 M57 13 V24" }),
      this.#votes,
    );
    const space = (): string => " ";
    this.element = button("", select, { class: "node", "data-node": id });
    this.element.append(
      shape,
      h("span", { class: "inside" }, this.#id, space(), this.#term),
      space(),
      h("span", { class: "under" }, this.#role, space(), this.#home, space(), this.#vote, space(), this.#chip),
    );
    setText(this.#id, id);
  }

  place({ x, y }: Point): void {
    this.element.style.left = `${x}%`;
    this.element.style.top = `${(y / HEIGHT) * 100}%`;
    // The node at the top has its links below it, and the node at the bottom has no room there.
    const middle = Math.abs(x - 50) < 5 && Math.abs(y - HEIGHT / 2) > 5;
    setAttribute(this.element, "data-words", middle ? "beside" : "below");
  }

  update(view: NodeView, model: ClusterModel): void {
    const word = stateWord(view);
    const { element } = this;
    setAttribute(element, "data-state", word);
    setAttribute(element, "aria-pressed", String(model.selectedNode === view.id));
    setText(this.#term, `term ${view.term}`);
    setText(this.#role, word);
    setText(this.#home, view.home === "this page" ? "" : view.home);
    // Its vote matters while there is no leader.
    const voted = view.life === "running" && view.leader === null && view.votedFor !== null &&
      view.votedFor !== view.id;
    setText(this.#vote, voted ? `voted for ${view.votedFor}` : "");
    this.#showValue(view, model);
    this.#showVotes(view);
  }

  #showValue(view: NodeView, model: ClusterModel): void {
    const value = view.life === "running" ? model.values.get(view.id) : undefined;
    // A narrow page hides the key.
    setText(this.#key, typeof value === "string" ? `${model.watchedKey} = ` : "");
    setText(this.#value, value === undefined ? "" : value === null ? `no ${model.watchedKey}` : value);
    this.#chip.hidden = value === undefined;
    setAttribute(this.#chip, "data-empty", value === null ? "" : null);
  }

  /** Shows a mark for each voter around the upper half: granted, denied, or no answer yet. */
  #showVotes(view: NodeView): void {
    const campaigns = view.life === "running" && (view.role === "candidate" || view.role === "preCandidate");
    const { voters, outgoing } = view.membership;
    const shown = campaigns
      ? [...new Set([...voters, ...outgoing])].map((id) => {
        const vote = view.votes.find(({ from }) => from === id);
        return vote === undefined ? "open" : vote.granted ? "granted" : "denied";
      })
      : [];
    const key = shown.join();
    if (key === this.#shownVotes) return;
    this.#shownVotes = key;
    const step = 0.46;
    this.#votes.replaceChildren(...shown.map((vote, index) => {
      const angle = -Math.PI / 2 + (index - (shown.length - 1) / 2) * step;
      const at = `translate(${(50 + 66 * Math.cos(angle)).toFixed(1)} ${(50 + 66 * Math.sin(angle)).toFixed(1)})`;
      const mark = vote === "granted" ? "M-5 0 L-1.5 4 L5 -4" : vote === "denied" ? "M-4 -4 L4 4 M4 -4 L-4 4" : "";
      return svg("g", { class: `vote ${vote}`, transform: at }, svg("circle", { r: 10.5 }), svg("path", { d: mark }));
    }));
  }
}
