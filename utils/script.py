"""How every command begins and ends: imports without TensorFlow's banner, mistakes in one line."""
import contextlib
import io
import os
import pathlib
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from typing import NoReturn, TextIO

from utils.errors import UserError

_ROOT = pathlib.Path(__file__).resolve().parents[1]
# opencv-python links the system's libGL; both packages write into one folder.
_OPENCV = (f'OpenCV {{}}: {sys.executable} -m pip uninstall -y opencv-python '
           f'opencv-python-headless, then {sys.executable} -m pip install opencv-python-headless; '
           'or, to see windows, opencv-python with the libraries of the system (Debian: libgl1, '
           'libglib2.0-0)')


@contextlib.contextmanager
def quiet() -> Iterator[TextIO]:
    """Hides what the block writes to stderr, and shows it if the block fails.

    For imports: with TF_CPP_MIN_LOG_LEVEL alone, TensorFlow 2.21 still writes six lines per start.

    Yields:
        What is shown all the same, such as the progress of long work.
    """
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
    if sys.stderr is None:  # closed by the caller
        sys.stderr = open(os.devnull, 'w')  # noqa: SIM115 - until the process ends
        os.dup2(sys.stderr.fileno(), 2)
    sys.stderr.flush()
    with tempfile.TemporaryFile() as hidden, os.fdopen(os.dup(2), 'w') as shown:
        os.dup2(hidden.fileno(), 2)
        try:
            yield shown
        except BaseException:
            hidden.seek(0)
            os.write(shown.fileno(), hidden.read())
            raise
        finally:
            os.dup2(shown.fileno(), 2)


@contextlib.contextmanager
def imports() -> Iterator[None]:
    """`quiet`, for the imports of a command: a package that is missing or broken ends
    it in one line.
    """
    fault = ''
    with quiet():
        try:
            yield
        except (ImportError, AttributeError) as error:
            fault = _fault(error)
            if not fault:
                raise
    if fault or not _has_opencv():
        print(f'error: {fault or _OPENCV.format("is not whole")}', file=sys.stderr)
        sys.exit(2)


def _fault(error):
    """What is wrong with the packages that are installed; '' if it is a fault of this code."""
    if isinstance(error, AttributeError):
        return '' if _has_opencv() else _OPENCV.format('is not whole')
    last = [frame for frame, _ in traceback.walk_tb(error.__traceback__)][-1]
    name = error.name or str(last.f_globals.get('__name__'))
    package = name.partition('.')[0]
    if (_ROOT / package).exists() or (_ROOT / f'{package}.py').exists() or package == '__main__':
        return ''
    if package == 'cv2' and not isinstance(error, ModuleNotFoundError):
        return _OPENCV.format(f'does not start ({error})')
    fault = (f'has a {package} that does not start ({error})'
             if not isinstance(error, ModuleNotFoundError) else
             f'lacks the package {package}' if package == name else
             f'has a version of {package} without {name}')
    venv = _ROOT / '.venv/bin/python3'
    return (f'{sys.executable} {fault}. Install it: {sys.executable} -m pip install -r '
            f'{_ROOT / "requirements.txt"}' + (f', or run {venv}' if venv.exists() else ''))


def _has_opencv():
    """False where only a part of OpenCV is left, as after one of two packages was removed."""
    return 'cv2' not in sys.modules or hasattr(sys.modules['cv2'], 'imdecode')


def run(main: Callable[[], int | None]) -> NoReturn:
    """Calls main() and ends the process with its result as exit code (None: 0).

    A UserError is one line and 2; an interruption 130 and a closed pipe 141, as shells do. A
    character that the locale lacks is written as an escape sequence.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not None, where it is closed
            stream.reconfigure(errors='backslashreplace')
    try:
        code = main()
    except UserError as error:
        print(f'error: {error}', file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print('interrupted', file=sys.stderr)
        code = 130
    except BrokenPipeError:  # the reader, such as `head`, has stopped
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    sys.exit(code)
