import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toGcj02, toWgs84 } from './datum.ts';

const metres = (degrees: number) => Math.abs(degrees) * 111_320;

test('what a phone map shows in China comes back to its place within a millimetre', () => {
  const places = fc.record({
    latitude: fc.double({ min: 18, max: 53, noNaN: true }),
    longitude: fc.double({ min: 74, max: 135, noNaN: true }),
  });
  fc.assert(
    fc.property(places, (place) => {
      const found = toWgs84({ ...toGcj02(place), datum: 'gcj02' })!;
      expect(metres(found.latitude - place.latitude)).toBeLessThan(0.001);
      expect(metres(found.longitude - place.longitude)).toBeLessThan(0.001);
    }),
  );
});

// The pair is in the tests of several public libraries (Tiananmen).
test('the shift is the one that phone maps have', () => {
  const shown = toGcj02({ latitude: 39.911954, longitude: 116.377817 });
  expect(shown.latitude).toBeCloseTo(39.9133, 3);
  expect(shown.longitude).toBeCloseTo(116.384, 3);
});

test('WGS-84 and CGCS2000 are taken as they are; GCJ-02 outside China is refused', () => {
  const place = { latitude: 31.834, longitude: 117.2054 };
  expect(toWgs84({ ...place, datum: 'wgs84' })).toEqual(place);
  expect(toWgs84({ ...place, datum: 'cgcs2000' })).toEqual(place);
  expect(toWgs84({ latitude: 48.85, longitude: 2.35, datum: 'gcj02' })).toBeNull();
});
