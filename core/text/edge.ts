import type { Bilingual, FaultText } from './text.ts';

export const edgeMessages = {} as const satisfies Record<string, Bilingual>;

export const edgeFaults = {} as const satisfies Record<string, FaultText>;
