import { expect, test } from 'vitest';
import { addressOf, deviceOptions, nameOf } from '../../tests/opcua-ground.ts';
import type { ReadAddress } from './address.ts';
import { BatchSize } from './batches.ts';
import type { Connection } from './connection.ts';
import { HISTORY_VALUES_MAX, readHistory } from './history.ts';
import { INBOX_MAX, Inbox, Item } from './items.ts';
import { loadLibrary } from './library.ts';
import { OpcuaPlan } from './plan.ts';
import type { Decoded } from './value.ts';
import { decodeVariant } from './value.ts';

const address = addressOf({ path: 'ps:S/ps:P', type: 'double', history: true }) as ReadAddress;
const item = () => new Item(address, deviceOptions(), 0);

test('what is told and never polled is bounded: the oldest half is dropped and counted', () => {
  const inbox = new Inbox();
  for (let at = 0; at <= INBOX_MAX; at++) {
    inbox.tell({ at, value: at, quality: 0, atMonoMs: at, origin: null });
  }
  expect([inbox.lost, inbox.told.length]).toEqual([INBOX_MAX / 2, INBOX_MAX / 2 + 1]);
});

test('a structure of a shape nobody knows is bytes: its fields are bad/decode', () => {
  const into: Decoded = { value: null, quality: 0 };
  const opaque = { nodeId: 'ns=2;i=5001', buffer: Buffer.alloc(16) };
  const variant = { dataType: 22, value: opaque };
  decodeVariant(variant, 'double', ['Low'], into);
  expect([into.value, nameOf(into.quality)]).toEqual([null, 'bad/decode']);
  decodeVariant(variant, 'double', [], into);
  expect([into.value, nameOf(into.quality)]).toEqual([null, 'bad/decode']);
});

test('history is read in pieces, a day back and so many values at the most', async () => {
  const library = await loadLibrary();
  const one = item();
  one.nodeId = library.coerceNodeId('ns=1;s=P');
  const plan = new OpcuaPlan([one]);
  const asked: { start: number; continuation: boolean }[] = [];
  const dayMs = 86_400_000;
  const nowMs = 10 * dayMs;
  let next = 0;
  const request = async (sent: object) => {
    const { historyReadDetails, nodesToRead } = sent as {
      historyReadDetails: { startTime: Date };
      nodesToRead: { continuationPoint?: Buffer | null }[];
    };
    const continuation = (nodesToRead[0]?.continuationPoint?.length ?? 0) > 0;
    asked.push({ start: historyReadDetails.startTime.getTime(), continuation });
    const dataValues = Array.from({ length: 1_000 }, () => {
      const sourceTimestamp = new Date(nowMs - dayMs + ++next);
      const value = { dataType: 11, value: next };
      return { statusCode: { value: 0 }, value, sourceTimestamp, serverTimestamp: null };
    });
    const statusCode = { isGoodish: () => true };
    return {
      results: [{ statusCode, continuationPoint: Buffer.of(1), historyData: { dataValues } }],
    };
  };
  const connection = { library, place: { timeoutMs: 1 }, request } as unknown as Connection;
  const span = { fromMonoMs: 0, toMonoMs: nowMs, offsetMs: 0 };
  const { signal } = new AbortController();
  await readHistory(connection, [plan], span, new BatchSize(10), signal);
  expect(asked.length).toBe(HISTORY_VALUES_MAX / 1_000);
  expect(asked.map(({ continuation }) => continuation)).toEqual([
    false,
    ...asked.slice(1).map(() => true),
  ]);
  expect(asked[0]?.start).toBe(nowMs - dayMs);
  const filled = [...plan.takeFilled(), ...plan.takeFilled(), ...plan.takeFilled()];
  expect(filled.length).toBe(HISTORY_VALUES_MAX);
});
