// Gateway files, whatever one says: a configuration or findings, never another exception.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { FINDINGS_MAX, InvalidInput, renderFinding } from '../../core/problems.ts';
import type { FuzzTarget } from '../../tests/fuzz/target.ts';
import { brokenYaml } from '../../tests/fuzz/yaml.ts';
import type { Profiles } from './device.ts';
import { parseGateway } from './gateway.ts';
import { packagedProfiles } from './loader.ts';

const example = (name: string) =>
  readFileSync(new URL(`../../examples/${name}`, import.meta.url), 'utf8');
/** Most inputs are made of short ones: a profile with settings over it takes far longer to read. */
const short = [
  `version: 1
gateway: { id: gw-1, area: east, name: { en: One, zh: 一号 } }
cloud: { url: mqtt://127.0.0.1:1883, credentials: "\${secret:cloud}" }
links:
  a: { protocol: modbus, kind: tcp, host: 10.0.0.1, port: 502 }
  b: { protocol: modbus, kind: serial, port: /dev/ttyS1, serial: 9600-8N1, timeout: 300ms }
devices:
  - { profile: rika/rk100-02@1, id: x, link: a }
  - { profile: rika/rk100-02@1, id: y, link: a, unit: 2, poll: 5s }
`,
  `version: 1
gateway: { id: gw-2, area: west, name: { en: Two, zh: 二号 }, labels: { a: b } }
cloud: { url: mqtts://cloud.example:8883, credentials: "\${env:CLOUD}" }
outbox: { folder: /var/lib/lifeline, size: 1GiB }
status: { host: 127.0.0.1, port: 9180 }
links:
  unit:
    protocol: modbus
    kind: tcp-server
    listen: { host: 127.0.0.1, port: 7402 }
    identity: HF-0417
    heartbeat: "hex:c0 01"
    serial: 9600-8N1
  line: { protocol: modbus, kind: sim, socket: /run/x.sock, framing: ascii, echo: true }
devices: []
`,
];
const long = [example('gateway.yaml'), example('gateway-serial.yaml')];

let packaged: Profiles | null = null;
const texts = new Map<string, Uint8Array | string>();

/** Each profile is read once. */
function profiles(): Profiles {
  packaged ??= packagedProfiles();
  const { ids, load, text } = packaged;
  const kept = (id: string) => {
    const known = texts.get(id) ?? text(id);
    texts.set(id, known);
    return known;
  };
  return { ids, load, text: kept };
}

export const gateways: FuzzTarget = {
  name: 'gateway-yaml',
  about: 'gateway files',
  swallow: (draw) => {
    const text = brokenYaml(draw, draw.oneIn(16) ? long : short);
    try {
      const { devices, links, points } = parseGateway(text, '/etc/fuzz.yaml', profiles());
      assert(links.length > 0 || devices.length === 0);
      assert(points.length <= 1_000_000);
    } catch (error) {
      if (!(error instanceof InvalidInput)) throw error;
      assert(error.findings.length > 0 && error.findings.length <= FINDINGS_MAX);
      const source = typeof text === 'string' ? text : undefined;
      for (const finding of error.findings.slice(0, 5)) {
        assert(renderFinding(finding, 'zh', source).length > 0);
      }
    }
    assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  },
};
