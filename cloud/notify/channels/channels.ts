// The kinds of channels there are.
import type { Notifier } from '../notifier.ts';
import { alertmanagerKind } from './alertmanager.ts';
import type { ChannelGround, ChannelKind, ReceiverSettings } from './channel.ts';
import { commandKind } from './command.ts';
import { dingtalkKind } from './dingtalk.ts';
import { feishuKind } from './feishu.ts';
import { logKind } from './log.ts';
import { mailKind } from './mail.ts';
import { mqttKind } from './mqtt-topic.ts';
import { smsKind, voiceKind } from './phone.ts';
import { webhookKind } from './webhook.ts';
import { wecomKind } from './wecom.ts';

export const channelKinds: readonly [ChannelKind, ...ChannelKind[]] = [
  webhookKind,
  dingtalkKind,
  wecomKind,
  feishuKind,
  smsKind,
  voiceKind,
  mailKind,
  mqttKind,
  commandKind,
  alertmanagerKind,
  logKind,
];

export function kindOf(settings: ReceiverSettings): ChannelKind {
  return channelKinds.find(({ kind }) => kind === settings.kind)!;
}

export function openReceivers(
  ground: ChannelGround,
  receivers: readonly ReceiverSettings[],
): ReadonlyMap<string, Notifier> {
  return new Map(
    receivers.map((settings) => [settings.id, kindOf(settings).open(ground, settings)]),
  );
}
