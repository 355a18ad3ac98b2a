// A recorded series as simulated devices can play it: a table of text (CSV with any separator) and
// a map that says which column is which point of which device. Times in the recording give the
// pace, not the labels: what the devices show is read now.
import { z } from 'zod';
import { readDocument } from '../core/document.ts';
import { idForm } from '../core/schema.ts';

/** A day at 10 Hz with 50 columns is about 400 MB of text; more is played in pieces. */
export const RECORDING_ROWS_MAX = 1_000_000;

const mapForm = z
  .strictObject({
    version: z.literal(1),
    separator: z.string().length(1).optional().describe('between columns; "," by default'),
    time: z.string().min(1).describe('the column with the time: ISO 8601, or seconds as a number'),
    devices: z
      .array(
        z.strictObject({
          id: idForm,
          profile: z.string().min(3).max(140),
          unit: z.int().min(1).max(247),
          points: z.record(z.string(), z.string()).describe('point of the profile: column'),
        }),
      )
      .min(1)
      .max(247),
  })
  .describe('Which column of a recording is which point of which simulated device');

export type RecordingMap = z.output<typeof mapForm>;

/** Throws InvalidInput with every finding. */
export function parseRecordingMap(text: string, file: string): RecordingMap {
  const { value, problems } = readDocument(text, file, mapForm);
  const units = new Set<number>();
  value?.devices.forEach(({ unit }, at) => {
    if (units.has(unit)) problems.add(['devices', at, 'unit'], 'recording-unit-twice', { unit });
    units.add(unit);
  });
  problems.throwIfAny();
  return value!;
}

export interface Recording {
  /** Milliseconds since the first row; one place a row, rising. */
  readonly atMs: Float64Array;
  /** `device/point` -> one place a row; NaN where the cell was empty or no number. */
  readonly columns: ReadonlyMap<string, Float64Array>;
  /** Rows left out because their time could not be read or went back. */
  readonly skipped: number;
}

/** Reads the table a map speaks of; throws InvalidInput when a column is not there. */
export function parseRecording(text: string, file: string, map: RecordingMap): Recording {
  const { problems } = readDocument('{}', file, z.unknown());
  const separator = map.separator ?? ',';
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  const names = (lines[0] ?? '').split(separator).map((name) => name.trim().replaceAll('"', ''));
  const columnOf = (name: string) => {
    const at = names.indexOf(name);
    if (at < 0) problems.add([], 'recording-no-column', { name, known: names.join(', ') });
    return at;
  };
  const time = columnOf(map.time);
  const wanted = map.devices.flatMap(({ id, points }) =>
    Object.entries(points).map(([point, name]) => ({ key: `${id}/${point}`, at: columnOf(name) })),
  );
  if (lines.length - 1 > RECORDING_ROWS_MAX) {
    problems.add([], 'recording-too-long', { rows: lines.length - 1, rowsMax: RECORDING_ROWS_MAX });
  }
  problems.throwIfAny();
  return readRows(lines.slice(1), separator, time, wanted);
}

function readRows(
  lines: readonly string[],
  separator: string,
  time: number,
  wanted: readonly { readonly key: string; readonly at: number }[],
): Recording {
  const times: number[] = [];
  const columns = wanted.map((): number[] => []);
  let skipped = 0;
  for (const line of lines) {
    const cells = line.split(separator);
    const at = timeOf(cells[time] ?? '');
    if (Number.isNaN(at) || at < (times.at(-1) ?? Number.NEGATIVE_INFINITY)) {
      skipped++;
      continue;
    }
    times.push(at);
    wanted.forEach(({ at: place }, column) => {
      const cell = (cells[place] ?? '').trim();
      columns[column]!.push(cell === '' ? Number.NaN : Number(cell));
    });
  }
  const first = times[0] ?? 0;
  return {
    atMs: Float64Array.from(times, (at) => at - first),
    columns: new Map(wanted.map(({ key }, at) => [key, Float64Array.from(columns[at]!)])),
    skipped,
  };
}

// Seconds as a number, or a date; one without a zone is taken as UTC: only differences matter here.
function timeOf(text: string): number {
  const cell = text.trim().replaceAll('"', '');
  if (/^-?\d+(\.\d+)?$/.test(cell)) return Number(cell) * 1000;
  const iso = cell.replace(' ', 'T');
  return Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(iso) ? iso : `${iso}Z`);
}
