"""Feeds every tidy rule files that keep it and files that break it; looks for the complaints."""

GOOD_TREE = {
    'src/meson.build': "modules = ['base', 'format']\n",
    'src/base/meson.build': "quire_sources += files('a.cpp')\n",
    'src/base/a.cpp': '#include <quire/error.h>\n\n#include "base/a.h"\n',
    'src/base/a.h': '#pragma once\n\n#include <string>\n',
    'src/format/meson.build': "quire_sources += files('checksum.cpp')\n",
    'src/format/checksum.cpp': '#include <xxhash.h>\n\n#include "base/a.h"\n',
    'include/meson.build': "install_headers('quire/a.h')\n",
    'include/quire/a.h': '#pragma once\n\n#include <quire/b.h>\n\n#include <vector>\n',
}


def lines(count):
    return '  call();\n' * count


def function(head, count):
    """A function of `count` lines."""
    return head + ' {\n' + lines(count - 2) + '}\n'


# rule -> [(path, text, what the complaint says)]
BAD = {
    'PromisesAreHeldByTests': [
        ('README.md', 'It works. [`Some.Test`]\n', 'there is no test Some.Test'),
    ],
    'IncludesPointDown': [
        ('src/base/x.cpp', '#include "format/page.h"\n', 'base may not include format'),
        ('src/log/x.cpp', '#include "pages/p.h"\n', 'log may not include pages'),
        ('src/shared/x.cpp', '#include "log/p.h"\n', 'shared may not include log'),
        ('src/pages/x.h', '#  include "txn/commit.h"\n', 'x.h:1: pages may not include txn'),
        ('src/txn/x.cpp', '#include "txn.h"\n', 'write the path from src/: "txn/txn.h"'),
        ('src/txn/x.cpp', '#include <quire/database.h>\n', 'only db includes <quire/database.h>'),
        ('src/other/x.cpp', '#include "base/a.h"\n', 'other may not include base (only nothing)'),
        ('tools/kvtool/x.cpp', '#include "db/store.h"\n', 'tools see the public API only'),
    ],
    'PublicHeadersNeedOnlyTheStandardLibrary': [
        ('include/quire/x.h', '#include <sys/mman.h>\n', 'move the use of sys/mman.h'),
        ('include/quire/x.h', '#include <boost/x.hpp>\n', 'move the use of boost/x.hpp'),
        ('include/quire/x.h', '#include "base/assert.h"\n', 'move the use of base/assert.h'),
    ],
    'ThirdPartiesHaveOneHome': [
        ('src/shared/x.h', '#include <boost/x.hpp>\n', 'only src/storage/ includes boost/x.hpp'),
        ('src/format/x.cpp', '#include <xxhash.h>\n', 'only src/format/checksum.cpp includes'),
        ('src/db/x.cpp', '#include <sys/mman.h>\n', 'only src/storage/ includes sys/mman.h'),
    ],
    'HeadersHavePragmaOnce': [('tests/x.h', 'int x;\n', 'tests/x.h: begin the header')],
    'FilesAreShort': [('src/base/x.cpp', '\n' * 501, 'x.cpp: 501 lines')],
    'FunctionsAreShort': [
        ('src/x.cpp', function('void f()', 61), 'x.cpp:1: f has 61 lines'),
        ('src/x.cpp', 'namespace a {\n' + function('int A::g() const', 61) + '}\n', ':2: A::g'),
        ('src/x.h', 'class A {\n public:\n' + function('A() : a_{1}, b_(2)', 61) + '};\n', ':3: A'),
        ('src/x.h', 'template <class T>\nclass A : B<T> {\n' + function('void f()', 61) + '};\n',
         'x.h:3: f has 61 lines'),
        ('src/x.cpp', 'int a[] = {1};\nauto b = R"({)";\n// {\n' + function("A('}')", 61), ':4:'),
        ('tests/x.cpp', function('TEST(Suite, Claim)', 61), 'x.cpp:1: TEST has 61'),
        ('tests/x.c', 'static struct {\n  int a;\n} b;\n' + function('static int f(void)', 61),
         'x.c:4: f has 61'),
        ('src/x.cpp', 'void f() {\n  auto g = [] {\n' + lines(60) + '  };\n}\n', 'f has 64 lines'),
        ('src/x.cpp', '#if A\nvoid f() {\n#else\nint f() {\n#endif\n}\n', 'braces do not balance'),
    ],
    'LinesAreShort': [('src/base/x.h', 'a' * 101 + '\n', 'x.h:1: 101 columns')],
    'NothingIsLeftForLater': [
        ('README.md', 'x\nTO' 'DO: more\n', 'README.md:2: TO' 'DO'),
        ('src/base/x.h', '// FIX' 'ME\n', 'x.h:1: FIX' 'ME'),
        ('tools/x', 'X' 'XX\n', 'tools/x:1: X' 'XX'),
    ],
    'NoCodeIsSwitchedOff': [
        ('src/base/x.h', '#if 0\n#endif\n', 'delete the code under'),
        ('tests/x.c', '#if 0\n#endif\n', 'delete the code under'),
    ],
    'FilesEndWithOneNewline': [
        ('src/base/x.h', 'int x;', 'x.h: end the file with exactly one newline'),
        ('src/base/x.h', 'int x;\n\n', 'x.h: end the file with exactly one newline'),
        ('src/base/x.h', 'int x; \n', 'x.h:1: remove the blanks'),
    ],
    'EveryFileIsBuilt': [
        ('src/base/b.cpp', '\n', 'b.cpp: nothing builds it; name it in src/base/meson.build'),
        ('src/log/meson.build', '\n', 'nothing builds it; name it in src/meson.build'),
        ('include/quire/b.h', '\n', 'b.h: nothing builds it; name it in include/meson.build'),
        ('bench/b.cpp', '\n', 'b.cpp: nothing builds it; name it in bench/meson.build'),
        ('bench/c/b.cpp', '\n', 'b.cpp: nothing builds it; name it in bench/c/meson.build'),
    ],
}

GOOD = {
    'FunctionsAreShort': [
        ('src/x.cpp', function('void f()', 60) + function('void g()', 60)),
        ('src/x.h', 'struct A {\n' + '  int a = 0;\n' * 70 + function('void f()', 60) + '};\n'),
        ('src/x.cpp', 'constexpr std::array kTable = {\n' + '    call(1),\n' * 70 + '};\n'),
        ('src/x.cpp', 'enum class Kind : std::uint8_t {\n' + '  a,\n' * 70 + '};\n'),
    ],
    'FilesAreShort': [('src/x.cpp', '\n' * 500)],
    'LinesAreShort': [('src/base/x.h', 'a' * 100 + '\n')],
    'NothingIsLeftForLater': [('src/base/x.h', '"/tmp/quire-XXXXXX"\n')],
    'IncludesPointDown': [
        ('src/log/x.cpp', '#include "format/record.h"\n'),
        ('tests/base/x.cpp', '#include "base/id.h"\n'),
        ('tools/kvtool/x.cpp', '#include "kvtool/command.h"\n'),
    ],
}


def write(folder, tree):
    for path, text in tree.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding='utf-8')


def run(scratch, complaints_about):
    """{test name: [what went wrong]}; `complaints_about(root)` gives {rule: [complaint]}."""
    write(scratch / 'good', GOOD_TREE)
    first = complaints_about(scratch / 'good')
    results = {'AcceptsAGoodTree': [line for found in first.values() for line in found]}
    results.update({rule: [] for rule in first})
    for rule in first:
        if rule not in BAD:
            results[rule].append('no file here breaks this rule; add one to BAD')
    cases = [(rule, *case) for rule, found in BAD.items() for case in found]
    cases += [(rule, *case, None) for rule, found in GOOD.items() for case in found]
    for number, (rule, path, text, expected) in enumerate(cases):
        root = scratch / str(number)
        write(root, {path: text})
        said = complaints_about(root)[rule]
        if expected is None and said:
            results[rule].append(f'{path}: expected no complaint, got {said}')
        elif expected and not any(expected in line for line in said):
            results[rule].append(f'{path}: expected "{expected}", got {said}')
    return results
