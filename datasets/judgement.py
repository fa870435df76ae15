"""What a set of annotations tells only as a whole, judged before anything is written.

One object cannot tell that all numbers of classes count from 1, or that every object is a crowd.
Each judgement is a function over the survey of all annotations: it returns '' or one line with the
way out. No TensorFlow.
"""
import collections
import dataclasses
import os
import re
from collections.abc import Iterable, Mapping, Sequence

from datasets import annotations, class_lists
from utils.errors import DataError
from utils.progress import Progress

_BEYOND, _FAR = 0.01, 0.25  # of the image's side; annotators stop at its edge, more or less
_FEW = 4  # boxes, of which the half says nothing yet


@dataclasses.dataclass
class Survey:
    """All annotations, read once.

    Attributes:
        counts: objects by their names.
        problems: lines on what cannot be read.
        crowds: number of crowd regions.
        difficult: number of difficult objects, crowds included.
        boxes: by source: number of boxes in images of known size.
        beyond: by source: number of these that reach beyond their image.
        far: by source: number of these that reach far beyond it.
        farthest: by source: largest edge of a box, pixels.
        doubles: annotations with an object that stands there twice; how many.
        images: by 'train' and 'test': image files.
    """
    counts: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    problems: list[str] = dataclasses.field(default_factory=list)
    crowds: int = 0
    difficult: int = 0
    boxes: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    beyond: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    far: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    farthest: dict[annotations.Source, float] = dataclasses.field(default_factory=dict)
    doubles: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    images: dict[str, set[str]] = dataclasses.field(
        default_factory=lambda: {'train': set(), 'test': set()})

    def add(self, source: annotations.Source, purpose: str, found: annotations.Annotation) -> None:
        """Counts one annotation. purpose: 'train', 'test' or ''."""
        self.problems += found.refused
        if purpose:
            self.images[purpose].add(os.path.realpath(found.image))
        self.counts.update(item.name for item in found.objects)
        self.crowds += sum(item.crowd for item in found.objects)
        self.difficult += sum(item.difficult for item in found.objects)
        if twice := len(found.objects) - len({*map(annotations.identity, found.objects)}):
            self.doubles[found.where] += twice
        for item in found.objects:
            ymin, xmin, ymax, xmax = item.edges
            self.farthest[source] = max(self.farthest.get(source, 0), ymax, xmax)
            if found.size:
                height, width = found.size
                over = max(-ymin / height, -xmin / width, ymax / height - 1, xmax / width - 1)
                self.boxes[source] += 1
                self.beyond[source] += over > _BEYOND
                self.far[source] += over > _FAR


def survey(subsets: Sequence) -> Survey:
    """Reads all annotations of some subsets (datasets.readers.sources)."""
    found = Survey()
    progress = Progress(sum(len(one.ids) for one in subsets), 'annotations')
    for one in subsets:
        for image_id in one.ids:
            try:
                found.add(one.source, one.purpose, one.source.read(image_id))
            except DataError as error:
                found.problems.append(str(error))
            progress.update()
    progress.close()
    return found


def refuse(found: Survey, sources: Sequence[annotations.Source], listed: Sequence[str],
           merged: Mapping[str, str]) -> None:
    """DataError with the first judgement by which a set would become wrong records.

    Args:
        found: of all annotations.
        sources: where they are from.
        listed: the classes of the records.
        merged: {other name: its class}.
    """
    for source in sources:
        for line in (*map(numbered_otherwise, source.numberings()), in_fractions(found, source),
                     beyond_the_images(found, source)):
            if line:
                raise DataError(line)
    if line := crowds_alone(found):
        raise DataError(f'{", ".join(str(source.path) for source in sources)}: {line}')
    for line in (several_in_a_line(found, listed, merged), background_first(found, listed)):
        if line:
            raise DataError(line)


def notes(found: Survey, listed: Sequence[str], merged: Mapping[str, str]) -> list[str]:
    """Lines on what is odd, but may be meant."""
    return [line for line in (
        spelt_twice({merged.get(name, name) for name in found.counts}, found.counts),
        standing_twice(found), in_training_and_test(found), all_difficult(found)) if line]


def numbered_otherwise(numbering: annotations.Numbering) -> str:
    """Numbers that count from 1 where their names count from 0, or fit to none of them."""
    what, used, known = numbering
    if used <= known or not used or not known:
        return ''
    numbers, names = ([int(key) for key in keys if re.fullmatch(r'-?\d{1,18}', key)]
                      for keys in (used, known))
    if len(numbers) == len(used) and len(names) == len(known):
        low, high = min(numbers) == min(names) - 1, max(numbers) == max(names) + 1
        for way, fits in (('high', high and min(names) not in numbers), ('low', low)):
            shift = -1 if way == 'high' else 1
            if fits and {number + shift for number in numbers} <= {*names}:
                return (f'{what} is {min(numbers)} to {max(numbers)}, but what it stands for is '
                        f'numbered from {min(names)} to {max(names)}: all numbers are too {way} '
                        'by 1, so that each would mean its neighbour; '
                        f'{"add 1 to" if shift > 0 else "subtract 1 from"} them')
    if not used & known:
        return (f'{what} is {", ".join(sorted(used)[:3])}, ..., and none of these is there; known '
                f'are {", ".join(sorted(known)[:3])}, ...')
    return ''


def in_fractions(found: Survey, source: annotations.Source) -> str:
    """Boxes that are all within two pixels of the corner."""
    problem = annotations.fractions_problem(found.farthest.get(source, 0))
    return f'{source.name}: {problem} ({source.boxes})' if problem else ''


def beyond_the_images(found: Survey, source: annotations.Source) -> str:
    """Boxes most of which reach beyond their image: their numbers mean something else."""
    count = found.boxes[source]
    if count < _FEW or found.beyond[source] <= count / 2 or found.far[source] <= count / 5:
        return ''
    return (f'{found.beyond[source]} of {found.boxes[source]} boxes of {source.name} reach beyond '
            f'their images: {source.boxes}; do the files hold corners, or another order, or pixels '
            'instead of fractions?')


def crowds_alone(found: Survey) -> str:
    """Crowd regions without any single object."""
    if not found.crowds or found.crowds < sum(found.counts.values()):
        return ''
    return (f'all {found.crowds} objects are crowd regions (iscrowd 1), which are not learned; set '
            'iscrowd to 0 if they are single objects')


def several_in_a_line(found: Survey, listed: Sequence[str], merged: Mapping[str, str]) -> str:
    """A class list with several names in a line."""
    for line in listed:
        names = [name for name in re.split(r'\s*[,;:|/=]\s*|\t+', line) if name]
        if len(names) > 1 and line not in found.counts and any(
                name in found.counts and name not in listed and name not in merged
                for name in names):
            return (f"no object is called '{line}', as a line of --classes_file is, but "
                    f'{", ".join(name for name in names if name in found.counts)}: write one name '
                    f"per line, or '{names[0]} = {', '.join(names[1:])}' to make them one class")
    return ''


def background_first(found: Survey, listed: Sequence[str]) -> str:
    """A class list that begins with the background."""
    if not listed or listed[0] in found.counts or not class_lists.is_background(listed[0]):
        return ''
    return (f"--classes_file begins with '{listed[0]}', which no object is: the background needs "
            'no line; leave it out')


def spelt_twice(names: Iterable[str], counts: Mapping[str, int]) -> str:
    """Names that differ in capitals, spaces or lines between words alone."""
    groups = collections.defaultdict(list)
    for name in sorted(names):
        groups[re.sub(r'[\s_-]+', ' ', name.casefold()).strip()].append(name)
    for group in groups.values():
        if len(group) > 1:
            shown = ' and '.join(f"'{name}' ({counts.get(name, 0)})" for name in group)
            return (f"{shown} are {len(group)} classes; to make them one, write '{group[0]} = "
                    f"{', '.join(group[1:])}' as a line of --classes_file=FILE")
    return ''


def standing_twice(found: Survey) -> str:
    """Objects of one class with the same box in one image."""
    if not found.doubles:
        return ''
    return (f'objects that stand twice in their image, with the same class and box, and are taken '
            f'once: {sum(found.doubles.values())}, first in {next(iter(found.doubles))}')


def in_training_and_test(found: Survey) -> str:
    """Images that would be learned by heart for the test."""
    both = found.images['train'] & found.images['test']
    if not both:
        return ''
    return (f'images that are in training and test, so that the test shows too much: {len(both)}, '
            f'first {min(both)}')


def all_difficult(found: Survey) -> str:
    """Objects of which the evaluation would count none."""
    total = sum(found.counts.values())
    if not total or found.difficult < total or found.crowds:
        return ''
    return (f'all {total} objects are difficult: the evaluation counts none of them; write '
            '<difficult>0</difficult> if they are not')
