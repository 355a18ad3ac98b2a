// Dictionary parts in the outbox: found by their hash, looked through before they are sent again,
// and what becomes of the records that name one which is gone. What the cloud needs and nobody has
// can never be read: such records are given up as damaged, a file a commit, under no manifest,
// since a gap that named the lost one could not be read either.
import type { Hash } from '../../protocols/uplink/record.ts';
import type { Row } from './file.ts';
import type { FileState } from './folder.ts';
import { type Ledger, type Loss, Losses } from './ledger.ts';
import { partIn, SCAN_BYTES, SCAN_ROWS, type Shelf } from './shelf.ts';

export class Parts {
  readonly #shelf: Shelf;
  readonly #ledger: Ledger;
  readonly #onLoss: (loss: Loss) => void;
  readonly #lost = new Set<Hash>();

  constructor(shelf: Shelf, ledger: Ledger, onLoss: (loss: Loss) => void) {
    this.#shelf = shelf;
    this.#ledger = ledger;
    this.#onLoss = onLoss;
  }

  /** The row of a part; undefined when it is not here or does not have it whole. */
  get(hash: Hash): Row | undefined {
    const row = this.#row(hash);
    return row && partIn(row)?.hash === hash ? row : undefined;
  }

  #row(hash: Hash): Row | undefined {
    const part = this.#ledger.parts.get(hash);
    if (!part) return undefined;
    const { epoch, sequence } = part;
    return this.#shelf.read(epoch, [{ first: sequence, last: sequence }], 1)[0];
  }

  /** The cloud lacks it and nobody can give it. */
  lose(hash: Hash): void {
    this.#lost.add(hash);
  }

  /** One file of what names a lost part; none when there is nothing left to give up. */
  giveUpUnresolved(): void {
    // Before all files were read nobody knows what is lost; the cloud asks again.
    if (!this.#shelf.isScanned) this.#lost.clear();
    for (const hash of this.#lost) if (!this.#isGone(hash)) this.#lost.delete(hash);
    if (this.#lost.size === 0) return;
    const manifests = this.#unresolved();
    this.#ledger.disown(manifests);
    const file = this.#shelf.files.find((it) => !it.manifests.isDisjointFrom(manifests));
    if (file) this.#giveUp(file, manifests);
    else this.#lost.clear();
  }

  // A row that cannot be read for a while is still held.
  #isGone(hash: Hash): boolean {
    const part = this.#ledger.parts.get(hash);
    if (!part) return true;
    const row = this.#row(hash);
    if (row) return partIn(row)?.hash !== hash;
    return !this.#shelf.held(part.epoch).has(part.sequence);
  }

  #unresolved(): ReadonlySet<Hash> {
    const manifests = new Set(this.#lost);
    for (const [manifest, { pages }] of this.#ledger.parts) {
      if (pages?.some((page) => this.#lost.has(page))) manifests.add(manifest);
    }
    return manifests;
  }

  #giveUp(file: FileState, manifests: ReadonlySet<Hash>): void {
    const handle = this.#shelf.open(file);
    if (!handle) return; // Another time.
    const losses = new Losses();
    for (let key: number | null = 0; key !== null; ) {
      const step = handle.scan(key, SCAN_ROWS, SCAN_BYTES);
      for (const row of step.rows) {
        const { closed, givenUp, sent } = this.#ledger.epoch(row.epoch);
        if (!manifests.has(row.manifest)) continue;
        if (closed.has(row.sequence) || givenUp.has(row.sequence)) continue;
        losses.addRow({ ...row, manifest: '' }, sent.has(row.sequence), 'damaged');
      }
      key = step.nextKey;
    }
    for (const loss of losses.all()) this.#onLoss(loss);
    for (const manifest of manifests) file.manifests.delete(manifest);
  }
}
