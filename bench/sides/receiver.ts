// The desk: takes webhooks and confirms each at once, in its answer, or, told to, says nothing.
import type { Behaviour } from '../../simulators/receiver.ts';
import { startReceiver } from '../../simulators/receiver.ts';
import { serve } from '../side.ts';

export interface ReceiverSettings {
  readonly secret: string;
}

serve(async ({ secret }: ReceiverSettings) => {
  let behaviour: Behaviour = { kind: 'confirm' };
  const common = { host: '127.0.0.1', port: 0, secret };
  const receiver = await startReceiver({ ...common, behaviour: () => behaviour });
  return {
    url: () => receiver.url,
    behave: (kind: Behaviour) => {
      behaviour = kind;
    },
    received: () => receiver.received().map(({ id, atMs, times }) => ({ id, atMs, times })),
    end: () => receiver.close(),
  };
});
