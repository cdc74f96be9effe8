/**
 * What happens to a page, in the order in which its node has to care.
 *
 * @module
 */

/** What a page's node is to do. */
export interface LifecycleListener {
  /** The page is about to be frozen. */
  freeze(): void;
  /** It goes on. */
  thaw(): void;
  /** It is about to be gone for good. */
  leave(): void;
}

/** A page, as far as its lifecycle goes: `document` and `window`. */
export interface PageScope {
  readonly document: EventTarget & { readonly visibilityState: string };
  readonly window: EventTarget;
}

/** Of `pagehide` and `pageshow`: whether the page is kept, and may come back as it is. */
const kept = (event: Event): boolean => (event as { readonly persisted?: boolean }).persisted === true;

/** The page that this runs in; `null` in a worker. */
export function thisPage(): PageScope | null {
  const { document, window } = globalThis as unknown as Partial<PageScope>;
  return document === undefined || window === undefined ? null : { document, window };
}

/**
 * Begins to tell. A hidden page is no matter: its worker's timers are not
 * throttled. A page that went into the back-forward cache stands still like a
 * frozen one.
 *
 * @returns how to end it
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
