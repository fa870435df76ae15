"""A training that is killed goes on as if nothing had been; `benchmarks/kill_resume.py` is the long form."""
import importlib.util
import pathlib

PATH = pathlib.Path(__file__).resolve().parents[2] / 'benchmarks' / 'kill_resume.py'


def test_killed_and_resumed_equals_undisturbed(tmp_path):
    spec = importlib.util.spec_from_file_location('kill_resume', PATH)
    kill_resume = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(kill_resume)
    assert kill_resume.compare(tmp_path, kills=2, steps=12) == (2, 2, [])
