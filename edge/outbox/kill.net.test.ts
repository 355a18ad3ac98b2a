import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { seededRandom } from '../../core/random.ts';
import { emptyBatch } from './batch.ts';
import { OutboxCore, SHARE_BYTES_MIN } from './core.ts';

// Commits records as fast as it can and says of each that it is durable, until it is killed.
const program = `
import { emptyBatch } from ${JSON.stringify(new URL('./batch.ts', import.meta.url).href)};
import { OutboxCore, SHARE_BYTES_MIN } from ${JSON.stringify(new URL('./core.ts', import.meta.url).href)};
import { systemRandom } from ${JSON.stringify(new URL('../../core/random.ts', import.meta.url).href)};
const core = OutboxCore.open({ folder: process.argv[2], bytesMax: SHARE_BYTES_MIN, random: systemRandom });
process.stdout.write(core.epoch + '\\n');
for (let sequence = 1; ; sequence++) {
  const record = {
    lane: 'live', epoch: core.epoch, sequence, manifest: '', readings: 3, taken: 3, unchanged: 0,
    givenUp: 0, firstMonoMs: sequence, lastMonoMs: sequence, bytes: new Uint8Array(900),
  };
  const entry = { record, keep: 'trend', firstAlias: 0, points: 0, gaps: [], part: null, settles: [] };
  const { committed } = core.commit({ ...emptyBatch, entries: [entry], monoMs: sequence });
  if (committed) process.stdout.write(sequence + '\\n');
}
`;

test('kill -9 at any moment loses nothing that was said to be durable', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'outbox-kill-'));
  const script = join(folder, 'writer.ts');
  writeFileSync(script, program);
  const random = seededRandom(5);
  const durable = new Map<string, number>();
  for (let round = 0; round < 6; round++) {
    const child = spawn(process.execPath, [script, join(folder, 'outbox')]);
    const lines = createInterface(child.stdout);
    let epoch = '';
    lines.on('line', (line) => {
      if (epoch === '') epoch = line;
      else durable.set(epoch, Number(line));
    });
    await once(lines, 'line');
    while (!durable.has(epoch)) await once(lines, 'line');
    await new Promise((resolve) => setTimeout(resolve, 50 + random.next() * 200));
    child.kill('SIGKILL');
    await once(child, 'close');
  }
  const core = OutboxCore.open({
    folder: join(folder, 'outbox'),
    bytesMax: SHARE_BYTES_MIN,
    random,
  });
  while (core.step());
  const { debts } = core.commit(emptyBatch);
  expect(debts.filter(({ cause }) => cause === 'damaged')).toEqual([]);
  const held = new Map(core.held().map(({ epoch, ranges }) => [epoch, ranges]));
  expect(durable.size).toBe(6);
  for (const [epoch, last] of durable) {
    const lost = debts.filter((debt) => debt.epoch === epoch).flatMap((debt) => debt.sequences);
    const covered = [...(held.get(epoch) ?? []), ...lost].sort((a, b) => a.first - b.first);
    let next = 1;
    for (const range of covered) if (range.first <= next) next = Math.max(next, range.last + 1);
    expect(next, `${epoch} up to ${last}`).toBeGreaterThan(last);
  }
  core.close();
  rmSync(folder, { recursive: true });
});
