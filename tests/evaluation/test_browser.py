"""The page of an evaluation in a real browser, also as wide as a phone."""
import re
import shutil
import subprocess

import numpy as np
import pytest

from datasets.readers import voc
from evaluation import report
from tests.evaluation.rows import found_of, truth_of

BROWSER = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))),
               None)
# The page itself runs no script; one around it measures what it takes.
FRAME = '''<iframe src="evaluation.html" width="{width}" height="900" onload="
  const page = this.contentDocument.documentElement;
  document.getElementById('found').textContent = page.scrollWidth + ' ' + page.innerText.length;
"></iframe><p id="found"></p>'''


@pytest.mark.skipif(not BROWSER, reason='no Chromium is installed')
@pytest.mark.parametrize('width', [390, 1200])
def test_nothing_is_wider_than_the_window(tmp_path, width):
    random = np.random.default_rng(0)
    names = [f'a_folder/with_a_long_name_{"x" * 60}_{number}' for number in range(40)]
    boxes = [(0, 0, 60, 50), (70, 10, 120, 90)]
    truths = {name: truth_of(*((box, 1 + random.integers(20), False) for box in boxes))
              for name in names}
    found = {name: found_of(*((box, 1 + random.integers(20), random.random()) for box in boxes))
             for name in names}
    image = np.full([100, 130, 3], 90, np.uint8)
    report.write(tmp_path, report.evaluate(found, truths, voc.CLASSES), {'checkpoint': 'x' * 120},
                 lambda ids: dict.fromkeys(ids, image))
    (tmp_path / 'frame.html').write_text(FRAME.format(width=width))
    done = subprocess.run(
        [BROWSER, '--headless', '--no-sandbox', '--disable-gpu', '--allow-file-access-from-files',
         f'--user-data-dir={tmp_path}/profile', '--virtual-time-budget=5000', '--dump-dom',
         (tmp_path / 'frame.html').as_uri()], capture_output=True, text=True, timeout=60)
    wide, letters = map(int, re.search(r'id="found">(\d+) (\d+)<', done.stdout).groups())
    assert wide <= width and letters > 1000
