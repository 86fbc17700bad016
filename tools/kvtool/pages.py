"""Man page and completions of kvtool, made from its own --help, so that they are never behind it.

pages.py KVTOOL OUTPUT: writes the one that OUTPUT names: kvtool.1, kvtool.bash or _kvtool.
"""

import pathlib
import re
import subprocess
import sys

ENTRY = re.compile(r'^  (\S.*?)(?:\s{2,}(.*))?$')
CONTINUED = re.compile(r'^\s{20,}(\S.*)$')


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

    def options(self):
        """(['-h', '--help'], values or None, what) of each option."""
        for term, what in self.sections['Options']:
            names, _, argument = term.partition(' ')
            values = re.search(r'\{([^}]*)\}', argument)
            takes = values[1].split(',') if values else [] if argument else None
            yield names.split(','), takes, what


def roff(text):
    text = text.replace('\\', '\\e').replace('-', '\\-').replace("'", '\\(aq')
    return '\n'.join('\\&' + line if line[:1] == '.' else line for line in text.split('\n'))


def man_entries(entries):
    for term, what in entries:
        yield f'.TP\n.B {roff(term)}\n{roff(what)}'


def man_page(top, commands, version):
    yield f'.TH KVTOOL 1 "" "{version}" "User Commands"'
    yield '.SH NAME\nkvtool \\- a quire database from the shell'
    yield '.SH SYNOPSIS\n.B kvtool\nCOMMAND [OPTIONS] FILE ...'
    yield f'.SH DESCRIPTION\n{roff(top.title)}\nEach command says more with \\-\\-help.'
    yield '.SH OPTIONS'
    yield from man_entries(top.sections['Options'])
    yield '.SH COMMANDS'
    for name, page in commands.items():
        yield f'.SS {name}\n.B {roff(page.usage)}\n.PP\n{roff(page.title)}'
        for section in ('Positionals', 'Options'):
            yield from man_entries(page.sections.get(section, []))
        if page.notes:
            yield f'.PP\n.nf\n{roff(page.notes)}\n.fi'
    yield f'.SH NOTES\n.nf\n{roff(top.notes)}\n.fi'


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
        for names, takes, _ in page.options():
            if takes:
                for option in names:
                    yield f'    "{name} {option}") values="{" ".join(takes)}" ;;'
    yield '  esac'
    yield '  case $command in'
    for name, page in commands.items():
        names = ' '.join(option for names, _, _ in page.options() for option in names)
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
        for names, takes, what in page.options():
            for option in names:
                choice = f'({" ".join(takes)})' if takes else ''
                values = '' if takes is None else f':value:{choice}'
                yield f"      '{option}[{zsh_word(what)}]{values}' \\"
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
    output.write_text('\n'.join(lines) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
