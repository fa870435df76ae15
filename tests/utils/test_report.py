"""The report of an installation: versions and devices, no names of people or places."""
import getpass
import os
import pathlib
import re
import socket
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_it_names_versions_and_nobody():
    done = subprocess.run([sys.executable, '-m', 'utils.report'], capture_output=True, text=True,
                          cwd=ROOT, check=True)
    assert re.match(r'SSD (without git|\S+); Python 3\.\d+\.\d+; tensorflow 2\.\d+', done.stdout)
    assert f'{os.cpu_count()} cores' in done.stdout and 'CUDA' in done.stdout
    words = set(re.findall(r'[\w.-]+', done.stdout))
    private = {getpass.getuser(), socket.gethostname(), os.path.basename(os.path.expanduser('~')),
               ROOT.name}
    assert not private & words and '/' not in done.stdout
