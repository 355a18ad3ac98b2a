import {
  profileCheck,
  profileList,
  profileObjects,
  profileShow,
  profileTest,
  renderTests,
} from '../device-profiles/catalogue.ts';
import type { Verb } from './verb.ts';
import { exit } from './verb.ts';

export const verbs: Readonly<Record<string, Verb>> = {
  list: {
    usage: 'list',
    summary: { en: 'device models that are known', zh: '列出已知的设备型号' },
    run: async (_given, output) => {
      if (output.json) output.print(JSON.stringify(profileObjects()));
      else output.print(profileList(output.language));
      return exit.done;
    },
  },
  show: {
    usage: 'show PROFILE',
    summary: {
      en: 'points, units and proposed alarms of a model',
      zh: '显示型号的测点、单位和建议报警',
    },
    run: async (given, output) => {
      output.print(profileShow(given.words[0]!, output.language));
      return exit.done;
    },
  },
  check: {
    usage: 'check FILE...',
    summary: { en: 'what is wrong with profile files', zh: '检查型号文件' },
    run: async (given, output) => {
      const { text, failed } = profileCheck(given.words, output.language);
      output.print(text);
      return failed ? exit.invalid : exit.done;
    },
  },
  test: {
    usage: 'test [PROFILE...]',
    summary: { en: 'run the tests inside profiles', zh: '运行型号文件自带的测试' },
    run: async (given, output) => {
      const { text, failed } = renderTests(profileTest(given.words), output.language);
      output.print(text);
      return failed ? exit.found : exit.done;
    },
  },
};
