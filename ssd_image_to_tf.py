"""Converts images with annotations (VOC, COCO, YOLO, LabelMe, CSV) to TFRecord shards.

    python3 ssd_image_to_tf.py --data=images --split=0.8
    python3 ssd_image_to_tf.py --voc=VOCdevkit/VOC2007,VOCdevkit/VOC2012 --image_set=trainval,test
    python3 ssd_image_to_tf.py --voc=images --split=0.8 --classes_file=found
    python3 ssd_image_to_tf.py --coco=train2017.json,val2017.json --images=train2017,val2017

Lists named train, trainval or cat_train become tfrecords_train/, val and test tfrecords_test/. What
cannot be used is left out and listed. A conversion that is interrupted, or finds nothing to use for
one of the two folders, leaves both as they were.
Reads configs/config_convert.py.
"""
import collections
import contextlib
import dataclasses
import typing
from collections.abc import Mapping, Sequence

from configs import Config, load
from utils.command_line import words
from utils.errors import UserError
from utils.script import imports, run

with imports():
    import numpy as np
    import tensorflow as tf

    from datasets import annotations, class_lists, judgement, tfrecord
    from datasets.readers import sources
    from preprocessing import encoded_image
    from utils import threads
    from utils.errors import DataError
    from utils.progress import Progress
    from utils.text import counted, plain

_SHOWN = 20  # lines of a kind, or names, that are shown at most
FOUND = 'found'  # the value of classes_file that takes the names of the annotations
_UNDER_WAY = 64  # examples that are made or wait to be written, at most


def main() -> None:
    config = load('ssd_image_to_tf', description=__doc__)

    # 1 annotations: the images of each record folder, all of them judged together, and the classes
    subsets = select(config)
    folders = destinations(subsets, config.output)
    found = judgement.survey(subsets)
    classes = class_list(config.classes_file, subsets, found)
    judge(found, subsets, classes)

    # 2 examples and 3 records
    empty = bool(config.classes_file) and not found.counts and not found.problems
    convert(folders, classes.names, config.images_per_shard, config.exif, classes.merged, empty)


def convert(folders: Mapping[str, Sequence[sources.Subset]], classes: tuple[str, ...],
            images_per_shard: int, exif: str = 'refuse', merged: Mapping[str, str] | None = None,
            empty: bool = False) -> None:
    """Writes record folders: all of them, or none where one of them could not be used.

    Args:
        folders: {record folder: its images}.
        classes: names of labels 1, 2, ...
        images_per_shard: at most.
        exif: see the configuration.
        merged: {another name in the annotations: its class}.
        empty: whether no image has an object, and that is meant: for records to test with.

    Raises:
        UserError: a folder would have nothing to learn or to find, or cannot be written.
    """
    written = ''
    try:
        with contextlib.ExitStack() as stack:
            for written, subsets in folders.items():
                labels = [plain(one.label) for one in subsets]
                writer = tfrecord.Writer(written, classes, labels, images_per_shard)
                for_test = empty and all(one.purpose != 'train' for one in subsets)
                _write(stack.enter_context(writer), subsets, merged or {}, exif, for_test)
    except OSError as error:
        raise UserError(f'{written} cannot be written: {error.strerror or error}') from None


def _write(writer, subsets, merged, exif, empty):
    """Adds the images of one record folder; UserError if none of them can be used."""
    images = list(dict.fromkeys((one.source, image_id) for one in subsets for image_id in one.ids))
    _refuse_namesakes({source for source, _ in images})
    print(f'{writer.folder}: {len(images)} images of {", ".join(writer.image_sets)}')

    # 2 examples: image and objects, read and checked by threads (decoding releases Python's lock)
    classes = class_lists.ClassList(writer.classes, merged)
    examples = threads.in_order(lambda image: _example(*image, classes, exif), images, _UNDER_WAY)

    # 3 records: shards, the class list, and what was left out
    report, progress = Report(writer.classes), Progress(len(images), 'images')
    for item in examples:
        report.add(item)
        if item.example is not None:
            writer.add(item.example)
        progress.update()
    progress.close()
    writer.add_text('refused.txt', ''.join(line + '\n' for line in report.refused))
    writer.add_text('classes.txt', ''.join(name + '\n' for name in writer.classes))
    if problem := report.unusable(empty):
        print(report.left_out())
        raise UserError(f'{writer.folder}: {problem}; nothing written')
    writer.finish()
    print(report)


def select(config: Config) -> list[sources.Subset]:
    """The images that the configuration names; prints what is left out already here.

    DataError if there are none.
    """
    lines: list[str] = []
    wanted = tuple(words(config.image_set))
    if config.data:
        origins, lines = sources.recognised(config.data, config.images)
    else:
        origins = (sources.coco_files(config.coco, config.images) if config.coco
                   else sources.voc_folders(config.voc, config.images))
    if config.split:
        subsets, notes = sources.divided(origins, config.split, config.split_seed)
    elif config.data:
        subsets, notes = sources.by_name(origins, wanted)
    elif config.coco:
        subsets, notes = sources.named(origins, wanted)
    else:
        subsets, notes = sources.listed(origins, wanted or ('trainval', 'test'))
    for line in lines + notes:
        print(plain(line))
    return subsets


def destinations(subsets: Sequence[sources.Subset], output: str
                 ) -> dict[str, list[sources.Subset]]:
    """{record folder: its subsets}; UserError if they do not fit.

    output: one folder for all; '': by the name of each subset.
    """
    grouped = collections.defaultdict(list)
    for one in subsets:
        grouped[f'tfrecords_{one.purpose}'].append(one)
    nameless = [one.image_set or one.source.path for one in subsets if not one.purpose]
    if nameless and not output:
        raise UserError(f'nothing in the name {nameless[0]} or in that of its folder says train, '
                        'val or test; name the records with --output=FOLDER, or split the images '
                        'with --split=0.8')
    if output and len(grouped) > 1 and not nameless:
        raise UserError(f'output {output} is one folder, but there are images for training and for '
                        f'test ({", ".join(one.label for one in subsets)}); leave output empty, or '
                        'convert them one by one')
    return {output: list(subsets)} if output else dict(grouped)


def class_list(classes_file: str, subsets: Sequence[sources.Subset], found: judgement.Survey
               ) -> class_lists.ClassList:
    """The class names, in the order of their labels, and other names of them.

    Args:
        classes_file: a list of classes; FOUND: the names in the annotations, sorted; '': those that
            belong to the sources.
        subsets: the images.
        found: all annotations.

    Raises:
        UserError: there are no names, the sources have different ones, or the file is no list.
    """
    unnamed = not all(one.source.classes for one in subsets)
    if classes_file == FOUND or (unnamed and not classes_file):
        if not found.counts:
            paths = ', '.join(sorted({str(one.source.path) for one in subsets}))
            reason = (f'; the first of {len(found.problems)} problems: {found.problems[0]}'
                      if found.problems else '')
            raise UserError(f'{paths}: the annotations name no class: there is no readable '
                            f'object{reason}')
        names = sorted(filter(None, found.counts))
        names = class_lists.check(names, 'the set of annotations')
        print(f'{counted(len(names), "class")} in the annotations: {_counted(found.counts)}')
        return class_lists.ClassList(names)
    if classes_file:
        return class_lists.read(classes_file)
    lists = {one.source.classes: one.source.name for one in subsets}
    if len(lists) > 1:
        raise UserError(f'{" and ".join(lists.values())} have different categories; name the '
                        'classes with --classes_file=FILE, or take those that have objects with '
                        f'--classes_file={FOUND}')
    names = next(iter(lists))
    if class_lists.is_background(names[0]) and names[0] not in found.counts:
        print(f"note: '{names[0]}' is no class: the background needs none")
        names = names[1:]
    return class_lists.ClassList(names)


def judge(found: judgement.Survey, subsets: Sequence[sources.Subset],
          classes: class_lists.ClassList) -> None:
    """Prints what is odd about the annotations as a whole; DataError if they would be misread."""
    origins = list(dict.fromkeys(one.source for one in subsets))
    judgement.refuse(found, origins, *classes)
    for line in judgement.notes(found, *classes):
        print(plain(f'note: {line}'))


def _counted(counts) -> str:
    """The most frequent names with their counts, sorted by name."""
    more = f' and {len(counts) - _SHOWN} more' if len(counts) > _SHOWN else ''
    shown = sorted(counts.most_common(_SHOWN))
    return ', '.join(f'{name} ({count})' for name, count in shown) + more


def _refuse_namesakes(origins):
    names = collections.Counter(source.name for source in origins)
    if doubles := [name for name, count in names.items() if count > 1]:
        raise UserError(f'two sources are called {doubles[0]}, so the records could not tell their '
                        'images apart; rename one')


class Converted(typing.NamedTuple):
    """One image.

    Attributes:
        example: None if the image cannot be used.
        objects: its usable objects; None if the image cannot be used.
        refused: lines on what is left out.
        reencoded: whether its bytes are not those of the file.
        rescaled: whether the image had 16 bits or transparent pixels.
        note: a line on what is odd, or ''.
    """
    example: tf.train.Example | None
    objects: annotations.Objects | None
    refused: list[str]
    reencoded: bool = False
    rescaled: bool = False
    note: str = ''


def _example(source, image_id, classes, exif) -> Converted:
    """One image and its annotation, read and checked."""
    try:
        found = source.read(image_id)
        if found.refused and not found.objects:  # no image without objects
            raise DataError('; '.join(found.refused))
        image = encoded_image.read(found.image, found.size, exif, found.encoded)
    except DataError as error:
        return Converted(None, None, [str(error)])
    note, edges = '', np.array([one.edges for one in found.objects], float).reshape(-1, 2, 2)
    if found.size not in (None, (image.height, image.width)):
        note = (f'{found.where}: size {found.size[1]} x {found.size[0]}, but the image has '
                f'{image.width} x {image.height}')
        if (edges[:, 1] > (image.height + 1, image.width + 1)).any():
            return Converted(None, None, [plain(f'{note}, beyond which a box reaches: was it '
                                                'resized or turned after it was annotated?')])
    named = [dataclasses.replace(one, name=classes.merged.get(one.name, one.name))
             for one in found.objects]
    objects = annotations.usable(named, image.height, image.width, classes.names, found.where)
    item = tfrecord.example(image.encoded, image.height, image.width, plain(found.image.name),
                            plain(f'{source.name}/{image_id}'), objects, classes.names)
    refused = [plain(line) for line in found.refused + objects.refused]
    return Converted(item, objects, refused, image.reencoded, image.rescaled, plain(note))


class Report:
    """What a conversion takes and leaves out; str() of it is the closing table.

    Attributes:
        images: number in the records.
        files: number of images that were refused.
        refused: one line per image or object that is left out.
    """

    def __init__(self, classes: Sequence[str]):
        self.images = self.files = 0
        self.refused = []
        self._classes, self._notes = classes, []
        self._empty = self._clipped = self._reencoded = self._rescaled = 0
        self._counts = {name: [0, 0, 0] for name in classes}  # images, objects, difficult
        self._unknown = collections.Counter()

    def add(self, item: Converted) -> None:
        """Counts one image."""
        self.refused += item.refused
        self._notes += [item.note] if item.note else []
        if item.example is None:
            self.files += 1
            return
        self.images += 1
        self._reencoded += item.reencoded
        self._rescaled += item.rescaled
        self._clipped += item.objects.clipped
        self._empty += not len(item.objects.labels)
        self._unknown.update(plain(name) for name in item.objects.unknown)
        for label in set(item.objects.labels):
            mine, count = item.objects.labels == label, self._counts[self._classes[label - 1]]
            count[0] += 1
            count[1] += int(mine.sum())
            count[2] += int(item.objects.difficult[mine].sum())

    def unusable(self, empty: bool) -> str:
        """Why the records are good for neither training nor test; '' if they are.

        empty: whether images without objects are what is wanted.
        """
        if not self.images:
            return 'no usable image'
        if self._empty < self.images or empty:
            return ''
        if not self._unknown:
            return 'no usable object' + ('' if self.refused else (
                '; images without objects can only be for test, with --output=FOLDER and '
                '--classes_file=FILE'))
        return (f'no usable object: the annotations name {_counted(self._unknown)}; take these '
                f'with --classes_file={FOUND}, or list the classes in --classes_file=FILE (one per '
                'line)')

    def __str__(self):
        width = max(len('class'), *(len(name) for name in self._classes))
        objects, difficult = (sum(row[k] for row in self._counts.values()) for k in (1, 2))
        rows = self._counts | {'all': (self.images, objects, difficult)}
        lines = [f'{"class":<{width}} images objects difficult',
                 *(f'{name:<{width}} {i:6d} {o:7d} {d:9d}' for name, (i, o, d) in rows.items()),
                 f'{self._empty} images without objects; {self._clipped} boxes clipped to the '
                 f'image; {self._reencoded} images re-encoded as plain JPEG'
                 f'{f" ({self._rescaled} of 16 bits or transparent)" * bool(self._rescaled)}; '
                 f'{len(self.refused) - self.files} objects and {self.files} files refused']
        if self._unknown:
            lines.append(f'names that are not in the class list: {_counted(self._unknown)}')
        return '\n'.join([*lines, self.left_out(', all in refused.txt')]).rstrip()

    def left_out(self, where: str = '') -> str:
        """The first refused lines and notes. where: says where all refused lines are."""
        lines = []
        for what, found, rest in (('refused', self.refused, where), ('note', self._notes, '')):
            lines += [f'{what}: {line}' for line in found[:_SHOWN]]
            if len(found) > _SHOWN:
                lines.append(f'{what}: ... and {len(found) - _SHOWN} more{rest}')
        return '\n'.join(lines)


if __name__ == '__main__':
    run(main)
