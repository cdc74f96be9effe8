/**
 * What all parts of the view have in common: a custom element that is told what
 * changed, at most once a frame.
 *
 * @module
 */

import { RaftError } from "../../lib/errors.ts";
import type { ClusterSource, Controls } from "../source.ts";
import "./dom.ts";
import type { ClusterModel, Topic } from "./model.ts";

/** What a part may use. */
export interface ViewContext {
  readonly source: ClusterSource;
  readonly model: ClusterModel;
  readonly controls: Controls | null;
  /** How many milliseconds of the source pass in one of the viewer's. */
  rate(): number;
  /** Says something in the live region. */
  announce(text: string): void;
  /** Shows and says that something failed; `work` is what was tried. */
  perform(what: string, work: () => Promise<unknown> | void): Promise<void>;
}

/** A part of the view. */
export abstract class Part extends HTMLElement {
  #context: ViewContext | null = null;

  /** What it looks at, and how often at most it wants to know of it. */
  abstract readonly topics: readonly Topic[];
  readonly everyMs: number = 0;

  get context(): ViewContext {
    if (this.#context === null) throw new Error(`<${this.localName}> is not mounted`);
    return this.#context;
  }

  get model(): ClusterModel {
    return this.context.model;
  }

  /** Gives it what it needs. Comes before anything else. */
  mount(context: ViewContext): this {
    this.#context = context;
    this.build();
    return this;
  }

  /** Makes its elements, once. */
  abstract build(): void;

  /** Shows what changed. Reads nothing that would make the browser lay out the page. */
  abstract update(changed: ReadonlySet<Topic>): void;

  /** Draws what moves. Comes with each frame, after all updates. */
  draw(_nowMs: number): void {}
}

/** An error as one says it: what happened, and what to do. */
export function errorWords(error: unknown): { readonly message: string; readonly hint: string } {
  if (error instanceof RaftError) {
    const maybe = error.outcome === "unknown" ? "It may have been carried out all the same. " : "";
    return { message: sentence(error.message), hint: `${maybe}${sentence(error.hint)}`.trim() };
  }
  // An error that came from a worker may have lost its class, and kept its hint.
  const { message, hint } = error as { message?: unknown; hint?: unknown };
  return {
    message: sentence(typeof message === "string" ? message : String(error)),
    hint: typeof hint === "string" ? sentence(hint) : "",
  };
}

function sentence(text: string): string {
  if (text === "") return "";
  const capital = /^[a-z]+\d/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}

/** Registers an element, unless it was. */
export function define(name: string, element: CustomElementConstructor): void {
  if (customElements.get(name) === undefined) customElements.define(name, element);
}
