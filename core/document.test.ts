import fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { readDocument, SOURCE_BYTES_MAX } from './document.ts';
import { durationMs, durationText, parseDuration, parseSize } from './duration.ts';
import { renderFinding } from './problems.ts';
import { bilingualForm, durationForm, idForm, sizeForm } from './schema.ts';

const schema = z.strictObject({
  version: z.literal(1),
  name: bilingualForm.optional(),
  poll: durationForm.optional(),
  buffer: sizeForm.optional(),
  driver: z.enum(['modbus-rtu', 'modbus-tcp']).optional(),
  revision: z.string().optional(),
  enabled: z.boolean().optional(),
  share: z.number().min(0).max(1).optional(),
  range: z.tuple([z.number(), z.number()]).optional(),
  points: z.record(idForm, z.strictObject({ unit: z.string(), scale: z.number() })).optional(),
  source: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('tcp'), port: z.int().max(65535) }),
      z.strictObject({ kind: z.literal('file'), path: z.string() }),
    ])
    .optional(),
  deadline: z.union([z.number(), z.strictObject({ after: durationForm })]).optional(),
});

/** `line:column code path` of each finding, with the help after a bar. */
const read = (text: string | Uint8Array) => {
  const { value, problems } = readDocument(text, 'a.yaml', schema);
  expect(value === undefined, 'no value while there are errors').toBe(problems.failed);
  return problems.findings.map(({ place, code, path, help }) =>
    [`${place?.line}:${place?.column}`, code, path.join('.'), help && `| ${help.en}`]
      .filter(Boolean)
      .join(' '),
  );
};

test('a right file becomes its value, JSON as well', () => {
  const yaml = readDocument('version: 1\npoll: 5s\nrange: [0, 1]\n', 'a.yaml', schema);
  expect(yaml.value).toEqual({ version: 1, poll: '5s', range: [0, 1] });
  expect(yaml.problems.findings).toEqual([]);
  expect(readDocument('{"version": 1}', 'a.json', schema).value).toEqual({ version: 1 });
});

test('unknown keys are shown at the key, wrong values at the value, missing keys at the parent', () => {
  expect(
    read(`version: 1
pol: 5s
driver: modbus_rtu
points:
  ch4:
    scale: big
source: { kind: tcp, prt: 502 }
`),
  ).toEqual([
    '3:9 bad-value driver | did you mean modbus-rtu? expected one of: modbus-rtu, modbus-tcp',
    '5:3 missing-key points.ch4.unit',
    '6:12 not-a-number points.ch4.scale',
    '7:1 missing-key source.port',
    '7:22 unknown-key source.prt | did you mean port?',
    '2:1 unknown-key pol | did you mean poll?',
  ]);
});

test('lexical forms are explained by example, and wrong keys are shown at the key', () => {
  expect(
    read('version: 1\npoll: 5 sec\nbuffer: 4GB\npoints:\n  Ch4: { unit: "1", scale: 1 }\n'),
  ).toEqual(['2:7 not-a-duration poll', '3:9 not-a-size buffer', '5:3 not-an-id points.Ch4']);
});

test('limits, kinds and unions name what was found', () => {
  expect(
    read(
      `version: 2
share: 1.5
range: [1]
source: { kind: udp }
deadline: { after: 5 }
name: { en: a }
`,
    ),
  ).toEqual([
    '1:10 bad-value version | expected one of: 1',
    '6:1 missing-key name.zh',
    '2:8 above-maximum share',
    '3:1 too-few range',
    '4:17 bad-value source.kind | expected one of: tcp, file',
    '5:20 not-a-duration deadline.after',
  ]);
  expect(read('- 1\n')).toEqual(['1:1 not-a-map']);
});

test('what YAML reads otherwise than a person is named with the way to write it', () => {
  expect(read('version: 1\nrevision: 1.10\nenabled: yes\n')).toEqual([
    '2:11 not-text revision | put it in quotes: "1.10"',
    '3:10 not-true-or-false enabled | write true',
  ]);
  expect(read('version: 1\nshare: 00\n')).toEqual(['2:8 yaml-leading-zero share | write 0']);
  expect(read('version: 1\nshare: 9007199254740993\n')[0]).toBe('2:8 number-too-large share');
  const keyed = readDocument('{ version: 1, on: 2 }', 'a.yaml', z.record(z.string(), z.number()));
  expect(keyed.problems.findings.map(({ code, severity }) => [code, severity])).toEqual([
    ['yaml-boolean-key', 'warning'],
  ]);
  expect(keyed.value).toEqual({ version: 1, on: 2 });
});

test('what two readers would understand differently is refused, each at its place', () => {
  expect(read('version: 1\n\tpoll: 5s\n')[0]).toMatch(/^2:1 yaml-tab/);
  expect(read('version: 1\nversion: 1\n')).toEqual(['2:1 duplicate-key version']);
  expect(read('version: 1\nshare: &a 1\npoll: *a\n')).toEqual([
    '2:11 yaml-alias share',
    '3:7 yaml-alias poll',
  ]);
  expect(read('version: 1\nshare: !!float 1\n')).toEqual(['2:16 yaml-tag share']);
  expect(read('version: 1\n---\nversion: 1\n')[0]).toMatch(/^2:1 yaml-syntax/);
  expect(read('version: 1\nunit: %LEL\n')[0]).toMatch(/^2:7 yaml-syntax/);
  expect(read('version: 1\n? [a]\n: 1\n')[0]).toMatch(/^2:3 yaml-syntax/);
  expect(read('version: 1\n__proto__: { polluted: true }\n')).toEqual([
    '2:1 unknown-key __proto__',
  ]);
  expect(read('')).toEqual(['1:1 document-empty']);
});

test('a bomb is refused: too large, too deep, or not even text', () => {
  expect(read('#'.repeat(SOURCE_BYTES_MAX + 1))).toEqual(['1:1 document-too-large']);
  expect(read('['.repeat(20_000)).at(-1)).toMatch(/document-too-deep/);
  // 浓度 in GB18030, as spreadsheets on Chinese Windows save it.
  expect(read(Uint8Array.from([0x61, 0x3a, 0x20, 0xc5, 0xa8, 0xb6, 0xc8]))[0]).toMatch(
    /^1:5 document-not-utf8 /,
  );
  expect(read(new TextEncoder().encode('version: 1 # \ufffd'))).toEqual([]);
});

test('a finding reads as file, line, column, what, and help, in both languages', () => {
  const { problems } = readDocument('version: 1\npol: 5s\n', 'gw.yaml', schema);
  expect(renderFinding(problems.findings[0]!, 'en')).toBe(
    'gw.yaml:2:1: error[unknown-key]: unknown key pol\n     = did you mean poll?',
  );
  expect(renderFinding(problems.findings[0]!, 'zh')).toContain('未知的键 pol');
});

test('the caller adds cross checks at the same places', () => {
  const { problems, keyPlace } = readDocument(
    'version: 1\npoints:\n  a: { unit: "1", scale: 1 }\n',
    'a.yaml',
    schema,
  );
  problems.add(['points', 'a'], 'bad-value', { found: 'a' });
  problems.add(['points', 'a', 'scale'], 'bad-value', { found: '1' });
  expect(problems.findings.map(({ place }) => place)).toEqual([
    { line: 3, column: 3 },
    { line: 3, column: 26 },
  ]);
  expect(keyPlace(['points', 'a', 'scale'])).toEqual({ line: 3, column: 19 });
});

test('nothing but findings comes out, whatever the text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      readDocument(text, 'a.yaml', schema);
    }),
  );
  const token = fc.constantFrom(
    ...['version', ': ', '1', '\n', '  ', '- ', '[', ']', '{', '}', '&a', '*a', '"', '|', '#', '!'],
  );
  fc.assert(
    fc.property(fc.array(token, { maxLength: 40 }), (tokens) => {
      readDocument(tokens.join(''), 'a.yaml', schema);
    }),
    { numRuns: 500 },
  );
});

test('durations and sizes have one form each, and come back as they were written', () => {
  expect(['300ms', '5s', '10m', '2h', '30d'].map(parseDuration)).toEqual([
    300, 5000, 600_000, 7_200_000, 2_592_000_000,
  ]);
  expect(['512B', '64KiB', '4GiB'].map(parseSize)).toEqual([512, 65_536, 4_294_967_296]);
  for (const text of ['5', '5 s', '05s', '-1s', '1.5s', '5S', '5sec', '', '99999999d']) {
    expect(parseDuration(text), text).toBeUndefined();
  }
  expect(parseSize('4GB')).toBeUndefined();
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 9_999_999 }),
      (ms) => durationMs(durationText(ms)) === ms,
    ),
  );
});
