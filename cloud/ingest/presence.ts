// Which gateways are there, by what was heard of them. Data is the best sign of life: a gateway
// whose records arrive is online, whatever an old status says.
import type { Birth, ClockState, Hash, Status } from '../../protocols/uplink/record.ts';

export interface GatewayPresence {
  readonly gateway: string;
  readonly area: string;
  readonly online: boolean;
  /** Rises by one a connect; 0 before the first status. */
  readonly connection: number;
  /** Wall time of the cloud; 0 when nothing was heard since the cloud started. */
  readonly lastHeardMs: number;
  readonly clock: ClockState;
  /** As the birth says; '' before it. */
  readonly software: string;
  readonly configuration: string;
  readonly manifest: Hash;
}

export class Presences {
  readonly #gateways = new Map<string, GatewayPresence>();
  readonly #changed = new Set<string>();
  /** Gateways that changed in more than when they were last heard. */
  readonly #turned = new Set<string>();

  restore(gateway: string, area: string, connection: number): void {
    this.#gateways.set(gateway, { ...this.#get(gateway, area), connection });
  }

  /** Something came that is not a retained leftover. */
  heard(gateway: string, area: string, nowMs: number): void {
    const known = this.#get(gateway, area);
    this.#set({ ...known, area, online: true, lastHeardMs: nowMs }, !known.online);
  }

  /**
   * False when the status is of an earlier connection than one heard before: then nothing changes.
   */
  status(gateway: string, area: string, status: Status, nowMs: number | null): boolean {
    const known = this.#get(gateway, area);
    if (status.connection < known.connection) return false;
    const { connection, online, clock } = status;
    const lastHeardMs = nowMs ?? known.lastHeardMs;
    const isTurn = online !== known.online || clock !== known.clock;
    this.#set({ ...known, area, connection, online, clock, lastHeardMs }, isTurn);
    return true;
  }

  birth(gateway: string, area: string, birth: Birth): void {
    const { software, configuration, manifest } = birth;
    this.#set({ ...this.#get(gateway, area), area, software, configuration, manifest }, true);
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
        lastHeardMs: 0,
        clock: 'unknown',
        software: '',
        configuration: '',
        manifest: '',
      }
    );
  }
}
