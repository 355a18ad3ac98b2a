import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SimClock } from '../../core/clock.ts';
import { seededRandom } from '../../core/random.ts';
import { topicOf } from '../../protocols/uplink/topics.ts';
import { offer } from '../../tests/commanded-plant.ts';
import { pointOf, SealingGateway } from '../../tests/sealed.ts';
import { IngestCore } from '../ingest/core.ts';
import { InboxCore } from './core.ts';
import { InboxReader } from './reader.ts';

test('the points of a dictionary come with what may be commanded; none while its parts are not there', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lifeline-reader-'));
  const path = join(folder, 'inbox.sqlite');
  const inbox = new InboxCore(seededRandom(1), { path, bytesMax: 1e8 });
  const commands = [
    offer({ twoPeople: true, everyMs: 5_000, revert: { afterMs: 60_000, value: true } }),
    offer({ id: 'set', fixed: null, range: [0, 100] }),
  ];
  const points = [pointOf('fan-2', 'run', { commands }), pointOf('fan-2', 'hours')];
  const gateway = new SealingGateway(1, { points });
  const { manifest } = gateway.dictionary;
  const nothing = () => {};
  const ingest = new IngestCore(new SimClock(), inbox, {
    ...{ onCommitted: nothing, onPresence: nothing, onClone: nothing, onRefused: nothing },
    onAnswer: nothing,
  });
  const reader = new InboxReader(path);
  expect(reader.points('gw-1', null)).toEqual([]);
  expect(reader.points('gw-1', manifest)).toEqual([]);
  for (const { lane, bytes } of [...gateway.dictionaryRecords(), gateway.record()]) {
    ingest.receive({ topic: topicOf('gas', 'gw-1', lane), payload: bytes, retained: false });
  }
  ingest.commit();
  expect(reader.points('gw-1', manifest).map(({ definition }) => definition.commands)).toEqual([
    commands,
    undefined,
  ]);
  reader.close();
  inbox.close();
  rmSync(folder, { recursive: true });
});
