// The collecting part of the edge on a simulated serial line, in a process of its own: gateway file,
// link, driver and collector as the edge has them; what is read goes nowhere.
import { systemClock } from '../../core/clock.ts';
import { Metrics } from '../../core/metrics.ts';
import { systemRandom } from '../../core/random.ts';
import { parseProfile } from '../../device-profiles/profile.ts';
import { Collector } from '../../edge/collect/loop.ts';
import { parseGateway } from '../../edge/config/gateway.ts';
import { Links } from '../../edge/links/links.ts';
import { PROFILE, profileText } from '../gateway-file.ts';
import { noteLog } from '../note-log.ts';
import { serve } from '../side.ts';

export interface BusEdgeSettings {
  readonly serial: string;
  readonly socket: string;
  readonly units: number;
  readonly registers: number;
  readonly periodMs: number;
  readonly answerMs: number;
}

function gatewayText({ serial, socket, units, periodMs, answerMs }: BusEdgeSettings): string {
  return JSON.stringify({
    version: 1,
    gateway: { id: 'gw-bench', area: 'bench', name: { en: 'Bench', zh: '测试台' } },
    cloud: { url: 'mqtt://127.0.0.1:1883', credentials: '${env:NONE}' },
    links: { bus: { protocol: 'modbus', kind: 'sim', socket, serial, answer: `${answerMs}ms` } },
    devices: Array.from({ length: units }, (_, at) => ({
      ...{ id: `device-${at + 1}`, link: 'bus', unit: at + 1, profile: `${PROFILE}@1` },
      poll: `${periodMs}ms`,
    })),
  });
}

serve(async (settings: BusEdgeSettings) => {
  const text = profileText({ registers: settings.registers, limit: null });
  const profile = parseProfile(text, PROFILE);
  const profiles = { ids: [PROFILE], load: () => profile, text: () => text };
  const config = parseGateway(gatewayText(settings), 'bench-gateway.yaml', profiles);
  const log = noteLog('bus-edge');
  const metrics = new Metrics();
  const links = new Links(systemClock, log, metrics, config.links);
  const collector = new Collector(systemClock, systemRandom, log, metrics, {
    links: config.links.map((link) => ({ ...link, open: (signal) => links.open(link, signal) })),
    devices: config.devices,
    sink: { accepts: true, report: () => {}, missed: () => {} },
    reportAll: true,
  });
  collector.start();
  return {
    line: () => collector.links()[0],
    /** Time of the line that went to devices without answer, since the start. */
    probesMs: () => {
      const metric = /^edge_line_probes_milliseconds\{[^}]*\} (\S+)$/m;
      return Number(metric.exec(metrics.render())?.[1] ?? 0);
    },
    end: () => collector.stop(2_000),
  };
});
