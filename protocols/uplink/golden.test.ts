// Golden messages: added, never edited. `<name>.hex` is the message, `<name>.json` what our reader
// makes of it, `<name>.txt` what `protoc` makes of its body by lifeline.proto alone. A new one is a
// new line of SHA256SUMS; a changed one fails, since some gateway out there still writes the old
// bytes.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { program } from '../../tests/programs.ts';
import { unpackBody } from './body.ts';
import * as control from './control.ts';
import { openRecord, readEnvelope } from './envelope.ts';
import { plainOf } from './uplink.fuzz.ts';

const home = fileURLToPath(new URL('.', import.meta.url));
const fixtures = `${home}fixtures/`;
const files = readdirSync(fixtures).filter((name) => name !== 'SHA256SUMS');
const names = files
  .filter((name) => name.endsWith('.hex'))
  .map((name) => name.slice(0, -'.hex'.length));

interface Golden {
  readonly message: string;
  readonly refused?: string;
}

const text = (file: string) => readFileSync(fixtures + file, 'utf8');
const bytesOf = (name: string) => Uint8Array.from(Buffer.from(text(`${name}.hex`).trim(), 'hex'));
const goldenOf = (name: string) => JSON.parse(text(`${name}.json`)) as Golden;
const refused = names.filter((name) => goldenOf(name).refused);
const readable = names.filter((name) => !goldenOf(name).refused);

const decoders: Readonly<Record<string, (bytes: Uint8Array) => unknown>> = {
  Ack: control.decodeAck,
  Birth: control.decodeBirth,
  Status: control.decodeStatus,
  CloudStatus: control.decodeCloudStatus,
  ConfigurationState: control.decodeConfigurationState,
  Command: control.decodeCommand,
  Reply: control.decodeReply,
  Confirm: control.decodeConfirm,
};

/** Values that JSON lacks, in a form it has. */
function inJson(value: unknown): unknown {
  const written = JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === 'bigint') return { whole: String(part) };
    if (Object.is(part, -0)) return { number: '-0' };
    if (typeof part === 'number' && !Number.isFinite(part)) return { number: String(part) };
    if (part instanceof Uint8Array) return { hex: Buffer.from(part).toString('hex') };
    return part;
  });
  return JSON.parse(written);
}

test('no golden file was edited or lost', () => {
  const hash = (file: string) =>
    createHash('sha256')
      .update(readFileSync(fixtures + file))
      .digest('hex');
  const lines = files.map((file) => `${hash(file)}  ${file}`).sort();
  expect(lines).toEqual(text('SHA256SUMS').trim().split('\n').sort());
});

test.each(readable)('%s reads as it always did', (name) => {
  const { message, ...golden } = goldenOf(name);
  const bytes = bytesOf(name);
  if (message !== 'Body') {
    // What was added to a message since the file was made is at its default.
    expect(inJson({ value: decoders[message]!(bytes) })).toMatchObject(golden);
    return;
  }
  const { envelope, dictionaryHash, body } = openRecord(bytes);
  expect(inJson({ envelope, dictionaryHash, body: plainOf(body) })).toEqual(golden);
});

test.each(refused)('%s is refused as it always was', (name) => {
  const reading = readEnvelope(bytesOf(name));
  expect(reading).toMatchObject({ ok: false, reason: goldenOf(name).refused });
  expect(reading.ok || reading.envelope).toEqual(
    (goldenOf(name) as { envelope?: unknown }).envelope,
  );
});

const protoc = program('protoc');

function protobufOf(name: string): Uint8Array {
  const bytes = bytesOf(name);
  if (goldenOf(name).message !== 'Body') return bytes;
  const reading = readEnvelope(bytes);
  if (!reading.ok) throw new Error(`${name} is not readable`);
  return unpackBody(bytes.subarray(reading.bodyStart), reading.codec);
}

describe.skipIf(!protoc)('protoc, by lifeline.proto alone', () => {
  const run = (way: string, name: string, input: Uint8Array | string) =>
    execFileSync(protoc!, [`--${way}=lifeline.v1.${goldenOf(name).message}`, 'lifeline.proto'], {
      cwd: home,
      input,
    });

  test.each(readable)('decodes %s to the same fields', (name) => {
    expect(run('decode', name, protobufOf(name)).toString()).toBe(text(`${name}.txt`));
  });

  test.each(readable.filter((name) => !name.startsWith('later-')))(
    'encodes %s to the same bytes, so no field of ours is unknown to it',
    (name) => {
      const back = run('encode', name, text(`${name}.txt`));
      expect(back.toString('hex')).toBe(Buffer.from(protobufOf(name)).toString('hex'));
    },
  );
});
