"""A training that is killed goes on as if nothing had been; `benchmarks/kill_resume.py` is the long form."""
from benchmarks import kill_resume


def test_killed_and_resumed_equals_undisturbed(tmp_path):
    assert kill_resume.compare(tmp_path, kills=2, steps=12) == (2, 2, [])
