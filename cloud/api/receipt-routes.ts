// Where providers of messages and calls post what became of them. They have no token of ours: who
// posts proves it by a signature, or by a word in the address, as the receiver's settings say
// (notify/channels/phone.ts). Whoever cannot is told that there is nothing here, as for a receiver
// that there is not. A receipt may come twice, and may speak of what nobody knows any more: both
// are taken, since the provider would only repeat them.
import { z } from 'zod';
import { Fault } from '../../core/fault.ts';
import type { Metrics } from '../../core/metrics.ts';
import { idForm } from '../../core/schema.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Notifier, Receipt } from '../notify/notifier.ts';
import type { Call, Route } from './route.ts';
import { route } from './route.ts';

/** A thousand receipts of some 250 bytes. */
export const RECEIPTS_BYTES_MAX = 256 * 1024;

export interface ReceiptSources {
  readonly receivers: ReadonlyMap<string, Pick<Notifier, 'receipts'>>;
  /** `unknown`: the provider's reference is of no delivery to this receiver. */
  readonly receipt: (receiver: string, receipt: Receipt) => 'known' | 'unknown';
}

// Both ways in which providers want to hear that it was taken: Aliyun's and Tencent's.
const taken = z
  .strictObject({
    code: z.literal(0),
    msg: z.literal('OK'),
    result: z.literal(0),
    errmsg: z.literal('OK'),
    known: z.int().describe('receipts of deliveries that are known here'),
    unknown: z.int(),
  })
  .describe('What providers take for an answer');

export function receiptRoutes(metrics: Metrics, sources: ReceiptSources): Route[] {
  const nothing = (receiver: string) =>
    new Fault('api_not_found', 'never', bilingual('receipt-nobody', { receiver }));
  return [
    route({
      method: 'POST',
      url: '/v1/receipts/:receiver',
      right: 'public',
      summary: 'What became of messages and calls, posted by their provider',
      params: z.strictObject({ receiver: idForm }),
      query: z.object({ token: z.string().max(200).optional() }),
      answer: taken,
      uploads: ['application/json', 'application/x-www-form-urlencoded', 'text/plain'],
      handle: async ({ params: { receiver }, query: { token = null }, upload }) => {
        const body = await bodyOf(upload!.bytes);
        const notifier = sources.receivers.get(receiver);
        const { headers } = upload!;
        const receipts = body === null ? null : notifier?.receipts?.({ headers, token, body });
        if (!receipts) {
          count(metrics, 'unproven', 1);
          throw nothing(receiver);
        }
        const heard = receipts.map((it) => sources.receipt(receiver, it));
        const known = heard.filter((it) => it === 'known').length;
        const unknown = heard.length - known;
        count(metrics, 'known', known);
        count(metrics, 'unknown', unknown);
        return { code: 0, msg: 'OK', result: 0, errmsg: 'OK', known, unknown } as const;
      },
    }),
  ];
}

function count(metrics: Metrics, kind: string, by: number): void {
  const help = 'Receipts that providers posted, by what they turned out to be';
  metrics.counter('notify_receipts_total', help, { kind }).add(by);
}

/** Null for what is too long, which is read to its end and not kept. */
async function bodyOf(
  bytes: NonNullable<Call<unknown, unknown, unknown>['upload']>['bytes'],
): Promise<string | null> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of bytes) {
    length += part.length;
    if (length <= RECEIPTS_BYTES_MAX) parts.push(part);
  }
  return length > RECEIPTS_BYTES_MAX ? null : Buffer.concat(parts).toString('utf8');
}
