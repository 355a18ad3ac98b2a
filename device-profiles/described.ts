// Parts of a profile in words, in one language: for `profile show` and for the generated pages.
import type { RuleProposal } from '../core/alarm/rule.ts';
import { conditionText } from '../core/alarm/rule-words.ts';
import type { CommandOffer } from '../core/command.ts';
import { durationText } from '../core/duration.ts';
import type { Language, MessageKey } from '../core/text/text.ts';
import { say } from '../core/text/text.ts';
import { unitSymbol } from '../core/units.ts';
import type { ModbusAddress } from '../protocols/modbus/address.ts';
import type { ModbusStep } from '../protocols/modbus/step.ts';
import type { OpcuaAddress } from '../protocols/opcua/address.ts';
import { nodeText, pathText } from '../protocols/opcua/node-name.ts';
import type { TargetAddress } from './places.ts';
import type { Profile, ProfilePoint } from './profile.ts';
import type { PointAddress } from './raw-values.ts';
import { isModbus } from './raw-values.ts';

/** `holding 2 float32 CDAB`, with bit or length where there is one; or a node. */
export function addressText(address: TargetAddress): string {
  return isModbus(address) ? registerText(address) : nodeAddressText(address);
}

function registerText({ table, address, type, order, width, bit, bits }: ModbusAddress): string {
  const isOne = table === 'coil' || table === 'discrete';
  return [
    `${table} ${address}`,
    ...(isOne ? [] : [type]),
    ...((width > 1 || order !== 'ABCD') && !isOne && type !== 'string' ? [order] : []),
    ...(type === 'string' ? [`x ${width}`] : []),
    ...(bit === null ? [] : [`bit ${bit}`]),
    ...(bits === null ? [] : [`& 0x${bits.mask.toString(16)} >> ${bits.shift}`]),
  ].join(' ');
}

function nodeAddressText(address: OpcuaAddress): string {
  switch (address.kind) {
    case 'value': {
      const { node, element, type, mode, history } = address;
      const steps = element.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`));
      const more = [...(mode === 'read' ? [mode] : []), ...(history ? ['history'] : [])];
      return [nodeText(node) + steps.join(''), type, ...more].join(' ');
    }
    case 'event': {
      const of = address.eventType ? ` ${nodeText(address.eventType)}` : '';
      return `event ${nodeText(address.notifier)}${of} ${pathText(address.field)}`;
    }
    case 'condition':
      return `condition ${nodeText(address.node)} ${address.field}`;
    case 'certificate':
      return `certificate ${address.whose}`;
    case 'method': {
      const given = address.arguments.map((each) => (each === null ? '$value' : `${each}`));
      return `call ${nodeText(address.object)} ${nodeText(address.method)}(${given.join(', ')})`;
    }
    case 'acknowledge':
      return `acknowledge ${nodeText(address.node)}`;
  }
}

/** What makes a value of the raw one, and what stands beside it; one line each. */
export function valueTexts(point: ProfilePoint, language: Language): string[] {
  const { auxiliary, definition, invalid, states } = point;
  const { scale, offset } = auxiliary?.scaling ?? definition;
  const comma = language === 'zh' ? '，' : ', ';
  const list = (entries: readonly string[]) => entries.join(comma);
  const stateNames = [...states].map(([raw, text]) => {
    const isOut = point.definition.rules.some(
      (rule) =>
        rule.kind === 'state' && rule.id === 'not-in-service' && rule.states.includes(Number(raw)),
    );
    const out = isOut ? ` (${say(language, 'profile-out-of-service')})` : '';
    return `${raw} = ${text[language]}${out}`;
  });
  const codes = [...invalid].map(([raw, reason]) => `${rawText(raw)} = ${reason}`);
  return [
    ...(scale === 1 && offset === 0 ? [] : [say(language, 'profile-scaling', { scale, offset })]),
    ...asideTexts(point, language),
    ...(stateNames.length ? [say(language, 'profile-states', { list: list(stateNames) })] : []),
    ...(codes.length ? [say(language, 'profile-invalid', { list: list(codes) })] : []),
  ];
}

function rawText(raw: number | bigint): string {
  return Number.isNaN(raw) ? 'nan' : `${raw}`;
}

function asideTexts({ auxiliary, definition }: ProfilePoint, language: Language): string[] {
  if (!auxiliary) return [];
  const { mode, unit, scale, order, signal, before } = auxiliary;
  const where = ({ address }: { readonly address: PointAddress }) => addressText(address);
  const units = [...(unit?.fits ?? [])].map(([raw, fit]) => {
    const isOurs = fit.unit === definition.unit && fit.factor === 1;
    const turned =
      fit.factor === null || isOurs
        ? ''
        : ` x ${fit.factor}${fit.offset ? ` + ${fit.offset}` : ''}`;
    return `${raw} = ${unitSymbol(fit.unit, language) || fit.unit}${turned}`;
  });
  const orders = [...(order?.orders ?? [])].map(([raw, name]) => `${raw} = ${name}`);
  const list = (texts: readonly string[]) => texts.join(language === 'zh' ? '，' : ', ');
  const wait = durationText(before?.waitMs ?? 0);
  return [
    ...(mode ? [say(language, 'profile-mode', { mode: mode.point, where: where(mode) })] : []),
    ...(unit
      ? [say(language, 'profile-unit-from', { where: where(unit), list: list(units) })]
      : []),
    ...(scale
      ? [say(language, 'profile-scale-from', { where: where(scale), kind: scale.kind })]
      : []),
    ...(order
      ? [say(language, 'profile-order-from', { where: where(order), list: list(orders) })]
      : []),
    ...(signal ? [say(language, 'profile-signal', { ...signal })] : []),
    ...(before ? [say(language, 'profile-before', { wait, trigger: before.id })] : []),
  ];
}

/** What may be commanded of a point where a site allows it; one line each. */
export function commandTexts(point: ProfilePoint, language: Language): string[] {
  return (point.commands ?? []).map(({ offer, address, words, readBack }) => {
    const where = addressText(address as TargetAddress);
    const sent = [...(words ?? [])].map(([shown, word]) => `${shown} = ${hexText(word)}`);
    const parts = [
      offerText(offer, point, language),
      where + (sent.length ? ` (${sent.join(', ')})` : ''),
      readBack
        ? say(language, 'command-read-back', { within: durationText(readBack.withinMs) })
        : say(language, 'command-unseen'),
    ];
    return `${point.id}.${offer.id}: ${parts.join(language === 'zh' ? '；' : '; ')}`;
  });
}

/** Of an offer: its title, what may be given, who may, and what restricts it. */
export function offerText(
  offer: CommandOffer,
  { states, definition: { unit } }: Pick<ProfilePoint, 'states' | 'definition'>,
  language: Language,
): string {
  const { title, fixed, range, right, twoPeople, everyMs, revert } = offer;
  const named = (value: number | boolean | bigint | string) =>
    (typeof value === 'number' || typeof value === 'boolean'
      ? states.get(value)?.[language]
      : undefined) ?? `${value}`;
  const symbol = unitSymbol(unit, language);
  const given = range
    ? `${range[0]} … ${range[1]} ${symbol}`.trim()
    : fixed === null && offer.states
      ? offer.states.map(named).join(language === 'zh' ? '、' : ', ')
      : '';
  const parts = [
    ...(given ? [given] : []),
    say(language, 'command-right', { right: say(language, `right-${right}`) }),
    ...(twoPeople ? [say(language, 'command-two-people')] : []),
    ...(everyMs ? [say(language, 'command-every', { every: durationText(everyMs) })] : []),
    ...(revert
      ? [
          say(language, 'command-reverts', {
            after: durationText(revert.afterMs),
            value:
              `${named(revert.value)} ${typeof revert.value === 'number' ? symbol : ''}`.trim(),
          }),
        ]
      : []),
  ];
  return `${title[language]} (${parts.join(language === 'zh' ? '；' : '; ')})`;
}

function hexText(word: number | boolean): string {
  return typeof word === 'number' && word > 9 ? `0x${word.toString(16).toUpperCase()}` : `${word}`;
}

/** What there is to know of the device as a whole; one line each, none for a plain device. */
export function deviceTexts(profile: Profile, language: Language): string[] {
  const { device, wakesAfterMs, triggers, identify } = profile;
  const settings = Object.entries(device).map(([key, value]) => `${key}: ${settingText(value)}`);
  return [
    ...(settings.length ? [say(language, 'profile-settings', { list: settings.join('; ') })] : []),
    ...(wakesAfterMs === null
      ? []
      : [say(language, 'profile-wakes', { after: durationText(wakesAfterMs) })]),
    ...triggers.map(({ id, start, waitMs, stop }) => {
      const values = { trigger: id, start: stepText(start, language), wait: durationText(waitMs) };
      const line = say(language, 'profile-trigger', values);
      return stop
        ? line + say(language, 'profile-trigger-stop', { stop: stepText(stop, language) })
        : line;
    }),
    ...identify.map((way) => {
      if (way.kind === 'register') {
        const values = { where: addressText(way.address), equals: `${way.equals}` };
        return say(language, 'profile-identify', values);
      }
      const patterns = [way.vendor, way.product].map((pattern) => pattern?.source ?? '*');
      return say(language, 'profile-identify-id', { patterns: patterns.join(' ') });
    }),
  ];
}

function settingText(value: unknown): string {
  if (Array.isArray(value)) return value.map(settingText).join(', ');
  if (typeof value !== 'object' || value === null) return `${value}`;
  const parts = Object.entries(value).map(([key, inner]) => `${key} ${settingText(inner)}`);
  return `{ ${parts.join(', ')} }`;
}

function stepText(step: ModbusStep, language: Language): string {
  const { kind, table, address } = step;
  const key: MessageKey & ('profile-step-read' | 'profile-step-write') = `profile-step-${kind}`;
  const what = step.kind === 'read' ? `${step.count}` : step.values.join(' ') || '-';
  return say(language, key, { where: `${table} ${address}`, what });
}

/** A proposed alarm: its limit, how urgent, since when, and where that comes from. */
export function ruleText(point: ProfilePoint, rule: RuleProposal, language: Language): string {
  const title = rule.title[language];
  const norm = point.norms[rule.id];
  const remarks = norm ? [say(language, 'profile-norm', { norm: norm[language] })] : [];
  if (rule.isLatching) remarks.push(say(language, 'profile-latching'));
  const parts = point.defaults?.[rule.id] ?? [];
  if (parts.includes('rule')) remarks.push(say(language, 'profile-default'));
  else if (parts.length) {
    remarks.push(say(language, 'profile-default-parts', { parts: parts.join(', ') }));
  }
  const after = remarks.length ? ` (${remarks.join('; ')})` : '';
  if (rule.kind === 'no-data') {
    const values = { title, after: durationText(rule.silentMs), level: rule.level };
    return say(language, 'profile-silent', values) + after;
  }
  if (rule.kind === 'state') {
    const names = rule.states.map((state) => {
      const isFlag = point.definition.type === 'boolean';
      return point.states.get(isFlag ? state === 1 : state)?.[language] ?? `${state}`;
    });
    const states = names.join(language === 'zh' ? '、' : ', ');
    const values = { title, states, level: rule.level, delay: durationText(rule.onDelayMs) };
    return say(language, 'profile-state', values) + after;
  }
  if (rule.kind !== 'limit') {
    const when = conditionText(rule, point.definition.unit, language);
    const values = { title, when, level: rule.level, delay: durationText(rule.onDelayMs) };
    return say(language, 'profile-rule-when', values) + after;
  }
  const isHigh = rule.side === 'high' || rule.side === 'high-high';
  const values = {
    title,
    limit: `${rule.limit} ${unitSymbol(point.definition.unit, language)}`.trim(),
    level: rule.level,
    delay: durationText(rule.onDelayMs),
  };
  return say(language, isHigh ? 'profile-limit-high' : 'profile-limit-low', values) + after;
}
