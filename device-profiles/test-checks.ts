// The checks of a profile's own tests: that they name points that are there, and give everything a
// point is made of.
import type { DocumentText } from '../core/document.ts';
import type { Path, Problems } from '../core/problems.ts';
import { didYouMean } from '../core/problems.ts';
import { bilingual } from '../core/text/text.ts';
import type { Auxiliary } from './auxiliary.ts';
import type { ProfileTest } from './format.ts';
import { testForm } from './format.ts';
import type { PointAddress } from './raw-values.ts';
import { imageOf, isModbus } from './raw-values.ts';

export interface TestContext {
  readonly ids: readonly string[];
  readonly addresses: ReadonlyMap<string, PointAddress>;
  readonly auxiliaries: ReadonlyMap<string, Auxiliary>;
  /** What a test gives. */
  readonly gives: 'registers' | 'nodes';
  readonly problems: Problems;
  readonly keyPlace: DocumentText<unknown>['keyPlace'];
}

export function checkTests(raw: unknown, context: TestContext): void {
  const { ids, problems } = context;
  const tests = Array.isArray(raw) ? raw : [];
  const names = new Set<string>();
  const tested = new Set<string>();
  tests.forEach((source, at) => {
    const parsed = testForm.safeParse(source);
    if (!parsed.success) return;
    const { name, expect } = parsed.data;
    if (names.has(name)) problems.add(['tests', at, 'name'], 'test-name-twice', { name });
    names.add(name);
    for (const id of Object.keys(expect)) tested.add(id);
    checkTest(parsed.data, ['tests', at], context);
  });
  for (const id of ids) {
    if (tested.has(id)) continue;
    problems.add(['points', id], 'point-untested', { point: id }, { severity: 'warning' });
  }
}

function checkTest(test: ProfileTest, path: Path, context: TestContext): void {
  const { ids, gives, problems, keyPlace } = context;
  const other = gives === 'nodes' ? 'registers' : 'nodes';
  if (test[other]) {
    const at = [...path, other];
    problems.add(at, 'test-other-protocol', { wanted: gives }, { place: keyPlace(at) });
  }
  if (!test[gives]) problems.add(path, 'missing-key', { key: gives });
  for (const id of Object.keys(test.nodes ?? {})) {
    if (!ids.includes(id)) unknownPoint(id, [...path, 'nodes', id], context);
  }
  const image = imageOf(test.registers ?? {});
  for (const id of Object.keys(test.expect)) {
    const at = [...path, 'expect', id];
    if (!ids.includes(id)) unknownPoint(id, at, context);
    else if (gives === 'nodes') {
      if (!test.nodes || Object.hasOwn(test.nodes, id)) continue;
      problems.add(at, 'test-node-missing', { point: id }, { place: keyPlace(at) });
    } else checkRegisters(id, image, at, context);
  }
}

function unknownPoint(id: string, path: Path, context: TestContext): void {
  const { ids, problems, keyPlace } = context;
  const word = didYouMean(id, ids);
  const help = word ? bilingual('help-did-you-mean', { word }) : undefined;
  problems.add(path, 'test-unknown-point', { point: id }, { help, place: keyPlace(path) });
}

function checkRegisters(
  id: string,
  image: ReturnType<typeof imageOf>,
  path: Path,
  { addresses, auxiliaries, problems, keyPlace }: TestContext,
): void {
  const address = addresses.get(id);
  if (!address || !isModbus(address)) return;
  const { scale, order } = auxiliaries.get(id) ?? {};
  for (const needed of [address, scale?.address, order?.address]) {
    const missing = needed ? image.firstMissing(needed) : null;
    if (!needed || missing === null) continue;
    const values = { point: id, table: needed.table, address: missing };
    problems.add(path, 'test-data-short', values, { place: keyPlace(path) });
  }
}
