import { expect, test } from 'vitest';
import {
  plainWording,
  sampleAlarm,
  sampleDelivery,
  sampleLink,
  sampleNotice,
} from './channel.contract.ts';
import { DINGTALK_BODY_BYTES_MAX, dingtalk, dingtalkSign } from './dingtalk.ts';
import { FEISHU_BODY_BYTES_MAX, feishu, feishuSign } from './feishu.ts';
import { fitted } from './robot.ts';
import { WECOM_MARKDOWN_BYTES_MAX, WECOM_TEXT_BYTES_MAX, wecom } from './wecom.ts';

// Vectors computed apart from this code, with another implementation of HMAC.
test('the signatures are those of DingTalk and Feishu', () => {
  expect(encodeURIComponent(dingtalkSign('SECexample', 1_795_334_400_000))).toBe(
    'EZZvBUdQXezTCnmT%2BDwcYxj4R25ujMZG22tg6BQxejI%3D',
  );
  expect(feishuSign('SECexample', 1_795_334_400)).toBe(
    'FwuuSccRihJrPJuSPonras/QOOEmbGCLDjxoGhy5MXk=',
  );
});

const long = '甲烷浓度过高，关闭阀门 "V-221"。\n'.repeat(2_000);
const message = { title: 'Methane', text: long, markdown: `**${long}**`, note: null };
const ofLevel = (level: 1 | 2) => sampleNotice({ alarm: { ...sampleAlarm, level } });

test('what is too long is cut to what the provider takes, and keeps the link to confirm by', () => {
  const link = sampleLink(sampleDelivery().id);
  const options = {
    token: 'token',
    key: 'key',
    mobiles: ['13800001111'],
    wording: plainWording,
  } as const;
  for (const level of [1, 2] as const) {
    const notice = ofLevel(level);
    const bodies = [
      dingtalk(() => 0, { ...options, secret: 'SECexample' }).request(message, notice).body!,
      feishu(() => 0, { ...options, secret: 'SECexample' }).request(message, notice).body!,
    ];
    expect(Buffer.byteLength(bodies[0]!)).toBeLessThanOrEqual(DINGTALK_BODY_BYTES_MAX);
    expect(Buffer.byteLength(bodies[1]!)).toBeLessThanOrEqual(FEISHU_BODY_BYTES_MAX);
    const body = JSON.parse(wecom(options).request(message, notice).body!);
    const { content } = level === 1 ? body.text : body.markdown;
    const bytesMax = level === 1 ? WECOM_TEXT_BYTES_MAX : WECOM_MARKDOWN_BYTES_MAX;
    expect(Buffer.byteLength(content)).toBeLessThanOrEqual(bytesMax);
    const line = long.slice(0, long.indexOf('\n') + 1);
    expect(Buffer.byteLength(content)).toBeGreaterThan(bytesMax - Buffer.byteLength(line) - 8);
    for (const text of [...bodies, content]) expect(text).toContain(link);
  }
});

test('what fits is sent as it is, and neither a line nor a sign is cut in two', () => {
  const bytes = { bytesOf: (text: string) => Buffer.byteLength(text), link: null };
  expect(fitted('甲烷', 6, bytes)).toBe('甲烷');
  const lines = fitted('关闭阀门 V-221\n'.repeat(20), 200, bytes).split('\n');
  expect(new Set(lines.slice(0, -1))).toEqual(new Set(['关闭阀门 V-221']));
  const cut = fitted('🔥'.repeat(100), 101, bytes);
  expect(cut).toMatch(/^🔥+\n… /u);
  expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(101);
});

test('level I is text that calls people by name; the rest, and what is over, calls nobody', () => {
  const short = { title: 'Methane', text: 'methane', markdown: '**methane**', note: null };
  const options = {
    token: 't',
    key: 'k',
    mobiles: ['13800001111'],
    wording: plainWording,
  } as const;
  const bodyOf = (changes: Parameters<typeof sampleNotice>[0]) =>
    wecom(options).request(short, sampleNotice(changes)).body;
  expect(bodyOf({})).toContain('13800001111');
  expect(bodyOf({ transition: 'cleared' })).not.toContain('13800001111');
  expect(bodyOf({ alarm: { ...sampleAlarm, level: 2 } })).not.toContain('13800001111');
});

test('a name of the site that looks like a call calls nobody', () => {
  const sly = { title: 'x', text: 'x <at user_id="all"></at> <@all>', markdown: '', note: null };
  const asked = feishu(() => 0, { token: 't', wording: plainWording }).request(sly, sampleNotice());
  expect(JSON.parse(asked.body!).content.text).not.toMatch(/<at /);
  const other = wecom({ key: 'k', wording: plainWording }).request(sly, sampleNotice());
  expect(JSON.parse(other.body!).text.content).not.toMatch(/<@/);
});
