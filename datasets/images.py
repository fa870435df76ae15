"""Which image an annotation means, by one rule for every format. No TensorFlow.

What an annotation calls its image is often true on another machine only: C:\\Users\\me\\a.jpg,
../images/a.jpg, https://host/a.jpg, A.JPG, or no ending at all. So the name is tried as it stands;
if nothing is there, its parts, from the last one, are compared with those of the files that are.
"""
import collections
import itertools
import os
import pathlib
import re
import unicodedata
import urllib.parse
from collections.abc import Iterable, Iterator, Sequence

from utils.errors import DataError

# What counts as an image in a folder, in any case. A file that is given by its name may have any
# ending.
ENDINGS = ('.jpg', '.jpeg', '.jfif', '.png', '.bmp', '.webp', '.tif', '.tiff', '.gif', '.jp2',
           '.ppm', '.pgm', '.avif')
_TEXTS = ('.xml', '.json', '.txt', '.csv', '.yaml', '.yml')
_LOOKED_AT = 20  # names that are looked for, to find the folder of the images
_DEPTH, _MOST = 3, 200_000  # of the folders beside the data that are searched: depth, files
_SHOWN = 3  # folders or files that a message names
_USUAL = ('jpegimages', 'images', 'image', 'imgs', 'img', 'data')  # rather than masks and depths

Parts = tuple[str, ...]


def is_image(name: str) -> bool:
    """Whether a file has the ending of an image, in any case."""
    return name.lower().endswith(ENDINGS)


def files_in(folder: pathlib.Path, depth: int = 99) -> Iterator[pathlib.Path]:
    """Yields all files beneath a folder, sorted within theirs; hidden ones and links back not."""
    seen = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        level = len(pathlib.Path(place).relative_to(folder).parts)
        folders[:] = sorted(name for name in folders if not name.startswith(('.', '__MACOSX'))) \
            if real not in seen and level < depth else []
        seen.add(real)
        yield from (pathlib.Path(place, name) for name in sorted(names)
                    if not name.startswith('.'))


def stem(name: str) -> str:
    """The name of a file without its endings, as names are compared: b of B.jpg and of b.jpg.xml.

    A Mac composes accents in another way than the other systems.
    """
    text = unicodedata.normalize('NFC', name).casefold()
    while text.endswith((*ENDINGS, *_TEXTS)) and (rest := text.rpartition('.')[0]):
        text = rest
    return text


def parts(name: str) -> Parts:
    """What can be compared of the path of a file: ('images', 'a') of ..\\images\\A.jpg.

    Neither a drive, a host nor a folder that is left again counts.
    """
    found: list[str] = []
    text = name.split('://', 1)[-1]
    if len(text) < len(name):  # a URL
        text = text.split('?', 1)[0]
    for part in re.split(r'[\\/]|\?d=', re.sub('^[A-Za-z]:', '', text)):
        if part == '..':
            found = []
        elif part not in ('', '.'):
            found.append(unicodedata.normalize('NFC', part).casefold())
    return (*found[:-1], stem(found[-1])) if found else ()


class Images:
    """The images of one source.

    Args:
        root: folder of the annotations; searched with its subfolders, or else those beside it.
        given: folders that the user named for the images; then they alone are searched.
        expected: what all annotations call their images, or are called themselves, as paths in
            `root`. Of an image that several could mean, the one that is most like its path has it.
        origin: the annotation file; a folder that shares a word of its name (train) comes first.
    """

    def __init__(self, root: pathlib.Path, given: Sequence[str | os.PathLike] = (),
                 expected: Iterable[str] = (), origin: str = ''):
        self.root, self.given = root, [pathlib.Path(folder) for folder in given]
        self._words = _words(origin)
        self._expected: dict[Parts, list[Parts]] = collections.defaultdict(list)
        for name in dict.fromkeys(expected):
            if named := parts(name):
                for end in (named[-1:], named[-2:])[:len(named)]:
                    self._expected[end].append(named)
        self._found: dict[tuple, pathlib.Path] = {}
        self.searched = self.given or [root]
        self._read()
        if self._expected and not self.given and not self._share():
            self._read_beside()

    def all(self) -> list[pathlib.Path]:
        """All images, sorted within their folders."""
        return [path for paths in self._files.values() for path, _ in paths]

    def find(self, names: Sequence[str], where: str, near: pathlib.Path | None = None,
             own: str = '') -> pathlib.Path:
        """The image that an annotation calls by one of these names, the surest first.

        Args:
            names: as they are written; the own name of the annotation as a path in `root`.
            where: names the annotation in messages.
            near: its folder; None: `root`.
            own: which of `expected` is this annotation; '': the first of the names.

        Raises:
            DataError: there is none, or nothing decides between several.
        """
        key = (*names, near)
        if key not in self._found:
            self._found[key] = self._find([name for name in names if name], where, near,
                                          parts(own or names[0]))
        return self._found[key]

    def _find(self, names, where, near, own):
        for name in names:
            for folder in (self.given or dict.fromkeys([near or self.root, self.root])):
                if path := self._as_it_stands(folder, name):
                    return path
            if path := self._alike(name, names, where, near, own):
                return path
        places = ', '.join(map(str, self.searched[:_SHOWN]))
        there = [found for name in names for found in self._others.get(
            (parts(name) or ('',))[-1], [])]
        raise DataError(f'{where}: image is missing: {" or ".join(map(repr, names or [""]))}; '
                        f'searched: {places}, with subfolders'
                        + (f'; there is {", ".join(sorted({*there})[:_SHOWN])}' if there else ''))

    def _as_it_stands(self, folder, name):
        """The file <folder>/<name>, where that is inside of the folders of the source."""
        for text in (name, name.replace('\\', '/')):
            try:
                path = pathlib.Path(os.path.normpath(folder / text))
                if text and os.path.isfile(path) and any(
                        path.resolve().is_relative_to(place.resolve())
                        or path.is_relative_to(os.path.normpath(place))
                        for place in self.searched) and not text.lower().endswith(_TEXTS):
                    return path
            except (OSError, ValueError):  # too long, or no name at all
                continue
        return None

    def _alike(self, name, names, where, near, own):
        """The file whose path is most like a name; None where there is none."""
        for text in dict.fromkeys([name, urllib.parse.unquote(name)]):
            wanted = parts(text)
            hits = self._files.get(wanted[-1], []) if wanted else []
            hits = [hit for hit in hits if hit[1][-2:] == wanted[-2:]] or hits
            if hits:
                break
        else:
            return None
        called = [re.split(r'[\\/]', other)[-1] for other in names]
        ranks = [(*self._likeness(wanted, there), path.parent == near, _sameness(path.name, called),
                  self._votes[path.parent], _usual(path.parent.name))
                 for path, there in hits]
        best = [hit for hit, rank in zip(hits, ranks, strict=True) if rank == max(ranks)]
        said = [text for text in called if is_image(text)]
        if not said and len({path.parent for path, _ in best}) == 1:
            best = sorted(best, key=lambda hit: ENDINGS.index(hit[0].suffix.lower()))[:1]
        if len(best) > 1:
            raise DataError(f'{where}: the annotation means {[*said, name][0]!r}, and there are '
                            + ', '.join(str(path) for path, _ in best[:_SHOWN]))
        path, there = best[0]
        mine = self._likeness(wanted, there)
        rivals = self._expected.get(wanted[-min(mine[0], 2):], [])
        own_and_near = wanted[-1:] == own[-1:] and path.parent == near
        if not own_and_near and any(self._likeness(other, there) >= mine
                                    for other in rivals if other != own):
            return None
        return path

    def _likeness(self, wanted: Parts, there: Parts) -> tuple[int, int]:
        """Common parts at the end, and words that both have anywhere."""
        level = 0
        for one, other in zip(reversed(wanted), reversed(there), strict=False):
            if one != other:
                break
            level += 1
        return level, len(_words(*there[:-1]) & (_words(*wanted[:-1]) | self._words))

    def _read(self, depth=99, most=None):
        self._files = collections.defaultdict(list)
        self._others = collections.defaultdict(list)
        self._votes: collections.Counter[pathlib.Path] = collections.Counter()
        for folder in self.searched:
            for path in itertools.islice(files_in(folder, depth), most):
                if is_image(path.name):
                    there = parts(path.relative_to(folder).as_posix())
                    self._files[there[-1]].append((path, there))
                    self._votes[path.parent] += there[-1:] in self._expected
                elif not path.name.lower().endswith(_TEXTS):
                    self._others[stem(path.stem)].append(path.name)

    def _share(self):
        """The share of the first expected names that are those of images."""
        looked_at = [end[0] for end in self._expected if len(end) == 1][:_LOOKED_AT]
        return sum(name in self._files for name in looked_at) / max(1, len(looked_at))

    def _read_beside(self):
        """Searches the folders beside `root`, if most of the names are there and none is here."""
        files, votes, searched = self._files, self._votes, self.searched
        self.searched = [pathlib.Path(os.path.normpath(self.root / '..'))] \
            if self.root.resolve().parent != self.root.resolve() else []
        self._read(_DEPTH, _MOST)
        if self._share() <= 0.5:
            self._files, self._votes, self.searched = files, votes, searched


def _words(*names):
    return {word for name in names for word in re.split(r'[\W_]+', name.casefold())} - {''}


def _usual(name):
    return -_USUAL.index(name.casefold()) if name.casefold() in _USUAL else -len(_USUAL)


def _sameness(name, called):
    """2: one of some names as it is; 1: in other case; 0: not."""
    return 2 if name in called else int(name.casefold() in [text.casefold() for text in called])
