/**
 * The base of all parts of the view: a custom element that is updated at most once
 * a frame.
 */

import { render } from "lit-html";
import type { TemplateResult } from "lit-html";
import type { ClusterSource } from "../source.ts";
import "./dom.ts";
import type { ClusterModel, Topic } from "./model.ts";

/** The surroundings of a part. */
export interface ViewContext {
  readonly source: ClusterSource;
  readonly model: ClusterModel;
  /** Announces a text in the live region. */
  announce(text: string): void;
  /** Does `work`, and shows an error under the name `what`. */
  perform(what: string, work: () => Promise<unknown> | void): Promise<void>;
}

/** A part of the view. */
export abstract class Part extends HTMLElement {
  #context: ViewContext | null = null;

  /** The topics that it shows; changes are passed on at this interval at most. */
  abstract readonly topics: readonly Topic[];
  readonly everyMs: number = 0;

  get context(): ViewContext {
    if (this.#context === null) throw new Error(`<${this.localName}> is not mounted`);
    return this.#context;
  }

  get model(): ClusterModel {
    return this.context.model;
  }

  /** Gives the part its surroundings. Comes before anything else. */
  mount(context: ViewContext): this {
    this.#context = context;
    return this;
  }

  /** Returns the content after these changes. Reads nothing that would force a layout. */
  abstract content(changed: ReadonlySet<Topic>): TemplateResult;

  /** Shows changes. */
  update(changed: ReadonlySet<Topic> = new Set(this.topics)): void {
    render(this.content(changed), this);
  }

  /** Draws moving things, in each frame after all updates. */
  draw(_nowMs: number): void {}
}
