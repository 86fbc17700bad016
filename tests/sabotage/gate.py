#!/usr/bin/env python3
"""Usage: gate.py SOURCE_ROOT SIMULATE STORM [NAME...]

Builds every sabotage (src/base/test_points.h) in, one at a time, and lets the crash simulator and
the storm look for it in turns, each time for longer. A sabotage that neither finds is a hole in the
tests.
"""

import concurrent.futures
import pathlib
import re
import subprocess
import sys
import time

SABOTAGES_MIN = 20
AT_A_TIME = 2
# Layer, seconds, and further arguments. The simulator finds the same at the same seed.
TURNS = [('simulate', 8, '--seed=1'), ('storm', 15, '--seed=1'),
         ('storm', 20, '--seed=4', '--strain'),
         ('simulate', 60, '--seed=1'), ('storm', 60, '--seed=2'),
         ('simulate', 240, '--seed=2', '--depth=3'), ('storm', 120, '--seed=3')]


def sabotages(source_root):
    """Names of all sabotages in the sources."""
    names = set()
    for path in sorted((source_root / 'src').rglob('*.cpp')):
        names |= set(re.findall(r'sabotaged\(\s*"(\w+)"\s*\)', path.read_text(encoding='utf-8')))
    return sorted(names)


def find(name, programs, turns=tuple(TURNS)):
    """(whether it was found, by what and how)"""
    begin = time.monotonic()
    for layer, seconds, *arguments in turns:
        limit = {'simulate': '--states', 'storm': '--kills'}[layer]
        run = subprocess.run(
            [programs[layer], '--sabotage', name, '--seconds', str(seconds), limit, '100000000',
             *arguments], capture_output=True, text=True, check=False)
        if run.returncode != 0:
            spent = time.monotonic() - begin
            said = [line for line in run.stdout.splitlines() if line.startswith('FAILED: ')]
            reason = said[0].removeprefix('FAILED: ') if said else f'exit status {run.returncode}'
            return True, f'{layer} after {spent:.1f} s: {reason[:150]}'
    return False, f'not found in {time.monotonic() - begin:.0f} s'


def main():
    programs = {'simulate': sys.argv[2], 'storm': sys.argv[3]}
    names = sabotages(pathlib.Path(sys.argv[1]))
    if len(names) < SABOTAGES_MIN:
        sys.exit(f'only {len(names)} sabotages in the sources; at least {SABOTAGES_MIN} are wanted')
    names = sys.argv[4:] or names
    found, how = find('', programs, TURNS[:3])
    if found:
        sys.exit(f'without any sabotage, too: {how}')
    all_found = True
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        for name, (found, how) in zip(names, pool.map(lambda name: find(name, programs), names)):
            print(f'[ RUN      ] Sabotage.{name}\n{how}')
            print(f'[ {"     OK" if found else " FAILED"} ] Sabotage.{name}', flush=True)
            all_found &= found
    sys.exit(0 if all_found else 1)


main()
