/**
 * Scripts with which shells complete `sim`, made from the program's own commands, options and choices.
 *
 * Owns: what each shell is told. Refuses to own: the commands (commands/). Written here because the
 * libraries for it ask the command itself at each key, and then refuse the names of files.
 */
import type { Command, Option } from "commander";

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

interface Word {
  readonly name: string;
  readonly description: string;
}

interface CompletedOption {
  /** "-o" and "--output". */
  readonly flags: readonly string[];
  readonly description: string;
  /** What its value is; undefined: it has none. */
  readonly value?: readonly string[] | "file" | "text";
}

interface CompletedCommand extends Word {
  readonly options: readonly CompletedOption[];
  /** What follows it: files, unless words are named. */
  readonly words: readonly string[];
}

/** The script for `shell`. */
export function completionScript(shell: Shell, program: Command): string {
  const commands = program.createHelp().visibleCommands(program);
  return `${scripts[shell](commands.map((command) => completed(command, commands))).join("\n")}\n`;
}

function completed(command: Command, all: readonly Command[]): CompletedCommand {
  const choices = command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices);
  return {
    name: command.name(),
    description: command.description(),
    options: command.createHelp().visibleOptions(command).map(completedOption),
    words: command.name() === "help" ? all.map((each) => each.name()) : choices,
  };
}

function completedOption({ short, long, description, flags, argChoices }: Option): CompletedOption {
  const named = [short, long].filter((flag) => flag !== undefined);
  const [, value] = /<(.*)>/.exec(flags) ?? [];
  if (value === undefined) return { flags: named, description };
  const isFile = ["path", "file", "dir"].includes(value);
  return { flags: named, description, value: argChoices ?? (isFile ? "file" : "text") };
}

const scripts: Readonly<Record<Shell, (commands: readonly CompletedCommand[]) => string[]>> = {
  bash,
  zsh,
  fish,
};

function bash(commands: readonly CompletedCommand[]): string[] {
  const cases = commands.flatMap(({ name, options, words }) => [
    ...options.flatMap(({ flags, value }) =>
      flags.map((flag) => [`${name} ${flag}`, value] as const),
    ),
    [`${name} `, words.length > 0 ? words : "file"] as const,
  ]);
  const choices = cases.filter(([, value]) => value !== undefined && typeof value !== "string");
  const texts = cases.filter(([, value]) => value === "text");
  const optionWords = commands.map(({ name, options }) => {
    const flags = options.flatMap((option) => option.flags).join(" ");
    return `      ${name}) words=${quoted(flags)} ;;`;
  });
  return [
    "_sim() {",
    '  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} words=""',
    "  COMPREPLY=()",
    '  if [ "$COMP_CWORD" -eq 1 ]; then',
    `    words=${quoted(commands.map(({ name }) => name).join(" "))}`,
    "  elif [[ $cur == -* ]]; then",
    "    case $command in",
    ...optionWords,
    "    esac",
    "  else",
    "    [[ $prev == -* ]] || prev=",
    '    case "$command $prev" in',
    ...choices.map(
      ([at, words]) => `      ${quoted(at)}) words=${quoted([...words!].join(" "))} ;;`,
    ),
    `      ${texts.map(([at]) => quoted(at)).join("|")}) compopt +o default ;;`,
    "    esac",
    "  fi",
    '  [ -z "$words" ] || COMPREPLY=($(compgen -W "$words" -- "$cur"))',
    "}",
    "complete -o default -F _sim sim",
  ];
}

function zsh(commands: readonly CompletedCommand[]): string[] {
  const all = commands.map(({ name, description }) => `${name}:${description}`);
  return [
    "#compdef sim",
    "_sim() {",
    "  if (( CURRENT == 2 )); then",
    `    local commands=(${all.map((each) => quoted(each)).join(" ")})`,
    "    _describe command commands",
    "    return",
    "  fi",
    "  local command=$words[2]",
    "  shift words; (( CURRENT-- ))",
    "  case $command in",
    ...commands.flatMap(({ name, options, words }) => [
      `    ${name}) _arguments ${options.flatMap(zshOption).map(quoted).join(" ")} ${quoted(`*:word:${words.length > 0 ? `(${words.join(" ")})` : "_files"}`)} ;;`,
    ]),
    "  esac",
    "}",
    // Read by "source", or found by name in $fpath and then called at once.
    'if [ "$funcstack[1]" = _sim ]; then _sim "$@"; else compdef _sim sim; fi',
  ];
}

function zshOption({ flags, description, value }: CompletedOption): string[] {
  const text = description.replaceAll(/[[\]:\\]/g, String.raw`\$&`);
  const what = { file: ":file:_files", text: ":value: " };
  const after =
    value === undefined
      ? ""
      : typeof value === "string"
        ? what[value]
        : `:value:(${value.join(" ")})`;
  return flags.map((flag) => `*${flag}[${text}]${after}`);
}

function fish(commands: readonly CompletedCommand[]): string[] {
  return commands.flatMap(({ name, description, options, words }) => {
    const here = `complete -c sim -n ${quoted(`__fish_seen_subcommand_from ${name}`)}`;
    return [
      `complete -c sim -f -n __fish_use_subcommand -a ${name} -d ${quoted(description)}`,
      ...(words.length > 0 ? [`${here} -f -a ${quoted(words.join(" "))}`] : []),
      ...options.map((option) => `${here} ${fishOption(option)}`),
    ];
  });
}

function fishOption({ flags, description, value }: CompletedOption): string {
  const named = flags.map((flag) =>
    flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`,
  );
  const after =
    value === undefined
      ? []
      : typeof value === "string"
        ? [value === "file" ? "-r -F" : "-x"]
        : [`-x -a ${quoted(value.join(" "))}`];
  return [...named, ...after, `-d ${quoted(description)}`].join(" ");
}

/** As one word; all three shells read it alike, as no text has a backslash before a quote. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
