import type { Bilingual, FaultText } from './text.ts';

export const notifyMessages = {} as const satisfies Record<string, Bilingual>;

export const notifyFaults = {} as const satisfies Record<string, FaultText>;
