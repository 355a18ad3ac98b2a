import { words } from './main.ts';
import type { Verb } from './verb.ts';
import { UsageError } from './verb.ts';

interface Words {
  readonly tree: Readonly<Record<string, readonly string[]>>;
  /** By `word verb`: what such a verb takes first, where that is known. */
  readonly actions: Readonly<Record<string, readonly string[]>>;
}

async function known(): Promise<Words> {
  const tree: Record<string, string[]> = {};
  const actions: Record<string, readonly string[]> = {};
  for (const [word, load] of Object.entries(words)) {
    const { verbs } = await load();
    tree[word] = Object.keys(verbs).filter(Boolean);
    for (const [name, verb] of Object.entries(verbs)) {
      if (verb.actions) actions[`${word} ${name}`] = verb.actions;
    }
  }
  return { tree, actions };
}

/** A case of each, in a shell that writes them as `PATTERN) COMMAND;;`. */
function cases(
  lists: Readonly<Record<string, readonly string[]>>,
  command: (list: string) => string,
): string {
  return Object.entries(lists)
    .map(([key, list]) => `    ${key.replace(' ', '\\ ')}) ${command(list.join(' '))};;`)
    .join('\n');
}

const shells: Readonly<Record<string, (words: Words) => string>> = {
  bash: ({ tree, actions }) => `_lifeline() {
  local word="\${COMP_WORDS[1]}" now="\${COMP_WORDS[COMP_CWORD]}"
  if [ "$COMP_CWORD" = 1 ]; then COMPREPLY=($(compgen -W "${Object.keys(tree).join(' ')}" -- "$now")); return; fi
  if [ "$COMP_CWORD" = 3 ]; then case "$word \${COMP_WORDS[2]}" in
${cases(actions, (list) => `COMPREPLY=($(compgen -W "${list}" -- "$now")); return`)}
  esac; fi
  [ "$COMP_CWORD" = 2 ] || { COMPREPLY=($(compgen -f -- "$now")); return; }
  case "$word" in
${cases(tree, (list) => `COMPREPLY=($(compgen -W "${list}" -- "$now"))`)}
  esac
}
complete -F _lifeline lifeline`,
  zsh: ({ tree, actions }) => `#compdef lifeline
_lifeline() {
  if (( CURRENT == 2 )); then compadd ${Object.keys(tree).join(' ')}; return; fi
  if (( CURRENT == 4 )); then case "$words[2] $words[3]" in
${cases(actions, (list) => `compadd ${list}; return`)}
  esac; fi
  (( CURRENT == 3 )) || { _files; return; }
  case $words[2] in
${cases(tree, (list) => `compadd ${list}`)}
  esac
}
compdef _lifeline lifeline`,
  fish: ({ tree, actions }) =>
    [
      `complete -c lifeline -n __fish_use_subcommand -f -a "${Object.keys(tree).join(' ')}"`,
      ...Object.entries(tree)
        .filter(([, verbs]) => verbs.length > 0)
        .map(
          ([word, verbs]) =>
            `complete -c lifeline -n "__fish_seen_subcommand_from ${word}" -a "${verbs.join(' ')}"`,
        ),
      ...Object.entries(actions).map(([key, list]) => {
        const seen = key.split(' ').map((each) => `__fish_seen_subcommand_from ${each}`);
        return `complete -c lifeline -n "${seen.join('; and ')}" -a "${list.join(' ')}"`;
      }),
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
      output.print(shell(await known()));
      return 0;
    },
  },
};
