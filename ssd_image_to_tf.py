"""Converts images with annotations (VOC, COCO, YOLO, LabelMe, CSV) to TFRecord shards.

    python3 ssd_image_to_tf.py --data=images --split=0.8
    python3 ssd_image_to_tf.py --voc=VOCdevkit/VOC2007,VOCdevkit/VOC2012 --image_set=trainval,test
    python3 ssd_image_to_tf.py --voc=images --split=0.8 --classes_file=found
    python3 ssd_image_to_tf.py --coco=train2017.json,val2017.json --coco_images=train2017,val2017

Lists named train, trainval or cat_train become tfrecords_train/, val and test tfrecords_test/. What
cannot be used is left out and listed. An interrupted conversion leaves an earlier one as it was.
Reads configs/config_convert.py.
"""
import collections
import typing
from collections.abc import Iterable, Sequence

from configs import Config, load
from utils.command_line import words
from utils.errors import UserError
from utils.script import imports, run

with imports():
    import numpy as np
    import tensorflow as tf

    from datasets import annotations, sources, tfrecord, voc
    from preprocessing import encoded_image
    from utils import threads
    from utils.errors import DataError
    from utils.progress import Progress
    from utils.text import plain

_SHOWN = 20  # lines of a kind, or names, that are shown at most
FOUND = 'found'  # the value of classes_file that takes the names of the annotations
_UNDER_WAY = 64  # examples that are made or wait to be written, at most


def main() -> None:
    config = load('ssd_image_to_tf', description=__doc__)

    # 1 annotations: the images of each record folder, and the classes
    subsets = select(config)
    folders = destinations(subsets, config.output)
    classes = class_list(config.classes_file, subsets)

    # 2 examples and 3 records
    for folder, some in folders.items():
        convert(folder, some, classes, config.images_per_shard, config.exif)


def convert(output: str, subsets: Sequence[sources.Subset], classes: tuple[str, ...],
            images_per_shard: int, exif: str = 'refuse') -> None:
    """Writes one record folder; UserError if nothing can be used, which changes nothing."""
    images = list(dict.fromkeys((one.source, image_id) for one in subsets for image_id in one.ids))
    _refuse_namesakes({source for source, _ in images})
    labels = [plain(one.label) for one in subsets]
    print(f'{output}: {len(images)} images of {", ".join(labels)}')

    # 2 examples: image and objects, read and checked by threads (decoding releases Python's lock)
    examples = threads.in_order(lambda image: _example(*image, classes, exif), images, _UNDER_WAY)

    # 3 records: shards, the class list, and what was left out
    report, progress = Report(classes), Progress(len(images), 'images')
    try:
        with tfrecord.Writer(output, classes, labels, images_per_shard) as writer:
            for item in examples:
                report.add(item)
                if item.example is not None:
                    writer.add(item.example)
                progress.update()
            progress.close()
            writer.add_text('refused.txt', ''.join(line + '\n' for line in report.refused))
            writer.add_text('classes.txt', ''.join(name + '\n' for name in classes))
            if problem := report.unusable():
                print(report.left_out())
                raise UserError(f'{output}: {problem}; nothing written')
    except OSError as error:
        raise UserError(f'{output} cannot be written: {error.strerror or error}') from None
    print(report)


def select(config: Config) -> list[sources.Subset]:
    """The images that the configuration names; prints what is left out already here.

    DataError if there are none.
    """
    lines: list[str] = []
    wanted = tuple(words(config.image_set))
    if config.data:
        origins, lines = sources.recognised(config.data)
    else:
        origins = (sources.coco_files(config.coco, config.coco_images) if config.coco
                   else sources.voc_folders(config.voc))
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


def class_list(classes_file: str, subsets: Sequence[sources.Subset]) -> tuple[str, ...]:
    """The class names, in the order of their labels.

    Args:
        classes_file: a file of names; FOUND: the names in the annotations, sorted; '': those that
            belong to the sources.
        subsets: the images.

    Raises:
        UserError: there are no names, the sources have different ones, or the file is no list.
    """
    unnamed = not all(one.source.classes for one in subsets)
    if classes_file == FOUND or (unnamed and not classes_file):
        problems: list[str] = []
        counts = collections.Counter(item.name for item in _raw_objects(subsets, problems))
        if not counts:
            paths = ', '.join(sorted({str(one.source.path) for one in subsets}))
            reason = f'; the first of {len(problems)} problems: {problems[0]}' if problems else ''
            raise UserError(f'{paths}: the annotations name no class: there is no readable '
                            f'object{reason}')
        names = sorted(filter(None, counts))
        classes = annotations.class_list(names, 'the set of annotations')
        print(f'{len(classes)} classes in the annotations: {_counted(counts)}')
        return classes
    if classes_file:
        return voc.class_names(classes_file)
    lists = {one.source.classes: one.source.name for one in subsets}
    if len(lists) > 1:
        raise UserError(f'{" and ".join(lists.values())} have different categories; name the '
                        'classes with --classes_file=FILE, or take those that have objects with '
                        f'--classes_file={FOUND}')
    return next(iter(lists))


def _raw_objects(subsets, problems: list[str]) -> Iterable[annotations.RawObject]:
    """Yields the objects of all annotations that can be read; why not goes to `problems`."""
    progress = Progress(sum(len(one.ids) for one in subsets), 'annotations')
    for one in subsets:
        for image_id in one.ids:
            try:
                found = one.source.read(image_id)
                problems += found.refused
                yield from found.objects
            except DataError as error:
                problems.append(str(error))
            finally:
                progress.update()
    progress.close()


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
        source: its source's name.
        largest: the largest edge of its boxes, pixels; 0 without objects.
    """
    example: tf.train.Example | None
    objects: annotations.Objects | None
    refused: list[str]
    reencoded: bool = False
    rescaled: bool = False
    note: str = ''
    source: str = ''
    largest: float = 0.


def _example(source, image_id, classes, exif) -> Converted:
    """One image and its annotation, read and checked."""
    try:
        found = source.read(image_id)
        if found.refused and not found.objects:  # no image without objects
            raise DataError('; '.join(found.refused))
        image = encoded_image.read(found.image, found.size, exif)
    except DataError as error:
        return Converted(None, None, [str(error)])
    note, edges = '', np.array([one.edges for one in found.objects], float).reshape(-1, 2, 2)
    if found.size not in (None, (image.height, image.width)):
        note = (f'{found.where}: size {found.size[1]} x {found.size[0]}, but the image has '
                f'{image.width} x {image.height}')
        if (edges[:, 1] > (image.height + 1, image.width + 1)).any():
            return Converted(None, None, [plain(f'{note}, beyond which a box reaches: was it '
                                                'resized or turned after it was annotated?')])
    objects = annotations.usable(found.objects, image.height, image.width, classes, found.where)
    item = tfrecord.example(image.encoded, image.height, image.width, plain(found.image.name),
                            plain(f'{source.name}/{image_id}'), objects, classes)
    refused = [plain(line) for line in found.refused + objects.refused]
    largest = float(np.abs(edges).max(initial=0))
    return Converted(item, objects, refused, image.reencoded, image.rescaled, plain(note),
                     source.name, largest)


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
        self._largest = {}  # source's name -> largest edge of a box, pixels
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
        self._largest[item.source] = max(item.largest, self._largest.get(item.source, 0))
        self._clipped += item.objects.clipped
        self._empty += not len(item.objects.labels)
        self._unknown.update(plain(name) for name in item.objects.unknown)
        for label in set(item.objects.labels):
            mine, count = item.objects.labels == label, self._counts[self._classes[label - 1]]
            count[0] += 1
            count[1] += int(mine.sum())
            count[2] += int(item.objects.difficult[mine].sum())

    def unusable(self) -> str:
        """Why the records are good for neither training nor test; '' if they are."""
        if not self.images:
            return 'no usable image'
        for source, largest in self._largest.items():
            if problem := annotations.fractions_problem(largest):
                return f'{source}: {problem}'
        if self._empty < self.images:
            return ''
        if not self._unknown:
            return 'no usable object'
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
