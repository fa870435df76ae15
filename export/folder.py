"""The folder of an export: it appears when everything in it is written and checked."""
import contextlib
import os
from collections.abc import Iterable, Iterator

from checkpoints import io as checkpoint
from export.exported import ExportError
from utils import files

LABELS = 'labels.txt'


@contextlib.contextmanager
def staged(folder: str, overwrite: bool) -> Iterator[str]:
    """Yields a new folder whose files are in `folder` at the end; an interruption leaves nothing.

    Raises:
        ExportError: see `check_free`; or the disk is full or refuses.
        UserError: another process writes to the folder.
    """
    try:
        with files.held(folder), files.staged(folder, LABELS) as stage:
            check_free(folder, overwrite)
            yield stage
    except OSError as error:
        raise ExportError(f'cannot write {folder}: {checkpoint.reason(error)}') from None


def check_free(folder: str, overwrite: bool) -> None:
    """Checks an output folder before any work.

    Raises:
        ExportError: `folder` holds something and `overwrite` is False, or what it holds is no
            export.
        CheckpointError: TensorFlow could not read a model in it.
    """
    checkpoint.check_path(folder)
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise ExportError(f'{folder} is a file; choose another --output')
    if not files.contents(folder):
        return
    if not overwrite:
        raise ExportError(f'{folder} is not empty; choose another --output, or replace an earlier '
                          'export with --overwrite=True')
    if not os.path.isfile(os.path.join(folder, LABELS)):
        raise ExportError(f'{folder} holds no earlier export (no {LABELS}), and is not '
                          'overwritten; choose another --output')


def write_labels(folder: str, classes: Iterable[str]) -> str:
    """Writes the class names, one per line, in the order of labels 1, 2, ...; returns the path."""
    path = os.path.join(folder, LABELS)
    with open(path, 'w', encoding='utf-8') as file:
        file.writelines(name + '\n' for name in classes)
    return path
