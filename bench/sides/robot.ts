// The robot of a group chat, with the quota that its provider publishes.
import { startRobot } from '../../simulators/robots.ts';
import { serve } from '../side.ts';

export interface RobotSideSettings {
  readonly token: string;
  readonly secret: string;
}

serve(async ({ token, secret }: RobotSideSettings) => {
  const common = { kind: 'dingtalk', host: '127.0.0.1', port: 0 } as const;
  const robot = await startRobot({ ...common, token, secret });
  return {
    url: () => robot.url,
    posted: () => robot.posted().map(({ atMs, content }) => ({ atMs, content })),
    refused: () => robot.refused(),
    end: () => robot.close(),
  };
});
