import { expect, test } from 'vitest';
import { Problems, renderFinding } from '../../core/problems.ts';
import { parseAddress, parseDevice } from './address.ts';

function address(raw: unknown) {
  const problems = new Problems('p.yaml');
  const parsed = parseAddress(raw, ['points', 'p', 'read'], problems);
  return { parsed, found: problems.findings.map((finding) => renderFinding(finding, 'en')) };
}

function device(raw: unknown) {
  const problems = new Problems('p.yaml');
  const parsed = parseDevice(raw, ['modbus'], problems);
  return { parsed, found: problems.findings.map((finding) => renderFinding(finding, 'en')) };
}

test('an address becomes a frozen value with everything decided', () => {
  const { parsed, found } = address({ table: 'input', address: 3, type: 'int32', order: 'CDAB' });
  expect(found).toEqual([]);
  expect(parsed).toEqual({
    table: 'input',
    address: 3,
    type: 'int32',
    order: 'CDAB',
    packing: 'H',
    width: 2,
    bit: null,
    bits: null,
  });
  expect(Object.isFrozen(parsed)).toBe(true);
  expect(address({ table: 'coil', address: 0 }).parsed?.type).toBe('bool');
  const field = address({ table: 'input', address: 0, type: 'uint16', bits: { mask: 0x30 } });
  expect(field.parsed?.bits).toEqual({ mask: 0x30, shift: 4 });
  expect(address({ table: 'input', address: 0, type: 'string', length: 8 }).parsed?.width).toBe(8);
});

test('all that is wrong with an address is reported at once, each at its path, with what was meant', () => {
  const { parsed, found } = address({ tabel: 'input', adress: 1, address: 70_000, type: 'u16' });
  expect(parsed).toBeUndefined();
  expect(found).toHaveLength(5);
  expect(found.join('\n')).toContain('points.p.read.tabel');
  expect(found.join('\n')).toContain('did you mean "table"?');
  expect(found.join('\n')).toContain('did you mean "address"?');
  expect(found.join('\n')).toContain('did you mean "uint16"?');
  expect(found.join('\n')).toContain('"address" is 70000; expected 0..65535');
  expect(found.join('\n')).toContain('"table" is missing; expected input, holding, coil, discrete');
});

test.each([
  [null, 'must be a map'],
  ['40001', 'must be a map'],
  [{ table: 'coil', address: 0, type: 'uint16' }, 'holds single bits'],
  [{ table: 'coil', address: 0, bit: 1 }, '"bit" has no meaning'],
  [{ table: 'holding', address: 65_535, type: 'uint32' }, 'beyond the last register'],
  [{ table: 'holding', address: 0, type: 'bool', bit: 16 }, '0..15'],
  [{ table: 'holding', address: 0, type: 'string' }, '"length" is missing'],
  [{ table: 'holding', address: 0, type: 'string', length: 126 }, '1..125'],
  [{ table: 'holding', address: 0, type: 'mod10k', length: 5 }, '2, 3, 4'],
  [{ table: 'holding', address: 0, type: 'uint16', length: 1 }, 'no meaning for type uint16'],
  [{ table: 'holding', address: 0, type: 'uint16', packing: 'H' }, 'no meaning'],
  [{ table: 'holding', address: 0, type: 'uint16', bits: { mask: 0x10000 } }, 'beyond type'],
  [{ table: 'holding', address: 0, type: 'uint16', bits: { mask: 0 } }, '1..4294967295'],
  [{ table: 'holding', address: 0, type: 'uint16', bits: { msk: 1 } }, 'did you mean "mask"'],
  [{ table: 'holding', address: 0, type: 'float32', bits: { mask: 1 } }, 'no meaning'],
  [{ table: 'holding', address: 0, type: 'float32', order: 'abcd' }, 'did you mean "ABCD"'],
  [{ table: 'holding', address: 1.5, type: 'float32' }, '0..65535'],
  [{ table: 'holding', address: '0x10', type: 'float32' }, '0..65535'],
])('%o is refused: %s', (raw, what) => {
  const { parsed, found } = address(raw);
  expect(parsed).toBeUndefined();
  expect(found.join('\n')).toContain(what);
});

test('a device needs no settings, and has the limits of the protocol then', () => {
  expect(device({}).parsed).toEqual({
    unit: 1,
    timeoutMs: 1_000,
    limits: {
      maxRegisters: 125,
      maxBits: 2_000,
      minRegisters: 1,
      forbidden: [],
      minGapMs: 0,
      readAcrossGaps: true,
    },
    writes: 'single',
    inFlightMax: 1,
  });
  expect(device(undefined).parsed?.unit).toBe(1);
  expect(device({ unit: 255 }).parsed?.unit).toBe(255);
});

test('wrong settings of a device are all reported', () => {
  const { parsed, found } = device({
    unit: 250,
    timeoutMs: 0,
    inFlightMax: 17,
    limits: {
      maxRegister: 4,
      maxBits: 0,
      readAcrossGaps: 'no',
      forbidden: [{ table: 'holding', from: 9, to: 3 }, { table: 'hold' }, 5],
    },
  });
  expect(parsed).toBeUndefined();
  expect(found).toHaveLength(11);
  expect(found.join('\n')).toContain('did you mean "maxRegisters"?');
  expect(found.join('\n')).toContain('modbus.limits.forbidden.0');
  expect(device({ limits: { forbidden: 'all' } }).found).toHaveLength(1);
});
