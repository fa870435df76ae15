"""Lists of images: text files with a name per line, as all programs write them. No TensorFlow."""
import ntpath
import os
import pathlib
import re
from collections.abc import Mapping

from datasets import images
from utils.errors import DataError

_MOST_BYTES = 64 << 20
# Words in the name of a list or file -> what its images are for: cat_train, Validation,
# instances_train2017.json, train/_annotations.coco.json.
_PURPOSES = {'train': 'train', 'trainval': 'train', 'training': 'train', 'val': 'test',
             'valid': 'test', 'validation': 'test', 'minival': 'test', 'test': 'test',
             'testing': 'test'}
# Words of a folder's name that say what lies there.
_PLAIN = ('annotations', 'annots', 'data', 'images', 'imgs', 'json', 'labels', 'set', 'txt', 'xml',
          'xmls')


class Known:
    """Images by what lists call them.

    Args:
        files: {image id: its name, which may have folders and an ending}.
    """

    def __init__(self, files: Mapping[str, str]):
        self._ids: dict[str, list[tuple[images.Parts, str]]] = {}
        for image_id, name in files.items():
            if found := images.parts(name):
                self._ids.setdefault(found[-1], []).append((found, image_id))

    def find(self, name: str) -> str | None:
        """The id of the image that a list calls `name`; None if it is none, or several."""
        wanted = images.parts(name)
        hits = self._ids.get(wanted[-1], []) if wanted else []
        ranks = [(image_id in (name, ntpath.splitext(name)[0]), _common(wanted, there))
                 for there, image_id in hits]
        best = [image_id for (_, image_id), rank in zip(hits, ranks, strict=True)
                if rank == max(ranks)]
        return best[0] if len(best) == 1 else None

    def of_line(self, line: str) -> tuple[str, bool]:
        """What a line of a list says: an image's id, or the name of none, and whether it is one.

        A name may hold spaces, be in quotes, and have its ending, folders, or another column beside
        it. A last column of -1, in the lists of one class, says that the image lacks the class: ''.
        """
        words = line.split()
        flag = words[-1] if words[1:] and words[-1] in ('1', '0', '-1') else ''
        name = line[:-len(flag)].rstrip() if flag else line
        for text in (line, name, *words[:1]):
            found = self.find(text.strip('"\''))
            if found is not None:
                return ('' if flag == '-1' and text != line else found), True
        return ('' if flag == '-1' else name.strip('"\'')), False


def _common(one, other):
    return next((n for n, (a, b) in enumerate(zip(reversed(one), reversed(other), strict=False))
                 if a != b), min(len(one), len(other)))


def in_order(path: pathlib.Path, known: Known) -> list[str]:
    """All that a list names, each once, also what is no image; DataError if it cannot be read."""
    return list(dict.fromkeys(name for name, _ in _lines(path, known) if name))


def read(path: pathlib.Path, known: Known) -> tuple[list[str], list[str]]:
    """A list's image ids, each once, and names in it of no image; DataError as of `in_order`."""
    found = _lines(path, known)
    return (list(dict.fromkeys(name for name, good in found if good and name)),
            list(dict.fromkeys(name for name, good in found if not good and name)))


def _lines(path, known):
    try:
        if os.path.getsize(path) > _MOST_BYTES:
            raise DataError(f'{path}: more than {_MOST_BYTES >> 20} MiB are no list of images')
        lines = path.read_text(encoding='utf-8-sig').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, 'strerror', None) or str(error)
        raise DataError(f'image list {path} cannot be read: {reason}') from None
    return [known.of_line(line.strip()) for line in lines if line.strip()]


def purpose(name: str) -> str:
    """'train' or 'test', by the last word of a name that says it; '' if none does."""
    return next((_PURPOSES[word] for word in reversed(words(name)) if word in _PURPOSES), '')


def is_split(name: str, loose: bool = False) -> bool:
    """Whether a folder is one of train, valid, test, ... by its name: also train2017.

    loose: and also train_labels.
    """
    found = {word for word in words(name) if word and not (loose and word in _PLAIN)}
    return bool(found) and found <= {*_PURPOSES}


def words(name: str) -> list[str]:
    """The words of a name, in small letters."""
    return re.split('[^a-z]+', name.lower())


def set_of(name: str, folder: str = '') -> str:
    """The word of a file's name, or else its folder, that says what its images are for; or ''."""
    return next((word for word in (*reversed(words(name)), folder.lower())
                 if word in _PURPOSES), '')
