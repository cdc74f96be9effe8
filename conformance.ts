/**
 * What every storage and every transport must do, as lists of checks bound to
 * no test runner: an adapter of your own is sound once it passes.
 *
 * @example
 * ```ts ignore
 * for (const { name, run } of storageConformance(() => myFixture())) Deno.test(name, run);
 * ```
 *
 * @module
 */

export { storageConformance } from "./storage/conformance.ts";
export type { StorageConformanceTest, StorageFixture } from "./storage/conformance.ts";
export { transportConformance } from "./transport/conformance.ts";
export type { TransportConformanceTest, TransportEndpoint, TransportFixture } from "./transport/conformance.ts";
