// The links of one gateway by kind, and what several of them share: a listener for all units that
// dial in to one address, and the ports this process has open.
import type { Clock } from '../../core/clock.ts';
import { assert, unreachable } from '../../core/fault.ts';
import type { Log } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { Link } from '../../protocols/driver.ts';
import type { LineErrors } from '../../protocols/line-wire.ts';
import type { LinkConfig, SimLinkConfig, TcpServerLinkConfig } from '../config/link.ts';
import { SerialPorts } from './serial.ts';
import { openSimLink } from './sim.ts';
import { openTcpLink } from './tcp.ts';
import type { UnitOptions } from './tcp-server.ts';
import { DialInServer } from './tcp-server.ts';
import { TwoWays } from './two-ways.ts';

const errorKinds = ['parity', 'framing', 'overrun', 'break'] as const;

export class Links {
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #ports = new SerialPorts();
  readonly #listeners = new Map<string, DialInServer>();
  readonly #twoWays = new Map<string, TwoWays>();
  /** Of simulated lines, by link: what each counted since it was opened last. */
  readonly #errors = new Map<string, LineErrors>();

  constructor(clock: Clock, log: Log, metrics: Metrics, configs: readonly LinkConfig[]) {
    this.#clock = clock;
    this.#metrics = metrics;
    for (const config of configs) {
      if (config.kind === 'tcp' && config.backup) this.#addTwoWays(config.id, config);
      if (config.kind === 'sim') this.#countErrors(config);
    }
    const served = configs.filter((config) => config.kind === 'tcp-server');
    for (const [place, group] of Map.groupBy(served, placeOf)) {
      const { host, port } = group[0]!.listen;
      const units = group.map(unitOf);
      this.#listeners.set(place, new DialInServer(clock, log, metrics, { host, port, units }));
    }
  }

  /** Rejects with a fault when the link cannot be opened now. */
  open(config: LinkConfig, signal: AbortSignal): Promise<Link> {
    switch (config.kind) {
      case 'tcp':
        return (
          this.#twoWays.get(config.id)?.open(signal) ?? openTcpLink(this.#clock, config, signal)
        );
      case 'serial':
        return this.#ports.open(config, signal);
      case 'tcp-server': {
        const listener = this.#listeners.get(placeOf(config));
        assert(listener, 'every address has its listener');
        return listener.open(config.id, signal);
      }
      case 'sim': {
        const { socket, settings, id } = config;
        const place = typeof socket === 'string' ? { path: socket } : socket;
        const onErrors = (errors: LineErrors) => this.#errors.set(id, errors);
        return openSimLink(this.#clock, { place, settings, onErrors }, signal);
      }
      case 'opcua':
      case 'self':
        return unreachable(config.kind as never); // Its protocol connects by itself.
    }
  }

  /** Which way is in use, for a link that has two; null for others and while neither is. */
  wayOf(link: string): 'first' | 'backup' | null {
    return this.#twoWays.get(link)?.inUse ?? null;
  }

  /** Ends what listens; the links themselves are closed by whoever has them. */
  async close(): Promise<void> {
    await Promise.all([...this.#listeners.values()].map((listener) => listener.close()));
  }

  #addTwoWays(id: string, config: LinkConfig & { readonly kind: 'tcp' }): void {
    const { host, port, backup, connectTimeoutMs, pace } = config;
    assert(backup, 'two ways need two');
    const options = { first: { host, port }, backup, connectTimeoutMs, pace };
    const ways = new TwoWays(this.#clock, options);
    this.#twoWays.set(id, ways);
    const help = 'Whether the backup of the link is in use';
    this.#metrics.observe('edge_link_on_backup', help, { link: id }, () =>
      ways.inUse === 'backup' ? 1 : 0,
    );
  }

  #countErrors({ id }: SimLinkConfig): void {
    const help = 'Errors a serial line counted since it was opened';
    for (const kind of errorKinds) {
      this.#metrics.observe('edge_link_line_errors', help, { link: id, kind }, () => {
        return this.#errors.get(id)?.[kind] ?? 0;
      });
    }
  }
}

function placeOf({ listen: { host, port } }: TcpServerLinkConfig): string {
  return `${host}:${port}`;
}

function unitOf(config: TcpServerLinkConfig): UnitOptions {
  const { id, identity, heartbeat, protocol, line, units, pace } = config;
  return {
    link: id,
    identity,
    heartbeat,
    // A protocol that cannot say has no heartbeats: the configuration is checked.
    answerBytes: (bytes, start, end) =>
      protocol.answerBytes?.(line, units, bytes, start, end) ?? -1,
    pace,
  };
}
