// Which gateways are there, by what was heard of them. Data is the best sign of life: a gateway
// whose records arrive is online, whatever an old status says.
//
// A gateway may have two paths to the cloud, each with a status of its own; it is online while
// either is. A path is `unknown` while the cloud itself is away from the broker that the path was
// last heard at, or from any broker where it never was: that is nobody's fault at the gateway.
import type { Birth, ClockState, Hash, Status } from '../../protocols/uplink/record.ts';

export interface PathPresence {
  readonly state: 'up' | 'down' | 'unknown';
  /** Wall time of the cloud since when it is so. */
  readonly sinceMs: number;
  /** Of its newest status; 0 when nothing but a retained one was heard since the cloud started. */
  readonly heardMs: number;
  /** Rises by one a connect of this path; 0 before its first status. */
  readonly connection: number;
  /** The place of the broker it was heard at; null before that. */
  readonly broker: number | null;
}

export interface GatewayPresence {
  readonly gateway: string;
  readonly area: string;
  /** Either path is up, or records arrive. */
  readonly online: boolean;
  /** Rises by one a connect of the first path; 0 before its first status. */
  readonly connection: number;
  /** As many as the gateway says it has, the first one first. */
  readonly paths: readonly PathPresence[];
  /** Wall time of the cloud; 0 when nothing was heard since the cloud started. */
  readonly lastHeardMs: number;
  readonly clock: ClockState;
  /** As the birth says; '' before it. */
  readonly software: string;
  readonly configuration: string;
  readonly manifest: Hash;
}

/** Rises with each connect of either path. */
export function connectionsOf({ paths }: Pick<GatewayPresence, 'paths'>): number {
  return paths.reduce((sum, { connection }) => sum + connection, 0);
}

/** One status as it came in. */
export interface HeardStatus {
  readonly status: Status;
  /** 0 is the first. */
  readonly path: number;
  readonly broker: number;
  readonly nowMs: number;
  readonly retained: boolean;
}

export class Presences {
  readonly #gateways = new Map<string, GatewayPresence>();
  readonly #changed = new Set<string>();
  /** Gateways that changed in more than when they were last heard. */
  readonly #turned = new Set<string>();
  /** Brokers the cloud was at and is away from. */
  readonly #away = new Set<number>();

  restore(gateway: string, area: string, connection: number): void {
    const known = this.#get(gateway, area);
    const [first, ...others] = known.paths;
    this.#gateways.set(gateway, {
      ...{ ...known, connection, paths: [{ ...first!, connection }, ...others] },
    });
  }

  /** Something came that is not a retained leftover. */
  heard(gateway: string, area: string, nowMs: number): void {
    const known = this.#get(gateway, area);
    this.#set({ ...known, area, online: true, lastHeardMs: nowMs }, !known.online);
  }

  /**
   * False when the status is of an earlier connection of its path than one heard before: then
   * nothing changes.
   */
  status(gateway: string, area: string, heard: HeardStatus): boolean {
    const { status, path, broker, nowMs, retained } = heard;
    const known = this.#get(gateway, area);
    const before = known.paths[path] ?? this.#unheard(nowMs);
    const { connection, online, clock } = status;
    if (connection < before.connection) return false;
    const state = online ? ('up' as const) : ('down' as const);
    const sinceMs = state === before.state ? before.sinceMs : nowMs;
    const heardMs = retained ? before.heardMs : nowMs;
    const now: PathPresence = { state, sinceMs, heardMs, connection, broker };
    const count = Math.max(status.paths, path + 1);
    const paths = Array.from({ length: count }, (_, at) =>
      at === path ? now : (known.paths[at] ?? this.#unheard(nowMs)),
    );
    const isOnline = paths.some((it) => it.state === 'up');
    const isTurn =
      isOnline !== known.online ||
      clock !== known.clock ||
      statesOf(paths) !== statesOf(known.paths);
    const lastHeardMs = retained ? known.lastHeardMs : nowMs;
    const first = paths[0]!.connection;
    const presence = { ...known, area, connection: first, paths, online: isOnline, clock };
    this.#set({ ...presence, lastHeardMs }, isTurn);
    return true;
  }

  birth(gateway: string, area: string, birth: Birth): void {
    const { software, configuration, manifest } = birth;
    this.#set({ ...this.#get(gateway, area), area, software, configuration, manifest }, true);
  }

  /** The cloud lost a broker: what it knows of the paths there is old. */
  brokerAway(broker: number, nowMs: number): void {
    this.#away.add(broker);
    this.#turnPaths(broker, { from: ['up', 'down'], to: 'unknown', nowMs });
  }

  /**
   * The cloud is at a broker (again): a path that says nothing there is down; one that is up says
   * so at once by what the broker keeps, or when it connects again.
   */
  brokerBack(broker: number, nowMs: number): void {
    if (this.#away.delete(broker)) {
      this.#turnPaths(broker, { from: ['unknown'], to: 'down', nowMs });
    }
  }

  #turnPaths(
    broker: number,
    turn: {
      readonly from: readonly PathPresence['state'][];
      readonly to: PathPresence['state'];
      readonly nowMs: number;
    },
  ): void {
    const { from, to, nowMs } = turn;
    const isHere = (path: PathPresence) =>
      path.broker === broker || (path.broker === null && (to === 'unknown' || this.#isWhole));
    for (const known of this.#gateways.values()) {
      const turns = (path: PathPresence) => isHere(path) && from.includes(path.state);
      // Of a single path nobody is told; the next status or record of it says more.
      if (known.paths.length < 2 || !known.paths.some(turns)) continue;
      const paths = known.paths.map((path) =>
        turns(path) ? { ...path, state: to, sinceMs: nowMs } : path,
      );
      this.#set({ ...known, paths }, true);
    }
  }

  get #isWhole(): boolean {
    return this.#away.size === 0;
  }

  #unheard(nowMs: number): PathPresence {
    const state = this.#isWhole ? 'down' : 'unknown';
    return { state, sinceMs: nowMs, heardMs: 0, connection: 0, broker: null };
  }

  /** What changed since the last call. */
  takeChanges(): GatewayPresence[] {
    const changes = [...this.#changed].flatMap((gateway) => this.#gateways.get(gateway) ?? []);
    this.#changed.clear();
    this.#turned.clear();
    return changes;
  }

  /**
   * True when something changed that somebody may be waiting for, more than the time last heard.
   */
  get hasTurned(): boolean {
    return this.#turned.size > 0;
  }

  get online(): GatewayPresence[] {
    return [...this.#gateways.values()].filter(({ online }) => online);
  }

  get onlineCount(): number {
    let count = 0;
    for (const { online } of this.#gateways.values()) if (online) count++;
    return count;
  }

  #set(presence: GatewayPresence, isTurn: boolean): void {
    this.#gateways.set(presence.gateway, presence);
    this.#changed.add(presence.gateway);
    if (isTurn) this.#turned.add(presence.gateway);
  }

  #get(gateway: string, area: string): GatewayPresence {
    return (
      this.#gateways.get(gateway) ?? {
        gateway,
        area,
        online: false,
        connection: 0,
        paths: [{ state: 'unknown', sinceMs: 0, heardMs: 0, connection: 0, broker: null }],
        lastHeardMs: 0,
        clock: 'unknown',
        software: '',
        configuration: '',
        manifest: '',
      }
    );
  }
}

function statesOf(paths: readonly PathPresence[]): string {
  return paths.map(({ state }) => state).join(' ');
}
