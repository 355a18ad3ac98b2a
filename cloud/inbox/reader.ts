// The consumers' side of the inbox: rows in order, decoded. Opens its own read-only connection, so
// any thread may have one. Aliases are resolved by the row's own manifest, never by the newest the
// gateway sent.
//
// `decode` gives a record for every row that is in the inbox: what could not be decoded was refused
// before it was stored, so a failure here is a damaged file or a mistake, and stops the consumer.
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { assert, isFault } from '../../core/fault.ts';
import { lanes } from '../../core/reading.ts';
import { openRecord } from '../../protocols/uplink/envelope.ts';
import type {
  ClockStamp,
  Coverage,
  Epoch,
  Gap,
  Hash,
  ReadingColumns,
} from '../../protocols/uplink/record.ts';
import type { DeadLetter } from './dead-letters.ts';
import type {
  DecodedCoverage,
  DecodedGap,
  DecodedReadings,
  DecodedRecord,
  InboxNote,
  InboxRow,
  SeriesEntry,
} from './decoded.ts';
import { openInboxReading } from './file.ts';
import { type ResolvedManifest, SeriesIndex } from './series.ts';

/** Rows of one query; the caller's bound in bytes mostly ends it earlier. */
const ROWS_MAX = 4_096;

/** As the note column holds it: a gap of the cloud's own, or the places of untrue gaps. */
/** What the cloud found itself, or knows of the gaps in a record; once a list of untrue ones. */
type RowNote = InboxNote | NotedGaps | readonly number[];

interface NotedGaps {
  readonly untrue: readonly number[];
  readonly partial: readonly number[];
}

function noted(note: RowNote): Pick<InboxRow, 'note' | 'untrueGaps' | 'partialGaps'> {
  if (isList(note)) return { untrueGaps: note };
  if (!('untrue' in note)) return { note };
  return { untrueGaps: note.untrue, partialGaps: note.partial };
}

const isList = (note: RowNote): note is readonly number[] => Array.isArray(note);

interface ScaledManifest extends ResolvedManifest {
  readonly scale: Float64Array;
  readonly offset: Float64Array;
  /**
   * The whole number behind a scale such as 0.1; 0 where the scale is multiplied. See
   * core/point.ts.
   */
  readonly divisor: Float64Array;
}

const emptyManifest: ScaledManifest = {
  entries: [],
  series: new Uint32Array(0),
  scale: new Float64Array(0),
  offset: new Float64Array(0),
  divisor: new Float64Array(0),
};

/** Of each letter in a list: enough to see what it is. */
export const LETTER_LIST_BYTES = 64;

export interface KeptLetter extends DeadLetter {
  readonly id: number;
  readonly size: number;
}

export class InboxReader {
  readonly #database: DatabaseSync;
  readonly #series: SeriesIndex;
  readonly #rows: StatementSync;
  readonly #ends: StatementSync;
  readonly #epoch: StatementSync;
  readonly #letters: StatementSync;
  readonly #letter: StatementSync;
  readonly #scaled = new WeakMap<ResolvedManifest, ScaledManifest>();

  constructor(path: string) {
    this.#database = openInboxReading(path);
    this.#series = new SeriesIndex(this.#database);
    this.#rows = this.#database.prepare(
      `SELECT records.*, epochs.gateway AS gateway, epochs.epoch AS epoch_name
       FROM records JOIN epochs ON epochs.id = records.epoch
       WHERE row > ? ORDER BY row LIMIT ${ROWS_MAX}`,
    );
    this.#ends = this.#database.prepare(
      `SELECT (SELECT MIN(row) FROM records) AS oldest, (SELECT next_row - 1 FROM head) AS newest`,
    );
    this.#epoch = this.#database.prepare(
      'SELECT wall_offset_ms FROM epochs WHERE gateway = ? AND epoch = ?',
    );
    this.#letters = this.#database.prepare(
      `SELECT *, substr(bytes, 1, ${LETTER_LIST_BYTES}) AS bytes FROM dead_letters
       WHERE id < ? ORDER BY id DESC LIMIT ?`,
    );
    this.#letter = this.#database.prepare('SELECT * FROM dead_letters WHERE id = ?');
  }

  /**
   * Rows behind `row` in order, at least one if there is one, together at most about `limitBytes`.
   */
  rowsAfter(row: number, limitBytes: number): InboxRow[] {
    const found: InboxRow[] = [];
    let bytes = 0;
    for (const raw of this.#rows.iterate(row)) {
      const content = raw['bytes'] as Uint8Array;
      if (found.length > 0 && bytes + content.length > limitBytes) break;
      bytes += content.length;
      const note = raw['note'] === null ? null : (JSON.parse(String(raw['note'])) as RowNote);
      found.push({
        row: Number(raw['row']),
        area: String(raw['area']),
        gateway: String(raw['gateway']),
        epoch: String(raw['epoch_name']),
        sequence: Number(raw['sequence']),
        lane: lanes[Number(raw['lane'])] ?? 'backfill',
        receivedMs: Number(raw['received_ms']),
        bytes: content,
        ...(note && noted(note)),
      });
    }
    return found;
  }

  decode(row: InboxRow): DecodedRecord {
    if (row.note) return decodeNote(row, row.note);
    const { envelope, body, dictionaryHash } = openRecord(row.bytes);
    const manifest =
      envelope.manifest === '' ? emptyManifest : this.#manifest(row.gateway, envelope.manifest);
    const isManifest = body.dictionary?.kind === 'manifest' && dictionaryHash !== null;
    return {
      row,
      clock: body.clock,
      isState: body.isState,
      ...(body.isFill && { isFill: true }),
      readings: body.readings && decodeReadings(body.readings, manifest, body.clock),
      coverage: body.coverage.map((entry) => decodeCoverage(entry, manifest, body.clock)),
      gaps: body.gaps
        .map((gap, place) => (row.partialGaps?.includes(place) ? { ...gap, estimated: true } : gap))
        .filter((_gap, place) => !row.untrueGaps?.includes(place))
        .map((gap) => this.#gap(gap, row, manifest, body.clock)),
      clockSteps: body.clockSteps,
      manifest: isManifest
        ? {
            hash: dictionaryHash,
            entries: this.#series.manifest(row.gateway, dictionaryHash).entries,
          }
        : null,
      ...((body.readings || body.coverage.length > 0) && {
        dictionary: { hash: envelope.manifest, entries: manifest.entries },
      }),
    };
  }

  /** Series numbered `first` to `last`, each with its newest definition. */
  entries(first = 1, last = Number.MAX_SAFE_INTEGER): SeriesEntry[] {
    return this.#series.entries(first, last);
  }

  /**
   * The points of a gateway's dictionary, in its order; none without one, or while an inbox that was
   * begun anew has not got its parts again.
   */
  points(gateway: string, dictionary: Hash | null): readonly SeriesEntry[] {
    if (dictionary === null) return [];
    try {
      return this.#series.manifest(gateway, dictionary).entries;
    } catch (error) {
      if (isFault(error) && error.code === 'inbox_dictionary') return [];
      throw error;
    }
  }

  /** Null while the inbox is empty. */
  get oldestRow(): number | null {
    const oldest = this.#ends.get()?.['oldest'];
    return oldest === null || oldest === undefined ? null : Number(oldest);
  }

  /** 0 before the first row; does not go back when rows leave. */
  get newestRow(): number {
    return Number(this.#ends.get()?.['newest'] ?? 0);
  }

  /** Newest first. */
  deadLetters(count: number, before = Number.MAX_SAFE_INTEGER): KeptLetter[] {
    return this.#letters.all(before, count).map(keptLetter);
  }

  /** One with all that is kept of its bytes; null when it is not there, or no more. */
  deadLetter(id: number): KeptLetter | null {
    const row = this.#letter.get(id);
    return row ? keptLetter(row) : null;
  }

  close(): void {
    this.#database.close();
  }

  #manifest(gateway: string, hash: string): ScaledManifest {
    const resolved = this.#series.manifest(gateway, hash);
    let scaled = this.#scaled.get(resolved);
    if (!scaled) {
      const points = resolved.entries.map(({ definition }) => definition);
      scaled = {
        ...resolved,
        scale: Float64Array.from(points, ({ scale }) => scale),
        offset: Float64Array.from(points, ({ offset }) => offset),
        divisor: Float64Array.from(points, ({ scale }) => divisorOf(scale)),
      };
      this.#scaled.set(resolved, scaled);
    }
    return scaled;
  }

  // A gap may speak of an earlier epoch, whose monotonic time has another label.
  #gap(gap: Gap, row: InboxRow, manifest: ScaledManifest, clock: ClockStamp): DecodedGap {
    const offsetMs =
      gap.epoch === row.epoch ? clock.wallOffsetMs : this.#offsetOf(row.gateway, gap.epoch);
    return {
      cause: gap.cause,
      epoch: gap.epoch,
      series: seriesOf(manifest, gap.firstAlias, gap.points),
      fromMs: offsetMs === null ? row.receivedMs : gap.fromMonoMs + offsetMs,
      toMs: offsetMs === null ? row.receivedMs : gap.toMonoMs + offsetMs,
      readings: gap.readings,
      estimated: gap.estimated,
    };
  }

  #offsetOf(gateway: string, epoch: Epoch): number | null {
    const offset = this.#epoch.get(gateway, epoch)?.['wall_offset_ms'];
    return offset === null || offset === undefined ? null : Number(offset);
  }
}

// The same arithmetic as `engineering` in core/point.ts, its test for a whole inverse done once a
// point.
function divisorOf(scale: number): number {
  const inverse = 1 / scale;
  const whole = Math.round(inverse);
  return scale !== 1 && Math.abs(inverse - whole) < 1e-9 * whole ? whole : 0;
}

function decodeReadings(
  columns: ReadingColumns,
  manifest: ScaledManifest,
  clock: ClockStamp,
): DecodedReadings {
  const { count, alias, monoMs, quality, numbers, special, origins } = columns;
  const series = new Uint32Array(count);
  const atMs = new Float64Array(count);
  const values = new Float64Array(count);
  for (let at = 0; at < count; at++) {
    const place = alias[at]!;
    assert(place < manifest.series.length, 'an alias is a place in its manifest');
    series[at] = manifest.series[place]!;
    atMs[at] = monoMs[at]! + clock.wallOffsetMs;
    const raw = numbers[at]!;
    const scale = manifest.scale[place]!;
    const offset = manifest.offset[place]!;
    if (scale === 1) values[at] = raw + offset;
    else {
      const divisor = manifest.divisor[place]!;
      const scaled = divisor !== 0 ? raw / divisor : raw * scale;
      values[at] = offset === 0 ? scaled : scaled + offset;
    }
  }
  const decoded = { count, series, monoMs, atMs, quality, values, special };
  return origins ? { ...decoded, origins } : decoded;
}

function decodeCoverage(
  entry: Coverage,
  manifest: ScaledManifest,
  clock: ClockStamp,
): DecodedCoverage {
  return {
    series: seriesOf(manifest, entry.firstAlias, entry.points),
    fromMonoMs: entry.fromMonoMs,
    toMonoMs: entry.toMonoMs,
    atMs: entry.toMonoMs + clock.wallOffsetMs,
    taken: entry.taken,
    unchanged: entry.unchanged,
    failed: entry.failed,
  };
}

function seriesOf(manifest: ScaledManifest, firstAlias: number, points: number): number[] {
  return Array.from(manifest.series.subarray(firstAlias, firstAlias + points));
}

function decodeNote(row: InboxRow, note: InboxNote): DecodedRecord {
  const { cause, epoch, readings, fromMs, toMs, sequences } = note;
  const records = sequences.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const estimated = cause === 'store_lost';
  return {
    row,
    clock: { wallOffsetMs: 0, state: 'unknown', errorMs: 0 },
    isState: false,
    readings: null,
    coverage: [],
    gaps: [{ cause, epoch, series: [], fromMs, toMs, readings, estimated, records }],
    clockSteps: [],
    manifest: null,
  };
}

function keptLetter(row: Readonly<Record<string, unknown>>): KeptLetter {
  return {
    id: Number(row['id']),
    atMs: Number(row['at_ms']),
    reason: String(row['reason']),
    detail: String(row['detail']),
    area: String(row['area']),
    gateway: String(row['gateway']),
    topic: String(row['topic']),
    epoch: String(row['epoch']),
    sequence: Number(row['sequence']),
    readings: Number(row['readings']),
    checksum: Number(row['checksum']),
    size: Number(row['size']),
    bytes: row['bytes'] as Uint8Array,
  };
}
