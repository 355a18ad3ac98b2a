import type { Bilingual, FaultText } from './text.ts';

export const cloudMessages = {} as const satisfies Record<string, Bilingual>;

export const cloudFaults = {} as const satisfies Record<string, FaultText>;
