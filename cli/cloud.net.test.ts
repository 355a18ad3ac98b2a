// The verbs of the cloud's side as a person types them, beside the embedded broker and a real
// Mosquitto.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test, vi } from 'vitest';
import { connectMqtt } from '../cloud/ingest/mqtt.ts';
import { freePort, shareWithBroker, startMosquitto } from '../tests/foreign-broker.ts';
import { program } from '../tests/programs.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const entry = join(root, 'cli', 'main.ts');
const env = { ...process.env, LANG: 'C', LC_ALL: '', LC_MESSAGES: '' };
vi.setConfig({ testTimeout: 90_000 }); // A dozen processes, each some hundred milliseconds of start.

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lifeline-cloud-'));
  closers.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function lifeline(folder: string, line: string) {
  const args = [entry, ...line.split(' ')];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    ...{ cwd: folder, env, encoding: 'utf8' },
  });
  return { status, stdout, stderr };
}

function cloudFile(folder: string, broker: string, more = ''): void {
  const text = `version: 1\ncloud:\n  folder: data\n  broker: ${broker}\n${more}`;
  writeFileSync(join(folder, 'cloud.yaml'), text);
}

const mosquittoPath = program('mosquitto');
const enrol = 'cloud enrol east/gw-1 --config cloud.yaml --secret-file secrets/gw-1 --once';
const check = 'cloud check cloud.yaml --as gw-1 --secret-file secrets/gw-1';
const write = (out: string) => `cloud broker mosquitto --config cloud.yaml --out ${out}`;

test.skipIf(!mosquittoPath)(
  'from an empty folder to a Mosquitto whose rights are proven, by four commands',
  async () => {
    const [folder, out] = [newFolder(), newFolder()];
    shareWithBroker(out);
    const port = await freePort();
    cloudFile(folder, `{ url: "mqtt://127.0.0.1:${port}", credentials: "\${secret:broker}" }`);
    expect(lifeline(folder, 'cloud secret secrets/broker').status).toBe(0);
    expect(lifeline(folder, enrol).status).toBe(0);
    expect(lifeline(folder, write(out))).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/for 1 gateway/),
    });
    for (const name of ['mosquitto.conf', 'passwords', 'acl']) {
      expect(statSync(join(out, name)).mode & 0o777).toBe(0o640);
    }
    const broker = await startMosquitto(mosquittoPath!, out, port);
    closers.push(() => broker.kill());
    const alone = lifeline(folder, check);
    expect(alone.status).toBe(6);
    expect(alone.stderr).toContain('--with-cloud');
    const whole = lifeline(folder, `${check} --with-cloud`);
    expect([whole.status, whole.stderr]).toEqual([
      0,
      expect.stringMatching(/\d+ rights of gw-1 hold/),
    ]);
    expect(whole.stdout).toMatch(/^holds +publishes lifeline\/v1\/east\/gw-1\/live$/m);
    // One rule too many, read again by the running broker.
    const user = 'user gw-1\n';
    const more = `${user}topic write lifeline/v1/east/gw-1/ack\n`;
    writeFileSync(join(out, 'acl'), readFileSync(join(out, 'acl'), 'utf8').replace(user, more));
    broker.reload();
    await expect.poll(() => lifeline(folder, check).status).toBe(1);
    expect(lifeline(folder, `${check} --lang zh`).stdout).toMatch(/^不成立 .*gw-1\/ack$/m);
  },
);

test('over the embedded broker of a running cloud, with the gateway’s credential alone', async () => {
  const folder = newFolder();
  const [broker, api] = [await freePort(), await freePort()];
  cloudFile(folder, `{ embedded: { port: ${broker} } }`, `  api: { port: ${api} }\n`);
  expect(lifeline(folder, enrol).status).toBe(0);
  const secret = readFileSync(join(folder, 'secrets', 'gw-1'), 'utf8');
  const again = lifeline(folder, enrol);
  expect([again.status, again.stderr]).toEqual([0, expect.stringContaining('is enrolled')]);
  expect(readFileSync(join(folder, 'secrets', 'gw-1'), 'utf8')).toBe(secret);
  const unanswered = lifeline(folder, check);
  expect([unanswered.status, unanswered.stderr]).toEqual([
    9,
    expect.stringContaining('broker_unreachable'),
  ]);
  const cloud = spawn(process.execPath, [entry, 'cloud', 'run', 'cloud.yaml'], {
    ...{ cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] },
  });
  closers.push(() => ended(cloud));
  await said(cloud, 'broker listens');
  const { status, stdout } = lifeline(folder, `${check} --json`);
  expect(status).toBe(0);
  const { rights } = JSON.parse(stdout) as { rights: readonly { verdict: string }[] };
  expect(new Set(rights.map(({ verdict }) => verdict))).toEqual(new Set(['holds']));
  // A message that is too large is refused, and what is known of it kept; not told one by one are
  // more than some in a second, as the check above brings about.
  const own = { clientId: 'gw-1', username: 'gw-1', password: secret, reconnectPeriod: 0 };
  const publishTooMuch = async () => {
    const gateway = connectMqtt(`mqtt://127.0.0.1:${broker}`, own);
    const closed = new Promise<void>((resolve) => gateway.once('close', () => resolve()));
    gateway.on('error', () => {}); // It is hung up on.
    gateway.publish('lifeline/v1/east/gw-1/event', Buffer.alloc(300_000, 'x'), { qos: 1 });
    await closed;
  };
  const at = `--at http://127.0.0.1:${api} --token-file admin`;
  const admin = 'cloud token admin --right administer --config cloud.yaml --secret-file admin';
  expect(lifeline(folder, admin).status).toBe(0);
  const letters = () => lifeline(folder, `cloud dead-letters --json ${at}`);
  await expect
    .poll(
      async () => {
        await publishTooMuch();
        return JSON.parse(letters().stdout).length;
      },
      { timeout: 20_000 },
    )
    .toBeGreaterThan(0);
  const [letter] = JSON.parse(letters().stdout);
  expect(letter).toMatchObject({
    ...{ reason: 'too_large', gateway: 'gw-1', topic: 'lifeline/v1/east/gw-1/event' },
    size: 300_000,
  });
  const shown = lifeline(folder, `cloud dead-letters show ${letter.id} ${at}`);
  expect(shown).toMatchObject({ status: 0, stdout: expect.stringContaining(letter.reason) });
  expect(shown.stdout).toMatch(/^ {2}000000 {2}78 78 .* xxxxxxxxxxxxxxxx$/m);
  expect(lifeline(folder, `cloud dead-letters show 999999 ${at}`).status).toBe(4);
  writeFileSync(join(folder, 'secrets', 'gw-1'), 'of somebody else');
  expect(lifeline(folder, check)).toMatchObject({
    status: 1,
    stdout: expect.stringMatching(/^BROKEN +logs in/),
  });
});

test('what cannot be done is said before anything is written', () => {
  const [folder, out] = [newFolder(), newFolder()];
  cloudFile(folder, '{}');
  expect(lifeline(folder, write(out))).toMatchObject({
    status: 3,
    stderr: expect.stringMatching(/broker_is_embedded/),
  });
  expect(lifeline(folder, 'cloud broker emqx --config cloud.yaml --out x').status).toBe(2);
  cloudFile(folder, '{ url: "mqtts://broker.example" }');
  expect(lifeline(folder, write(out))).toMatchObject({
    status: 3,
    stderr: expect.stringMatching(/broker_no_password/),
  });
  expect(lifeline(folder, 'cloud secret secrets/broker').status).toBe(0);
  const made = readFileSync(join(folder, 'secrets', 'broker'), 'utf8');
  const kept = lifeline(folder, 'cloud secret secrets/broker');
  expect([kept.status, kept.stderr]).toEqual([0, expect.stringContaining('kept')]);
  expect(readFileSync(join(folder, 'secrets', 'broker'), 'utf8')).toBe(made);
  cloudFile(folder, '{ url: "mqtts://broker.example", credentials: "${secret:broker}" }');
  const open = lifeline(folder, `${write(out)} --host 0.0.0.0`);
  expect(open).toMatchObject({ status: 3, stderr: expect.stringMatching(/broker_insecure/) });
  const tls = lifeline(folder, `${write(out)} --host 0.0.0.0 --certificate cert.pem --key key.pem`);
  expect(tls.status).toBe(0);
  expect(readFileSync(join(out, 'mosquitto.conf'), 'utf8')).toMatch(
    /^listener 8883 0\.0\.0\.0\ncertfile .*\/cert\.pem$/m,
  );
  expect(lifeline(folder, `${check.replace('gw-1', 'gw-9')}`)).toMatchObject({
    ...{ status: 4, stderr: expect.stringMatching(/gateway_not_found/) },
  });
});

async function said(child: ChildProcess, what: string): Promise<void> {
  let text = '';
  while (!text.includes(what)) text += (await once(child.stderr!, 'data'))[0];
  child.stderr!.resume();
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

test('the gateways of a running cloud are listed with their paths, in both languages', async () => {
  const folder = newFolder();
  const [api, broker] = [await freePort(), await freePort()];
  cloudFile(folder, `{ embedded: { port: ${broker} } }`, `  api: { port: ${api} }\n`);
  expect(lifeline(folder, enrol).status).toBe(0);
  const issue = 'cloud token anna --config cloud.yaml --right read --secret-file token';
  expect(lifeline(folder, issue).status).toBe(0);
  const cloud = spawn(process.execPath, [entry, 'cloud', 'run', 'cloud.yaml'], {
    cwd: folder,
    env,
  });
  closers.push(async () => {
    cloud.kill();
    await once(cloud, 'exit');
  });
  const at = `--at http://127.0.0.1:${api} --token-file token`;
  await vi.waitFor(
    () =>
      expect(lifeline(folder, `cloud gateway list ${at}`).stdout).toMatch(/^east\/gw-1 +silent/),
    { timeout: 60_000 },
  );
  const zh = lifeline(folder, `cloud gateway show gw-1 ${at} --lang zh`);
  expect(zh.stdout).toContain('离线');
  const shown = JSON.parse(lifeline(folder, `cloud gateway show gw-1 ${at} --json`).stdout);
  expect(shown).toMatchObject({ id: 'gw-1', online: false, newest: null });
  expect(lifeline(folder, `cloud gateway show gw-9 ${at}`).status).toBe(4);
  expect(lifeline(folder, `cloud gateway remove gw-1 ${at}`).status).toBe(2);
});
