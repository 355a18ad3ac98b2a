// YAML as people break it, and as somebody would who wants to break us: lines moved, doubled, left
// out and cut, values of the wrong kind, depth, anchors, tags, names of JavaScript, damaged bytes.
import type { Draw } from './draw.ts';

const values: readonly string[] = [
  ...[
    '',
    '~',
    'null',
    'true',
    '-1',
    '0',
    '0.5',
    '70000',
    '1e400',
    '-.inf',
    '.nan',
    '0xFFFF',
    '0o17',
  ],
  ...['9007199254740993', '99999999999999999999', '1e-400', '"\\0"', '"\\uD800"', "''", '[]', '{}'],
  ...[
    '[[[]]]',
    '{a: {b: {c: []}}}',
    '&a [*a]',
    '*nobody',
    '&a x',
    '!!binary AAAA',
    '!x y',
    '!!set {a}',
  ],
  ...[
    '2026-13-45',
    '10s',
    '999999999999d',
    '-1s',
    'a'.repeat(300),
    '水位',
    '\u202e',
    '|',
    '>-',
    '%',
    '@',
  ],
  ...[
    '{__proto__: {x: 1}}',
    'constructor',
    '__proto__',
    '${secret:a}',
    '${env:}',
    '../../etc/passwd',
  ],
  ...[
    '(a+)+$',
    '{ en: x }',
    '{ en: x, zh: y, de: z }',
    '[1, 2',
    '{a: 1',
    '"open',
    '1..2',
    'a: b: c',
  ],
];
const lines: readonly string[] = [
  ...[
    '__proto__: { polluted: true }',
    'toString: 1',
    '<<: { a: 1 }',
    '? [a, b]',
    '---',
    '...',
    '%YAML 1.1',
  ],
  ...[
    '\ttab: 1',
    '\u0000',
    '\uFEFF',
    '&a a: *a',
    '- - - - -',
    `x: ${'['.repeat(400)}`,
    '# 注',
    '"": 1',
    '1: 2',
  ],
];

export function brokenYaml(draw: Draw, golden: readonly string[]): string | Uint8Array {
  let text = draw.pick(golden);
  if (draw.oneIn(16)) return draw.mutated([new TextEncoder().encode(text)]);
  for (let left = draw.integer(1, 4); left > 0; left--) text = broken(draw, text, golden);
  return text;
}

function broken(draw: Draw, text: string, golden: readonly string[]): string {
  const all = text.split('\n');
  const at = draw.integer(0, all.length - 1);
  const line = all[at]!;
  switch (draw.integer(0, 9)) {
    case 0:
      all.splice(at, draw.integer(1, 5));
      break;
    case 1: // Keys that stand there twice.
      all.splice(at, 0, ...all.slice(at, at + draw.integer(1, 8)));
      break;
    case 2:
      all[at] = draw.oneIn(2) ? `  ${line}` : line.slice(draw.integer(1, 3));
      break;
    case 3:
      all.splice(at, 0, `${/^ */.exec(line)![0]}${draw.pick(lines)}`);
      break;
    case 4: {
      const other = draw.pick(golden).split('\n');
      all.splice(at, draw.integer(0, 3), ...other.slice(draw.integer(0, other.length - 1)));
      break;
    }
    case 5:
      return text.slice(0, draw.integer(0, text.length));
    default:
      all[at] = withValue(draw, line);
  }
  return all.join('\n');
}

/** The value of a key, or one inside of brackets, becomes another. */
function withValue(draw: Draw, line: string): string {
  const inside = [...line.matchAll(/(?<=[:[,{] ?)[^:[\]{},"]+(?=[\]},]|$)/g)];
  const found = inside.length > 0 ? draw.pick(inside) : null;
  if (!found) return line.replace(/:.*$/, `: ${draw.pick(values)}`);
  const end = found.index + found[0].length;
  return `${line.slice(0, found.index)} ${draw.pick(values)}${line.slice(end)}`;
}
