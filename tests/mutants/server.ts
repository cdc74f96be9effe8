/**
 * Rules of the server: pages that may call it, health, REST and watches.
 *
 * @module
 */

import type { Mutant } from "./mutant.ts";

/** Mutants of the server. */
export const server: readonly Mutant[] = [
  {
    name: "origin-by-its-beginning",
    rule: "An origin that begins like the server's own is foreign.",
    edits: [{
      file: "server/guard.ts",
      find: "return origin === `http://${authority.toLowerCase()}` || origin === `https://${authority.toLowerCase()}`;",
      replace:
        "return origin.startsWith(`http://${authority.toLowerCase()}`) || origin.startsWith(`https://${authority.toLowerCase()}`);",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/server/guard_test.ts",
      name: "an origin that only begins or ends like the server's own is foreign",
    },
  },
  {
    name: "host-with-any-port",
    rule: "A port above 65535 makes no host.",
    edits: [{ file: "server/guard.ts", find: "if (Number(match?.[2] ?? 0) > 65_535) return null;", replace: "" }],
    killedBy: "test",
    test: {
      file: "tests/unit/server/guard_test.ts",
      name: "an origin that only begins or ends like the server's own is foreign",
    },
  },
  {
    name: "origin-by-its-case",
    rule: "Origins are compared in any case.",
    edits: [{
      file: "server/guard.ts",
      find: "?.toLowerCase();\n    if (origin === undefined)",
      replace: ";\n    if (origin === undefined)",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/server/guard_test.ts",
      name: "a page of the server's own origin may call it, over HTTP or a proxy's HTTPS, in any case",
    },
  },
  {
    name: "same-site-let-in",
    rule: "A page of the same site has another origin.",
    edits: [{
      file: "server/guard.ts",
      find: 'site === "cross-site" || site === "same-site"',
      replace: 'site === "cross-site"',
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/server/guard_test.ts",
      name: "a request without an origin is refused if the browser says that it comes from another site",
    },
  },
  {
    name: "pages-as-peers",
    rule: "No page is a peer.",
    edits: [{
      file: "server/guard.ts",
      find:
        '    if (PEER_PATH.test(path)) return foreignOrigin(`${pages} take part as a node of its own`, "Use the relay.");\n',
      replace:
        '    if (PEER_PATH.test(path) && origin === "") {\n      return foreignOrigin(`${pages} take part as a node of its own`, "Use the relay.");\n    }\n',
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/server/guard_test.ts",
      name: "pages that may call are no peers, and administer only if they may do that, too",
    },
  },
  {
    name: "any-page-administers",
    rule: "`*` lets no page administer the cluster.",
    edits: [{
      file: "server/guard.ts",
      find: "if (ADMIN_PATH.test(path) && !admins.has(origin)) {",
      replace: "if (ADMIN_PATH.test(path) && !anyOrigin && !admins.has(origin)) {",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/server/guard_test.ts",
      name: "pages that may call are no peers, and administer only if they may do that, too",
    },
  },
  {
    name: "headers-hidden-from-pages",
    rule: "Pages may read the headers that a client needs.",
    edits: [{
      file: "server/app.ts",
      find: 'exposeHeaders: ["etag", "raft-revision", "retry-after"],',
      replace: 'exposeHeaders: ["etag"],',
    }],
    killedBy: "test",
    test: { file: "tests/unit/server/guard_test.ts", name: "pages may read the headers that a client needs" },
  },
  {
    name: "removed-node-is-ready",
    rule: "A removed node is not ready.",
    edits: [{
      file: "server/health.ts",
      find: "!status.removed && status.members.some((member) => member.id === status.id)",
      replace: "status.members.some((member) => member.id === status.id)",
    }],
    killedBy: "test",
    test: { file: "tests/unit/server/guard_test.ts", name: "readiness: each check fails alone" },
  },
  {
    name: "failed-storage-is-ready",
    rule: "A node whose storage has failed is not ready.",
    edits: [{
      file: "server/health.ts",
      find: 'check("storage", status.storage.healthy,',
      replace: 'check("storage", status.storage.healthy || status.lifecycle === "running",',
    }],
    killedBy: "test",
    test: { file: "tests/unit/server/guard_test.ts", name: "readiness: each check fails alone" },
  },
  {
    name: "lagging-node-is-ready",
    rule: "A node that has much to apply is not ready.",
    edits: [{ file: "server/health.ts", find: "lag <= MAX_APPLY_LAG", replace: "lag <= MAX_APPLY_LAG * 1000" }],
    killedBy: "test",
    test: { file: "tests/unit/server/guard_test.ts", name: "readiness: each check fails alone" },
  },
  {
    name: "leaderless-node-is-ready",
    rule: "A node that knows no leader is not ready.",
    edits: [{
      file: "server/health.ts",
      find: 'check("leader", status.leader !== null,',
      replace: 'check("leader", status.term > 0,',
    }],
    killedBy: "test",
    test: { file: "tests/unit/server/guard_test.ts", name: "readiness: each check fails alone" },
  },
  {
    name: "last-event-repeated",
    rule: "A reconnected watch continues after the last event.",
    edits: [{ file: "server/kv_routes.ts", find: "? Number(last) + 1 : null;", replace: "? Number(last) : null;" }],
    killedBy: "test",
    test: {
      file: "tests/unit/server/kv_routes_test.ts",
      name: "watch: Last-Event-ID continues after that event, and comes before `from`",
    },
  },
  {
    name: "last-event-ignored",
    rule: "The last event counts more than where the watch once began.",
    edits: [{
      file: "server/kv_routes.ts",
      find: "const fromVersion = resumed ?? from;",
      replace: "const fromVersion = from ?? resumed;",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/server/kv_routes_test.ts",
      name: "watch: Last-Event-ID continues after that event, and comes before `from`",
    },
  },
  {
    name: "list-of-keys-begins-anew",
    rule: "A list of keys continues after a key.",
    edits: [{
      file: "server/kv_routes.ts",
      find: "...(startAfter === null ? {} : { startAfter }),",
      replace: "...(startAfter === null || keysOnly ? {} : { startAfter }),",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/server/kv_routes_test.ts",
      name: "list: `after` with `keys` lists the keys after it, page by page, without values",
    },
  },
  {
    name: "list-of-any-consistency",
    rule: "A list is read with the consistency of its request.",
    edits: [{
      file: "server/kv_routes.ts",
      find: "    keysOnly,\n    ...readOptions(context),",
      replace: "    keysOnly,",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/server/kv_routes_test.ts",
      name: "the consistency of a read is that of the request: here, forwarded, and of a list",
    },
  },
  {
    name: "forwarded-consistency-lost",
    rule: "A forwarded read keeps its consistency.",
    edits: [{
      file: "server/services/kv.ts",
      find: "readAt(client, leader, query, { consistency, signal })",
      replace: "readAt(client, leader, query, { signal })",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/server/kv_routes_test.ts",
      name: "the consistency of a read is that of the request: here, forwarded, and of a list",
    },
  },
  {
    name: "consistency-lost-at-the-leader",
    rule: "The leader reads with the consistency of the request.",
    edits: [{
      file: "server/services/kv.ts",
      find: "here: (signal) => node.read(query, { consistency, signal }),",
      replace: "here: (signal) => node.read(query, { signal }),",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/server/kv_routes_test.ts",
      name: "the consistency of a read is that of the request: here, forwarded, and of a list",
    },
  },
  {
    name: "revision-of-the-key",
    rule: "The revision of a read is that of the store.",
    edits: [{
      file: "server/kv_routes.ts",
      find: '"raft-revision": String(revision)',
      replace: '"raft-revision": String(value === undefined ? revision : version)',
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/server/kv_routes_test.ts",
      name: "get: the revision is the store's, and a 304 has the ETag; weak tags and lists of tags match",
    },
  },
  {
    name: "weak-tags-differ",
    rule: "Weak tags match as well.",
    edits: [{ file: "server/kv_routes.ts", find: 'tag.trim().replace(/^W\\//, "")', replace: "tag.trim()" }],
    killedBy: "test",
    test: {
      file: "tests/unit/server/kv_routes_test.ts",
      name: "get: the revision is the store's, and a 304 has the ETag; weak tags and lists of tags match",
    },
  },
  {
    name: "etag-of-no-key",
    rule: "A key that does not exist has no ETag.",
    edits: [{
      file: "server/kv_routes.ts",
      find: "currentVersion === 0 ? {} : { etag: etagOf(currentVersion) }",
      replace: "{ etag: etagOf(currentVersion) }",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/server/kv_routes_test.ts",
      name: "a conflict tells the ETag of the key, and none if there is no such key",
    },
  },
  {
    name: "ended-watch-follows-on",
    rule: "A watch that has ended no longer follows the leader.",
    edits: [{ file: "server/services/kv.ts", find: "      this.#following.delete(ended);\n", replace: "" }],
    killedBy: "test",
    test: {
      file: "tests/unit/server/kv_routes_test.ts",
      name: "one timer follows the leader for all watches of a node, and ends with the last of them",
    },
  },
  {
    name: "watch-timer-left",
    rule: "The timer of the watches ends with the last of them.",
    edits: [{
      file: "server/services/kv.ts",
      find: "      if (this.#following.size === 0) clearInterval(this.#followTimer);\n",
      replace: "      if (this.#following.size < 0) clearInterval(this.#followTimer);\n",
    }],
    killedBy: "test",
    test: {
      file: "tests/unit/server/kv_routes_test.ts",
      name: "one timer follows the leader for all watches of a node, and ends with the last of them",
    },
  },
];
