// Counters and gauges, written out in the Prometheus text format 0.0.4. Names are
// `<area>_<noun>_<unit>_total`; labels come from closed sets, so the number of series is bounded.
import { assert } from './fault.ts';

export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  add(by?: number): void;
  readonly value: number;
}

export interface Gauge {
  set(value: number): void;
  readonly value: number;
}

/** More label combinations than this under one name is a label that is not a closed set. */
export const SERIES_MAX = 10_000;

interface Family {
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly series: Map<string, { value: number; read?: () => number }>;
}

export class Metrics {
  #families = new Map<string, Family>();

  counter(name: string, help: string, labels: Labels = {}): Counter {
    const cell = this.#cell('counter', name, help, labels);
    return {
      add: (by = 1) => {
        cell.value += by;
      },
      get value() {
        return cell.value;
      },
    };
  }

  gauge(name: string, help: string, labels: Labels = {}): Gauge {
    const cell = this.#cell('gauge', name, help, labels);
    return {
      set: (value) => {
        cell.value = value;
      },
      get value() {
        return cell.value;
      },
    };
  }

  /** A gauge that is read when somebody asks. */
  observe(name: string, help: string, labels: Labels, read: () => number): void {
    this.#cell('gauge', name, help, labels).read = read;
  }

  /** A counter that somebody else keeps, read when somebody asks. */
  observeTotal(name: string, help: string, labels: Labels, read: () => number): void {
    this.#cell('counter', name, help, labels).read = read;
  }

  render(): string {
    const lines: string[] = [];
    for (const [name, { type, help, series }] of this.#families) {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
      for (const [labels, cell] of series) {
        lines.push(`${name}${labels} ${cell.read ? cell.read() : cell.value}`);
      }
    }
    return `${lines.join('\n')}\n`;
  }

  #cell(type: Family['type'], name: string, help: string, labels: Labels) {
    let family = this.#families.get(name);
    if (!family) {
      family = { type, help, series: new Map() };
      this.#families.set(name, family);
    }
    assert(family.type === type, `metric ${name} has one type`);
    const key = labelText(labels);
    let cell = family.series.get(key);
    if (!cell) {
      assert(family.series.size < SERIES_MAX, `labels of ${name} come from closed sets`);
      cell = { value: 0 };
      family.series.set(key, cell);
    }
    return cell;
  }
}

function labelText(labels: Labels): string {
  const parts = Object.entries(labels).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return parts.length ? `{${parts.join(',')}}` : '';
}
