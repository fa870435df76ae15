"""Converts images with annotations, in VOC's or COCO's format, to TFRecord shards.

    python3 ssd_image_to_tf.py --voc=VOCdevkit/VOC2007,VOCdevkit/VOC2012 --image_set=trainval,test
    python3 ssd_image_to_tf.py --voc=pictures --split=0.8 --classes_file=found
    python3 ssd_image_to_tf.py --coco=instances_train2017.json,instances_val2017.json --coco_images=train2017,val2017

Lists named train and trainval become tfrecords_train/, val and test tfrecords_test/. Reads configs/config_convert.py.
What cannot be used is left out and listed; nothing half-written is ever taken for whole.
"""
import collections
from collections.abc import Sequence

from configs import Config, load
from utils.errors import UserError
from utils.script import quiet, run

with quiet():
    from datasets import annotations, encoded_image, sources, tfrecord, voc
    from utils import threads
    from utils.errors import DataError
    from utils.progress import Progress

# Lines of a kind, or names, that are shown at most.
_SHOWN = 20
# The value of classes_file that takes the names of the annotations.
FOUND = 'found'
# Examples that are made or wait to be written, at most.
_UNDER_WAY = 64


def main() -> None:
    config = load('ssd_image_to_tf', description=__doc__)
    parts = select(config)
    folders = destinations(parts, config.output)
    classes = class_list(config.classes_file, parts)
    for output, found in folders.items():
        convert(output, found, classes, config.images_per_shard)


def select(config: Config) -> list[sources.Part]:
    """The images that the configuration names. What is left out already here is printed. DataError where there are none."""
    origins = sources.coco_files(config.coco, config.coco_images) if config.coco \
        else sources.voc_folders(config.voc)
    if config.split:
        parts, notes = sources.divided(origins, config.split, config.split_seed)
    elif config.coco:
        parts, notes = sources.named(origins)
    else:
        parts, notes = sources.listed(origins, _words(config.image_set))
    for line in notes:
        print(_plain(line))
    return parts


def destinations(parts: Sequence[sources.Part], output: str) -> dict[str, list[sources.Part]]:
    """-> {output folder: its parts}. output: one folder for all, or ''. UserError where the two do not go together."""
    grouped = collections.defaultdict(list)
    for part in parts:
        grouped['tfrecords_train' if part.image_set in sources.TRAINING_SETS else 'tfrecords_test'].append(part)
    nameless = [part.source.path for part in parts if not part.image_set]
    if nameless and not output:
        raise UserError(f'nothing in the name of {nameless[0]} or of its folder says train, val or test; name the records '
                        'with --output=FOLDER, or split the images with --split=0.8')
    if output and len(grouped) > 1 and not nameless:
        raise UserError(f'output {output} is one folder, but there are images for training and for test '
                        f'({", ".join(part.label for part in parts)}); leave output empty, or convert them one by one')
    return {output: list(parts)} if output else dict(grouped)


def _words(text):
    return [word.strip() for word in text.split(',') if word.strip()]


def class_list(classes_file: str, parts: Sequence[sources.Part]) -> tuple[str, ...]:
    """The names in a file, or with FOUND those of the annotations, sorted; or for '' those that belong to the sources.

    UserError where there are none, or the sources have different ones; DataError where the file is no class list.
    """
    if classes_file == FOUND:
        return _found_classes(parts)
    if classes_file:
        return voc.read_class_list(classes_file)
    lists = {part.source.classes: part.source.name for part in parts}
    if len(lists) > 1:
        raise UserError(f'{" and ".join(lists.values())} have different categories; name the classes with --classes_file=FILE, '
                        f'or take those that have objects with --classes_file={FOUND}')
    return next(iter(lists))


def _found_classes(parts):
    counts = annotations.count_classes(_readable(parts))
    if not counts:
        paths = ', '.join(sorted({str(part.source.path) for part in parts}))
        raise UserError(f'{paths}: the annotations name no class: there is no readable object')
    classes = annotations.class_list(sorted(filter(None, counts)), 'the set of annotations')
    print(f'{len(classes)} classes in the annotations: {_counted(counts)}')
    return classes


def _readable(parts):
    """Yields the annotations that can be read; `convert` lists the others."""
    progress = Progress(sum(len(part.ids) for part in parts), 'annotations')
    for part in parts:
        for image_id in part.ids:
            try:
                yield part.source.read(image_id)
            except DataError:
                continue
            finally:
                progress.update()
    progress.close()


def _counted(counts) -> str:
    """Names with their counts: the most frequent, by the alphabet."""
    more = f' and {len(counts) - _SHOWN} more' if len(counts) > _SHOWN else ''
    return ', '.join(f'{name} ({count})' for name, count in sorted(counts.most_common(_SHOWN))) + more


def convert(output: str, parts: Sequence[sources.Part], classes: tuple[str, ...], images_per_shard: int) -> None:
    """Writes one record folder; UserError where nothing can be used, and then an earlier conversion stays as it was."""
    # 1 annotations: which images, each once
    images = list(dict.fromkeys((part.source, image_id) for part in parts for image_id in part.ids))
    _refuse_namesakes(parts)
    sets = [_plain(part.label) for part in parts]
    print(f'{output}: {len(images)} images of {", ".join(sets)}')
    report = Report(classes)

    # 2 examples, made by threads (decoding releases the interpreter's lock), and 3 records
    try:
        with tfrecord.Writer(output, classes, sets, images_per_shard) as writer:
            progress = Progress(len(images), 'images')
            for item in threads.in_order(lambda image: _example(*image, classes), images, _UNDER_WAY):
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


def _refuse_namesakes(parts):
    names = collections.Counter(source.name for source in {part.source for part in parts})
    if doubles := [name for name, count in names.items() if count > 1]:
        raise UserError(f'two sources are called {doubles[0]}, so the records could not tell their images apart; rename one')


class Converted(collections.namedtuple('Converted', 'example objects refused reencoded note')):
    """One image. example: its tf.train.Example, None where it is unusable.  objects: its annotations.Objects, None there too.
    refused: lines on what is left out.  reencoded: whether its bytes are not the file's.  note: a line on what is odd, or ''.
    """


def _example(source, image_id, classes) -> Converted:
    """One image and its annotation, read and checked."""
    try:
        found = source.read(image_id)
        image = encoded_image.read(found.image)
    except DataError as error:
        return Converted(None, None, [_plain(error)], False, '')
    note = ''
    if found.size not in (None, (image.height, image.width)):
        note = f'{found.where}: size {found.size[1]} x {found.size[0]}, but the image has {image.width} x {image.height}'
    usable = annotations.usable(found.objects, image.height, image.width, classes, found.where)
    item = tfrecord.example(image.encoded, image.height, image.width, _plain(found.image.name),
                            _plain(f'{source.name}/{image_id}'), usable, classes)
    return Converted(item, usable, [_plain(line) for line in found.refused + usable.refused], image.reencoded, _plain(note))


def _plain(text) -> str:
    """One line of UTF-8: names in annotations may hold anything."""
    return ' '.join(str(text).splitlines()).encode(errors='backslashreplace').decode()


class Report:
    """What a conversion took and left out: report.add(item) of every image, then str(report), the closing table.

    Of the records it counts images, those without objects (`empty`), `reencoded` ones and `clipped` boxes; `files` are the images
    that were refused as a whole. `refused` and `notes` are lines, `unknown` counts names outside the class list.
    """

    def __init__(self, classes: Sequence[str]):
        self.classes = classes
        self.images = self.empty = self.clipped = self.reencoded = 0
        self.per_class = {name: [0, 0, 0] for name in classes}  # images, objects, difficult
        self.refused, self.files, self.notes = [], 0, []
        self.unknown = collections.Counter()

    def add(self, item: Converted) -> None:
        """Counts one image."""
        self.refused += item.refused
        self.notes += [item.note] if item.note else []
        if item.example is None:
            self.files += 1
            return
        self.images += 1
        self.unknown.update(_plain(name) for name in item.objects.unknown)
        self.reencoded += item.reencoded
        self.clipped += item.objects.clipped
        self.empty += len(item.objects.labels) == 0
        for label in set(item.objects.labels):
            self.per_class[self.classes[label - 1]][0] += 1
        for label, difficult in zip(item.objects.labels, item.objects.difficult, strict=True):
            self.per_class[self.classes[label - 1]][1] += 1
            self.per_class[self.classes[label - 1]][2] += bool(difficult)

    def unusable(self) -> str:
        """Why nothing can be trained or tested on what was converted; '' where that can be done."""
        if not self.images:
            return 'no usable image'
        if self.empty < self.images or len(self.refused) == self.files:
            return ''
        way_out = (f': the annotations name {_counted(self.unknown)}; take these with --classes_file={FOUND}, or list the '
                   'classes in --classes_file=FILE (one per line)')
        return 'no usable object' + (way_out if self.unknown else '')

    def __str__(self):
        width = max(len('class'), *(len(name) for name in self.classes))
        lines = [f'{"class":<{width}} images objects difficult']
        lines += [f'{name:<{width}} {i:6d} {o:7d} {d:9d}' for name, (i, o, d) in self.per_class.items()]
        objects, difficult = (sum(row[k] for row in self.per_class.values()) for k in (1, 2))
        lines.append(f'{"all":<{width}} {self.images:6d} {objects:7d} {difficult:9d}')
        lines.append(f'{self.empty} images without objects; {self.clipped} boxes clipped to the image; '
                     f'{self.reencoded} images re-encoded as plain JPEG; {len(self.refused) - self.files} objects and '
                     f'{self.files} files refused')
        if self.unknown:
            lines.append(f'names that are not in the class list: {_counted(self.unknown)}')
        return '\n'.join(lines + [self.left_out(', all in refused.txt')]).rstrip()

    def left_out(self, where: str = '') -> str:
        """The first of the refused lines and of the notes. where: all of the refused are."""
        lines = []
        for what, found, rest in (('refused', self.refused, where), ('note', self.notes, '')):
            lines += [f'{what}: {line}' for line in found[:_SHOWN]]
            lines += [f'{what}: ... and {len(found) - _SHOWN} more{rest}'] if len(found) > _SHOWN else []
        return '\n'.join(lines)


if __name__ == '__main__':
    run(main)
