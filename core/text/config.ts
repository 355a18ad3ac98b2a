import type { Bilingual, FaultText } from './text.ts';

export const configMessages = {} as const satisfies Record<string, Bilingual>;

export const configFaults = {} as const satisfies Record<string, FaultText>;
