import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { seededRandom } from '../../core/random.ts';
import { openRecord, recordChecksum } from '../../protocols/uplink/envelope.ts';
import type { Gap, SealedRecord } from '../../protocols/uplink/record.ts';
import { SealingGateway } from '../../tests/sealed.ts';
import { InboxCore } from './core.ts';
import { InboxReader } from './reader.ts';

test('a gap of what came after all is dropped, one that has some of it is an estimate, a true one stays', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lifeline-untrue-'));
  const path = join(folder, 'inbox.sqlite');
  const inbox = new InboxCore(seededRandom(1), { path, bytesMax: 1e8 });
  const gateway = new SealingGateway(1);
  const put = (record: SealedRecord) => {
    const { envelope, body, dictionaryHash } = openRecord(record.bytes);
    inbox.begin();
    const result = inbox.put({
      area: 'gas',
      gateway: 'gw-1',
      lane: record.lane,
      receivedMs: 0,
      bytes: record.bytes,
      envelope,
      checksum: recordChecksum(record.bytes),
      clock: body.clock,
      gaps: body.gaps,
      part:
        body.dictionary && dictionaryHash
          ? { hash: dictionaryHash, isManifest: body.dictionary.kind === 'manifest' }
          : null,
      aliasEnd: body.readings || body.gaps.length > 0 ? gateway.points.length : 0,
    });
    inbox.commit();
    return result;
  };
  for (const record of gateway.dictionaryRecords()) put(record);
  const came = gateway.record();
  put(came);
  const gapOf = (first: number, last = first): Gap => ({
    cause: 'overflow',
    epoch: gateway.epoch,
    firstAlias: 0,
    points: 2,
    fromMonoMs: 0,
    toMonoMs: 1_000,
    readings: 2,
    estimated: false,
    sequences: [{ first, last }],
  });
  put(gateway.record({ gaps: [gapOf(came.sequence), gapOf(900), gapOf(900, 901)] }));
  const reader = new InboxReader(path);
  const gaps = reader.rowsAfter(0, 1e6).flatMap((row) => reader.decode(row).gaps);
  expect(gaps.map(({ estimated }) => estimated)).toEqual([false, true]);
  reader.close();
  inbox.close();
  rmSync(folder, { recursive: true });
});
