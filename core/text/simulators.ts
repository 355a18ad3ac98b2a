import type { Bilingual, FaultText } from './text.ts';

export const simulatorMessages = {} as const satisfies Record<string, Bilingual>;

export const simulatorFaults = {} as const satisfies Record<string, FaultText>;
