"""A killed and resumed training equals an undisturbed one; benchmarks.kill_resume kills more."""
import pytest

from benchmarks import kill_resume


@pytest.mark.timeout(3600)  # minutes on a busy machine; only a hang takes an hour
def test_killed_and_resumed_equals_undisturbed(tmp_path):
    assert kill_resume.compare(tmp_path, kills=2, steps=12) == (2, 2, [])
