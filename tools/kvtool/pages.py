"""Man page and completions of kvtool, made from its own --help, so that they are never behind it.

pages.py KVTOOL OUTPUT: writes the one that OUTPUT names: kvtool.1, kvtool.bash or _kvtool.
"""

import pathlib
import re
import subprocess
import sys

ENTRY = re.compile(r'^  (\S.*?)(?:\s{2,}(.*))?$')
CONTINUED = re.compile(r'^\s{20,}(\S.*)$')
ITEM = re.compile(r'^  (\S+) {2,}(\S.*)$')

ENVIRONMENT = [
    ('NO_COLOR', 'Unless it is empty: no colours and no progress bars.'),
    ('TERM', 'Where it is dumb or missing, the same.'),
    ('KVTOOL_PROGRESS_MS', 'Milliseconds between two drawings of a progress bar, 100 unless told.'),
    ('KVTOOL_HISTORY', 'The file in which kvtool shell remembers lines; empty: none.'),
    ('QUIRE_TXN', 'The number of the commit, for what kvtool watch --exec runs.'),
]
FILES = [
    ('FILE.lock', 'Stands beside a database: the processes that use it meet there. It must not be '
                  'removed while one does.'),
    ('~/.kvtool_history', 'Lines of kvtool shell.'),
]


def help_of(kvtool, *command):
    text = subprocess.run([kvtool, *command, '--help'], capture_output=True, text=True, check=True,
                          env={'NO_COLOR': '1', 'COLUMNS': '200'}).stdout
    return Help(text)


class Help:
    """Title, usage, sections (name -> [(term, what)]) and what follows them."""

    def __init__(self, text):
        lines = text.split('\n')
        self.sections = {}
        self.title = lines[0]
        self.usage = next(line.removeprefix('Usage: ') for line in lines
                          if line.startswith('Usage: '))
        at = 0
        for index, line in enumerate(lines):
            if line in ('Options:', 'Subcommands:', 'Positionals:'):
                at = self._section(line[:-1], lines, index + 1)
        self.notes = '\n'.join(lines[at:]).strip('\n')

    def _section(self, name, lines, at):
        entries = self.sections[name] = []
        while lines[at]:
            more = CONTINUED.match(lines[at])
            if more and entries:
                term, what = entries[-1]
                entries[-1] = (term, f'{what} {more[1]}'.strip())
            else:
                term, what = ENTRY.match(lines[at]).groups()
                entries.append((term, what or ''))
            at += 1
        return at

    def commands(self):
        return self.sections.get('Subcommands', [])

    def options(self, section='Options'):
        return [Option(term, what) for term, what in self.sections.get(section, [])]


class Option:
    """One line of a section: its names, a word for its value or None, what that may be, and what
    it is about."""

    def __init__(self, term, what):
        names, _, value = term.partition(' ')
        choices = re.search('; one of ([^;]*)', what)
        self.names = names.split(',')
        self.value = value or None
        self.choices = choices[1].split(', ') if choices else []
        self.what = what


ESCAPES = {'\\': '\\e', '-': '\\-', "'": '\\(aq', '`': '\\(ga', '^': '\\(ha', '~': '\\(ti',
           '"': '\\(dq'}


def roff(text):
    text = ''.join(ESCAPES.get(letter, letter) for letter in text)
    return '\\&' + text if text[:1] == '.' else text


def man_options(options):
    for option in options:
        names = ', '.join(f'\\fB{roff(name)}\\fP' for name in option.names)
        value = f' \\fI{roff(option.value)}\\fP' if option.value else ''
        yield f'.TP\n{names}{value}\n{roff(option.what)}.'


def man_items(items):
    for term, what in items:
        yield f'.TP\n\\fB{roff(term)}\\fP\n{roff(what)}'


def man_text(text):
    """Prose is filled, `  WORD  text` is an item, and what else is indented stays as it is."""
    for paragraph in text.split('\n\n'):
        yield '.PP'
        before = 'prose'
        for line in paragraph.split('\n'):
            item = ITEM.match(line)
            now = ('item' if item or before == 'item' and line.startswith('    ') else
                   'example' if line.startswith('  ') else 'prose')
            if now != before:
                yield {'example': '.fi\n.RE', 'item': '.PP', 'prose': ''}[before]
                yield {'example': '.RS 4\n.nf', 'item': '', 'prose': ''}[now]
            yield from man_items([item.groups()]) if item else [roff(line.strip())]
            before = now
        yield {'example': '.fi\n.RE', 'item': '.PP', 'prose': ''}[before]


def shared_options(commands):
    """Those that most commands have, all in the same words."""
    lines = [line for page in commands.values() for section in ('Positionals', 'Options')
             for line in page.sections.get(section, [])]
    return sorted({line for line in lines if 2 * lines.count(line) > len(commands)})


def man_commands(commands):
    shared = shared_options(commands)
    for name, page in commands.items():
        usage = page.usage.replace('[OPTIONS] ', '')
        yield f'.SS {name}\n\\fB{roff(usage)}\\fP [\\fIOPTIONS\\fP]\n.PP\n{roff(page.title)}.'
        for section in ('Positionals', 'Options'):
            lines = [line for line in page.sections.get(section, []) if line not in shared]
            yield from man_options(Option(*line) for line in lines)
        yield from man_text(page.notes)


def man_page(top, commands, version):
    codes, _, notes = top.notes.partition('\n\n')
    yield f'.TH KVTOOL 1 "" "{version}" "User Commands"'
    yield '.SH NAME\nkvtool \\- a quire database from the shell'
    yield '.SH SYNOPSIS\n\\fBkvtool\\fP \\fICOMMAND\\fP [\\fIOPTIONS\\fP] \\fIFILE\\fP ...'
    yield f'.SH DESCRIPTION\n{roff(top.title)}'
    yield from man_text(notes)
    yield '.SH OPTIONS'
    yield from man_options(top.options())
    yield '.PP\nOf most commands:'
    yield from man_options(Option(*line) for line in shared_options(commands)
                           if line not in top.sections['Options'])
    yield '.SH COMMANDS'
    yield from man_commands(commands)
    yield '.SH EXIT STATUS'
    yield from man_text(codes.split('\n', 1)[1])
    yield '.SH ENVIRONMENT'
    yield from man_items(ENVIRONMENT)
    yield '.SH FILES'
    yield from man_items(FILES)
    yield '.SH SEE ALSO\n\\fBmdb_dump\\fP(1), \\fBmdb_load\\fP(1)'


def bash_completion(top, commands):
    yield '# Completion of kvtool for bash.'
    yield '_kvtool() {'
    yield '  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}'
    yield '  local command=${COMP_WORDS[1]} options= values='
    yield '  if [ "$COMP_CWORD" -eq 1 ]; then'
    yield f'    COMPREPLY=($(compgen -W "{" ".join(commands)} --help --version" -- "$word"))'
    yield '    return'
    yield '  fi'
    yield '  case "$command $before" in'
    for name, page in commands.items():
        for option in page.options():
            for word in option.names if option.choices else []:
                yield f'    "{name} {word}") values="{" ".join(option.choices)}" ;;'
    yield '  esac'
    yield '  case $command in'
    for name, page in commands.items():
        names = ' '.join(word for option in page.options() for word in option.names)
        yield f'    {name}) options="{names}" ;;'
    yield '  esac'
    yield '  if [ -n "$values" ]; then'
    yield '    COMPREPLY=($(compgen -W "$values" -- "$word"))'
    yield '  elif [ "${word:0:1}" = - ]; then'
    yield '    COMPREPLY=($(compgen -W "$options" -- "$word"))'
    yield '  else'
    yield '    COMPREPLY=($(compgen -f -- "$word"))'
    yield '  fi'
    yield '}'
    yield 'complete -o filenames -F _kvtool kvtool'


def zsh_word(text):
    return text.replace("'", "'\\''").replace('[', '\\[').replace(']', '\\]').replace(':', '\\:')


def zsh_completion(top, commands):
    yield '#compdef kvtool'
    yield 'local -a commands=('
    for name, what in top.commands():
        yield f"  '{name}:{zsh_word(what)}'"
    yield ')'
    yield 'if (( CURRENT == 2 )); then'
    yield "  _describe command commands"
    yield '  return'
    yield 'fi'
    yield 'local command=$words[2]'
    yield 'shift words'
    yield '(( CURRENT-- ))'
    yield 'case $command in'
    for name, page in commands.items():
        yield f'  {name})'
        yield '    _arguments \\'
        for option in page.options():
            choice = f'({" ".join(option.choices)})' if option.choices else ''
            values = f':value:{choice}' if option.value else ''
            for word in option.names:
                yield f"      '{word}[{zsh_word(option.what)}]{values}' \\"
        yield "      '*:file:_files' ;;"
    yield 'esac'


def main():
    kvtool, output = sys.argv[1], pathlib.Path(sys.argv[2])
    version = subprocess.run([kvtool, '--version'], capture_output=True, text=True,
                             check=True).stdout.strip()
    top = help_of(kvtool)
    commands = {name: help_of(kvtool, name) for name, _ in top.commands()}
    lines = {'kvtool.1': lambda: man_page(top, commands, version),
             'kvtool.bash': lambda: bash_completion(top, commands),
             '_kvtool': lambda: zsh_completion(top, commands)}[output.name]()
    output.write_text('\n'.join(line for line in lines if line) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
