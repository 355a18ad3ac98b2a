// A district's water network, solved by EPANET 2.2 (epanet-js): one reservoir, a pumping station, a
// ring of mains with a tank, and a branch. What the simulated sensors show is what these equations
// say: a burst is an emitter (flow = C x pressure^0.5, EPANET 2.2 manual, "Emitters"), so pressures
// fall and flows rise everywhere as they would.
import { Project, Workspace } from 'epanet-js';
import { assert } from '../../core/fault.ts';

// Codes of the EPANET 2.2 toolkit (EN_NodeProperty, EN_LinkProperty).
const NodeProperty = { BaseDemand: 1, Emitter: 3, Pressure: 11 } as const;
const LinkProperty = { Flow: 8, InitStatus: 4, InitSetting: 5 } as const;

// Units LPS: flow in litres a second, head and pressure in metres, diameter in millimetres.
const network = `
[TITLE]
 Lifeline demo district

[JUNCTIONS]
 station   12   0
 north     18   9
 market    15   14
 hospital  16   8
 school    14   10
 river     11   12
 harbour   10   7

[RESERVOIRS]
 works     10

[TANKS]
 hill      52   4   1   8   18   0

[PIPES]
 main-1    station   north     900    350  120  0  Open
 main-2    north     market    700    300  120  0  Open
 main-3    market    river     800    250  120  0  Open
 main-4    river     station   950    300  120  0  Open
 ring-1    north     hospital  600    200  120  0  Open
 ring-2    hospital  school    500    200  120  0  Open
 ring-3    school    market    550    200  120  0  Open
 branch    river     harbour   700    150  120  0  Open
 feed      hill      hospital  300    250  120  0  Open

[PUMPS]
 pump-1    works     station   HEAD duty
 pump-2    works     station   HEAD duty

[CURVES]
 duty      75   50

[STATUS]
 pump-2    Closed

[OPTIONS]
 Units            LPS
 Headloss         H-W
 Trials           60
 Accuracy         0.0005

[TIMES]
 Duration         0

[END]
`;

export const waterNodes = [
  'station',
  'north',
  'market',
  'hospital',
  'school',
  'river',
  'harbour',
] as const;
export type WaterNode = (typeof waterNodes)[number];

export const waterPipes = ['main-1', 'main-3', 'branch', 'feed'] as const;
export type WaterPipe = (typeof waterPipes)[number];

export const waterPumps = ['pump-1', 'pump-2'] as const;
export type WaterPump = (typeof waterPumps)[number];

/** Metres of water to bar, at 9.80665 m/s2 and 1000 kg/m3. */
const BAR_A_METRE = 0.0980665;
/** Litres a second to cubic metres an hour. */
const M3H_A_LPS = 3.6;

/** Share of the day's mean demand by hour: the common two-peak day. */
const demandByHour = [
  0.45, 0.4, 0.38, 0.38, 0.45, 0.7, 1.1, 1.45, 1.4, 1.2, 1.1, 1.1, 1.15, 1.1, 1.05, 1.05, 1.15, 1.3,
  1.45, 1.4, 1.2, 0.95, 0.75, 0.55,
];

export interface WaterState {
  readonly pressureBar: Readonly<Record<WaterNode, number>>;
  readonly flowM3h: Readonly<Record<WaterPipe, number>>;
  readonly pumpM3h: Readonly<Record<WaterPump, number>>;
  /** What the burst lets out. */
  readonly leakM3h: number;
}

export class WaterNetwork {
  readonly #project: Project;
  readonly #nodes: ReadonlyMap<WaterNode, number>;
  readonly #pipes: ReadonlyMap<WaterPipe, number>;
  readonly #pumps: ReadonlyMap<WaterPump, number>;
  readonly #baseDemand: ReadonlyMap<WaterNode, number>;
  #burst: { node: WaterNode; coefficient: number } | null = null;

  private constructor(project: Project) {
    this.#project = project;
    this.#nodes = new Map(waterNodes.map((name) => [name, project.getNodeIndex(name)]));
    this.#pipes = new Map(waterPipes.map((name) => [name, project.getLinkIndex(name)]));
    this.#pumps = new Map(waterPumps.map((name) => [name, project.getLinkIndex(name)]));
    this.#baseDemand = new Map(
      [...this.#nodes].map(([name, index]) => [
        name,
        project.getNodeValue(index, NodeProperty.BaseDemand),
      ]),
    );
  }

  static async open(): Promise<WaterNetwork> {
    const workspace = new Workspace();
    await workspace.loadModule();
    workspace.writeFile('district.inp', network);
    const project = new Project(workspace);
    project.open('district.inp', 'district.rpt', 'district.out');
    project.openH();
    return new WaterNetwork(project);
  }

  /** A hole at a node; litres a second at 1 m of pressure (30 empties a street). Null mends it. */
  burst(at: { node: WaterNode; coefficient: number } | null): void {
    if (this.#burst) this.#setEmitter(this.#burst.node, 0);
    if (at) this.#setEmitter(at.node, at.coefficient);
    this.#burst = at;
  }

  /** Turns a pump at so much of its rated speed, 0 to 1; 0 stops it. Pump 2 stands at first. */
  run(pump: WaterPump, speed: number): void {
    const index = this.#pumps.get(pump);
    assert(index !== undefined, `pump ${pump} is in the network`);
    this.#project.setLinkValue(index, LinkProperty.InitStatus, speed > 0 ? 1 : 0);
    if (speed > 0) this.#project.setLinkValue(index, LinkProperty.InitSetting, speed);
  }

  /** The steady state at an hour of the day (0..24, fractions count). About 0.2 ms. */
  solve(hour: number): WaterState {
    const project = this.#project;
    const factor = demandFactor(hour);
    for (const [name, index] of this.#nodes) {
      const demand = this.#baseDemand.get(name)! * factor;
      project.setNodeValue(index, NodeProperty.BaseDemand, demand);
    }
    project.initH(0);
    project.runH();
    const pressure = (index: number) => project.getNodeValue(index, NodeProperty.Pressure);
    const leakLps = this.#burst ? this.#leak(this.#burst, pressure) : 0;
    return {
      pressureBar: record(this.#nodes, (index) => Math.max(0, pressure(index)) * BAR_A_METRE),
      flowM3h: record(
        this.#pipes,
        (index) => project.getLinkValue(index, LinkProperty.Flow) * M3H_A_LPS,
      ),
      pumpM3h: record(this.#pumps, (index) =>
        Math.max(0, project.getLinkValue(index, LinkProperty.Flow) * M3H_A_LPS),
      ),
      leakM3h: leakLps * M3H_A_LPS,
    };
  }

  close(): void {
    this.#project.closeH();
    this.#project.close();
  }

  #leak(burst: { node: WaterNode; coefficient: number }, pressure: (index: number) => number) {
    return burst.coefficient * Math.sqrt(Math.max(0, pressure(this.#nodes.get(burst.node)!)));
  }

  #setEmitter(node: WaterNode, coefficient: number): void {
    const index = this.#nodes.get(node);
    assert(index !== undefined, `node ${node} is in the network`);
    this.#project.setNodeValue(index, NodeProperty.Emitter, coefficient);
  }
}

function demandFactor(hour: number): number {
  const from = Math.floor(hour) % 24;
  const share = hour - Math.floor(hour);
  return demandByHour[from]! * (1 - share) + demandByHour[(from + 1) % 24]! * share;
}

function record<Name extends string>(
  indexes: ReadonlyMap<Name, number>,
  value: (index: number) => number,
): Record<Name, number> {
  const entries = [...indexes].map(([name, index]) => [name, value(index)] as const);
  return Object.fromEntries(entries) as Record<Name, number>;
}
