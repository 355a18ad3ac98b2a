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
const golden = [example('gateway.yaml'), example('gateway-serial.yaml')];

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
    const text = brokenYaml(draw, golden);
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
