// Runs before `npm start` and `npm test` on any Node from 18: installs the locked dependencies when they are
// missing or older than the lockfile, and, for tests as root on Debian, the programs that serve as foreign
// peers. Everything it says goes to stderr: stdout belongs to the command that follows.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const say = (text) => process.stderr.write(`lifeline: ${text}\n`);
const forTests = process.argv.includes('--test');

const lockfile = join(root, 'package-lock.json');
const installed = join(root, 'node_modules', '.package-lock.json');
const runtime = join(root, 'node_modules', '.bin', 'node');

if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) {
  say(
    `this machine is ${process.platform}/${process.arch}; Lifeline runs on linux/x64 and linux/arm64`,
  );
  process.exit(1);
}

const stale = !existsSync(installed) || statSync(installed).mtimeMs < statSync(lockfile).mtimeMs;
if (stale || !existsSync(runtime)) {
  say('installing dependencies from the lockfile (about half a minute, once)');
  run('npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error'], 'npm ci failed');
}

// Program -> Debian package. The list a maintainer edits when a test gets a new peer.
const programs = {
  mosquitto: 'mosquitto',
  protoc: 'protobuf-compiler',
  socat: 'socat',
  mbpoll: 'mbpoll',
  gcc: 'gcc',
  'prometheus-alertmanager': 'prometheus-alertmanager',
  xmllint: 'libxml2-utils',
};
const files = {
  '/usr/include/stdio.h': 'libc6-dev',
  '/usr/include/modbus/modbus.h': 'libmodbus-dev',
  '/usr/lib/python3/dist-packages/pymodbus': 'python3-pymodbus',
  '/usr/lib/python3/dist-packages/serial': 'python3-serial',
  '/usr/lib/python3/dist-packages/serial_asyncio': 'python3-serial-asyncio',
};

if (forTests) {
  const missing = [
    ...Object.entries(programs)
      .filter(([name]) => !onPath(name))
      .map(([, pkg]) => pkg),
    ...Object.entries(files)
      .filter(([path]) => !existsSync(path))
      .map(([, pkg]) => pkg),
  ];
  if (missing.length > 0) {
    if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
      say(`installing test peers from Debian: ${missing.join(' ')}`);
      const apt = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
      run('apt-get', ['update', '-qq'], 'apt-get update failed', apt);
      const args = ['install', '-y', '-qq', '--no-install-recommends', ...missing];
      run('apt-get', args, 'apt-get install failed', apt);
    } else {
      say(`not installed, tests that need them are skipped: ${missing.join(' ')}`);
    }
  }
}

function onPath(name) {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/local/sbin'];
  return folders.some((folder) => folder && existsSync(join(folder, name)));
}

function run(command, args, failure, env = process.env) {
  const result = spawnSync(command, args, { cwd: root, env, stdio: ['ignore', 2, 2] });
  if (result.status === 0) return;
  say(`${failure} (status ${result.status ?? result.signal ?? result.error?.message})`);
  process.exit(1);
}
