import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../../core/clock.ts';
import { silentLog } from '../../../core/log.ts';
import { Problems } from '../../../core/problems.ts';
import type { Trouble } from './channel.contract.ts';
import {
  notifierContract,
  plainWording,
  sampleAlarm,
  sampleDelivery,
  sampleLink,
  sampleNotice,
} from './channel.contract.ts';
import { type MailOptions, mail, mailKind } from './mail.ts';

/** Of nobody: made for this test. */
const PASSWORD = 'test-pass-6f1c';
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});
const quiet = () => new AbortController().signal;

interface Mailbox {
  readonly port: number;
  readonly letters: string[];
  readonly logins: string[];
}

/** A mail server that asks for a login and takes what comes. */
async function mailbox(changes: SMTPServerOptions = {}): Promise<Mailbox> {
  const letters: string[] = [];
  const logins: string[] = [];
  const server = new SMTPServer({
    ...{ authMethods: ['PLAIN', 'LOGIN'], allowInsecureAuth: true, hideSTARTTLS: true },
    onAuth: ({ username, password }, _session, done) => {
      logins.push(username ?? '');
      if (password === PASSWORD) done(null, { user: username });
      else done(Object.assign(new Error('no such login'), { responseCode: 535 }));
    },
    onData: (stream, _session, done) => {
      const parts: Buffer[] = [];
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('end', () => {
        letters.push(Buffer.concat(parts).toString('utf8'));
        done();
      });
    },
    ...changes,
  });
  server.on('error', () => {}); // A client that went away in the middle.
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  closing.push(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return { port: (server.server.address() as AddressInfo).port, letters, logins };
}

const options = (port: number, changes: Partial<MailOptions> = {}): MailOptions => ({
  ...{ id: 'duty', host: '127.0.0.1', port, tls: 'none', user: 'alarm', password: PASSWORD },
  ...{ from: 'alarm@city.example', to: ['duty@city.example'], wording: plainWording },
  ...{ timeoutMs: 5_000, ...changes },
});
const ground = { clock: systemClock, log: silentLog };
const notifierAt = (port: number, changes: Partial<MailOptions> = {}) =>
  mail(ground, options(port, changes));

/** Without soft line ends, so that what stands in it can be looked for. */
const plain = (letter: string) => letter.replaceAll('=\r\n', '');
const idsIn = (letters: readonly string[]) =>
  letters.map((letter) => /X-Lifeline: (.*)\r\n/.exec(letter)?.[1] ?? '');

/** A server that says what it is told to, whatever it is asked; null: nothing. */
async function odd(greeting: string | null): Promise<number> {
  const server: Server = createServer((socket) => {
    if (greeting !== null) socket.write(greeting);
    socket.on('error', () => {});
    closing.unshift(async () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  closing.push(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return (server.address() as AddressInfo).port;
}

async function faulty(trouble: Trouble) {
  const port = await odd(trouble === 'garbage' ? 'HTTP/1.1 200 OK\r\n\r\n' : null);
  return { notifier: notifierAt(port, { timeoutMs: 200 }), received: async () => [] };
}

notifierContract('mail', {
  open: async () => {
    const box = await mailbox();
    return {
      notifier: notifierAt(box.port),
      received: async () => idsIn(box.letters).flatMap((ids) => ids.split(' ')),
      messages: async () => box.letters.length,
    };
  },
  broken: () => notifierAt(1),
  faulty: { garbage: () => faulty('garbage'), hang: () => faulty('hang') },
  secrets: [PASSWORD],
});

test('a mail with a Chinese subject arrives whole, and again under the same Message-ID', async () => {
  const { port, letters, logins } = await mailbox();
  const notifier = notifierAt(port);
  await notifier.send(sampleNotice(), quiet());
  await notifier.send(sampleNotice(), quiet());
  expect(logins).toEqual(['alarm', 'alarm']);
  const [first = '', second = ''] = letters;
  expect(first).toMatch(/^Subject: =\?UTF-8\?/m);
  for (const header of [
    'Auto-Submitted: auto-generated',
    'X-Priority: 1',
    'multipart/alternative',
  ]) {
    expect(first).toContain(header);
  }
  const idOf = (letter: string) => /^Message-ID: (.*)$/im.exec(letter)?.[1];
  expect(idOf(first)).toMatch(/^<[0-9a-f]{32}@city\.example>/);
  expect(idOf(second)).toBe(idOf(first));
});

test('what a site wrote is text, and only our own links can be clicked', async () => {
  const { port, letters } = await mailbox();
  const name = { en: 'x', zh: '<script src=http://evil.example></script>' };
  const alarm = { ...sampleAlarm, name };
  const links = [sampleLink('a')];
  await notifierAt(port).send({ deliveries: [sampleDelivery({ alarm })], links }, quiet());
  const parts = plain(letters[0]!).split(/^--/m);
  const html = parts.find((part) => part.includes('text/html')) ?? '';
  const [, encoded = ''] = html.split('\r\n\r\n');
  const text = html.includes('base64') ? Buffer.from(encoded, 'base64').toString() : encoded;
  expect(text).not.toContain('<script');
  expect(text.match(/<a href/g) ?? html.match(/<a href/g)).toHaveLength(1);
});

test('a mailbox that is not there is given up, a full or busy server is tried again', async () => {
  const refusing = (responseCode: number) =>
    mailbox({
      onRcptTo: (_address, _session, done) =>
        done(Object.assign(new Error(`no ${PASSWORD}`), { responseCode })),
    });
  const gone = await notifierAt((await refusing(550)).port).send(sampleNotice(), quiet());
  expect(gone).toMatchObject({ kind: 'give-up', isReceiverGone: false });
  expect(JSON.stringify(gone)).not.toContain(PASSWORD);
  const busy = await notifierAt((await refusing(452)).port).send(sampleNotice(), quiet());
  expect(busy).toMatchObject({ kind: 'retry' });
});

test('a login that is refused is tried again, and said', async () => {
  const { port, letters } = await mailbox();
  const outcome = await notifierAt(port, { password: 'other' }).send(sampleNotice(), quiet());
  expect(outcome).toMatchObject({ kind: 'retry', why: expect.stringContaining('535') });
  expect(letters).toEqual([]);
});

test('nothing goes to a server that offers no TLS where TLS is asked for', async () => {
  const { port, letters, logins } = await mailbox();
  const outcome = await notifierAt(port, { tls: 'starttls' }).send(sampleNotice(), quiet());
  expect(outcome.kind).toBe('retry');
  expect([...letters, ...logins]).toEqual([]);
});

// The certificate is smtp-server's own, which nobody has signed.
test('neither login nor letter goes to a server whose certificate nobody vouches for, nor while it is closing', async () => {
  const { port, letters, logins } = await mailbox({ hideSTARTTLS: false });
  const tls = await notifierAt(port, { tls: 'starttls' }).send(sampleNotice(), quiet());
  expect(tls).toMatchObject({ kind: 'retry' });
  expect([...letters, ...logins]).toEqual([]);
  const closed = await odd('421 mail.example closing\r\n');
  expect(await notifierAt(closed).send(sampleNotice(), quiet())).toMatchObject({
    kind: 'retry',
    why: expect.stringContaining('421'),
  });
});

test('a heartbeat says whether the server takes the login, and does not ask it each time', async () => {
  const { port, letters, logins } = await mailbox();
  const beat = { id: 'heartbeat.1', atMs: 0, everyMs: 10_000 };
  const notifier = notifierAt(port);
  expect(await notifier.beat?.(beat, quiet())).toBeNull();
  expect(await notifier.beat?.(beat, quiet())).toBeNull();
  expect(logins).toEqual(['alarm']);
  expect(letters).toEqual([]);
  expect(await notifierAt(await odd(null), { timeoutMs: 100 }).beat?.(beat, quiet())).toBe(
    'timeout',
  );
});

test('a server that is silent for longer than who asks waits has not answered in time, also when asked again', async () => {
  const beat = { id: 'heartbeat.1', atMs: 0, everyMs: 10_000 };
  const silent = notifierAt(await odd(null), { timeoutMs: 5_000 });
  await silent.beat?.(beat, AbortSignal.timeout(100));
  expect(await silent.beat?.(beat, quiet())).toBe('timeout');
});

test('a file that would send a password in the clear, or half a login, is refused', () => {
  const check = (changes: object) => {
    const problems = new Problems('cloud.yaml');
    const base = { ...options(25), kind: 'mail', tls: 'starttls' };
    mailKind.check({ ...base, ...changes } as never, ['receivers', 0], problems);
    return problems.findings.map(({ code }) => code);
  };
  expect(check({ tls: 'none', host: 'mail.city.example' })).toEqual(['mail-without-tls']);
  expect(check({ tls: 'none', host: '127.0.0.1' })).toEqual([]);
  expect(check({ password: undefined })).toEqual(['mail-login-half']);
});
