/**
 * The controls of one link, in each direction.
 */

import type { NodeId } from "../../mod.ts";
import { healthyLink } from "../live/links.ts";
import type { LinkView } from "../source.ts";
import { button, h, setOptions, setText } from "./dom.ts";
import { linkKey } from "./model.ts";
import type { Pair, Topic } from "./model.ts";
import { Part } from "./part.ts";

const MAX_DELAY_MS = 1000;

/** The controls of one direction. */
class Direction {
  readonly element = h("fieldset", { class: "direction" });
  readonly #name = h("legend");
  readonly #cut = h("input", { type: "checkbox" });
  readonly #delay = h("input", { type: "range", min: 0, max: MAX_DELAY_MS, step: 50, value: 0 });
  readonly #loss = h("input", { type: "range", min: 0, max: 100, step: 5, value: 0 });
  readonly #delayText = h("span", { class: "number" });
  readonly #lossText = h("span", { class: "number" });

  constructor(changed: () => void) {
    this.element.append(
      this.#name,
      h("label", { class: "check" }, this.#cut, h("span", {}, "Cut")),
      h("label", { class: "range" }, h("span", {}, "Delay"), this.#delay, this.#delayText),
      h("label", { class: "range" }, h("span", {}, "Loss"), this.#loss, this.#lossText),
    );
    for (const input of [this.#cut, this.#delay, this.#loss]) input.addEventListener("input", changed);
  }

  show(from: NodeId, to: NodeId, view: LinkView | undefined): void {
    setText(this.#name, linkKey(from, to));
    this.#cut.checked = view?.cut ?? false;
    set(this.#delay, view?.delayMs ?? 0);
    set(this.#loss, Math.round((view?.loss ?? 0) * 100));
    this.#delay.setAttribute("aria-valuetext", `${this.#delay.value} milliseconds`);
    this.#loss.setAttribute("aria-valuetext", `${this.#loss.value} percent`);
    setText(this.#delayText, `${view?.delayMs ?? 0} ms`);
    setText(this.#lossText, `${Math.round((view?.loss ?? 0) * 100)} %`);
  }

  read(from: NodeId, to: NodeId): LinkView {
    return {
      from,
      to,
      cut: this.#cut.checked,
      delayMs: Number(this.#delay.value),
      loss: Number(this.#loss.value) / 100,
    };
  }
}

function set(input: HTMLInputElement, value: number): void {
  if (input.value !== String(value)) input.value = String(value);
}

/** `<raft-link-panel>` */
export class LinkPanel extends Part {
  readonly topics = ["links", "nodes", "selection"] as const;
  override readonly everyMs = 60;
  readonly #choice = h("select", { "aria-label": "Which link" });
  readonly #there = new Direction(() => this.#set("there"));
  readonly #back = new Direction(() => this.#set("back"));
  #pairs: readonly Pair[] = [];

  build(): void {
    this.append(h("div", { class: "head" }, h("h2", {}, "Link"), this.#choice));
    this.#choice.addEventListener("change", () => {
      const pair = this.#pairs.find((one) => nameOf(one) === this.#choice.value);
      if (pair !== undefined) this.model.selectLink(pair);
    });
    this.append(
      h(
        "div",
        { class: "buttons" },
        button("Cut both ways", () => this.#setBoth(true), { class: "danger" }),
        button("Restore", () => this.#setBoth(false)),
      ),
      h("div", { class: "directions" }, this.#there.element, this.#back.element),
    );
  }

  update(_changed: ReadonlySet<Topic>): void {
    this.#pairs = this.model.pairs();
    this.hidden = this.#pairs.length === 0;
    setOptions(this.#choice, this.#pairs.map((pair) => ({ value: nameOf(pair), text: nameOf(pair) })));
    const pair = this.#selected();
    if (pair === undefined) return;
    const name = nameOf(pair);
    if (this.#choice.value !== name) this.#choice.value = name;
    this.#there.show(pair.a, pair.b, this.model.linkOf(pair.a, pair.b));
    this.#back.show(pair.b, pair.a, this.model.linkOf(pair.b, pair.a));
  }

  #selected(): Pair | undefined {
    return this.model.selectedLink ?? this.#pairs[0];
  }

  #set(which: "there" | "back"): void {
    const pair = this.#selected();
    if (pair === undefined) return;
    const view = which === "there" ? this.#there.read(pair.a, pair.b) : this.#back.read(pair.b, pair.a);
    void this.context.perform(`Changing ${linkKey(view.from, view.to)}`, () => this.context.source.setLink(view));
  }

  #setBoth(cut: boolean): void {
    const pair = this.#selected();
    if (pair === undefined) return;
    void this.context.perform("Changing the link", () => {
      for (const [from, to] of [[pair.a, pair.b], [pair.b, pair.a]] as const) {
        this.context.source.setLink({ ...healthyLink(from, to), cut });
      }
    });
  }
}

function nameOf({ a, b }: Pair): string {
  return `${a} ↔ ${b}`;
}
