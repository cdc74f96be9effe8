/**
 * The steps from a storage to a running node, the same for a server and a tab:
 * whose storage is it, does a cluster begin, and with which nodes?
 *
 * @module
 */

import { RaftError } from "../lib/errors.ts";
import { secureRandom } from "../lib/host.ts";
import { RaftNode } from "../lib/node/mod.ts";
import type { RaftNodeOptions } from "../lib/node/types.ts";
import { randomId } from "../lib/random_id.ts";
import { Sessions } from "../lib/sessions/sessions.ts";
import type { Identity, Storage } from "../lib/storage.ts";
import type { PeerCaller, PeerIdentity } from "../transport/wire/identity.ts";
import { awaitBootstrap } from "./bootstrap.ts";
import type { BootstrapPeer } from "./bootstrap.ts";
import { BootstrappingNode } from "./bootstrapping_node.ts";
import type { Hints } from "./hints.ts";
import { peerIdentityOf } from "./identity.ts";
import { LoadedStorage } from "./loaded_storage.ts";

/** Options of {@linkcode openStorage}. */
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
  readonly storage: LoadedStorage;
  readonly identity: Identity;
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
  const loaded = await LoadedStorage.load(storage);
  try {
    const identity = await identify(loaded, options);
    return { storage: loaded, identity, waiting: new BootstrappingNode(identity) };
  } catch (error) {
    await storage.close().catch(() => {});
    throw error;
  }
}

async function identify(storage: LoadedStorage, options: OpenStorageOptions): Promise<Identity> {
  const { id, place, hints } = options;
  const found = storage.loaded.identity;
  if (found !== null && found.nodeId !== id) {
    throw new RaftError("identity_mismatch", `${place} belongs to ${found.nodeId}, not to ${id}`, {
      hint: hints.wrongStorage(found.nodeId),
    });
  }
  if (storage.empty && !options.mayBeEmpty) {
    throw new RaftError("invalid_argument", `${place} is empty, and no option says how to begin`, {
      hint: hints.chooseStart,
    });
  }
  if (found !== null) return found;
  const identity = { nodeId: id, incarnation: randomId(secureRandom), clusterId: "" };
  await storage.initialize(identity);
  return identity;
}

/** Options of {@linkcode startNode}. */
export interface StartNodeOptions {
  readonly opened: OpenedStorage;
  /** The options of the node that the host passes on. */
  readonly node: Omit<RaftNodeOptions, "storage" | "bootstrap">;
  /** The nodes of a new cluster, with or without this one; `null` to wait to be added to a running one. */
  readonly peers: readonly BootstrapPeer[] | null;
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
  const { opened: { storage, identity }, node, signal } = options;
  const decision = storage.empty && options.peers !== null ? await decide(options, options.peers) : null;
  signal.throwIfAborted();
  if (decision?.type === "join") await storage.initialize({ ...identity, clusterId: decision.clusterId });
  return await RaftNode.start({
    ...node,
    stateMachine: node.stateMachine instanceof Sessions ? node.stateMachine : new Sessions(node.stateMachine),
    storage,
    ...(decision?.type === "bootstrap" ? { bootstrap: decision } : {}),
  });
}

function decide(
  { opened: { identity, waiting }, node: { id, address }, hints, signal, ...options }: StartNodeOptions,
  peers: readonly BootstrapPeer[],
) {
  const { incarnation } = identity;
  const caller: PeerCaller = { nodeId: id, incarnation, address };
  options.waiting(null);
  return awaitBootstrap({
    self: { id, incarnation, address },
    peers: peers.filter((peer) => peer.id !== id),
    hints,
    ask: async (address, signal) => peerIdentityOf(await options.identify(address, caller, signal)),
    waiting(missing) {
      waiting.waitFor(missing);
      options.waiting(missing);
    },
    signal,
  });
}
