import type { Bilingual, FaultText } from './text.ts';

export const cliMessages = {} as const satisfies Record<string, Bilingual>;

export const cliFaults = {} as const satisfies Record<string, FaultText>;
