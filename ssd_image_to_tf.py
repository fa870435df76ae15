"""Converts images with annotations in VOC layout to TFRecord shards.

    python3 ssd_image_to_tf.py --voc=VOCdevkit/VOC2007,VOCdevkit/VOC2012 --image_set=trainval,test

Lists named train and trainval become tfrecords_train/, val and test tfrecords_test/. Reads configs/config_general.py and
config_common.py. What cannot be used is left out and listed; nothing half-written is ever taken for whole.
"""
import collections
import os

from configs import load
from configs.errors import UserError
from configs.script import quiet, run

with quiet():
    from datasets import DataError, encoded_image, tfrecord, threads, voc
    from datasets.progress import Progress

_TRAINING_LISTS = ('train', 'trainval')
_SHOWN = 20
# Examples that are made or wait to be written, at most.
_UNDER_WAY = 64


def main():
    config = load('ssd_image_to_tf', description=__doc__)
    classes = voc.read_class_list(config.classes_file) if config.classes_file else voc.CLASSES
    worst = 0
    for output, lists in destinations(config.voc, config.image_set, config.output).items():
        worst = max(worst, convert(output, lists, classes, config.images_per_shard))
    return worst


def destinations(folders: str, image_sets: str, output: str) -> dict[str, list[tuple[str, str]]]:
    """-> {output folder: [(VOC folder, image set), ...]}. A set that one folder lacks is left out where another has it."""
    lists = [(folder.rstrip('/'), name) for name in _words(image_sets) for folder in _words(folders)]
    found, problems = [], []
    for folder, name in lists:
        try:
            voc.image_ids(folder, name)
            found.append((folder, name))
        except DataError as error:
            problems.append(str(error))
    missing = set(_words(image_sets)) - {name for _, name in found}
    absent = [folder for folder in _words(folders) if not os.path.isdir(folder)]
    if missing or absent:
        raise UserError(problems[0])
    for problem in problems:
        print(f'left out: {problem}')
    grouped = collections.defaultdict(list)
    for folder, name in found:
        grouped['tfrecords_train' if name in _TRAINING_LISTS else 'tfrecords_test'].append((folder, name))
    if output and len(grouped) > 1:
        raise UserError(f'output {output} is one folder, but image_set {image_sets} has lists for training and for test; '
                        'leave output empty, or convert them one by one')
    return {output: found} if output else dict(grouped)


def _words(text):
    return [word.strip() for word in text.split(',') if word.strip()]


def convert(output: str, lists, classes, images_per_shard: int) -> int:
    """Writes one record folder; returns the exit code."""
    # 1 annotations: which images, each once
    images = list(dict.fromkeys((folder, image_id) for folder, name in lists for image_id in voc.image_ids(folder, name)))
    sets = [f'{os.path.basename(os.path.abspath(folder))}/{name}' for folder, name in lists]
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
            if problem := report.unusable():
                raise _Unusable(f'{output}: {problem}; nothing written')
    except OSError as error:
        raise UserError(f'{output} cannot be written: {error.strerror or error}') from None
    except _Unusable as error:
        print(f'{report}\nerror: {error}')
        return 2
    print(report)
    return 0


class _Unusable(Exception):
    """Leaves the writer, so that an earlier conversion stays as it was."""


Converted = collections.namedtuple('Converted', 'example objects refused reencoded note')


def _example(folder, image_id, classes) -> Converted:
    """One image and its annotation -> Converted; an unusable one has example None and a reason."""
    try:
        objects, stated = voc.read_xml(folder, image_id)
        path = voc.image_path(folder, image_id)
        image = encoded_image.read(path)
    except DataError as error:
        return Converted(None, None, [str(error)], False, '')
    annotation = f'{folder}/Annotations/{image_id}.xml'
    note = ''
    if stated not in (None, (image.height, image.width)):
        note = f'{annotation}: size {stated[1]} x {stated[0]}, but the image has {image.width} x {image.height}'
    usable = voc.usable(objects, image.height, image.width, classes, annotation)
    source = f'{os.path.basename(os.path.abspath(folder))}/{image_id}'
    item = tfrecord.example(image.encoded, image.height, image.width, path.name, source, usable, classes)
    return Converted(item, usable, list(usable.refused), image.reencoded, note)


class Report:
    """Counts for the closing table."""

    def __init__(self, classes):
        self.classes = classes
        self.images = self.empty = self.clipped = self.reencoded = 0
        self.per_class = {name: [0, 0, 0] for name in classes}  # images, objects, difficult
        self.refused, self.files, self.notes = [], 0, []

    def add(self, item: Converted):
        self.refused += item.refused
        self.notes += [item.note] if item.note else []
        if item.example is None:
            self.files += 1
            return
        self.images += 1
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
        if self.empty == self.images and len(self.refused) > self.files:
            return 'no usable object: name the classes of these annotations with --classes_file=FILE (one per line)'
        return ''

    def __str__(self):
        width = max(len('class'), *(len(name) for name in self.classes))
        lines = [f'{"class":<{width}} images objects difficult']
        lines += [f'{name:<{width}} {i:6d} {o:7d} {d:9d}' for name, (i, o, d) in self.per_class.items()]
        objects, difficult = (sum(row[k] for row in self.per_class.values()) for k in (1, 2))
        lines.append(f'{"all":<{width}} {self.images:6d} {objects:7d} {difficult:9d}')
        lines.append(f'{self.empty} images without objects; {self.clipped} boxes clipped to the image; '
                     f'{self.reencoded} images re-encoded as plain JPEG; {len(self.refused) - self.files} objects and '
                     f'{self.files} files refused')
        for what, found in (('refused', self.refused), ('note', self.notes)):
            lines += [f'{what}: {line}' for line in found[:_SHOWN]]
            if len(found) > _SHOWN:
                where = ', all in refused.txt' if what == 'refused' else ''
                lines.append(f'{what}: ... and {len(found) - _SHOWN} more{where}')
        return '\n'.join(lines)


if __name__ == '__main__':
    run(main, DataError)
