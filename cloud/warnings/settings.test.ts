import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Problems } from '../../core/problems.ts';
import { parseCloud } from '../config.ts';
import { crossesItself, readWarnings, warningsForm } from './settings.ts';

const least = {
  ...{ sender: 'alarm.example.org', name: { en: 'Centre', zh: '中心' } },
  ...{ scope: 'restricted', restriction: 'gas operator' },
};

function read(source: object) {
  const problems = new Problems('cloud.yaml');
  const settings = readWarnings(warningsForm.parse({ ...least, ...source }), [], problems);
  return { settings, said: problems.findings.map(({ path, code }) => `${path.join('.')} ${code}`) };
}

const text = { en: 'Well 7', zh: '7号井' };

test('the least that is to be said, and what follows from it', () => {
  const { settings, said } = read({ national: { division: '340104', organisation: '013' } });
  expect(said).toEqual([]);
  expect(settings).toMatchObject({
    ...{ scope: { kind: 'Restricted', restriction: 'gas operator' }, draftFrom: null },
    ...{ validForMs: 7_200_000, broadcast: null, areas: [] },
    national: { division: '340104', organisation: '013', internal: '000', extension: '00' },
  });
});

test('a position in GCJ-02 is converted, and one that cannot be is refused with where it stands', () => {
  const position = { latitude: 31.832, longitude: 117.211, datum: 'gcj02' };
  const { settings } = read({ areas: [{ asset: 'gas/well-7', text, position, radius_m: 80 }] });
  const [{ area, datum }] = settings.areas as [(typeof settings.areas)[number]];
  expect(datum).toBe('gcj02');
  expect(area.circle!.radiusKm).toBe(0.08);
  expect(area.circle!.center.longitude).toBeCloseTo(117.2055, 3);
  const paris = { latitude: 48.85, longitude: 2.35, datum: 'gcj02' };
  expect(read({ areas: [{ text, position: paris }] }).said).toEqual([
    'areas.0.position warning-not-gcj02',
  ]);
});

test('the longest asset prefix comes first', () => {
  const areas = ['', 'gas', 'gas/well-7', 'gas/well-70/a'].map((asset) => ({ asset, text }));
  expect(read({ areas }).settings.areas.map(({ asset }) => asset)).toEqual([
    ...['gas/well-70/a', 'gas/well-7', 'gas', ''],
  ]);
});

test('everything wrong is told at once, with its place', () => {
  const corners = [
    [0, 0],
    [1, 1],
    [0, 1],
    [1, 0],
  ].map(([latitude, longitude]) => ({ latitude, longitude }));
  const { said } = read({
    ...{ sender: 'a b', valid_for: '1m', scope: 'public' },
    areas: [{ text, radius_m: 5, polygon: { datum: 'wgs84', corners } }],
  });
  expect(said).toEqual([
    ...[
      'sender not-a-sender',
      'valid_for warning-valid-range',
      'areas.0.radius_m warning-radius-alone',
    ],
    ...['areas.0.polygon warning-polygon-crossed', 'restriction warning-scope-other'],
  ]);
  expect(read({ scope: 'private', restriction: undefined }).said).toEqual([
    'scope warning-addresses-none',
  ]);
});

test('a triangle and a square do not cross themselves, a bow tie does', () => {
  const of = (...pairs: (readonly [number, number])[]) =>
    crossesItself(pairs.map(([latitude, longitude]) => ({ latitude, longitude })));
  expect(of([0, 0], [0, 1], [1, 0])).toBe(false);
  expect(of([0, 0], [0, 1], [1, 1], [1, 0])).toBe(false);
  expect(of([0, 0], [1, 1], [0, 1], [1, 0])).toBe(true);
});

test('the example of the page of warnings is a part of a cloud file', () => {
  const page = readFileSync(new URL('../../docs/warnings.md', import.meta.url), 'utf8');
  const [, example = ''] = /```yaml\n([\s\S]*?)```/.exec(page) ?? [];
  const part = example.replaceAll(/^/gm, '  ').trimEnd();
  const file = `version: 1\ncloud:\n  folder: data\n  broker: {}\n${part}\n`;
  const { warnings } = parseCloud(file, 'cloud.yaml', '/', () => undefined);
  expect(warnings).toMatchObject({ draftFrom: 2, broadcast: { eventType: '12345' } });
  expect(warnings!.areas.map(({ asset }) => asset)).toEqual(['gas/MP-1193/well-07', 'gas']);
});
