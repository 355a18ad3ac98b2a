// The wire changes only on purpose.
//
// Compatibility: the cloud is upgraded one release before the edges. A reader takes every version
// up to its own. A writer states in each record the least reader version that can understand it; a
// reader below that answers `later`, the edge keeps the record, and nothing is lost. Fields are
// added, never renumbered, retyped or reused; unknown fields are skipped; lists whose place is a
// code (lanes, gap causes, reasons, clock states, refusal reasons) only grow at their end. A change
// that an older reader would misread raises WIRE_VERSION and LEAST_READER_VERSION. Golden fixtures
// are added, never edited.

/** Also in the topic: `lifeline/v1/...`. */
export const WIRE_VERSION = 1;
/** Written into every record. */
export const LEAST_READER_VERSION = 1;
/** The highest least reader version that this code understands. */
export const READER_VERSION = 1;

interface Version {
  readonly version: number;
  readonly what: string;
  /** SHA-256 of lifeline.proto, first 16 hex digits; the newest one is checked by a test. */
  readonly schema: string;
}

export const history: readonly Version[] = [
  { version: 1, what: 'The first wire.', schema: '02cb5ba283decae3' },
];
