/**
 * The cluster of real nodes, one worker each, in this tab and in others of the same
 * origin, as the source of the view.
 */

import { secureRandom } from "../lib/host.ts";
import { randomId } from "../lib/random_id.ts";
import { ClusterAdmin, RaftError } from "../mod.ts";
import type { NodeId } from "../mod.ts";
import { tabAddress } from "../transport/tab/mod.ts";
import { removeMember } from "./live/admin.ts";
import { openRecord, randomName, serverBeginning, tabBeginning, takeName } from "./live/cluster_record.ts";
import type { ClusterRecord } from "./live/cluster_record.ts";
import { ClusterView } from "./live/cluster_view.ts";
import { channelConnections, relayConnections } from "./live/connections.ts";
import type { Connections } from "./live/connections.ts";
import { DemoClient } from "./live/demo_client.ts";
import { HostCalls } from "./live/host_calls.ts";
import { machineMs, openChannel, REPORT_INTERVAL_MS } from "./live/host_message.ts";
import type { HostMessage } from "./live/host_message.ts";
import { allLinks, isolatedLinks } from "./live/links.ts";
import { PageNodes } from "./live/page_nodes.ts";
import { watchServers } from "./live/server_watch.ts";
import { joinUrl } from "./live/url.ts";
import type { ClusterSource, KeyValueAnswer, LinkView, SourceListener } from "./source.ts";

export interface LiveOptions {
  /** The name of the cluster, which is created if there is none of that name. */
  readonly cluster: string;
  /** The servers that form the cluster; none for a cluster of tabs. */
  readonly servers: readonly string[];
  /** For a new cluster, or as set on the servers. @default 1200, with servers 1000 */
  readonly electionTimeoutMs: number | null;
  /** The script of a node's worker. */
  readonly script: URL;
  /** The address of this page. */
  readonly href: string;
  /** The invitation for further tabs of this browser. */
  readonly invitation: string;
  /** Called with the nodes that this page runs, whenever they change. */
  nodesChanged(ids: readonly NodeId[]): void;
  /** Called with errors of actions that no control has requested. */
  failed(error: unknown): void;
}

/** Time for an election or two. */
const ADMIN_TIMEOUT_MS = 12_000;
/** Time for servers to answer with their members. */
const SERVERS_TIMEOUT_MS = 5000;

/** A cluster of real nodes. */
export class LiveSource implements ClusterSource {
  readonly inviteUrl: string;
  readonly shareUrl: string;
  readonly #options: LiveOptions;
  readonly #page = randomId(secureRandom);
  readonly #record: ClusterRecord;
  readonly #send: (message: HostMessage) => void;
  readonly #cluster: ClusterView;
  readonly #nodes: PageNodes;
  readonly #calls: HostCalls;
  readonly #admin: ClusterAdmin;
  readonly #connections: Connections;
  readonly #client: DemoClient;

  private constructor(options: LiveOptions, record: ClusterRecord) {
    const page = this.#page;
    const { script, servers } = options;
    this.#options = options;
    this.#record = record;
    this.inviteUrl = joinUrl(options.href, options, options.invitation);
    this.shareUrl = joinUrl(options.href, options);
    const cluster = this.#cluster = new ClusterView(page);
    const send = this.#send = openChannel(record.name, (message) => {
      cluster.apply(message);
      void this.#calls.receive(message);
    });
    const connections = this.#connections = servers.length === 0
      ? channelConnections(record.clusterId, page)
      : relayConnections(servers, page);
    const { client } = connections.transport;
    const endpoints = (): readonly string[] => this.#endpoints;
    const timeoutMs = ADMIN_TIMEOUT_MS;
    const admin = this.#admin = new ClusterAdmin({ transport: client, endpoints, timeoutMs, maxBackoffMs: 250 });
    const nodes = this.#nodes = new PageNodes({
      ...{ page, record, cluster, script, send, connections, servers },
      removeMember: (id) => removeMember(admin, id),
      changed: options.nodesChanged,
    });
    this.#calls = new HostCalls({ page, cluster, nodes, send, ofServers: servers.length > 0 });
    this.#client = new DemoClient({
      client,
      endpoints,
      nameOf: (address) => cluster.nodes.find(({ view }) => view.address === address)?.view.id ?? address,
      addressOf: (id) => cluster.node(id)?.view.address ?? tabAddress(id),
    });
    setInterval(() => {
      nodes.repeat();
      cluster.age();
    }, REPORT_INTERVAL_MS);
  }

  /** Opens a cluster; it has no node on this page yet. */
  static async open(options: LiveOptions): Promise<LiveSource> {
    const { cluster, servers, electionTimeoutMs } = options;
    const beginning = servers.length === 0 ? tabBeginning(electionTimeoutMs) : serverBeginning(electionTimeoutMs);
    const source = new LiveSource(options, await openRecord(cluster, beginning));
    const { transport } = source.#connections;
    await transport.start(() => undefined);
    if (servers.length > 0) watchServers(servers, transport, source.#cluster);
    return source;
  }

  /** The nodes that the cluster was founded with; none if it is one of servers. */
  get founders(): readonly NodeId[] {
    return this.#record.founders;
  }

  now(): number {
    return machineMs();
  }

  subscribe(listener: SourceListener): void {
    this.#cluster.subscribe(listener);
  }

  /**
   * Runs these nodes on this page, on their disks.
   *
   * @returns the nodes that another tab runs already
   */
  async host(ids: readonly NodeId[]): Promise<readonly NodeId[]> {
    const locked: NodeId[] = [];
    await Promise.all(ids.map(async (id) => {
      try {
        await this.#nodes.start(id);
      } catch (error) {
        if (error instanceof RaftError && error.code === "locked") locked.push(id);
        else this.#options.failed(error);
      }
    }));
    return locked;
  }

  /** Informs the other tabs that the page closes, and its nodes with it. */
  leave(): void {
    this.#send({ type: "left", page: this.#page });
  }

  put(key: string, value: string): Promise<KeyValueAnswer> {
    return this.#client.put(key, value);
  }

  get(key: string, consistency: "linearizable" | "stale", from?: NodeId): Promise<KeyValueAnswer> {
    return this.#client.get(key, consistency, from);
  }

  remove(key: string): Promise<KeyValueAnswer> {
    return this.#client.remove(key);
  }

  setLink(link: LinkView): void {
    const ends = [link.from, link.to].map((id) => this.#cluster.node(id));
    if (ends.every((known) => known !== undefined && this.#calls.isForeign(known))) {
      throw new RaftError("refused", `the link from ${link.from} to ${link.to} does not belong to this browser`, {
        hint: "Choose a link to or from a node in a tab.",
      });
    }
    this.#setLinks([link]);
  }

  isolate(id: NodeId, cut: boolean): void {
    this.#setLinks(isolatedLinks(id, cut, this.#ids, this.#cluster.links));
  }

  heal(): void {
    this.#setLinks(allLinks(this.#ids));
  }

  async kill(id: NodeId): Promise<void> {
    await this.#calls.call(id, "kill");
  }

  async restart(id: NodeId): Promise<void> {
    await this.#calls.call(id, "start");
  }

  async pause(id: NodeId, paused: boolean): Promise<void> {
    await this.#calls.call(id, paused ? "pause" : "resume");
  }

  async wipe(id: NodeId): Promise<void> {
    await this.#calls.call(id, "wipe");
  }

  async transferLeadership(to: NodeId): Promise<void> {
    await this.#admin.transferLeadership(to, { waitUntilReady: true });
  }

  async takeSnapshot(id: NodeId): Promise<void> {
    const address = this.#cluster.node(id)?.view.address;
    if (address === undefined) throw new RaftError("unreachable", `the address of ${id} is not known`);
    await this.#admin.takeSnapshot(address);
  }

  async addNode(): Promise<NodeId> {
    const id = await this.#newName();
    await this.#nodes.start(id);
    await this.#nodes.takesPart(id);
    return id;
  }

  async removeNode(id: NodeId): Promise<void> {
    await removeMember(this.#admin, id);
    const known = this.#cluster.node(id);
    // A node that runs elsewhere is ended there.
    if (known === undefined || this.#calls.isForeign(known)) return;
    if (known.view.life === "away") await this.#nodes.discard(id);
    else await this.#calls.call(id, "retire");
  }

  async #newName(): Promise<NodeId> {
    if (this.#options.servers.length === 0) return await takeName(this.#record);
    const members = (): readonly NodeId[] => this.#cluster.membership.members.map(({ id }) => id);
    const known = await this.#cluster.until(() => members().length > 0 ? members() : null, SERVERS_TIMEOUT_MS);
    return randomName(known ?? []);
  }

  get #ids(): readonly NodeId[] {
    return this.#cluster.nodes.map(({ view }) => view.id);
  }

  /** The addresses to ask: the founders or servers, and every node that runs. */
  get #endpoints(): readonly string[] {
    const { servers } = this.#options;
    const first = servers.length === 0 ? this.founders.map(tabAddress) : servers;
    const running = this.#cluster.nodes.filter(({ view }) => view.life === "running").map(({ view }) => view.address);
    return [...new Set([...first, ...running])];
  }

  /** Each running node controls its own links; for others the request is remembered. */
  #setLinks(links: readonly LinkView[]): void {
    const message: HostMessage = { type: "links", links };
    this.#send(message);
    this.#cluster.apply(message);
  }
}
