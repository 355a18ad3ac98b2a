// The embedded broker in a process of its own.
import type { BrokerCredential } from '../../cloud/broker/broker.ts';
import { openBroker } from '../../cloud/broker/broker.ts';
import { serve } from '../side.ts';

export interface BrokerSettings {
  readonly credentials: readonly BrokerCredential[];
}

serve(async ({ credentials }: BrokerSettings) => {
  const broker = await openBroker({ port: 0, credentials });
  return {
    port: () => broker.port,
    stats: () => broker.stats(),
    end: () => broker.close(),
  };
});
