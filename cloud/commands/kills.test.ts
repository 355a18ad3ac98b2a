// The cloud is killed between every two steps of a command's way, inside the transactions too, and
// started again on what is on disk.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { goTheWay, type Line } from '../../tests/command-way.ts';
import { CommandedPlant } from '../../tests/commanded-plant.ts';

const WAY = fileURLToPath(new URL('../../tests/command-way.ts', import.meta.url));
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-kills-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** Whole lines of what it said until it was killed. */
function killed(file: string, steps: number): Promise<Line[]> {
  const { promise, resolve } = Promise.withResolvers<Line[]>();
  const child = spawn(process.execPath, [WAY, file, String(steps)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  child.on('close', () => {
    const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
    resolve(lines.filter(Boolean).map((line) => JSON.parse(line) as Line));
  });
  return promise;
}

/** False when its whole way was gone before the step of that number. */
async function diesAt(steps: number): Promise<boolean> {
  const file = join(folder, `killed-${steps}.sqlite`);
  const lines = await killed(file, steps);
  const isKilled = lines.at(-1)?.[0] !== 'end';
  // What was said to have been done is on disk, and what was sent was on disk before.
  using database = new DatabaseSync(file);
  const between = new CommandedPlant(database);
  for (const [kind, what] of lines) {
    if (kind === 'asked') expect(between.commands.find(what).id).toBe(what);
    if (kind === 'sent') expect(between.kinds(what.id)).toContain('command-issued');
  }
  expect(await between.flaws()).toEqual([]);
  goTheWay(
    database,
    () => {},
    (...line) => lines.push(line),
  );
  expect(lines.at(-1)?.[0]).toBe('end');
  const sent = lines.flatMap(([kind, what]) => (kind === 'sent' ? [JSON.stringify(what)] : []));
  expect(new Set(sent).size, `killed at step ${steps}`).toBe(2);
  const after = new CommandedPlant(database);
  const commands = after.commands.tables.list({});
  expect(commands.map(({ state }) => state)).toEqual(['done', 'done']);
  for (const { id } of commands) {
    for (const kind of ['command-asked', 'command-issued', 'command-outcome']) {
      expect(after.kinds(id).filter((one) => one === kind)).toHaveLength(1);
    }
  }
  expect(await after.flaws()).toEqual([]);
  return isKilled;
}

/** Programs at once: a start is most of their time. */
const AT_ONCE = 4;

test('a cloud that is killed between any two steps goes on with the same ids, and tells each outcome once', async () => {
  let steps = 0;
  for (let isOver = false; !isOver; steps += AT_ONCE) {
    const batch = Array.from({ length: AT_ONCE }, (_, at) => diesAt(steps + at + 1));
    isOver = (await Promise.all(batch)).includes(false);
  }
  expect(steps).toBeGreaterThan(30);
}, 240_000);
