"""Bad input by the thousand: none may end in a traceback, a hang, a crash of the interpreter, or much memory.

    python3 -m benchmarks.fuzz --cases=500

For each kind (annotations of VOC and COCO, images for conversion and demo, records, class lists, configurations, checkpoints,
videos) so many cases are made from sound files, the same ones for the same seed, and given to the scripts' own code in
a process of its own. A case may be accepted or refused; a refusal is one line, and what is printed names the file. Reported are
the counts, the largest memory beyond the start, and every case that did neither: `--kinds=xml --first=17 --cases=1` repeats that
one, with `--keep=FOLDER` its files stay.
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

from utils.script import quiet, run

with quiet():
    from benchmarks import commands, fuzz_cases
    from benchmarks.faults import Case, Random
    from utils import command_line

# Seconds that one case may take, and MiB of memory that it may add.
SECONDS, MEBIBYTES = 30, 1024


def main() -> int:
    options = _options()
    if options.child:
        _run_cases(options)
        return 0
    failures = 0
    print(f'{"kind":12}{"cases":>7}{"accepted":>10}{"refused":>9}{"failed":>8}{"MiB":>6}{"seconds":>9}')
    for kind in options.kinds:
        start = time.monotonic()
        counts, peak, failed = _kind(kind, options)
        print(f'{kind:12}{options.cases:7d}{counts["accepted"]:10d}{counts["refused"]:9d}{len(failed):8d}{peak:6.0f}'
              f'{time.monotonic() - start:9.0f}', flush=True)
        for case, text in failed[:options.show]:
            print(f'  {kind} {case}: {text}', flush=True)
        failures += len(failed)
    return 1 if failures else 0


def _options():
    parser = command_line.parser('python3 -m benchmarks.fuzz', __doc__)
    commands.add_list(parser, '--kinds', 'kind', tuple(fuzz_cases.KINDS))
    parser.add_argument('--cases', type=int, default=500, help='of each kind')
    parser.add_argument('--first', type=int, default=0, help='number of the first case')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--show', type=int, default=10, help='failures shown of each kind')
    parser.add_argument('--keep', default='', help='folder in which the files of the cases stay')
    parser.add_argument('--child', help=argparse.SUPPRESS)
    return parser.parse_args()


def _kind(kind, options):
    """All cases of a kind -> (counts by outcome, MiB, [(case, what went wrong)]). A process that dies is started again."""
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
            if case < last:  # the process ended inside of this case
                failed.append((case, ending))
                case += 1
    return counts, peak, failed


def _child(kind, first, last, folder, options):
    """-> ([(case, outcome, text, MiB)], how the process ended)."""
    command = [sys.executable, '-m', 'benchmarks.fuzz', f'--child={folder}', f'--kinds={kind}', f'--first={first}',
               f'--cases={last - first}', f'--seed={options.seed}', f'--keep={options.keep}']
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
            if time.monotonic() - since > SECONDS * (4 if size < 0 else 1):  # the first one waits for TensorFlow
                process.kill()
                process.wait()
                return _read(log), f'hangs for more than {SECONDS} s'
        stderr.seek(0)
        lines = stderr.read().decode(errors='replace').strip().splitlines()
    return _read(log), f'the process ended with {process.returncode}: {lines[-1] if lines else ""}'


def _read(log):
    return [json.loads(line) for line in log.read_text(encoding='utf-8').splitlines()] if log.exists() else []


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


def one(kind: Callable[[Random, pathlib.Path], Case], folder: pathlib.Path, seed: int, case: int) -> tuple[str, str]:
    """Makes one case in a folder and tries it -> ('accepted', 'refused' or 'failed', text).

    kind: an entry of fuzz_cases.KINDS.
    """
    printed, here = io.StringIO(), os.getcwd()
    os.chdir(folder)
    try:
        named, use = kind(np.random.default_rng([seed, case]), pathlib.Path('.'))
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            accepted = use()
    except fuzz_cases.REFUSALS as error:
        return _refusal(str(error), printed.getvalue(), named)
    except Exception as error:  # whatever else comes is what this looks for
        where = traceback.extract_tb(error.__traceback__)[-1]
        return 'failed', f'{type(error).__name__}: {error} ({os.path.basename(where.filename)}:{where.lineno})'[:300]
    finally:
        os.chdir(here)
    return ('accepted', '') if accepted else _refusal('', printed.getvalue(), named)


def _refusal(error, printed, named):
    """error: the line that ends the script.  printed: all that it printed before."""
    if '\n' in error:
        return 'failed', f'refused in several lines: {error!r}'[:300]
    if named and not any(name in printed + error for name in named):
        return 'failed', f'refused without the name of {named[0]}: {(printed + error)[-250:]!r}'
    return 'refused', (printed + error)[-200:]


if __name__ == '__main__':
    run(main)
