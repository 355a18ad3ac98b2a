// What a person follows, and ends with Ctrl-C: the real program in a process of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
let folder: string;
let server: Server;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-follow-'));
  writeFileSync(join(folder, 'token'), 'x');
  server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const word of ['alarm', 'case', 'incident', 'command']) {
      response.write(`event: ${word}.made\ndata: {}\n\n`);
    }
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});

async function followed(words: string, end: (id: number) => void) {
  const at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const child = spawn(process.execPath, [
    ...[join(root, 'cli', 'main.ts'), ...words.split(' '), '--json'],
    ...['--at', at, '--token-file', join(folder, 'token')],
  ]);
  let said = '';
  child.stderr.on('data', (part: Buffer) => {
    said += part;
  });
  child.stdout.once('data', () => end(child.pid!));
  const [code] = await once(child, 'close');
  return { code, said };
}

test.each(['alarm follow', 'case follow', 'alarm incidents --follow', 'cloud command follow'])(
  '%s ends with Ctrl-C silently, exit 130',
  async (words) => {
    const ended = await followed(words, (id) => process.kill(id, 'SIGINT'));
    expect(ended).toEqual({ code: 130, said: '' });
  },
);

test('a connection that breaks is said in a sentence, exit 9', async () => {
  const { code, said } = await followed('alarm follow', () => server.closeAllConnections());
  expect(code).toBe(9);
  expect(said).toContain('cli_unreachable: ');
  expect(said).not.toContain('    at ');
});
