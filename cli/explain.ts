import { didYouMean } from '../core/problems.ts';
import type { FaultCode, FaultText } from '../core/text/text.ts';
import { faults } from '../core/text/text.ts';
import type { Verb } from './verb.ts';
import { exit } from './verb.ts';

export const verbs: Readonly<Record<string, Verb>> = {
  '': {
    usage: '[CODE]',
    summary: {
      en: 'what an error code means, why it happens, what to do; without a code, all of them',
      zh: '说明错误代码的含义、原因和处理办法；不带代码则列出全部',
    },
    run: async (given, output) => {
      const [code] = given.words;
      if (code === undefined) {
        for (const [name, text] of Object.entries<FaultText>(faults)) {
          output.print(`${name.padEnd(30)} ${text[output.language].what}`);
        }
        return exit.done;
      }
      if (!Object.hasOwn(faults, code)) {
        const meant = didYouMean(code, Object.keys(faults));
        output.note(output.say('cli-unknown-code', { code }));
        if (meant) output.note(output.say('cli-did-you-mean', { meant }));
        return exit.notFound;
      }
      const { what, cause, action } = faults[code as FaultCode][output.language];
      if (output.json) output.print(JSON.stringify({ code, what, cause, action }));
      else {
        output.print(`${code}\n  ${what}`);
        output.print(`  ${output.say('cli-cause', {})} ${cause}`);
        output.print(`  ${output.say('cli-action', {})} ${action}`);
      }
      return exit.done;
    },
  },
};
