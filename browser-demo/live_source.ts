/**
 * A cluster of real nodes, one worker each, in this tab and in others of the same
 * origin, as a source of what is seen and done.
 *
 * @module
 */

import { RaftError } from "../mod.ts";
import type { NodeId } from "../mod.ts";
import { tabAddress } from "../transport/tab/mod.ts";
import { Asker } from "./live/asker.ts";
import { openRecord, randomHex, randomName, serverBeginning, tabBeginning, takeName } from "./live/cluster_record.ts";
import type { ClusterRecord } from "./live/cluster_record.ts";
import { allOf, isolated } from "./live/links.ts";
import { machineMs, ObservationChannel, REPORT_INTERVAL_MS } from "./live/observation.ts";
import type { Observation } from "./live/observation.ts";
import { Operator } from "./live/operator.ts";
import { PageNodes } from "./live/page_nodes.ts";
import { Picture } from "./live/picture.ts";
import { Playground } from "./live/playground.ts";
import { ServerWatch } from "./live/server_watch.ts";
import { joinUrl } from "./live/url.ts";
import { channelWays, relayWays } from "./live/ways.ts";
import type { Ways } from "./live/ways.ts";
import type { ClusterSource, Controls, KeyValueAnswer, LinkView, SourceListener } from "./source.ts";

/** How a {@linkcode LiveSource} begins. */
export interface LiveOptions {
  /** The name of the cluster, which begins now if there is none of that name. */
  readonly cluster: string;
  /** The servers whose cluster it is; none for one of tabs. */
  readonly servers: readonly string[];
  /** For a cluster that begins, or as the servers have it. @default 1200, of servers 1000 */
  readonly electionTimeoutMs: number | null;
  /** The script of a node's worker. */
  readonly script: URL;
  /** The address of this page. */
  readonly href: string;
  /** Told which nodes this page runs, whenever that changes. */
  nodesChanged(ids: readonly NodeId[]): void;
  /** Told what goes wrong without anybody having asked for it. */
  failed(error: unknown): void;
}

/** How long servers have to tell who their cluster is. */
const SERVERS_TIMEOUT_MS = 5000;

/** Real nodes. */
export class LiveSource implements ClusterSource, Controls {
  readonly inviteUrl: string;
  readonly #options: LiveOptions;
  readonly #page: string;
  readonly #record: ClusterRecord;
  readonly #channel: ObservationChannel;
  readonly #picture: Picture;
  readonly #nodes: PageNodes;
  readonly #asker: Asker;
  readonly #operator: Operator;
  readonly #ways: Ways;
  readonly #playground: Playground;

  /** Use {@linkcode LiveSource.open}. */
  constructor(options: LiveOptions, record: ClusterRecord) {
    const page = this.#page = randomHex(8);
    this.#options = options;
    this.#record = record;
    this.inviteUrl = joinUrl(options.href, options);
    const picture = this.#picture = new Picture(page);
    const say = (observation: Observation): void => this.#channel.say(observation);
    const { script, servers } = options;
    const ways = this.#ways = servers.length === 0 ? channelWays(record.clusterId, page) : relayWays(servers, page);
    const operator = this.#operator = new Operator(picture, ways.transport, servers);
    const nodes = this.#nodes = new PageNodes({
      ...{ page, record, picture, script, say, ways, servers },
      removeMember: (id) => operator.removeMember(id),
      changed: options.nodesChanged,
    });
    const asker = this.#asker = new Asker({ page, picture, nodes, say, ofServers: servers.length > 0 });
    this.#channel = new ObservationChannel(record.name, (observation) => {
      picture.observe(observation);
      void asker.hear(observation);
    });
    this.#playground = new Playground({
      client: ways.transport.client,
      endpoints: () => {
        const running = picture.nodes.filter(({ view }) => view.life === "running").map(({ view }) => view.address);
        const first = servers.length === 0 ? record.founders.map(tabAddress) : servers;
        return [...new Set([...first, ...running])];
      },
      nameOf: (address) => picture.nodes.find(({ view }) => view.address === address)?.view.id ?? address,
      addressOf: (id) => picture.node(id)?.view.address ?? tabAddress(id),
    });
    setInterval(() => {
      nodes.repeat();
      picture.age();
    }, REPORT_INTERVAL_MS);
  }

  /** Opens a cluster to look at; it has no node on this page yet. */
  static async open(options: LiveOptions): Promise<LiveSource> {
    const { cluster, servers, electionTimeoutMs } = options;
    const beginning = servers.length === 0 ? tabBeginning(electionTimeoutMs) : serverBeginning(electionTimeoutMs);
    const source = new LiveSource(options, await openRecord(cluster, beginning));
    await source.#open();
    return source;
  }

  async #open(): Promise<void> {
    const { transport } = this.#ways;
    await transport.start(() => undefined);
    const { servers } = this.#options;
    if (servers.length > 0) new ServerWatch(servers, transport, this.#picture).start();
  }

  /** Those with whom the cluster began; none if it is one of servers. */
  get founders(): readonly NodeId[] {
    return this.#record.founders;
  }

  get controls(): Controls {
    return this;
  }

  now(): number {
    return machineMs();
  }

  subscribe(listener: SourceListener): () => void {
    return this.#picture.subscribe(listener);
  }

  /**
   * Runs these nodes on this page, on what their disks have.
   *
   * @returns the nodes that another tab runs, and this one therefore doesn't
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

  /** The page goes away, and its nodes with it. */
  leave(): void {
    this.#channel.say({ type: "left", page: this.#page });
  }

  put(key: string, value: string): Promise<KeyValueAnswer> {
    return this.#playground.put(key, value);
  }

  get(key: string, consistency: "linearizable" | "stale", from?: NodeId): Promise<KeyValueAnswer> {
    return this.#playground.get(key, consistency, from);
  }

  remove(key: string): Promise<KeyValueAnswer> {
    return this.#playground.remove(key);
  }

  setLink(link: LinkView): void {
    const ends = [link.from, link.to].map((id) => this.#picture.node(id));
    if (ends.every((known) => known !== undefined && this.#asker.isForeign(known))) {
      throw new RaftError("refused", `the link from ${link.from} to ${link.to} is none of this browser's`, {
        hint: "Choose a link to or from a node of a tab.",
      });
    }
    this.#setLinks([link]);
  }

  isolate(id: NodeId, cut: boolean): void {
    this.#setLinks(isolated(id, cut, this.#ids, this.#picture.links));
  }

  heal(): void {
    this.#setLinks(allOf(this.#ids));
  }

  async kill(id: NodeId): Promise<void> {
    await this.#asker.ask(id, { type: "kill" });
  }

  async restart(id: NodeId): Promise<void> {
    await this.#asker.ask(id, { type: "restart" });
  }

  async pause(id: NodeId, paused: boolean): Promise<void> {
    await this.#asker.ask(id, { type: "pause", paused });
  }

  async wipe(id: NodeId): Promise<void> {
    await this.#asker.ask(id, { type: "wipe" });
  }

  async transferLeadership(to: NodeId): Promise<void> {
    await this.#operator.transferLeadership(to);
  }

  async takeSnapshot(id: NodeId): Promise<void> {
    await this.#operator.takeSnapshot(id);
  }

  async addNode(): Promise<NodeId> {
    const id = await this.#newName();
    await this.#nodes.start(id);
    await this.#nodes.takesPart(id);
    return id;
  }

  async removeNode(id: NodeId): Promise<void> {
    await this.#operator.removeMember(id);
    const known = this.#picture.node(id);
    // What runs elsewhere is its owner's to end.
    if (known === undefined || this.#asker.isForeign(known)) return;
    if (known.view.life === "away") await this.#nodes.discard(id);
    else await this.#asker.ask(id, { type: "retire" });
  }

  async #newName(): Promise<NodeId> {
    if (this.#options.servers.length === 0) return await takeName(this.#record);
    const members = (): readonly NodeId[] => this.#picture.membership.members.map(({ id }) => id);
    const known = await this.#picture.until(() => members().length > 0 ? members() : null, SERVERS_TIMEOUT_MS);
    return randomName(known ?? []);
  }

  get #ids(): readonly NodeId[] {
    return this.#picture.nodes.map(({ view }) => view.id);
  }

  /** Each node minds its own links; where none runs, what was asked for is remembered for it. */
  #setLinks(links: readonly LinkView[]): void {
    const observation: Observation = { type: "links", links };
    this.#channel.say(observation);
    this.#picture.observe(observation);
  }
}
