"""The text form of protocol buffers: label maps, and declared fields of other messages."""
import pytest

from utils import prototext
from utils.errors import DataError


def test_a_label_map():
    text = """item { # the first
      id: 3
      name: "/m/01g317"
      display_name: "person"
    }
    item{name:'cat' id:1}
    item < id: 90, name: "tooth" "brush"; keypoints { id: 7 label: "nose" } >"""
    assert prototext.labels(text) == {1: 'cat', 3: 'person', 90: 'toothbrush'}
    assert list(prototext.labels(text)) == [1, 3, 90]


@pytest.mark.parametrize('text, message', [
    ('item {', 'line 1:6'),
    ('item {\n id: 1\n name: "a\n}', 'line 3:8'),
    ('cat\ndog\n', 'line 2:1'),
    ('item { id: "x" name: "y" }', "Couldn't parse integer"),
    ('item { id: 1 }', 'item 1 of the label map has no id or no name'),
    ('item { name: "a" }', 'item 1 of the label map has no id or no name'),
    ('item { id: 1 name: "a" } item { id: 2 name: "a" }', "id 2 or name 'a' stands in two items"),
    ('item { id: 1 name: "a" } item { id: 1 name: "b" }', "id 1 or name 'b' stands in two items"),
    ('', 'it has no'),
    ('names: "a"', 'it has no')])
def test_what_is_no_label_map(text, message):
    with pytest.raises(DataError, match=message):
        prototext.labels(text)


def test_declared_fields_of_a_message():
    text = """model { ssd { num_classes: 90 box_coder { x { y_scale: 10.0 } }
      post_processing { score_converter: SIGMOID other: 1e-8 } ratios: [1.0, 0.3333] } }
      train_config: { batch_size: 24 fine_tune_checkpoint: "a" flag: true }"""
    fields = {'model': {'ssd': {'num_classes': int, 'ratios': float, 'missing': str,
                                'post_processing': {'score_converter': ('SIGMOID', 'SOFTMAX')}}},
              'train_config': {'flag': bool}}
    assert prototext.parse(text, fields) == {
        'model': [{'ssd': [{'num_classes': [90], 'ratios': [1.0, 0.3333], 'missing': [],
                            'post_processing': [{'score_converter': ['SIGMOID']}]}]}],
        'train_config': [{'flag': [True]}]}
    assert prototext.parse('', fields) == {'model': [], 'train_config': []}
    with pytest.raises(DataError, match="has no value named X"):
        prototext.parse('model { ssd { post_processing { score_converter: X } } }', fields)
