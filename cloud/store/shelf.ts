// Which parts count now, for readers that do not wait. A query reads tables and files that a
// change of the list moves rows between, so it must see both before or both after: it runs on the
// list as it was, and again when the list changed meanwhile. Changes are minutes apart, so it runs
// twice at most in practice.
import { isFault } from '../../core/fault.ts';
import type { Part, PartFolder } from './parts.ts';
import type { UnreadablePart } from './store.ts';

export class Shelf {
  readonly #folder: PartFolder;
  #parts: readonly Part[];
  #generation = 0;
  #nextToVerify = 0;
  #changing: Promise<void> = Promise.resolve();
  readonly #unreadable = new Map<string, UnreadablePart>();

  constructor(folder: PartFolder, parts: readonly Part[]) {
    this.#folder = folder;
    this.#parts = parts;
    for (const part of parts) this.#note(part, folder.glance(part));
  }

  get parts(): readonly Part[] {
    return this.#parts;
  }

  get readable(): readonly Part[] {
    return this.#parts.filter(({ file }) => !this.#unreadable.has(file));
  }

  get unreadable(): readonly UnreadablePart[] {
    return [...this.#unreadable.values()];
  }

  isReadable({ file }: Part): boolean {
    return !this.#unreadable.has(file);
  }

  /** Readable parts that may hold rows of `series` within the span. */
  within(series: number, fromMs: number, toMs: number): readonly Part[] {
    return this.readable.filter((part) => mayHold(part, series, fromMs, toMs));
  }

  unreadableWithin(series: number, fromMs: number, toMs: number): readonly UnreadablePart[] {
    return this.#parts
      .filter((part) => mayHold(part, series, fromMs, toMs))
      .flatMap(({ file }) => this.#unreadable.get(file) ?? []);
  }

  /**
   * Runs the transaction that changes the list; the caller sees to it that there is one at a time.
   */
  async change(transaction: () => Promise<void>, parts: readonly Part[]): Promise<void> {
    this.#generation++;
    const done = Promise.withResolvers<void>();
    this.#changing = done.promise;
    try {
      await transaction();
      this.#parts = parts;
      const listed = new Set(parts.map(({ file }) => file));
      for (const file of this.#unreadable.keys()) {
        if (!listed.has(file)) this.#unreadable.delete(file);
      }
    } finally {
      this.#generation++;
      done.resolve();
    }
  }

  /** `work` reads tables and the parts that `choose` names of those that count when it begins. */
  async read<T>(
    choose: () => readonly Part[],
    work: (parts: readonly Part[]) => Promise<T>,
  ): Promise<T> {
    for (;;) {
      await this.#changing;
      const generation = this.#generation;
      const parts = choose();
      try {
        const result = await work(parts);
        if (generation === this.#generation) return result;
      } catch (error) {
        // A file that went with a change is read again from the new list; one that is broken is
        // left out.
        if (generation !== this.#generation) continue;
        if (isFault(error) || !(await this.#findDamage(parts))) throw error;
      }
    }
  }

  /**
   * Reads the part whole; false when it is damaged or gone, which is then left out and reported.
   */
  async verify(part: Part): Promise<boolean> {
    this.#note(part, await this.#folder.verify(part));
    return this.isReadable(part);
  }

  /** `verify` of the next part in turn, so that rot is found before somebody asks. */
  async verifyNext(): Promise<void> {
    const part = this.#parts[this.#nextToVerify++ % Math.max(1, this.#parts.length)];
    if (part) await this.verify(part);
  }

  // A query failed: looks for a part of it that is to blame, at first by size, then by hash.
  async #findDamage(parts: readonly Part[]): Promise<boolean> {
    const isAnyBroken = () => parts.some((part) => !this.isReadable(part));
    for (const part of parts) this.#note(part, this.#folder.glance(part));
    if (isAnyBroken()) return true;
    for (const part of parts) this.#note(part, await this.#folder.verify(part));
    return isAnyBroken();
  }

  #note({ file, rows, fromMs, toMs }: Part, why: UnreadablePart['why'] | null): void {
    if (why) this.#unreadable.set(file, { file, rows, fromMs, toMs, why });
    else this.#unreadable.delete(file);
  }
}

function mayHold(part: Part, series: number, fromMs: number, toMs: number): boolean {
  return (
    part.seriesMin <= series &&
    part.seriesMax >= series &&
    part.fromMs < toMs &&
    part.toMs >= fromMs
  );
}
