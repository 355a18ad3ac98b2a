// The library alone: a subscription with all items, and nothing done with what comes but counting.
//
// `items`: as its documentation shows it, monitored items in groups with a listener. `raw`: the
// notification messages as decoded, before the library gives them to items; nothing can be cheaper
// with this library.

import { OPCUACertificateManager } from 'node-opcua-certificate-manager';
import {
  AttributeIds,
  ClientMonitoredItemGroup,
  ClientSubscription,
  MessageSecurityMode,
  OPCUAClient,
  SecurityPolicy,
  setWarningLogger,
  TimestampsToReturn,
} from 'node-opcua-client';
import { itemGroups, itemName, PUBLISHING_MS } from '../opcua-items.ts';
import { serve } from '../side.ts';

export interface OpcUaBareSettings {
  readonly endpoint: string;
  readonly items: number;
  readonly pkiFolder: string;
  readonly policy: 'None' | 'Basic256Sha256';
  readonly how: 'items' | 'raw';
}

const ITEMS_A_CALL = 1_000;

serve(async ({ endpoint, items, pkiFolder, policy, how }: OpcUaBareSettings) => {
  setWarningLogger(() => {});
  const clientCertificateManager = new OPCUACertificateManager({
    rootFolder: pkiFolder,
    automaticallyAcceptUnknownCertificate: true,
    disableFileWatchers: true,
  });
  await clientCertificateManager.initialize();
  const client = OPCUAClient.create({
    endpointMustExist: false,
    clientCertificateManager,
    securityMode: policy === 'None' ? MessageSecurityMode.None : MessageSecurityMode.SignAndEncrypt,
    securityPolicy: SecurityPolicy[policy],
  });
  await client.connect(endpoint);
  const session = await client.createSession();
  const subscription = ClientSubscription.create(session, {
    requestedPublishingInterval: PUBLISHING_MS,
    requestedLifetimeCount: 1_000,
    requestedMaxKeepAliveCount: 20,
    maxNotificationsPerPublish: 0,
    publishingEnabled: true,
    priority: 1,
  });
  await new Promise((resolve) => subscription.once('started', resolve));
  let values = 0;
  for (const { periodMs, from, to } of itemGroups(items)) {
    for (let at = from; at < to; at += ITEMS_A_CALL) {
      const nodes = Array.from({ length: Math.min(ITEMS_A_CALL, to - at) }, (_, offset) => ({
        nodeId: `ns=2;s=Bench.${itemName(at + offset)}`,
        attributeId: AttributeIds.Value,
      }));
      const parameters = { samplingInterval: periodMs, queueSize: 2, discardOldest: true };
      const group = ClientMonitoredItemGroup.create(
        subscription,
        nodes,
        parameters,
        TimestampsToReturn.Both,
      );
      if (how === 'items') {
        group.on('changed', () => {
          values++;
        });
      }
      await new Promise((resolve) => group.once('initialized', resolve));
    }
  }
  if (how === 'raw') {
    subscription.on('raw_notification', ({ notificationData }) => {
      for (const data of notificationData ?? []) {
        values += (data as { monitoredItems?: unknown[] }).monitoredItems?.length ?? 0;
      }
    });
  }
  return {
    values: () => values,
    end: async () => {
      await session.close();
      await client.disconnect();
    },
  };
});
