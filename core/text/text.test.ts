import { expect, test } from 'vitest';
import type { FaultText } from './text.ts';
import { faults, languageOf, messages } from './text.ts';

const names = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

test('every message has the same parameters in both languages, and Chinese that is Chinese', () => {
  for (const [key, { en, zh }] of Object.entries<{ en: string; zh: string }>(messages)) {
    expect([...new Set(names(zh))], key).toEqual([...new Set(names(en))]);
    if (/[a-z]{3}/.test(en.replaceAll(/\{\w+\}/g, ''))) expect(zh, key).toMatch(/[一-鿿]/);
  }
});

test('every fault is explained in both languages: what, why, and what to do', () => {
  for (const [code, text] of Object.entries<FaultText>(faults)) {
    expect(code).toMatch(/^[a-z0-9_]+$/);
    for (const language of ['en', 'zh'] as const) {
      for (const part of ['what', 'cause', 'action'] as const) {
        expect(text[language][part].length, `${code} ${language} ${part}`).toBeGreaterThan(3);
      }
    }
  }
});

test('the language comes from the locale, English where nothing is said', () => {
  expect(languageOf({ LANG: 'zh_CN.UTF-8' })).toBe('zh');
  expect(languageOf({ LC_ALL: 'C', LANG: 'zh_CN.UTF-8' })).toBe('en');
  expect(languageOf({})).toBe('en');
});
