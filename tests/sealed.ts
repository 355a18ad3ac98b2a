// Records as a gateway seals them, for tests of the cloud's side: a dictionary, live records with
// readings in poll order, gaps. The values can be told from the sequence, so a test sees when one
// is mixed up.
import type { PointDefinition } from '../core/point.ts';
import { seededRandom } from '../core/random.ts';
import type { Lane } from '../core/reading.ts';
import { buildDictionary } from '../protocols/uplink/dictionary.ts';
import { makeEpoch, seal } from '../protocols/uplink/envelope.ts';
import type { Body, ClockStamp, Epoch, Gap, SealedRecord } from '../protocols/uplink/record.ts';

export function pointOf(device: string, point: string, more: Partial<PointDefinition> = {}) {
  const name = { en: `${device} ${point}`, zh: `${device} ${point}` };
  const common = { unit: 'kPa', type: 'number', scale: 0.1, offset: 0, range: null } as const;
  const how = { class: 'trend', periodMs: 1_000, deadband: 0, asset: null, rules: [] } as const;
  return { device, point, name, ...common, ...how, ...more } satisfies PointDefinition;
}

export interface SealOptions {
  readonly lane?: Lane;
  readonly readings?: number;
  readonly lastMonoMs?: number;
  readonly wallOffsetMs?: number;
  readonly gaps?: readonly Gap[];
  readonly isState?: boolean;
}

/** One epoch of one gateway: seals records with rising sequences, keeps none. */
export class SealingGateway {
  readonly epoch: Epoch;
  readonly points: readonly PointDefinition[];
  readonly dictionary: ReturnType<typeof buildDictionary>;
  sequence = 0;

  constructor(
    seed: number,
    options: { opening?: number; points?: readonly PointDefinition[] } = {},
  ) {
    this.epoch = makeEpoch(options.opening ?? 1, seededRandom(seed));
    this.points = options.points ?? [pointOf('pm-1', 'pressure'), pointOf('pm-1', 'flow')];
    this.dictionary = buildDictionary(this.points);
  }

  /** Pages, then the manifest, one record each. */
  dictionaryRecords(): SealedRecord[] {
    return this.dictionary.parts.map(({ part }) =>
      this.#seal('event', '', { ...emptyBody(clockOf(0)), dictionary: part }, 0),
    );
  }

  record(options: SealOptions = {}): SealedRecord {
    const { lane = 'live', readings = 2, gaps = [], isState = false } = options;
    const lastMonoMs = options.lastMonoMs ?? (this.sequence + 1) * 1_000;
    const places = Array.from({ length: readings }, (_, at) => at);
    const raw = places.map((at) => (this.sequence + 1) * 10 + at);
    const columns = {
      count: readings,
      alias: Uint32Array.from(places, (at) => at % this.points.length),
      monoMs: Float64Array.from(places, () => lastMonoMs),
      quality: new Uint8Array(readings),
      numbers: Float64Array.from(raw),
      special: new Map(),
    };
    const base = emptyBody(clockOf(options.wallOffsetMs ?? Date.UTC(2026, 0, 1)));
    const body = { ...base, readings: readings > 0 ? columns : null, gaps, isState };
    return this.#seal(lane, this.dictionary.manifest, body, isState ? 0 : readings);
  }

  #seal(lane: Lane, manifest: string, body: Body, taken: number): SealedRecord {
    this.sequence++;
    const { epoch, sequence } = this;
    return seal({ lane, epoch, sequence, manifest, taken, unchanged: 0, givenUp: 0 }, body);
  }
}

function emptyBody(clock: ClockStamp): Body {
  const none = { readings: null, isState: false, coverage: [], gaps: [], clockSteps: [] };
  return { clock, ...none, dictionary: null };
}

function clockOf(wallOffsetMs: number): ClockStamp {
  return { wallOffsetMs, state: 'synchronised', errorMs: 10 };
}
