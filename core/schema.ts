// The small forms every file shares, as zod values that still turn into JSON Schema: text stays
// text in the schema (JSON Schema knows no transformation) and is read afterwards by
// core/duration.ts. An error text here is a key of the catalogue; core/document.ts shows it in both
// languages.
import { z } from 'zod';
import { DURATION_PATTERN, SIZE_PATTERN } from './duration.ts';
import { ASSET_PATTERN, ID_PATTERN } from './point.ts';
import type { MessageKey } from './text/text.ts';

const key = (code: MessageKey) => code;

/** `300ms`, `5s`, `10m`, `2h`, `30d`; read with `durationMs`. */
export const durationForm = z
  .string(key('not-a-duration'))
  .regex(DURATION_PATTERN, key('not-a-duration'))
  .describe('A whole number and a unit: 300ms, 5s, 10m, 2h, 30d');

/** `512B`, `64KiB`, `4GiB`; read with `sizeBytes`. */
export const sizeForm = z
  .string(key('not-a-size'))
  .regex(SIZE_PATTERN, key('not-a-size'))
  .describe('A whole number and a unit: 64KiB, 256MiB, 4GiB');

/** Name of an area, gateway, device, point or rule. */
export const idForm = z
  .string(key('not-an-id'))
  .regex(ID_PATTERN, key('not-an-id'))
  .describe('1 to 64 of a-z, 0-9 and -');

export const assetForm = z
  .string(key('not-an-asset'))
  .regex(ASSET_PATTERN, key('not-an-asset'))
  .describe('Place of an asset, such as gas/MP-1193/well-07');

/** Longer names break tables, messages and the 64 KB page of the dictionary. */
export const TITLE_MAX = 120;

/** What a person reads, in both languages. */
export const bilingualForm = z
  .strictObject({
    en: z.string().min(1).max(TITLE_MAX),
    zh: z.string().min(1).max(TITLE_MAX),
  })
  .describe('The same text in English and Chinese');

export const alarmLevelForm = z
  .union([z.literal(1), z.literal(2), z.literal(3), z.literal(4)], key('not-a-level'))
  .describe('1 red (I), 2 orange (II), 3 yellow (III), 4 blue (IV)');

/**
 * `${secret:name}` is the content of a file of that name beside the configuration; `${env:NAME}` a
 * variable.
 */
export const SECRET_PATTERN = /^\$\{(?:secret:([a-z0-9-]{1,64})|env:([A-Z][A-Z0-9_]{0,63}))\}$/;

/** A secret is never written into a configuration, only where it is kept. */
export const secretForm = z
  .string(key('not-a-secret-reference'))
  .regex(SECRET_PATTERN, key('not-a-secret-reference'))
  .describe('Where a secret is kept: ${secret:name} or ${env:NAME}');
