"""Weights from a server on this machine into checkpoints/."""
import dataclasses
import io
import tarfile
import zipfile

import numpy as np
import pytest

from checkpoints import fetch
from checkpoints import io as checkpoint
from nets import backbones
from tests.utils.server import Site, serving
from training import starting_point
from utils.errors import DataError, UserError

OPTIONS = {'attempts': 2, 'pause': .001}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Every test in a folder of its own, with no checkpoints/ in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('no_proxy', '*')


def _checkpoint_files(folder, name):
    """{name: bytes} of a small checkpoint."""
    checkpoint.save(folder, 0, {'a': np.arange(3.)})
    return {
        name + ending: (folder / f'model.ckpt-0{ending}').read_bytes()
        for ending in checkpoint.ENDINGS
    }


def _tgz(files):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode='w:gz') as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return data.getvalue()


def _at(site, name, path):
    return dataclasses.replace(fetch.known()[name], url=f'{site.url}/{path}')


def test_wanted_files_alone_and_resumed(tmp_path, capsys):
    name = 'mobilenet_v1_1.0_224.ckpt'
    files = {'./' + each: data for each, data in _checkpoint_files(tmp_path / 'made', name).items()}
    files |= {
        './mobilenet_v1_1.0_224_frozen.pb': b'graph',
        f'./{name}.meta': b'meta',
        './mobilenet_v1_1.0_224.tflite': b'lite',
    }
    with serving(Site(**{'weights.tgz': _tgz(files)})) as site:
        site.cut = [100]
        weights = _at(site, 'mobilenet_v1', 'weights.tgz')
        assert not weights.present()
        assert fetch.fetch(weights, **OPTIONS) == f'checkpoints/mobilenet_v1/{name}'
        assert site.requests == [None, 'bytes=100-']
        assert fetch.fetch(weights) and len(site.requests) == 2  # there already
    assert sorted(path.name for path in (tmp_path / 'checkpoints/mobilenet_v1').iterdir()) == [
        name + '.data-00000-of-00001', name + '.index']
    assert (
        starting_point.imagenet_checkpoint(backbones.get('mobilenet_v1'))
        == f'checkpoints/mobilenet_v1/{name}'
    )
    np.testing.assert_array_equal(checkpoint.read(weights.place).get_tensor('a'), np.arange(3.))


def test_old_checkpoint_of_one_file(tmp_path):
    with serving(Site(**{'vgg.tar.gz': _tgz({'vgg_16.ckpt': b'V1'})})) as site:
        fetch.fetch(_at(site, 'vgg_512', 'vgg.tar.gz'), keep=True)
    assert sorted(path.name for path in (tmp_path / 'checkpoints/vgg_512').iterdir()) == [
        'vgg.tar.gz',
        'vgg_16.ckpt',
    ]


def test_published_ssd_in_a_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / 'made.zip', 'w') as archive:
        for name, data in _checkpoint_files(tmp_path / 'made', 'ssd_300_vgg.ckpt').items():
            archive.writestr(name, data)
    with serving(Site(**{'ssd.zip': (tmp_path / 'made.zip').read_bytes()})) as site:
        place = fetch.fetch(_at(site, 'balancap_ssd_300_vgg', 'ssd.zip'), **OPTIONS)
    assert (
        checkpoint.find('checkpoints/balancap_ssd_300_vgg')
        == place
        == 'checkpoints/balancap_ssd_300_vgg/ssd_300_vgg.ckpt'
    )


@pytest.mark.parametrize(
    'files, message',
    [
        (
            {'other.ckpt': b'1'},
            'weights.tgz holds no inception_v4.ckpt; remove it, and look what http',
        ),
        (
            {'inception_v4.ckpt': b'1', '../../evil': b'2'},
            "has a member '../../evil', which would land outside",
        ),
    ],
)
def test_archives_that_are_not_what_they_should_be(tmp_path, files, message):
    with (
        serving(Site(**{'weights.tgz': _tgz(files)})) as site,
        pytest.raises(DataError, match=message),
    ):
        fetch.fetch(_at(site, 'inception_v4', 'weights.tgz'), **OPTIONS)
    assert [path.name for path in tmp_path.rglob('*') if path.is_file()] == ['weights.tgz']


def test_not_found():
    with (
        serving(Site()) as site,
        pytest.raises(DataError, match='weights.tgz: the server says 404 Not Found'),
    ):
        fetch.fetch(_at(site, 'inception_v4', 'weights.tgz'), **OPTIONS)


def test_by_hand(tmp_path):
    weights = fetch.known()['hikapok_ssd300']
    with pytest.raises(
        DataError,
        match='hikapok_ssd300 can only be downloaded by hand: open https://drive.google.com/.*id='
        ".* in a browser, and unpack the checkpoint's .index and .data file into "
        'checkpoints/hikapok_',
    ):
        fetch.fetch(weights)
    checkpoint.save('checkpoints/hikapok_ssd300', 120000, {'a': np.zeros(1)})
    assert fetch.fetch(weights) == 'checkpoints/hikapok_ssd300/'


def test_every_record_can_be_named():
    known = fetch.known()
    assert [name for name in known if name.startswith('resnet_v1')] == [
        'resnet_v1_50',
        'resnet_v1_101',
        'resnet_v1_152',
    ]
    assert known['resnet_v1_101'].place == 'checkpoints/resnet_v1/resnet_v1_101.ckpt'
    assert len(known) == 12 + 3 + 2
    assert known['ssd_mobilenet_v1_coco'].place == 'checkpoints/ssd_mobilenet_v1_coco/model.ckpt'
    for name in backbones.names():
        spec = backbones.get(name)
        assert (
            known[backbones.weights_name(spec)].place == f'checkpoints/{name}/{spec.imagenet.file}'
        )


def test_list_and_misspelt_names(capsys):
    checkpoint.save('checkpoints/hikapok_ssd300', 120000, {'a': np.zeros(1)})
    fetch.main(['--list'])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        '-     vgg_300                checkpoints/vgg_300/vgg_16.ckpt  from '
        'https://storage.googleapis.com/'
        'download.tensorflow.org/models/vgg_16_2016_08_28.tar.gz'
    )
    assert lines[-3].startswith('there hikapok_ssd300 ') and lines[-3].endswith('(by hand)')
    assert lines[-1].endswith('object_detection/ssd_mobilenet_v2_coco_2018_03_29.tar.gz')
    with pytest.raises(
        UserError,
        match="nothing is known as 'mobilnet_v1'; nearest: mobilenet_v1, mobilenet_v2, .*--list",
    ):
        fetch.main(['mobilnet_v1'])


def test_an_archive_of_the_object_detection_api(tmp_path):
    folder = 'ssd_mobilenet_v2_coco_2018_03_29'
    files = {f'{folder}/{name}': data for name, data in
             _checkpoint_files(tmp_path / 'made', 'model.ckpt').items()}
    files |= {f'{folder}/pipeline.config': b'model {}', f'{folder}/frozen_inference_graph.pb': b'g',
              f'{folder}/saved_model/saved_model.pb': b'g'}
    with serving(Site(**{'weights.tar.gz': _tgz(files)})) as site:
        fetch.fetch(_at(site, 'ssd_mobilenet_v2_coco', 'weights.tar.gz'), **OPTIONS)
    assert sorted(path.name for path in (tmp_path / 'checkpoints/ssd_mobilenet_v2_coco').iterdir()
                  ) == ['model.ckpt.data-00000-of-00001', 'model.ckpt.index', 'pipeline.config']
