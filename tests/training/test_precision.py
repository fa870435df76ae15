"""--precision=auto: what a training takes on each kind of device, in one line with the reason."""
import types

import pytest

from nets import backbones
from nets.slim_compat import tf
from training import distribution, precision
from utils import processor


def _choose(name, given='auto'):
    return precision.choose(given, backbones.get(name), tf.distribute.get_strategy())


@pytest.fixture
def cpu(monkeypatch):
    """Sets what a machine without a GPU has."""
    def set_up(bfloat16, onednn=True):
        monkeypatch.setattr(precision, 'has_gpu', lambda: False)
        monkeypatch.setattr(precision, 'has_onednn', lambda: onednn)
        monkeypatch.setattr(processor, 'has_bfloat16', lambda: bfloat16)
    return set_up


@pytest.fixture
def gpus(monkeypatch):
    """Sets the compute capabilities of a machine's GPUs."""
    def set_up(*capabilities):
        monkeypatch.setattr(precision, 'has_gpu', lambda: True)
        monkeypatch.setattr(precision.tf, 'config', types.SimpleNamespace(
            list_physical_devices=lambda kind: list(capabilities),
            experimental=types.SimpleNamespace(get_device_details=lambda capability: (
                {'compute_capability': capability} if capability else {}))))
    return set_up


@pytest.mark.parametrize('bfloat16, onednn, line', [
    (True, True, 'precision bfloat16: this processor has it\n'),
    (False, True, 'precision float32: this processor has no bfloat16 of its own\n'),
    (True, False, 'precision float32: bfloat16 needs oneDNN, which TF_ENABLE_ONEDNN_OPTS=0 leaves '
                  'out\n')])
def test_cpu(cpu, capsys, bfloat16, onednn, line):
    cpu(bfloat16, onednn)
    for name in ('vgg_300', 'mobilenet_v1'):
        assert _choose(name) == line.split()[1].rstrip(':')
        assert capsys.readouterr().out == line


@pytest.mark.parametrize('capabilities, vgg, others', [
    ([(9, 0)], 'float16', 'bfloat16'), ([(8, 0), (9, 0)], 'float16', 'bfloat16'),
    ([(7, 5)], 'float16', 'float32'), ([(8, 6), (7, 0)], 'float16', 'float32'),
    ([(6, 1)], 'float32', 'float32'), ([None], 'float32', 'float32')])
def test_gpu(gpus, capsys, capabilities, vgg, others):
    gpus(*capabilities)
    found = {name: _choose(name) for name in backbones.names()}
    assert found == {name: vgg if name.startswith('vgg') else others for name in found}
    assert {line.split()[1].rstrip(':') for line in capsys.readouterr().out.splitlines()} == {
        vgg, others}


def test_several_machines_take_what_all_of_them_have(gpus, monkeypatch, capsys):
    gpus((9, 0))
    monkeypatch.setattr(distribution, 'worker', lambda strategy: (0, 2))
    assert _choose('vgg_300') == 'float32'
    assert 'machines may differ' in capsys.readouterr().out


def test_what_is_named_is_taken(cpu, capsys):
    cpu(False)
    for name in ('float32', 'bfloat16', 'float16'):
        assert _choose('vgg_300', name) == name
    assert capsys.readouterr().out == ''
