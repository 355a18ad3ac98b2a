// A message as a gas well's alarm of level II gives it, for tests of what is made of it.
import type { Content, Message } from '../cloud/warnings/warning.ts';

/** 12:00 in Beijing. */
export const NOON_MS = Date.UTC(2026, 10, 22, 4);

export const content: Content = {
  ...{ level: 2, categories: ['Infra', 'Safety'], certainty: 'Observed', responses: ['Avoid'] },
  event: { en: 'Gas leak', zh: '燃气泄漏' },
  headline: {
    en: 'Orange: well 07 next to Wangjiang Road: methane 52 %LEL',
    zh: '橙色：望江西路07号相邻井：甲烷 52 %LEL',
  },
  description: { en: 'Methane 52 %LEL & rising <fast>', zh: '甲烷 52 %LEL，仍在上升' },
  instruction: { en: 'No flames. Keep away.', zh: '禁止明火，远离现场。' },
  parameters: [
    { name: 'value', value: '52 %LEL' },
    { name: 'limit', value: '50 %LEL' },
  ],
  area: {
    text: { en: 'Wangjiang Road, well 07', zh: '望江西路07号井' },
    circle: { center: { latitude: 31.834, longitude: 117.2054 }, radiusKm: 0.05 },
    polygon: null,
    geocodes: [{ name: 'GB/T 2260', value: '340104' }],
  },
  onsetMs: NOON_MS - 30_000,
};

export const alert: Message = {
  ...{ identifier: 'lifeline-20261122T040000-1-1', sender: 'alarm.example.org', sentMs: NOON_MS },
  ...{ status: 'Actual', type: 'Alert', note: null, references: [], incident: 'cas-7' },
  scope: { kind: 'Restricted', restriction: 'gas operator and district office' },
  expiresMs: NOON_MS + 2 * 3_600_000,
  senderName: { en: 'Lifeline centre', zh: '城市生命线监测中心' },
  ...{ contact: '0551-0000000', web: null, content },
};

export const update: Message = {
  ...alert,
  ...{ identifier: 'lifeline-20261122T041000-1-2', sentMs: NOON_MS + 600_000, type: 'Update' },
  references: [alert],
  content: {
    ...content,
    level: 1,
    responses: ['Evacuate', 'Avoid'],
    area: {
      ...content.area,
      circle: null,
      polygon: [
        { latitude: 31.833, longitude: 117.204 },
        { latitude: 31.833, longitude: 117.207 },
        { latitude: 31.835, longitude: 117.207 },
      ],
    },
  },
};

export const cancel: Message = {
  ...update,
  ...{ identifier: 'lifeline-20261122T050000-1-3', sentMs: NOON_MS + 3_600_000, type: 'Cancel' },
  note: { en: 'Back to normal', zh: '已恢复正常' },
  references: [alert, update],
  expiresMs: NOON_MS + 2 * 3_600_000,
};
