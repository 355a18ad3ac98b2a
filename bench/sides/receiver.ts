// The desk: takes webhooks and confirms each at once, in its answer.
import { startReceiver } from '../../simulators/receiver.ts';
import { serve } from '../side.ts';

export interface ReceiverSettings {
  readonly secret: string;
}

serve(async ({ secret }: ReceiverSettings) => {
  const receiver = await startReceiver({ host: '127.0.0.1', port: 0, secret });
  return { url: () => receiver.url, end: () => receiver.close() };
});
