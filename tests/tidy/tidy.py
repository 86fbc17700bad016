"""Style rules that a machine can check; each complaint says how to mend it.

tidy.py SOURCE_ROOT checks the tree; tidy.py --self-test feeds every rule a file that breaks it.
Prints what GoogleTest prints, and `N passed, N failed` at the end.
"""

import pathlib
import re
import sys
import tempfile

import self_test
from cpp_text import functions, without_comments

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60
MAX_COLUMNS = 100
MAX_COMPLAINTS = 20  # printed per rule

# A module includes only what stands to its right: db -> txn -> btree -> pages -> format -> base,
# pages -> storage -> base, txn -> log -> storage, txn -> shared -> storage; log uses format. capi
# sees what users see.
MODULES_BELOW = {
    'base': [],
    'format': ['base'],
    'storage': ['base'],
    'shared': ['storage', 'base'],
    'log': ['storage', 'format', 'base'],
    'pages': ['storage', 'format', 'base'],
    'btree': ['pages', 'storage', 'format', 'base'],
    'txn': ['btree', 'pages', 'log', 'shared', 'storage', 'format', 'base'],
    'capi': [],
    'db': ['txn', 'btree', 'pages', 'log', 'shared', 'storage', 'format', 'base'],
}

# The vocabulary that every module shares with the user; the other public headers are db's.
SHARED_PUBLIC_HEADERS = ['quire/error.h', 'quire/export.h', 'quire/options.h',
                         'quire/reader.h']

# Third parties and system calls that one place wraps for all of src/: the include, that place.
WRAPPED_INCLUDES = [
    (re.compile(r'boost/'), 'src/storage/'),
    (re.compile(r'xxhash'), 'src/format/checksum.cpp'),
    (re.compile(r'sys/mman\.h$|fcntl\.h$'), 'src/storage/'),
]

CODE_FOLDERS = ['src', 'include', 'tools', 'tests', 'bench']
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
TEST = re.compile(r'^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)', re.M)
C_TEST = re.compile(r'\brun\("(\w+)", ')
PROMISED_TEST = re.compile(r'`([A-Z]\w+\.[A-Z]\w+)`')
LEFTOVER = re.compile(r'\b(T[O]DO|FI[X]ME|X[X]X|HA[C]K)\b')


class File:
    """One text file of the tree: its path below the root, its text and lines."""

    def __init__(self, root, path):
        self.path = path.relative_to(root).as_posix()
        self.name = path.name
        self.is_header = path.suffix == '.h'
        self.is_cpp = path.suffix in ('.h', '.cpp')
        self.is_code = self.is_cpp or path.suffix == '.c'
        self.text = path.read_text(encoding='utf-8', errors='replace')
        self.lines = self.text.split('\n')

    def includes(self):
        """(line number, bracket, target) of each #include."""
        for number, line in enumerate(self.lines, 1):
            match = INCLUDE.match(line)
            if match:
                yield number, match[1], match[2]


def tree_files(root):
    paths = [path for path in root.iterdir() if path.is_file()]
    for folder in CODE_FOLDERS:
        paths += [path for path in (root / folder).rglob('*')
                  if path.is_file() and 'corpus' not in path.parts]  # fuzzers' inputs: any bytes
    is_text = {'.h', '.c', '.cpp', '.py', '.md', '.build', '.txt', '.sh', '.pml', ''}
    return [File(root, path) for path in sorted(paths) if path.suffix in is_text]


def include_direction(files):
    for file in files:
        parts = file.path.split('/')
        if not file.is_cpp or parts[0] not in ('src', 'tools'):
            continue
        own = parts[1]
        for line, bracket, target in file.includes():
            place = f'{file.path}:{line}'
            if bracket == '<' and target.startswith('quire/'):
                is_public = own in ('db', 'capi') or target in SHARED_PUBLIC_HEADERS
                if parts[0] == 'src' and not is_public:
                    yield f'{place}: only db includes <{target}>; use a type of the module here'
            if bracket == '<':
                continue
            folder = target.split('/')[0] if '/' in target else ''
            if parts[0] == 'tools':
                if folder and folder != own:
                    yield f'{place}: tools see the public API only; include <quire/...>'
            elif not folder:
                yield f'{place}: write the path from src/: "{own}/{target}"'
            elif folder != own and folder not in MODULES_BELOW.get(own, []):
                below = ', '.join(MODULES_BELOW.get(own, [])) or 'nothing'
                yield (f'{place}: {own} may not include {folder} (only {below}); pass the fact '
                       'as an argument or return value')


def public_headers(files):
    for file in files:
        if not file.path.startswith('include/') or not file.is_header:
            continue
        for line, bracket, target in file.includes():
            standard = re.fullmatch(r'[a-z0-9_]+|(stddef|stdint|string)\.h', target)
            if bracket == '"' or not (standard or target.startswith('quire/')):
                yield (f'{file.path}:{line}: a public header includes only the standard library '
                       f'and <quire/...>; move the use of {target} into a source')


def wrapped_includes(files):
    for file in files:
        if not file.is_cpp or not file.path.startswith(('src/', 'include/')):
            continue
        for line, _, target in file.includes():
            for pattern, home in WRAPPED_INCLUDES:
                if pattern.match(target) and not file.path.startswith(home):
                    yield (f'{file.path}:{line}: only {home} includes {target}; go through its '
                           'functions')


def header_guards(files):
    for file in files:
        if file.is_header and '#pragma once' not in file.lines:
            yield f'{file.path}: begin the header with #pragma once'


def file_length(files):
    for file in files:
        if file.name != 'LICENSE' and not file.path.endswith('.md'):
            count = file.text.count('\n')
            if count > MAX_FILE_LINES:
                yield f'{file.path}: {count} lines; split it by subject (at most {MAX_FILE_LINES})'


def function_length(files):
    for file in files:
        if not file.is_code:
            continue
        try:
            found = functions(file.text)
        except ValueError as error:
            yield f'{file.path}: {error}; let #if enclose whole blocks'
            continue
        for name, first, last in found:
            count = last - first + 1
            if count > MAX_FUNCTION_LINES:
                yield (f'{file.path}:{first}: {name} has {count} lines; take a step of it out into '
                       f'a function (at most {MAX_FUNCTION_LINES})')


def columns(files):
    for file in files:
        if file.path.endswith('.md') or file.name == 'LICENSE':
            continue
        for number, line in enumerate(file.lines, 1):
            if len(line) > MAX_COLUMNS:
                yield (f'{file.path}:{number}: {len(line)} columns; break the line '
                       f'(at most {MAX_COLUMNS}; clang-format -i does it for C++)')


def leftovers(files):
    for file in files:
        for number, line in enumerate(file.lines, 1):
            match = LEFTOVER.search(line)
            if match:
                yield (f'{file.path}:{number}: {match[1]}; do it now, or say in words what is not '
                       'supported')


def file_end(files):
    for file in files:
        if file.text and (not file.text.endswith('\n') or file.text.endswith('\n\n')):
            yield f'{file.path}: end the file with exactly one newline'
        for number, line in enumerate(file.lines, 1):
            if line != line.rstrip():
                yield f'{file.path}:{number}: remove the blanks at the end of the line'


def build_lists(files):
    builds = {file.path: file.text for file in files if file.name == 'meson.build'}
    for file in files:
        folder = file.path.rpartition('/')[0]
        if file.path.startswith('include/quire/') and file.is_header:
            build, entry = 'include/meson.build', f"'quire/{file.name}'"
        elif file.path.endswith('.cpp') and folder != 'bench':
            build, entry = f'{folder}/meson.build', f"'{file.name}'"
        elif file.path.endswith('.cpp'):
            build, entry = 'bench/meson.build', "'" + file.name.removesuffix('.cpp') + "'"
        elif file.name == 'meson.build' and folder.count('/') == 1:
            parent, _, name = folder.partition('/')
            build, entry = f'{parent}/meson.build', f"'{name}'"
        else:
            continue
        if entry not in builds.get(build, ''):
            yield f'{file.path}: nothing builds it; name it in {build}'


def switched_off(files):
    for file in files:
        if file.is_code and '#if 0' in without_comments(file.text):
            yield f'{file.path}: delete the code under #if 0; git keeps it'


def promised_tests(files):
    """Every test that the README names as the holder of a promise exists."""
    tests = {f'{suite}.{name}' for file in files if file.path.startswith('tests/')
             for suite, name in TEST.findall(file.text)}
    tests |= {f'Capi.{name}' for file in files if file.path.startswith('tests/capi/')
              for name in C_TEST.findall(file.text)}
    for file in files:
        if file.path != 'README.md':
            continue
        for name in PROMISED_TEST.findall(file.text):
            if name not in tests:
                yield f'README.md: there is no test {name}; name the one that holds this promise'


RULES = {
    'IncludesPointDown': include_direction,
    'PublicHeadersNeedOnlyTheStandardLibrary': public_headers,
    'ThirdPartiesHaveOneHome': wrapped_includes,
    'HeadersHavePragmaOnce': header_guards,
    'FilesAreShort': file_length,
    'FunctionsAreShort': function_length,
    'LinesAreShort': columns,
    'NothingIsLeftForLater': leftovers,
    'NoCodeIsSwitchedOff': switched_off,
    'FilesEndWithOneNewline': file_end,
    'EveryFileIsBuilt': build_lists,
    'PromisesAreHeldByTests': promised_tests,
}


def complaints_about(root):
    files = tree_files(root)
    return {name: list(rule(files)) for name, rule in RULES.items()}


def report(suite, failures):
    """Prints each test ({name: complaints}) the way GoogleTest does; returns the exit code."""
    for name, complaints in failures.items():
        print(f'[ RUN      ] {suite}.{name}')
        for complaint in complaints[:MAX_COMPLAINTS]:
            print(f'  {complaint}')
        if len(complaints) > MAX_COMPLAINTS:
            print(f'  and {len(complaints) - MAX_COMPLAINTS} more')
        print(f'[  FAILED  ] {suite}.{name}' if complaints else f'[       OK ] {suite}.{name}')
    failed = sum(1 for complaints in failures.values() if complaints)
    print(f'{len(failures) - failed} passed, {failed} failed')
    return 1 if failed else 0


def main():
    if sys.argv[1:] == ['--self-test']:
        with tempfile.TemporaryDirectory() as folder:
            return report('TidySelfTest', self_test.run(pathlib.Path(folder), complaints_about))
    return report('Tidy', complaints_about(pathlib.Path(sys.argv[1]).resolve()))


if __name__ == '__main__':
    sys.exit(main())
