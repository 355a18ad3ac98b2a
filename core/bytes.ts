// Checksums and text forms of bytes, shared by every wire. Values in, values out.

function table16(polynomial: number): Uint16Array {
  return Uint16Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    return crc;
  });
}

function table32(polynomial: number): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    return crc >>> 0;
  });
}

const modbusTable = table16(0xa001);
const castagnoliTable = table32(0x82f63b78);

/** CRC-16/MODBUS: init FFFF, polynomial 8005 reflected; "123456789" gives 4B37. */
export function crc16Modbus(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = 0xffff;
  for (let at = start; at < end; at++) crc = (crc >>> 8) ^ modbusTable[(crc ^ bytes[at]!) & 0xff]!;
  return crc;
}

/** CRC-32C (Castagnoli, RFC 3720 B.4); "123456789" gives E3069283. */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = 0xffffffff;
  for (let at = start; at < end; at++) {
    crc = (crc >>> 8) ^ castagnoliTable[(crc ^ bytes[at]!) & 0xff]!;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

const hexDigits = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

export function hex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += hexDigits[byte];
  return text;
}

/** Undefined when the text is not pairs of hex digits; blanks between bytes are allowed. */
export function fromHex(text: string): Uint8Array | undefined {
  const digits = text.replaceAll(' ', '');
  if (digits.length % 2 || !/^[0-9a-fA-F]*$/.test(digits)) return undefined;
  return Uint8Array.from({ length: digits.length / 2 }, (_, at) =>
    Number.parseInt(digits.slice(at * 2, at * 2 + 2), 16),
  );
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
