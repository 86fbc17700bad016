"""Reads clang-formatted C++ as text: blanks comments and strings, finds functions by braces."""

import re

BLANKED = re.compile(
    r'//(?:\\\n|[^\n])*'  # line comment
    r'|/\*.*?\*/'  # block comment
    r'|(?P<raw>\bu?8?[LuU]?R"(?P<delimiter>[^()\\\s]{0,16})\(.*?\)(?P=delimiter)")'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'",  # a ' after a digit separates digits
    re.DOTALL)

PREPROCESSOR = re.compile(r'^[ \t]*#(?:\\\n|[^\n])*', re.MULTILINE)

# What may stand in front of a type or namespace that only contains functions.
PREFIXES = re.compile(
    r'\s*(?:template\s*<[^{}]*>\s*(?=(?:class|struct|union)\b)|typedef\b|inline\b)\s*')
CONTAINER = re.compile(r'\s*(?:namespace|class|struct|union|enum|extern)\b')
ATTRIBUTE = re.compile(r'\[\[.*?\]\]|\b(?:alignas|__attribute__)\s*\((?:[^()]|\([^()]*\))*\)')
LABELS = re.compile(r'(?:\s*(?:public|private|protected)\s*:(?!:))*')
INITIALISED = re.compile(r'[\w>({,]$|[=(,]\s*$')
NAME = re.compile(r'([A-Za-z_~][\w:~]*|operator\W{1,3})\s*\(')


def _blank(match):
    return re.sub(r'[^\n]', ' ', match[0])


def without_comments(text):
    """The text with comments and strings replaced by blanks; lines stay where they are."""
    return BLANKED.sub(_blank, text)


def _is_container(head):
    head = ATTRIBUTE.sub('', head)
    match = PREFIXES.match(head)
    while match:
        head = head[match.end():]
        match = PREFIXES.match(head)
    return CONTAINER.match(head) is not None and '(' not in head


def _name(head):
    match = NAME.search(ATTRIBUTE.sub('', head))
    return match[1].strip() if match else 'function'


def functions(text):
    """(name, first line, last line) of every function that stands in a namespace or type.

    Lambdas and local types belong to the function around them. A brace right behind a word, `=`,
    `(`, `,` or another brace initialises something; before any other brace stands a blank.
    Raises ValueError if the braces do not balance.
    """
    code = PREPROCESSOR.sub(_blank, without_comments(text))
    found = []

    def line_of(position):
        return code.count('\n', 0, position) + 1

    stack = []  # one of 'container', 'function', 'inner' for each open brace
    start = 0  # where the statement that is being read begins
    for match in re.finditer(r'[{};]', code):
        position = match.start()
        in_function = 'function' in stack
        if match[0] == '{':
            start += len(LABELS.match(code[start:position])[0])
            head = code[start:position]
            if in_function or INITIALISED.search(head):
                stack.append('inner')
            elif _is_container(head):
                stack.append('container')
                start = position + 1
            elif '(' in head:
                stack.append('function')
                found.append([_name(head), line_of(start + len(head) - len(head.lstrip())), 0])
            else:
                stack.append('inner')
        elif match[0] == '}':
            if not stack:
                raise ValueError('braces do not balance')
            kind = stack.pop()
            if kind == 'function':
                found[-1][2] = line_of(position)
            if kind != 'inner' and 'function' not in stack:
                start = position + 1
        elif not stack or stack[-1] == 'container':
            start = position + 1
    if stack:
        raise ValueError('braces do not balance')
    return [tuple(entry) for entry in found]
