/**
 * The lifecycle of a page, as far as it matters to its node.
 *
 * @module
 */

/** Receives the changes that matter to a node. */
export interface LifecycleListener {
  /** The page is about to be frozen. */
  freeze(): void;
  /** The page was resumed. */
  thaw(): void;
  /** The page is about to be discarded. */
  leave(): void;
}

/** The parts of a page that its lifecycle needs: `document` and `window`. */
export interface PageScope {
  readonly document: EventTarget & { readonly visibilityState: string };
  readonly window: EventTarget;
}

/** Reports whether the page of a `pagehide` or `pageshow` is kept, and may come back as it is. */
const kept = (event: Event): boolean => (event as { readonly persisted?: boolean }).persisted === true;

/** Returns the page that this runs in; `null` in a worker. */
export function thisPage(): PageScope | null {
  const { document, window } = globalThis as unknown as Partial<PageScope>;
  return document === undefined || window === undefined ? null : { document, window };
}

/**
 * Watches the lifecycle of a page. A hidden page needs no action: its worker's timers
 * are not throttled. A page in the back-forward cache is paused like a frozen one.
 *
 * @returns a function that stops watching
 */
export function watchLifecycle({ document, window }: PageScope, listener: LifecycleListener): () => void {
  const stop = new AbortController();
  const on = (target: EventTarget, type: string, call: (event: Event) => void): void =>
    target.addEventListener(type, call, { signal: stop.signal });
  on(document, "freeze", () => listener.freeze());
  on(document, "resume", () => listener.thaw());
  on(document, "visibilitychange", () => document.visibilityState === "visible" ? listener.thaw() : undefined);
  on(window, "pagehide", (event) => kept(event) ? listener.freeze() : listener.leave());
  on(window, "pageshow", (event) => kept(event) ? listener.thaw() : undefined);
  return () => stop.abort();
}
