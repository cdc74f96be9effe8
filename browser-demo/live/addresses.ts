/**
 * Addresses of pages, which are clients and no nodes.
 *
 * @module
 */

import { tabAddress } from "../../transport/tab/mod.ts";

/** Where a page hears the answers to its calls. */
export function pageAddress(page: string): string {
  return tabAddress(`page-${page}`);
}

/** Whether nobody but a client is there. */
export function isPageAddress(address: string): boolean {
  return address.startsWith(tabAddress("page-"));
}

/** Whether it is a server's. */
export function isServerAddress(address: string): boolean {
  return /^https?:/.test(address);
}
