"""The page names functions that exist; the figures of the documents exist and are small."""
import pathlib
import re
import subprocess
import sys

import cv2
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXT = ' '.join((ROOT / 'docs/how_ssd_works.md').read_text(encoding='utf-8').split())


def test_functions_exist():
    named = re.findall(r'`(\w+)` in `([\w/]+\.py)`', TEXT)
    assert len(named) >= 15
    for name, path in named:
        source = (ROOT / path).read_text(encoding='utf-8')
        assert re.search(rf'^ *(def|class) {name}\b', source, re.MULTILINE), f'{name} in {path}'


def test_figures_exist_and_are_small():
    shown = re.findall(r'\]\((figures/\w+\.jpg)\)', TEXT)
    readme = (ROOT / 'README.md').read_text(encoding='utf-8')
    shown += re.findall(r'\]\(docs/(figures/\w+\.jpg)\)', readme)
    sizes = [(ROOT / 'docs' / name).stat().st_size for name in shown]
    assert len(shown) == len(set(shown)) == len(list((ROOT / 'docs/figures').iterdir())) == 9
    assert max(sizes) < 150_000 and sum(sizes) < 800_000


def test_script_draws_all_figures(tmp_path):
    subprocess.run([sys.executable, '-m', 'docs.figures', f'--output={tmp_path}'], cwd=ROOT,
                   check=True, capture_output=True)
    committed = sorted((ROOT / 'docs/figures').iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == [path.name for path in committed]
    for path in committed:
        sides, drawn = (cv2.imread(str(file)).shape for file in (path, tmp_path / path.name))
        # Releases of matplotlib round differently.
        assert np.abs(np.subtract(sides, drawn)).max() <= 2
