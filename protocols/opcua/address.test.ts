import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Problems } from '../../core/problems.ts';
import type { BrowsePath, OpcuaAddress } from './address.ts';
import { parseAddress, parseCommand, parseDevice, prefixesOf, valueTypeOf } from './address.ts';
import { nodeText, parsePath, pathText } from './node-name.ts';

function read(raw: unknown) {
  const problems = new Problems('profile');
  const address = parseAddress(raw, ['points', 'p', 'read'], problems);
  return { address, problems };
}

function refused(raw: unknown): string[] {
  const { address, problems } = read(raw);
  expect(address).toBeUndefined();
  expect(problems.failed).toBe(true);
  for (const { path } of problems.findings)
    expect(path.slice(0, 3)).toEqual(['points', 'p', 'read']);
  return problems.findings.map(({ code, path }) => `${code} ${path.slice(3).join('.')}`);
}

function command(raw: unknown): OpcuaAddress | undefined {
  const problems = new Problems('profile');
  const address = parseCommand(raw, ['call'], problems);
  expect(problems.failed).toBe(address === undefined);
  return address;
}

describe('a point', () => {
  test('is a path from Objects, subscribed, with the defaults of the server', () => {
    const { address, problems } = read({
      path: 'ps:PumpStation/ps:Pump1/ps:Pressure',
      type: 'float',
    });
    expect(problems.findings).toEqual([]);
    expect(address).toEqual({
      kind: 'value',
      node: {
        kind: 'path',
        path: ['PumpStation', 'Pump1', 'Pressure'].map((name) => ({ prefix: 'ps', name })),
      },
      type: 'float',
      element: [],
      mode: 'subscribe',
      samplingMs: null,
      queue: null,
      deadband: null,
      history: false,
    });
    expect(prefixesOf(address!)).toEqual(['ps']);
    expect(valueTypeOf(address!)).toBe('number');
  });

  test('is an id of each of the four types, and keeps colons and semicolons of a text', () => {
    for (const id of [
      'i=2258',
      'ps:i=4294967295',
      'ps:s=A:B;C=D',
      'g=09087e75-8e5e-499b-954f-f2a9603db28a',
      'x-1:b=M/RbKBsRVkePCePcx24oRA==',
    ]) {
      const { address } = read({ id, type: 'int16' });
      expect(address?.kind === 'value' && nodeText(address.node)).toBe(id);
    }
  });

  test('takes every option in its own words', () => {
    const { address } = read({
      path: 'Server',
      type: 'float',
      element: '[2].Low.x[0]',
      sampling: '250ms',
      queue: 10,
      deadband: { percent: 2.5 },
      history: true,
    });
    expect(address).toMatchObject({
      type: 'float',
      element: [2, 'Low', 'x', 0],
      samplingMs: 250,
      queue: 10,
      deadband: { kind: 'percent', by: 2.5 },
      history: true,
    });
  });

  test.each([
    [{ type: 'float' }, ['opcua-one-kind ']],
    [{ path: 'A', id: 'i=1', type: 'float' }, ['opcua-one-kind ']],
    ['ns=2;s=x', ['protocol-not-a-map ']],
    [{ path: 'A' }, ['protocol-key-missing ']],
    [{ path: 'A//B', type: 'float' }, ['protocol-value-wrong path']],
    [{ path: 'A/B&', type: 'float' }, ['protocol-value-wrong path']],
    [{ path: '1:A', type: 'float' }, ['protocol-value-wrong path']],
    [{ id: 'ns=2;s=x', type: 'float' }, ['opcua-indexed id']],
    [{ id: 'i=4294967296', type: 'float' }, ['protocol-value-wrong id']],
    [{ id: 'g=12', type: 'float' }, ['protocol-value-wrong id']],
    [{ id: 'b=***', type: 'float' }, ['protocol-value-wrong id']],
    [{ path: 'A', type: 'floot' }, ['protocol-value-wrong type']],
    [{ path: 'A', type: 'float', element: '[x' }, ['protocol-value-wrong element']],
    [{ path: 'A', type: 'float', element: '[99999999999]' }, ['protocol-value-wrong element']],
    [{ path: 'A', type: 'float', sampling: '1ms' }, ['protocol-value-wrong sampling']],
    [{ path: 'A', type: 'float', sampling: 100 }, ['protocol-value-wrong sampling']],
    [{ path: 'A', type: 'float', queue: 0 }, ['protocol-value-wrong queue']],
    [{ path: 'A', type: 'float', deadband: { percent: 101 } }, ['protocol-value-wrong deadband']],
    [{ path: 'A', type: 'string', deadband: { absolute: 1 } }, ['protocol-key-unfit deadband']],
    [{ path: 'A', type: 'float', mode: 'read', queue: 2 }, ['protocol-key-unfit queue']],
    [{ path: 'A', type: 'float', depth: 2 }, ['protocol-key-unknown depth']],
    [{ certificate: 'mine' }, ['protocol-value-wrong certificate']],
  ])('that is wrong says what and where: %j', (raw, expected) => {
    expect(refused(raw)).toEqual(expected);
  });
});

describe('an event, a condition, a certificate', () => {
  test('a field of the standard has its own type, another is text unless it says', () => {
    const event = { notifier: 'i=2253', type: 'i=2041', field: 'Severity' };
    expect(read({ event }).address).toMatchObject({ kind: 'event', type: 'uint16' });
    const own = { notifier: 'ps:Station', field: 'ps:Cause/ps:Code' };
    expect(read({ event: own }).address).toMatchObject({ type: 'string', eventType: null });
    const { address } = read({ event: own, type: 'int32' });
    expect(address && valueTypeOf(address)).toBe('integer');
    expect(prefixesOf(address!)).toEqual(['ps']);
  });

  test('a condition shows one of four things, each with its type', () => {
    const types = ['active', 'acked', 'severity', 'message'].map((field) => {
      const { address } = read({ condition: { node: 'ps:s=Alarm', field } });
      return address && valueTypeOf(address);
    });
    expect(types).toEqual(['boolean', 'boolean', 'integer', 'text']);
    expect(refused({ condition: { node: 'A', field: 'shelved' } })).toHaveLength(1);
  });

  test('a certificate has days', () => {
    const { address } = read({ certificate: 'own' });
    expect(address && valueTypeOf(address)).toBe('number');
    expect(prefixesOf(address!)).toEqual([]);
  });
});

describe('a command', () => {
  test('calls a method with fixed arguments and its value, acknowledges, or writes a node', () => {
    const call = { object: 'ps:Pump1', method: 'ps:Start', arguments: ['$value', 5, true, 'x'] };
    expect(command(call)).toMatchObject({ kind: 'method', arguments: [null, 5, true, 'x'] });
    expect(command({ acknowledge: 'ps:s=Alarm' })).toMatchObject({ kind: 'acknowledge' });
    expect(command({ path: 'ps:A', type: 'int32' })).toMatchObject({ kind: 'value' });
  });

  test('is refused where nothing can be written, and with arguments that are no values', () => {
    expect(command({ certificate: 'own' })).toBeUndefined();
    expect(command({ object: 'A', method: 'B', arguments: [null] })).toBeUndefined();
    expect(command({ object: 'A' })).toBeUndefined();
    expect(command(7)).toBeUndefined();
  });
});

describe('a device', () => {
  test('ties prefixes to URIs; a unit means nothing', () => {
    const problems = new Problems('profile');
    const raw = { namespaces: { ps: 'urn:example:pumps' }, unit: 1 };
    expect(parseDevice(raw, [], problems)).toEqual({
      namespaces: { ps: 'urn:example:pumps' },
      timeoutMs: 5_000,
    });
    expect(
      parseDevice({ namespaces: { '9': 'urn:x', y: 5 } }, ['device'], problems),
    ).toBeUndefined();
    expect(problems.findings.map(({ code }) => code)).toEqual(['opcua-prefix', 'opcua-uri']);
  });
});

const name = fc.record({
  prefix: fc.constantFrom(null, 'ps', 'Di-1'),
  name: fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' }),
});

test('a path is read as it is written, whatever its names hold', () => {
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 5 }), (path: BrowsePath) => {
      expect(parsePath(pathText(path))).toEqual(path);
    }),
  );
});

test('no input is an exception, and none is wrong without a problem', () => {
  fc.assert(
    fc.property(fc.anything({ withNullPrototype: true }), (raw) => {
      const problems = new Problems('profile');
      expect(parseAddress(raw, [], problems) === undefined).toBe(problems.failed);
      const others = new Problems('profile');
      parseCommand(raw, [], others);
      parseDevice(raw, [], others);
    }),
  );
});
