import { request } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { Metrics } from '../core/metrics.ts';
import type { StatusServer } from './status.ts';
import { openStatus } from './status.ts';

let server: StatusServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function open(ok = true): Promise<StatusServer> {
  const metrics = new Metrics();
  metrics.counter('edge_things_total', 'Things', { link: 'a' }).add(3);
  server = await openStatus({ host: '127.0.0.1', port: 0, metrics, health: () => ({ ok }) });
  return server;
}

interface Got {
  readonly status: number;
  readonly text: string;
}

function get(port: number, path: string, method = 'GET', host = `127.0.0.1:${port}`): Promise<Got> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, method, headers: { host }, agent: false };
    request(options, (response) => {
      let text = '';
      response.on('data', (part) => {
        text += part;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    })
      .on('error', reject)
      .end();
  });
}

test('health is JSON, with 503 when something is wrong, and metrics are Prometheus text', async () => {
  const { port } = await open();
  expect(await get(port, '/health')).toEqual({ status: 200, text: '{"ok":true}\n' });
  expect((await get(port, '/metrics')).text).toContain('edge_things_total{link="a"} 3');
  await server?.close();
  const sick = await open(false);
  expect((await get(sick.port, '/health')).status).toBe(503);
});

test('a request that names the gateway by a name of its own is refused', async () => {
  const { port } = await open();
  expect((await get(port, '/health', 'GET', `evil.example:${port}`)).status).toBe(421);
  expect((await get(port, '/health', 'GET', '127.0.0.1.evil.example')).status).toBe(421);
  expect((await get(port, '/health', 'GET', `localhost:${port}`)).status).toBe(200);
  expect((await get(port, '/health', 'GET', `[::1]:${port}`)).status).toBe(200);
});

test('nothing can be changed over it', async () => {
  const { port } = await open();
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
    expect((await get(port, '/health', method)).status).toBe(405);
  }
  expect((await get(port, '/stop-collecting')).status).toBe(404);
});

test('a port that is taken is a fault with a code, not a crash', async () => {
  const { port } = await open();
  const metrics = new Metrics();
  const second = openStatus({ host: '127.0.0.1', port, metrics, health: () => ({ ok: true }) });
  await expect(second).rejects.toMatchObject({ code: 'status_port', retry: 'never' });
});
