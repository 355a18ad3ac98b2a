// Equal values as one object: of a million rules most are a few hundred that profiles gave to many
// points. For what is read and never changed.

/** Beyond so many different values the rest are kept as they come. */
export const INTERNED_MAX = 100_000;

export class Interned<Value> {
  readonly #byText = new Map<string, Value>();

  /** The one that stands for the text, or the one that is made for it now. */
  of(text: string, make: (text: string) => Value): Value {
    const known = this.#byText.get(text);
    if (known !== undefined) return known;
    const made = make(text);
    if (this.#byText.size < INTERNED_MAX) this.#byText.set(text, made);
    return made;
  }
}
