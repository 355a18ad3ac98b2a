// An outbox that an earlier run left full: records as an edge under load seals them, in the files
// of the outbox itself.
import { seededRandom } from '../core/random.ts';
import { emptyBatch } from '../edge/outbox/batch.ts';
import { OutboxCore } from '../edge/outbox/core.ts';
import { BATCH_READINGS_MAX } from '../edge/reading-batch.ts';
import { seal } from '../protocols/uplink/envelope.ts';
import type { SealedRecord } from '../protocols/uplink/record.ts';
import { levelOf, Walk } from './walk.ts';

const COMMIT_RECORDS = 1_000;
const manifest = '00112233445566778899aabbccddeeff';
const clock = { wallOffsetMs: Date.UTC(2026, 0, 1), state: 'synchronised', errorMs: 5 } as const;
const nothing = { isState: false, coverage: [], gaps: [], clockSteps: [], dictionary: null };

export interface Backlog {
  readonly folder: string;
  readonly bytes: number;
  readonly bytesMax: number;
  /**
   * `sealed`: every record is what a cloud can read. `repeated`: all have the bytes of the first,
   * which is enough, and ten times as fast, where nothing is sent.
   */
  readonly records: 'sealed' | 'repeated';
}

/** Returns how many records hold that many bytes. */
export function fillOutbox({ folder, bytes, bytesMax, records }: Backlog): number {
  const random = seededRandom(7);
  const core = OutboxCore.open({ folder, bytesMax, random });
  const walk = new Walk(7);
  const values = Float64Array.from({ length: BATCH_READINGS_MAX }, (_, at) => levelOf(at));
  let first: SealedRecord | null = null;
  let written = 0;
  let sequence = 0;
  while (written < bytes) {
    const entries = Array.from({ length: COMMIT_RECORDS }, () => {
      sequence++;
      const repeated: SealedRecord | null = first && { ...first, sequence };
      const record = repeated ?? recordOf(core.epoch, sequence, values, walk);
      if (records === 'repeated') first ??= record;
      written += record.bytes.length;
      const about = { keep: 'trend', firstAlias: 0, points: BATCH_READINGS_MAX } as const;
      return { record, ...about, gaps: [], part: null, settles: [] };
    });
    const { committed } = core.commit({ ...emptyBatch, entries, monoMs: sequence * 50 });
    if (!committed) throw new Error(`no room for a backlog of ${bytes} bytes in ${folder}`);
  }
  core.close();
  return sequence;
}

function recordOf(epoch: string, sequence: number, values: Float64Array, walk: Walk): SealedRecord {
  const count = values.length;
  for (let at = 0; at < count; at++) values[at]! += walk.next();
  const readings = {
    count,
    alias: Uint32Array.from({ length: count }, (_, at) => at),
    monoMs: new Float64Array(count).fill(sequence * 50),
    quality: new Uint8Array(count),
    numbers: values,
    special: new Map(),
  };
  const key = { lane: 'live', epoch, sequence, manifest } as const;
  const body = { ...nothing, clock, readings };
  return seal({ ...key, taken: count, unchanged: 0, givenUp: 0 }, body);
}
