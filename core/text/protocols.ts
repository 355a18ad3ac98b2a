import type { Bilingual, FaultText } from './text.ts';

export const protocolMessages = {} as const satisfies Record<string, Bilingual>;

export const protocolFaults = {} as const satisfies Record<string, FaultText>;
