"""What all scripts share: quiet imports, and a user's mistake ends in one line and exit code 2, an interruption in 130."""
import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import NoReturn

from utils.errors import UserError


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Holds back what TensorFlow's libraries write to stderr while they are imported; shows it where the import fails.

    They write their banner before any setting of TensorFlow's can silence it.
    """
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
    if sys.stderr is None:  # closed by who calls
        sys.stderr = open(os.devnull, 'w')  # noqa: SIM115 - to the end of the process
        os.dup2(sys.stderr.fileno(), 2)
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(stderr, held.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def run(main: Callable[[], int | None], *mistakes: type[Exception]) -> NoReturn:
    """Calls main() and ends the process with its result as exit code (None: 0).

    A user's mistake: one line and 2. An interruption: 130, and a closed pipe: 141, which are a shell's codes for these.

    mistakes: exception classes of Python's that, like UserError, explain a user's mistake in one line.
    """
    try:
        code = main()
    except (UserError, *mistakes) as error:
        print(f'error: {error}', file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print('interrupted', file=sys.stderr)
        code = 130
    except BrokenPipeError:  # who read the output, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    sys.exit(code)
