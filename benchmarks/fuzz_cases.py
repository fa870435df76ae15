"""The cases of fuzz.py: each kind writes random files and returns a function that reads them.

A kind is a function (random, folder) -> (names, use). An error message must contain one of the
names; without names, any line will do. use() returns True if the input was accepted, and prints or
raises if it was refused.
"""
import io
import json
import os
import pathlib
import shutil
import struct
import sys
import zlib
from unittest import mock

import cv2
import numpy as np
from PIL import Image

import configs
import ssd_image_to_tf
from benchmarks.faults import Case, Random, mutated, pick, with_size
from benchmarks.fuzz_strangers import strangers
from benchmarks.fuzz_videos import videos
from checkpoints import io as checkpoint
from checkpoints import restoring
from datasets import annotations, class_lists, shapes, tfrecord
from detection import sources as demo_pictures
from nets.slim_compat import tf
from preprocessing import damage, pipeline
from utils.errors import CheckpointError, DataError, UserError

REFUSALS = (UserError, DataError, CheckpointError)
_NUMBERS = ('nan', 'inf', '-inf', '-1', '0', '1e309', '-1e309', '0x10', '', ' ', '1_000',
            '9' * 5000, '1e5', '0.5', '٣', 'ten', '1,5', '1.5e', '--1', 'None', 'True',
            '2147483648', '18446744073709551616', '1\n2', '\N{FULLWIDTH DIGIT FIVE}')


# ---- annotations and images: a VOC folder of one image, converted by the script


def _voc_folder(random, folder):
    """One drawn image with its annotation, which has an object -> (image, XML)."""
    path = folder / 'voc/Annotations/000001.xml'
    while not path.exists() or b'<object>' not in path.read_bytes():
        shapes.write_voc(folder / 'voc', train=1, test=0, seed=int(random.integers(1000)))
    return folder / 'voc/JPEGImages/000001.jpg', path


def _convert(*arguments):
    """Runs ssd_image_to_tf.py; prints what it refused, and returns whether it accepted all."""
    with mock.patch.object(sys, 'argv', ['ssd_image_to_tf.py', '--output=records', *arguments]):
        ssd_image_to_tf.main()
    refused = pathlib.Path('records/refused.txt').read_text(encoding='utf-8')
    print(refused)
    return not refused


_VOC = ('--voc=voc', '--image_set=train', '--classes_file=voc/classes.txt')


def xml(random: Random, folder: pathlib.Path) -> Case:
    """Structure, numbers, encodings, entities, size."""
    _, path = _voc_folder(random, folder)
    path.write_bytes(pick(random, _XML_FAULTS)(random, path.read_text(encoding='utf-8')))
    return ('000001', 'voc/Annotations'), lambda: _convert(*_VOC)


def _xml_number(random, text):
    """One number becomes something else."""
    tag = pick(random, ('xmin', 'ymin', 'xmax', 'ymax', 'width', 'height', 'difficult'))
    return _with_content(text, tag, pick(random, _NUMBERS))


def _with_content(text, tag, content) -> bytes:
    """The XML text with another content of its first element <tag>."""
    before, _, after = text.partition(f'<{tag}>')
    return f'{before}<{tag}>{content}</{tag}>{after.partition(f"</{tag}>")[2]}'.encode()


def _xml_tag(random, text):
    """A tag is removed, renamed or doubled."""
    tag = pick(random, ('name', 'bndbox', 'object', 'xmin', 'size', 'annotation', 'difficult',
                        'width'))
    new = pick(random, ('', f'<{tag}><{tag}>', f'<x:{tag}>', f'<{tag.upper()}>',
                        f'<{tag} a="1" a="2">', f'<{tag}/>', '<!-- -->'))
    return text.replace(f'<{tag}>', new, 1 if random.random() < 0.5 else -1).encode()


def _xml_name(random, text):
    names = ('', ' ', 'circle ', 'CIRCLE', '../../etc/passwd', 'a\nb', 'x' * 100_000,
             '\N{SNOWMAN}', '&lt;script&gt;', 'person')
    return _with_content(text, 'name', pick(random, names))


def _xml_encoding(random, text):
    folder = '<folder>Stra\N{LATIN SMALL LETTER SHARP S}e</folder>'
    text = text.replace('<annotation>', '<annotation>' + folder)
    used = pick(random, ('utf-8', 'utf-16', 'utf-16-be', 'utf-32', 'latin-1', 'utf-8-sig', 'cp500'))
    said = pick(random, ('', 'utf-8', 'utf-16', 'latin-1', 'ascii', 'utf-7', 'rot13', 'no-such'))
    return ((f'<?xml version="1.0" encoding="{said}"?>' if said else '') + text).encode(used)


def _xml_entities(random, text):
    bomb = '<!DOCTYPE a [<!ENTITY a0 "' + 'x' * 100 + '">' + ''.join(
        f'<!ENTITY a{n} "{f"&a{n - 1};" * 20}">' for n in range(1, 9)) + ']>'
    outside = '<!DOCTYPE a [<!ENTITY a8 SYSTEM "file:///etc/passwd">]>'
    return (pick(random, (bomb, outside, '<!DOCTYPE a SYSTEM "http://localhost:1/a.dtd">'))
            + text.replace('<name>', '<name>&a8;', 1)).encode()


def _xml_large(random, text):
    depth = 200_000
    objects = text[text.find('<object>'):text.find('</object>') + 9] if '<object>' in text else ''
    grown = {'deep': '<a>' * depth + '</a>' * depth, 'comment': '<!--' + 'x' * (32 << 20) + '-->',
             'objects': objects * 3000,
             'attributes': '<b ' + ' '.join(f'a{n}="1"' for n in range(50_000)) + '/>'}
    added = grown[pick(random, tuple(grown))]
    return text.replace('</annotation>', added + '</annotation>').encode()


_XML_FAULTS = (lambda random, text: mutated(random, text.encode()),) * 3 + (
    _xml_number, _xml_number, _xml_number, _xml_tag, _xml_tag, _xml_name, _xml_encoding,
    _xml_entities, _xml_large, lambda random, text: b'', lambda random, text: random.bytes(200))


def images(random: Random, folder: pathlib.Path) -> Case:
    """Truncated, of another type, of unusual size or depth, decompression bombs."""
    path, _ = _voc_folder(random, folder)
    path.write_bytes(_image(random, path))
    return ('000001',), lambda: _convert(*_VOC)


def _image(random, path) -> bytes:
    fault = pick(random, ('mutated',) * 6 + tuple(_IMAGES))
    if fault == 'mutated':
        return mutated(random, path.read_bytes())
    return _IMAGES[fault](random, cv2.imread(str(path)))


def _pillow(image, kind, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _encoded(ending, image) -> bytes:
    return cv2.imencode(ending, image)[1].tobytes()


def png(width: int, height: int, rows: bytes, depth: int = 8, colour: int = 0) -> bytes:
    """A PNG with any size in its header and any rows."""
    def chunk(kind, data):
        checksum = struct.pack('>I', zlib.crc32(kind + data))
        return struct.pack('>I', len(data)) + kind + data + checksum
    head = struct.pack('>IIBBBBB', width, height, depth, colour, 0, 0, 0)
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head)
            + chunk(b'IDAT', zlib.compress(rows, 9)) + chunk(b'IEND', b''))


def _claimed_size(random, image) -> bytes:
    return with_size(_encoded('.jpg', image), *random.choice([0, 1, 8, 500, 30_000, 65_535], 2))


_IMAGES = {
    'empty': lambda random, image: b'',
    'text': lambda random, image: b'<html>404 not found</html>',
    'noise': lambda random, image: random.bytes(5000),
    'noise after a JPEG header':
        lambda random, image: b'\xff\xd8\xff\xe0' + random.bytes(5000) + b'\xff\xd9',
    'one pixel': lambda random, image: _encoded('.jpg', image[:1, :1]),
    'long': lambda random, image: _encoded('.jpg', np.zeros([1, 20_000, 3], np.uint8)),
    'high': lambda random, image: _encoded('.png', np.zeros([20_000, 1, 3], np.uint8)),
    '16 bits': lambda random, image: _encoded('.png', image.astype(np.uint16) * 257),
    'floats': lambda random, image: _encoded('.tiff', image.astype(np.float32)),
    'gray': lambda random, image: _encoded('.jpg', image[..., 0]),
    'alpha': lambda random, image: _encoded('.png', np.dstack([image, image[..., :1]])),
    'cmyk': lambda random, image: _pillow(Image.fromarray(image).convert('CMYK'), 'JPEG'),
    'palette': lambda random, image: _pillow(Image.fromarray(image).convert('P'), 'PNG'),
    'one bit': lambda random, image: _pillow(Image.fromarray(image).convert('1'), 'PNG'),
    'gif': lambda random, image: _pillow(Image.fromarray(image), 'GIF'),
    'animated': lambda random, image: _pillow(Image.fromarray(image), 'GIF', save_all=True,
                                              append_images=[Image.fromarray(image[::-1])] * 20),
    'webp': lambda random, image: _pillow(Image.fromarray(image), 'WEBP'),
    'turned': lambda random, image: _pillow(Image.fromarray(image), 'JPEG',
                                            exif=_turned(int(random.integers(0, 10)))),
    'claimed size': _claimed_size,
    'claimed bomb': lambda random, image: png(2**31 - 1, 2**31 - 1, b'\0' * 1000),
    'bomb': lambda random, image: png(30_000, 15_000, b'\0' * 30_001 * 15_000),
    'bits': lambda random, image: png(65_000, 65_000, b'\0' * 100, depth=1),
}


def _turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def pictures(random: Random, folder: pathlib.Path) -> Case:
    """The same images as the demo reads them."""
    path, _ = _voc_folder(random, folder)
    path.write_bytes(_image(random, path))
    return ('000001',), lambda: demo_pictures.read(path) is not None


def coco(random: Random, folder: pathlib.Path) -> Case:
    """COCO's JSON with flipped bytes, or with a value of another type somewhere."""
    shapes.write_coco(folder / 'coco', 1, seed=int(random.integers(1000)))
    path = folder / 'coco/annotations.json'
    text = path.read_bytes()
    if random.random() < 0.4:
        path.write_bytes(mutated(random, text))
    else:
        path.write_bytes(json.dumps(_altered(random, json.loads(text))).encode())
    return ('annotations.json', 'coco/images'), lambda: _convert(
        '--coco=coco/annotations.json', '--images=coco/images', '--classes_file=found')


def formats(random: Random, folder: pathlib.Path) -> Case:
    """Text files of YOLO, JSON of LabelMe, CSV: damaged bytes, odd numbers, odd names."""
    image, _ = _voc_folder(random, folder)
    number = pick(random, _NUMBERS)
    texts = {'a.txt': f'0 .5 .5 .2 {number}\n0 .1 .1 .2 .1\n',
             'a.json': json.dumps({'imagePath': 'a.jpg', 'imageHeight': 50, 'imageWidth': number,
                                   'shapes': [{'label': 'cat', 'points': [[1, 2], [number, 4]]}]}),
             'boxes.csv': f'filename,class,xmin,ymin,xmax,ymax\na.jpg,cat,1,2,30,{number}\n'}
    name = pick(random, tuple(texts))
    (folder / 'set').mkdir()
    shutil.copy(image, folder / 'set/a.jpg')
    (folder / 'set/data.yaml').write_text('names: [cat]\n')
    text = texts[name].encode()
    (folder / 'set' / name).write_bytes(mutated(random, text) if random.random() < .5 else text)
    return ('a.', 'boxes.csv', 'set'), lambda: _convert('--data=set')


def _altered(random, content):
    """Nested lists and dicts, with one entry removed or replaced."""
    if isinstance(content, (list, dict)) and len(content) and random.random() < 0.8:
        keys = list(content) if isinstance(content, dict) else list(range(len(content)))
        key = pick(random, keys)
        if random.random() < 0.1:
            del content[key]
        else:
            content[key] = _altered(random, content[key])
        return content
    return pick(random, (
        None, -1, 0, 1, 10**400, 1e308, float('nan'), float('inf'), 'x', '', '../../etc/passwd',
        '/etc/passwd', 'a\0b', 'x' * 100_000, [], {}, [1], [[]], {'id': 1}, True, [1, 2, 3, 4],
        [1e308, 1e308, 1e308, 1e308]))


# ---- record folders, as training and test read them


def records(random: Random, folder: pathlib.Path) -> Case:
    """Damaged shards, damaged indices, and valid records with wrong content."""
    fault = pick(random, ('shard', 'shard', 'index', 'index value', 'content'))
    index = _records(folder / 'records', random if fault == 'content' else None)
    if fault == 'shard':
        path = pathlib.Path(pick(random, index.files))
        path.write_bytes(mutated(random, path.read_bytes()))
        if random.random() < 0.5:  # with the size in the index corrected, its content is read
            _say_sizes(folder / 'records')
    elif fault != 'content':
        path = folder / 'records' / tfrecord.INDEX
        path.write_bytes(mutated(random, path.read_bytes()) if fault == 'index'
                         else _wrong_index(random, path))
    return ('records',), _read_records


def _records(folder, random=None):
    """Four images in two shards. random: one of them has wrong content."""
    image = _encoded('.jpg', np.full([30, 40, 3], 100, np.uint8))
    objects = annotations.Objects(np.float32([[.1, .1, .5, .6]]), np.int64([1]),
                                  np.array([False]), np.array([False]))
    with tfrecord.Writer(folder, shapes.SHAPES, ('test',), 2) as writer:
        for number in range(4):
            item = tfrecord.example(image, 30, 40, f'{number}.jpg', str(number), objects,
                                    shapes.SHAPES)
            if random is not None and number == 2:
                _spoil(random, item.features.feature)
            writer.add(item)
    return tfrecord.read_index(folder)


def _spoil(random, features):
    key = pick(random, sorted(features))
    fault = random.integers(4)
    if fault == 0:
        del features[key]
    elif fault == 1:
        values = tf.train.BytesList(value=[random.bytes(10)])
        features[key].CopyFrom(tf.train.Feature(bytes_list=values))
    elif fault == 2:
        value = pick(random, (float('nan'), float('inf'), -1., 1e30))
        values = tf.train.FloatList(value=[value] * int(random.integers(3)))
        features[key].CopyFrom(tf.train.Feature(float_list=values))
    else:
        value = int(pick(random, (-1, 0, 4, 2**40, -2**63)))
        values = tf.train.Int64List(value=[value] * int(random.integers(3)))
        features[key].CopyFrom(tf.train.Feature(int64_list=values))


def _say_sizes(folder):
    path = folder / tfrecord.INDEX
    content = json.loads(path.read_text(encoding='utf-8'))
    for shard in content['shards']:
        shard['bytes'] = (folder / shard['file']).stat().st_size
    path.write_text(json.dumps(content), encoding='utf-8')


def _wrong_index(random, path) -> bytes:
    content = json.loads(path.read_text(encoding='utf-8'))
    wrong = pick(random, (None, -1, 0, 2**70, 'x', [], {}, [1], ['a', 'a'], float('nan'), [[]],
                          True))
    if random.random() < 0.3:
        content = wrong
    elif random.random() < 0.5:
        content[pick(random, sorted(content))] = wrong
    else:
        value = pick(random, (wrong, '../x', '/etc/passwd', '.'))
        content['shards'][0][pick(random, ('file', 'images', 'bytes'))] = value
    return json.dumps(content).encode()


def _read_records():
    index = tfrecord.read_index('records')
    with damage.named(index):
        for batch in pipeline.evaluation_batches(index, 32, 2):
            assert len(batch['images']) and np.isfinite(batch['boxes'].numpy()).all()
            assert (batch['labels'].numpy() <= len(index.classes)).all()
    return True


# ---- class lists, configurations


def class_list(random: Random, folder: pathlib.Path) -> Case:
    """Encodings, line ends, sizes, and lines that are no names."""
    texts = (b'', b'\n\n', b'a\na\n', b'\xff\xfe\x00', '\N{SNOWMAN}\n'.encode(), b'a\r\nb\r\n',
             b'\xef\xbb\xbfa\nb\n', b'a' * 2_000_000, b'# comment\n', b'a b c\n',
             b'../x\n/etc/passwd\n', b'\0\n', random.bytes(100),
             b'\n'.join(b'%d' % n for n in range(100_000)))
    path = folder / 'classes.txt'
    change = random.random() < 0.5
    text = pick(random, texts)
    path.write_bytes(mutated(random, text) if change else text)
    if random.random() < 0.1:
        path.unlink()
        path.mkdir()
    return ('classes.txt',), lambda: bool(class_lists.names(path))


def config(random: Random, folder: pathlib.Path) -> Case:
    """Words of a command line."""
    del folder
    words = []
    script = pick(random, tuple(configs.SCRIPTS))
    for _ in range(random.integers(1, 4)):
        key = pick(random, tuple(vars(configs.load(script, []))))
        if random.random() < 0.2:
            key = mutated(random, key.encode()).decode(errors='replace')
        word = pick(random, (
            f'--{key}', f'--{key}=', f'-{key}=1', key, f'--{key}={pick(random, _NUMBERS)}',
            f'--{key}={mutated(random, b"0.5").decode(errors="replace")}', f'--{key}=ssd_vgg_300',
            '--', '='))
        words.append(word.replace('\0', ''))
    return (), lambda: bool(configs.load(script, words))


# ---- checkpoints


def checkpoints(random: Random, folder: pathlib.Path) -> Case:
    """Damaged files, missing variables, wrong shapes and types, wrong descriptions."""
    tensors = {name: np.full(shape, 0.5, np.float32) for name, shape in _VARIABLES.items()}
    fault = pick(random, ('data', 'index', 'description', 'tensor', 'missing', 'endings'))
    if fault == 'tensor':
        tensors[pick(random, tuple(_VARIABLES))] = pick(random, (
            np.array([b'x', b'y']), np.zeros([2, 2], np.int64), np.zeros([3], np.complex64),
            np.float32(1), np.zeros([0, 3]), np.full([3, 3], np.nan, np.float32), np.array(True),
            np.zeros([3, 3, 1], np.float32)))
    if fault == 'missing':
        del tensors[pick(random, tuple(_VARIABLES))]
    prefix = checkpoint.save('ckpt', 7, tensors)
    checkpoint.write_description('ckpt', backbone_network='ssd_vgg_300', classes=['a'])
    if fault in ('data', 'index', 'description'):
        path = pathlib.Path({'data': prefix + checkpoint.ENDINGS[0],
                             'index': prefix + checkpoint.ENDINGS[1],
                             'description': f'ckpt/{checkpoint.DESCRIPTION}'}[fault])
        wrong = pick(random, (None, [], 1, 'x', {'classes': 3}, {'classes': [1]},
                              {'mean_ap': 'x'}, {'image_size': 'x'}))
        if fault == 'description' and random.random() < 0.5:
            path.write_text(json.dumps(wrong), encoding='utf-8')
        else:
            path.write_bytes(mutated(random, path.read_bytes()))
    if fault == 'endings':
        shutil.move(prefix + pick(random, checkpoint.ENDINGS), 'ckpt/elsewhere')
    return ('ckpt',), _restore


_VARIABLES = {'vgg_16/conv1/weights': [3, 3], 'vgg_16/conv1/biases': [3],
              'ssd/extra_1/weights': [3, 3], 'global_step': []}


def _restore():
    prefix = checkpoint.find('ckpt')
    facts = checkpoint.read_description(prefix)
    variables = [tf.Variable(tf.zeros(shape), name=name) for name, shape in _VARIABLES.items()]
    result = restoring.restore(variables, prefix, averages=True)
    print(prefix, *result.mismatched, *result.fresh)
    return bool(facts) and not result.mismatched and not result.fresh


KINDS = {'xml': xml, 'coco': coco, 'formats': formats, 'images': images, 'pictures': pictures,
         'records': records, 'classes': class_list, 'configs': config, 'checkpoints': checkpoints,
         'strangers': strangers, 'videos': videos}
os.environ.setdefault('OPENCV_LOG_LEVEL', 'ERROR')
