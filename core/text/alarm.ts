import type { Bilingual, FaultText } from './text.ts';

export const alarmMessages = {} as const satisfies Record<string, Bilingual>;

export const alarmFaults = {} as const satisfies Record<string, FaultText>;
