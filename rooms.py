"""That the packages of this folder are found, and not others of the same names.

Names such as utils and datasets are usual: programs have their own, and Hugging Face's library is
called datasets. Every room but utils imports this module before anything else of this folder.
"""
import importlib.util
import os
import sys

_ROOT = os.path.dirname(os.path.abspath(__file__))
_NEEDED = ('utils', 'datasets', 'nets', 'preprocessing', 'checkpoints')  # by nearly everything


def _check():
    for name in _NEEDED:
        ours, spec = os.path.join(_ROOT, name, '__init__.py'), importlib.util.find_spec(name)
        if spec and spec.origin and os.path.realpath(spec.origin) == os.path.realpath(ours):
            continue
        place = spec.origin if spec else 'nothing'
        text = (f'{place} takes the place of {ours}: put {_ROOT} first in sys.path or PYTHONPATH, '
                f'and start in a folder without a {name} of its own. A program that needs both '
                'uses an exported detector')
        if sys.argv[0] == '-m' or os.path.dirname(os.path.realpath(sys.argv[0])) == _ROOT:
            print(f'error: {text}', file=sys.stderr)  # of a command
            sys.exit(2)
        raise ImportError(text)


_check()
import utils  # noqa: E402, F401 - sets limits, which OpenCV reads when it is imported
