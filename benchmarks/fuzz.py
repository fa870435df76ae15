"""Feeds the scripts' code with thousands of damaged files.

    python3 -m benchmarks.fuzz --cases=500

The cases of each kind (such as annotations, images, records, checkpoints, videos) are made from
valid files, the same ones for the same seed, and run in a process of their own. Each must be
accepted, or refused with one line that names the file: a traceback, a hang, a crash of the
interpreter or too much memory is a failure. Prints the counts, the largest memory beyond that at
the start, and the failures.

`--kinds=xml --first=17 --cases=1` repeats case 17; with `--keep=FOLDER` its files stay.
"""
import argparse
import collections
import contextlib
import io
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable

import numpy as np

from utils.script import imports, run

with imports():
    from benchmarks import commands, fuzz_cases
    from benchmarks.faults import Case, Random
    from utils import command_line

# Largest time of a case, and largest memory in MiB beyond that of the first case.
SECONDS, MEBIBYTES = 30, 1024


def main() -> int:
    options = _options()
    if options.child:
        _run_cases(options)
        return 0
    failures = 0
    print(f'{"kind":12}{"cases":>7}{"accepted":>10}{"refused":>9}{"failed":>8}{"MiB":>6}'
          f'{"seconds":>9}')
    for kind in options.kinds:
        start = time.monotonic()
        counts, peak, failed = _run_kind(kind, options)
        print(f'{kind:12}{options.cases:7d}{counts["accepted"]:10d}{counts["refused"]:9d}'
              f'{len(failed):8d}{peak:6.0f}{time.monotonic() - start:9.0f}', flush=True)
        for case, text in failed[:options.show]:
            print(f'  {kind} {case}: {text}', flush=True)
        failures += len(failed)
    return 1 if failures else 0


def _options():
    parser = command_line.parser('python3 -m benchmarks.fuzz', __doc__)
    commands.add_list(parser, '--kinds', 'kind', tuple(fuzz_cases.KINDS))
    parser.add_argument('--cases', type=int, default=500, help='Cases of each kind.')
    parser.add_argument('--first', type=int, default=0, help='Number of the first case.')
    parser.add_argument('--seed', type=int, default=0, help='Seed of all cases.')
    parser.add_argument('--show', type=int, default=10, help='Failures printed of each kind.')
    parser.add_argument('--keep', default='', help='Folder in which the files of the cases stay.')
    parser.add_argument('--child', help=argparse.SUPPRESS)
    return parser.parse_args()


def _run_kind(kind, options):
    """Runs all cases of a kind. A process that ends early is started again behind its last case.

    Returns:
        counts by outcome, largest memory in MiB, [(case, what went wrong)].
    """
    counts, peak, failed = collections.Counter(), 0., []
    case, last = options.first, options.first + options.cases
    with tempfile.TemporaryDirectory() as folder:
        while case < last:
            results, ending = _child(kind, case, last, folder, options)
            for number, outcome, text, memory in results:
                peak = max(peak, memory)
                if outcome == 'failed':
                    failed.append((number, text))
                elif memory > MEBIBYTES:
                    failed.append((number, f'{memory:.0f} MiB'))
                else:
                    counts[outcome] += 1
            case = results[-1][0] + 1 if results else case
            if case < last:  # the process ended within this case
                failed.append((case, ending))
                case += 1
    return counts, peak, failed


def _child(kind, first, last, folder, options):
    """Runs cases in one process: ([(case, outcome, text, MiB)], how the process ended)."""
    command = [sys.executable, '-m', 'benchmarks.fuzz', f'--child={folder}', f'--kinds={kind}',
               f'--first={first}', f'--cases={last - first}', f'--seed={options.seed}',
               f'--keep={options.keep}']
    log = pathlib.Path(folder, 'results.jsonl')
    log.unlink(missing_ok=True)
    with open(f'{folder}/stderr', 'w+b') as stderr:
        process = subprocess.Popen(command, stderr=stderr, stdout=subprocess.DEVNULL)
        size, since = -1, time.monotonic()
        while process.poll() is None:
            time.sleep(0.1)
            now = log.stat().st_size if log.exists() else -1
            if now != size:
                size, since = now, time.monotonic()
            # The first case waits for the import of TensorFlow.
            if time.monotonic() - since > SECONDS * (4 if size < 0 else 1):
                process.kill()
                process.wait()
                return _read(log), f'hangs for more than {SECONDS} s'
        stderr.seek(0)
        lines = stderr.read().decode(errors='replace').strip().splitlines()
    last_line = lines[-1] if lines else ''
    return _read(log), f'the process ended with {process.returncode}: {last_line}'


def _read(log):
    lines = log.read_text(encoding='utf-8').splitlines() if log.exists() else []
    return [json.loads(line) for line in lines]


def _run_cases(options):
    kind = fuzz_cases.KINDS[options.kinds[0]]
    base = None
    with open(pathlib.Path(options.child, 'results.jsonl'), 'w', encoding='utf-8') as log:
        for case in range(options.first, options.first + options.cases):
            folder = pathlib.Path(options.keep or options.child, f'{options.kinds[0]}-{case}')
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            outcome, text = one(kind, folder, options.seed, case)
            if not options.keep:
                shutil.rmtree(folder, ignore_errors=True)
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
            base = base or memory
            log.write(json.dumps([case, outcome, text, memory - base]) + '\n')
            log.flush()


def one(kind: Callable[[Random, pathlib.Path], Case], folder: pathlib.Path, seed: int,
        case: int) -> tuple[str, str]:
    """Makes and runs one case.

    Args:
        kind: a value of fuzz_cases.KINDS.
        folder: receives the case's files.
        seed: of all cases.
        case: number of this one.

    Returns:
        'accepted', 'refused' or 'failed', and why.
    """
    printed, here = io.StringIO(), os.getcwd()
    os.chdir(folder)
    try:
        named, use = kind(np.random.default_rng([seed, case]), pathlib.Path('.'))
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            accepted = use()
    except fuzz_cases.REFUSALS as error:
        return _refusal(str(error), printed.getvalue(), named)
    except Exception as error:  # any other exception is what this program looks for
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f'{os.path.basename(where.filename)}:{where.lineno}'
        return 'failed', f'{type(error).__name__}: {error} ({place})'[:300]
    finally:
        os.chdir(here)
    return ('accepted', '') if accepted else _refusal('', printed.getvalue(), named)


def _refusal(error, printed, named):
    """Outcome of a refused case. error: the line that ends the script. printed: all before it."""
    if '\n' in error:
        return 'failed', f'refused in several lines: {error!r}'[:300]
    text = printed + error
    if named and not any(name in text for name in named):
        return 'failed', f'refused without the name of {named[0]}: {text[-250:]!r}'
    return 'refused', text[-200:]


if __name__ == '__main__':
    run(main)
