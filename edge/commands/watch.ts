// The newest reading of every point an interlock or the local fallback looks at, reported or not:
// its value, what it is worth, and how old it is. What was never read is not here.
import type { Interlock } from '../../core/command.ts';
import type { PointDefinition } from '../../core/point.ts';
import { engineeringValue } from '../../core/point.ts';
import type { QualityCode } from '../../core/quality.ts';
import type { Value } from '../../core/reading.ts';
import type { Onlooker } from '../collect/device.ts';
import type { Newest } from './decide.ts';

export class Watch implements Onlooker {
  readonly aliases: ReadonlySet<number>;
  readonly #points: readonly PointDefinition[];
  readonly #newest = new Map<string, Newest>();

  /** `points` in the order of their aliases; `others` as `device/point`. */
  constructor(
    points: readonly PointDefinition[],
    interlocks: readonly Interlock[],
    others: readonly string[] = [],
  ) {
    const watched = new Set([...interlocks.map(({ watch }) => watch), ...others]);
    this.#points = points;
    this.aliases = new Set(
      watched.size === 0
        ? []
        : points.flatMap(({ device, point }, at) =>
            watched.has(`${device}/${point}`) ? [at] : [],
          ),
    );
  }

  read(alias: number, raw: Value, quality: QualityCode, atMonoMs: number): void {
    const { device, point, scale, offset } = this.#points[alias]!;
    const value = engineeringValue(raw, scale, offset);
    this.#newest.set(`${device}/${point}`, { value, quality, atMonoMs });
  }

  newest(point: string): Newest | undefined {
    return this.#newest.get(point);
  }
}
