// What an edge says of itself, on its status page and to whoever runs it.
import type { Totals } from './collect/device.ts';
import type { DeviceReport, LinkReport } from './collect/loop.ts';
import type { CommandsHealth } from './commands/commands.ts';
import type { FallbackHealth } from './fallback/health.ts';
import type { PathReport } from './path-watch.ts';
import type { UplinkCounts } from './uplink/uplink.ts';

/** The account of promise 1, in readings: due = taken + missed; taken = reported + unchanged. */
export interface Counters extends Readonly<Totals> {
  /** Of those taken, of the gateway's own device: no other device was asked for them. */
  readonly own: number;
  readonly givenUp: number;
  readonly epoch: string;
  readonly points: number;
  /** Records the cloud has not acknowledged. */
  readonly pendingRecords: number;
}

export interface PathHealth {
  /** `away`: connected to a broker at which the cloud is not. */
  readonly state: 'up' | 'away' | 'down';
  /** Something was sent and nothing answered for a while; another path is taken. */
  readonly silent: boolean;
  /** Rises by one a connect. */
  readonly connection: number;
  /** Payloads and topics since the start, without the frames of MQTT, TLS and IP. */
  readonly sentBytes: number;
}

export interface Health {
  readonly ok: boolean;
  readonly gateway: string;
  readonly area: string;
  readonly software: string;
  readonly configuration: string;
  readonly collecting: boolean;
  readonly counters: Counters;
  readonly clock: { readonly state: string; readonly errorMs: number };
  readonly outbox: {
    readonly disk: string;
    readonly bytes: number;
    readonly bytesMax: number;
    readonly unwrittenBytes: number;
    readonly accepts: boolean;
  };
  readonly uplink: {
    readonly up: boolean;
    /** Each by itself, the first one first. */
    readonly paths: readonly PathHealth[];
    readonly inFlightBytes: number;
    readonly creditBytes: number;
    readonly refused: number;
    /** Since the last ack; null before the first. */
    readonly ackAgeMs: number | null;
  };
  /** Whether what is sent reaches the cloud and is acknowledged. */
  readonly path: PathReport;
  /** Of a link with two ways, which one is in use. */
  readonly links: readonly (LinkReport & { readonly way?: 'first' | 'backup' })[];
  readonly devices: readonly DeviceReport[];
  readonly commands: CommandsHealth;
  /** In the order of the gateway's file. */
  readonly fallbacks: readonly FallbackHealth[];
}

export function pathHealth(path: UplinkCounts['paths'][0]): PathHealth {
  const { isUp, isConnected, isSilent, connection, sentBytes } = path;
  const state = isUp ? 'up' : isConnected ? 'away' : 'down';
  return { state, silent: isSilent, connection, sentBytes };
}
