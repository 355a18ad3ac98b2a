import type { Bilingual, FaultText } from './text.ts';

export const supervisionMessages = {
  'path-test': { en: 'Path test', zh: '通路测试' },
  drill: { en: 'Drill', zh: '演练' },
  'drill-point': { en: 'Drill of level {level}', zh: '演练（{level}级）' },
  'drill-command': {
    en: 'Begin or end a drill of level {level}',
    zh: '开始或结束{level}级演练',
  },
  'self-is-taken': {
    en: '{name} is the name of the gateway itself, for path tests and drills; choose another',
    zh: '{name} 是网关自身的名称，用于通路测试和演练；请另取名称',
  },
  'path-test-interval': {
    en: 'a path test each {every} is outside {minimum} to {maximum}',
    zh: '通路测试间隔 {every} 不在 {minimum} 至 {maximum} 之间',
  },
} as const satisfies Record<string, Bilingual>;

export const supervisionFaults = {} as const satisfies Record<string, FaultText>;
