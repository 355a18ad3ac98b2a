// A gateway of a fan and a gas detector that may be commanded. As a program of its own (FILE) it
// runs the agent of a gateway file until it is killed.
import { systemClock } from '../core/clock.ts';
import { silentLog } from '../core/log.ts';
import { systemRandom } from '../core/random.ts';
import { parseProfile } from '../device-profiles/profile.ts';
import { runAgent } from '../edge/agent.ts';
import { loadGateway, packagedProfiles } from '../edge/config/loader.ts';

const head = (id: string) => `version: 1
profile:
  id: acme/${id}
  revision: "1.0.0"
  kind: drive
  vendor: ACME
  models: [Fan]
  title: { en: Fan, zh: 风机 }
  source: { document: Register map rev C, status: official }
protocol: modbus
points:
`;

const texts: Readonly<Record<string, string>> = {
  'acme/fan': `${head('fan')}
  run:
    title: { en: Running, zh: 运行 }
    read: { table: coil, address: 0 }
    commands:
      start: { title: { en: Start, zh: 启动 }, value: true }
      stop: { title: { en: Stop, zh: 停止 }, value: false }
      drill: { title: { en: Drill, zh: 演练 }, value: true, two_people: true }
  speed:
    title: { en: Speed, zh: 转速 }
    read: { table: holding, address: 1, type: uint16 }
    range: [0, 60]
    write: { range: [10, 50] }
`,
  'acme/gas': `${head('gas')}
  ch4:
    title: { en: Methane, zh: 甲烷 }
    read: { table: input, address: 0, type: uint16 }
    unit: "%{LEL}"
    range: [0, 100]
    class: life-safety
`,
};

/** Everything of the fan is allowed; while there is gas, or nobody knows, it may not stop. */
export const gatewayFile = (brokerPort: number, devicePort: number) => `version: 1
gateway: { id: gw-1, area: east, name: { en: One, zh: 一号 } }
cloud: { url: "mqtt://127.0.0.1:${brokerPort}", credentials: "\${secret:gw-1}" }
outbox: { folder: outbox }
status: { host: 127.0.0.1, port: 0 }
links:
  a: { protocol: modbus, kind: tcp, host: 127.0.0.1, port: ${devicePort} }
devices:
  - { id: gas-1, link: a, unit: 2, profile: acme/gas@1, asset: gas/well-1, poll: 1s }
  - id: fan-1
    link: a
    unit: 1
    profile: acme/fan@1
    asset: gas/well-1
    poll: 1s
    commands: { allow: ["*"] }
interlocks:
  - id: keeps-running
    title: { en: The fan runs while there is gas, zh: 有燃气时风机不得停 }
    guard: { device: fan-1, point: run, commands: [stop] }
    while: { point: gas-1/ch4, above: 20 }
`;

if (import.meta.main) {
  const packaged = packagedProfiles();
  const profiles = {
    ...{ ids: Object.keys(texts), text: (id: string) => texts[id]! },
    load: (reference: string) => {
      const [id = ''] = reference.split('@');
      return texts[id] ? parseProfile(texts[id], id) : packaged.load(reference);
    },
  };
  const { config, secret } = loadGateway(process.argv[2]!, { environment: {}, profiles });
  await runAgent(systemClock, systemRandom, silentLog, config, { secret, software: 'test' });
  process.stderr.write('gateway runs\n');
}
