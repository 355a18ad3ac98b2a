import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { program } from '../programs.ts';
import { isOurs, pairs, peerNamed, runPair, waitsInVain } from './pairs.ts';
import { BEGIN, END, ranges, rowStart, withSection } from './table.ts';

const socat = program('socat');
const isThere = ({ client, server, over }: (typeof pairs)[number]) =>
  (over === 'tcp' || socat !== null) &&
  [client, server].every((name) => isOurs(name) || peerNamed(name) !== null);

for (const pair of pairs.filter((each) => !waitsInVain(each))) {
  const { client, server, over } = pair;
  const agree = `${client} and ${server} agree over ${over}`;
  test.skipIf(!isThere(pair))(agree, { timeout: 60_000 }, async () => {
    const { result, differences, functions, values } = await runPair(pair);
    expect(differences).toEqual([]);
    expect(result).toBe('agrees');
    expect(functions).toEqual(expect.arrayContaining([1, 2, 3, 4, 5, 6, 15, 16]));
    expect(values).toBeGreaterThan(400);
  });
}

const readme = readFileSync(new URL('../../protocols/modbus/README.md', import.meta.url), 'utf8');
const section = readme.slice(readme.indexOf(BEGIN), readme.indexOf(END));

test('the table in the README has every pair that the runner knows, and no other', () => {
  const rows = section
    .split('\n')
    .filter((line) => line.startsWith('| ') && !/^\| client/.test(line));
  expect(rows.map((row) => `${row.split('|').slice(0, 4).join('|')}|`)).toEqual(
    pairs.map(rowStart),
  );
  expect(section).not.toMatch(/\bdiffers\b/);
});

test('a table goes between its markers, and functions are told as ranges', () => {
  expect(withSection(`a${BEGIN}old${END}z`, 'new')).toBe('anewz');
  expect(() => withSection('no markers', 'new')).toThrow('markers');
  expect(ranges([1, 2, 3, 4, 5, 6, 15, 16, 22])).toBe('1-6, 15, 16, 22');
  expect(ranges([])).toBe('-');
});
