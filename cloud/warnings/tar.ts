// Files in one, as POSIX.1-1988 `ustar` writes them. The same files at the same time are the same
// bytes.

export interface TarFile {
  /** Up to 100 bytes of ASCII. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

const BLOCK = 512;

export function tar(files: readonly TarFile[], atMs: number): Uint8Array {
  const blocks = files.flatMap(({ name, bytes }) => {
    const rest = (BLOCK - (bytes.length % BLOCK)) % BLOCK;
    return [header(name, bytes.length, atMs), bytes, new Uint8Array(rest)];
  });
  return new Uint8Array(Buffer.concat([...blocks, new Uint8Array(2 * BLOCK)]));
}

function header(name: string, size: number, atMs: number): Uint8Array {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`;
  block.write(name, 0, 100, 'latin1');
  block.write(octal(0o644, 7), 100, 'latin1');
  block.write(octal(0, 7), 108, 'latin1');
  block.write(octal(0, 7), 116, 'latin1');
  block.write(octal(size, 11), 124, 'latin1');
  block.write(octal(Math.floor(atMs / 1_000), 11), 136, 'latin1');
  // The sum is over the block with blanks where it will stand itself.
  block.write('        ', 148, 'latin1');
  block.write('0', 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return new Uint8Array(block);
}
