/**
 * The steps from a storage to a running node, the same for a server and a tab:
 * whose storage is it, does a cluster begin, and with which nodes?
 */

import { RaftError } from "../lib/errors.ts";
import { secureRandom } from "../lib/host.ts";
import { RaftNode } from "../lib/node/mod.ts";
import type { RaftNodeOptions } from "../lib/node/types.ts";
import { randomId } from "../lib/random_id.ts";
import { Sessions } from "../lib/sessions/sessions.ts";
import { isEmpty } from "../lib/storage.ts";
import type { Identity, LoadedState, Storage } from "../lib/storage.ts";
import type { PeerCaller, PeerIdentity } from "../transport/wire/identity.ts";
import { awaitBootstrap } from "./bootstrap.ts";
import type { PeerAddress } from "./bootstrap.ts";
import { BootstrappingNode } from "./bootstrapping_node.ts";
import type { Hints } from "./hints.ts";

export interface OpenStorageOptions {
  /** The id that the node was given. */
  readonly id: string;
  /** The name of the storage in messages, such as `the folder d1`. */
  readonly place: string;
  /** Reports whether the options say how a node with an empty storage begins. */
  readonly mayBeEmpty: boolean;
  readonly hints: Hints;
}

/** A loaded storage, with an identity that is durable. */
export interface OpenedStorage {
  readonly storage: Storage;
  readonly loaded: LoadedState & { readonly identity: Identity };
  /** Reports whether it holds nothing but an identity. (A crash may come between the name of a cluster and its first entry.) */
  readonly empty: boolean;
  /** Stands in for the node until it runs. */
  readonly waiting: BootstrappingNode;
}

/**
 * Loads a storage, and gives a new one its identity: durable before any other
 * node receives it. Closes the storage if that fails.
 *
 * @throws {RaftError} `identity_mismatch` for another node's storage; `invalid_argument` for an empty one that must not be
 */
export async function openStorage(storage: Storage, options: OpenStorageOptions): Promise<OpenedStorage> {
  try {
    const loaded = await storage.load();
    const empty = isEmpty(loaded);
    const identity = check(loaded.identity, empty, options) ??
      { nodeId: options.id, incarnation: randomId(secureRandom), clusterId: "" };
    if (loaded.identity === null) await storage.initialize(identity);
    return { storage, loaded: { ...loaded, identity }, empty, waiting: new BootstrappingNode(identity) };
  } catch (error) {
    await storage.close().catch(() => {});
    throw error;
  }
}

/** Returns the identity found in a storage that this node may use. */
function check(found: Identity | null, empty: boolean, options: OpenStorageOptions): Identity | null {
  const { id, place, hints, mayBeEmpty } = options;
  if (found !== null && found.nodeId !== id) {
    throw new RaftError("identity_mismatch", `${place} belongs to ${found.nodeId}, not to ${id}`, {
      hint: hints.wrongStorage(found.nodeId),
    });
  }
  if (empty && !mayBeEmpty) {
    throw new RaftError("invalid_argument", `${place} is empty, and no option says how to begin`, {
      hint: hints.chooseStart,
    });
  }
  return found;
}

export interface StartNodeOptions {
  readonly opened: OpenedStorage;
  /** The options of the node that the host passes on. */
  readonly node: Omit<RaftNodeOptions, "storage" | "loaded" | "bootstrap">;
  /** The nodes of a new cluster, with or without this one; `null` to wait to be added to a running one. */
  readonly peers: readonly PeerAddress[] | null;
  readonly hints: Hints;
  /** Asks the node at an address for its identity. */
  identify(address: string, caller: PeerCaller, signal: AbortSignal): Promise<PeerIdentity>;
  /** Called before the other nodes of a new cluster are asked, and with their names whenever the silent ones change. */
  waiting(missing: readonly string[] | null): void;
  /** Ends the wait for the other nodes. */
  readonly signal: AbortSignal;
}

/**
 * Starts the node: at once if there is data, else once it is clear how the
 * cluster begins. The state machine is wrapped in {@linkcode Sessions} unless it
 * is one.
 *
 * @throws {RaftError} see {@linkcode awaitBootstrap} and {@linkcode RaftNode.start}
 */
export async function startNode(options: StartNodeOptions): Promise<RaftNode> {
  const { opened: { storage, loaded, empty }, node, signal } = options;
  const decision = empty && options.peers !== null ? await decide(options, options.peers) : null;
  signal.throwIfAborted();
  let { identity } = loaded;
  if (decision?.type === "join") {
    identity = { ...identity, clusterId: decision.clusterId };
    await storage.initialize(identity);
  }
  return await RaftNode.start({
    ...node,
    stateMachine: node.stateMachine instanceof Sessions ? node.stateMachine : new Sessions(node.stateMachine),
    storage,
    loaded: { ...loaded, identity },
    ...(decision?.type === "bootstrap" ? { bootstrap: decision } : {}),
  });
}

function decide(
  { opened: { loaded, waiting }, node: { id, address }, hints, signal, ...options }: StartNodeOptions,
  peers: readonly PeerAddress[],
) {
  const { incarnation } = loaded.identity;
  const caller: PeerCaller = { nodeId: id, incarnation, address };
  options.waiting(null);
  return awaitBootstrap({
    self: { id, incarnation, address },
    peers: peers.filter((peer) => peer.id !== id),
    hints,
    ask: (address, signal) => options.identify(address, caller, signal),
    waiting(missing) {
      waiting.waitFor(missing);
      options.waiting(missing);
    },
    signal,
  });
}
