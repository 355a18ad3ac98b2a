import { words } from './main.ts';
import type { Verb } from './verb.ts';
import { UsageError } from './verb.ts';

async function tree(): Promise<Record<string, string[]>> {
  const entries = Object.entries(words).map(async ([word, load]) => {
    const { verbs } = await load();
    return [word, Object.keys(verbs).filter(Boolean)] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

const shells: Readonly<Record<string, (tree: Record<string, string[]>) => string>> = {
  bash: (tree) => `_lifeline() {
  local word="\${COMP_WORDS[1]}" now="\${COMP_WORDS[COMP_CWORD]}"
  if [ "$COMP_CWORD" = 1 ]; then COMPREPLY=($(compgen -W "${Object.keys(tree).join(' ')}" -- "$now")); return; fi
  [ "$COMP_CWORD" = 2 ] || { COMPREPLY=($(compgen -f -- "$now")); return; }
  case "$word" in
${Object.entries(tree)
  .map(([word, verbs]) => `    ${word}) COMPREPLY=($(compgen -W "${verbs.join(' ')}" -- "$now"));;`)
  .join('\n')}
  esac
}
complete -F _lifeline lifeline`,
  zsh: (tree) => `#compdef lifeline
_lifeline() {
  if (( CURRENT == 2 )); then compadd ${Object.keys(tree).join(' ')}; return; fi
  (( CURRENT == 3 )) || { _files; return; }
  case $words[2] in
${Object.entries(tree)
  .map(([word, verbs]) => `    ${word}) compadd ${verbs.join(' ')};;`)
  .join('\n')}
  esac
}
compdef _lifeline lifeline`,
  fish: (tree) =>
    [
      `complete -c lifeline -n __fish_use_subcommand -f -a "${Object.keys(tree).join(' ')}"`,
      ...Object.entries(tree)
        .filter(([, verbs]) => verbs.length > 0)
        .map(
          ([word, verbs]) =>
            `complete -c lifeline -n "__fish_seen_subcommand_from ${word}" -a "${verbs.join(' ')}"`,
        ),
    ].join('\n'),
};

export const verbs: Readonly<Record<string, Verb>> = {
  '': {
    usage: 'SHELL',
    summary: {
      en: 'completion script for bash, zsh or fish',
      zh: '输出 bash、zsh 或 fish 的补全脚本',
    },
    run: async (given, output) => {
      const shell = shells[given.words[0] ?? ''];
      if (!shell) throw new UsageError(`SHELL: ${Object.keys(shells).join(', ')}`);
      output.print(shell(await tree()));
      return 0;
    },
  },
};
