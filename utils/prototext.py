"""Reads the text form of protocol buffers without their .proto files, by protobuf itself.

What is wanted of a message is declared as a dict: {field: int, float, str or bool; a tuple of words
for an enumeration; a dict for a message}. Fields that are not declared are passed over. Each field
has a list of its values.
"""
from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from utils.errors import DataError

_TYPES = {int: 'TYPE_INT64', float: 'TYPE_DOUBLE', str: 'TYPE_STRING', bool: 'TYPE_BOOL'}
_LABEL_MAP = {'item': {'id': int, 'name': str, 'display_name': str}}


def parse(text: str, fields: Mapping[str, Any]) -> dict[str, list]:
    """The declared fields of a message: {field: [value, ...]}, a dict for a message inside.

    Raises:
        DataError: names line and column of what is not understood.
    """
    file = descriptor_pb2.FileDescriptorProto(name='declared.proto')
    _declare(file.message_type.add(name='Message'), fields)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    message = message_factory.GetMessageClass(pool.FindMessageTypeByName('Message'))()
    try:
        text_format.Parse(text, message, allow_unknown_field=True)
    except text_format.ParseError as error:
        raise DataError(f'line {error}' if error.GetLine() else str(error)) from None
    return _values(message, fields)


def labels(text: str) -> dict[int, str]:
    """{id: name} of a label_map.pbtxt, by ascending id; a display_name goes before the name.

    Raises:
        DataError: the text is no label map, or an id or a name stands in it twice.
    """
    found: dict[int, str] = {}
    for number, item in enumerate(parse(text, _LABEL_MAP)['item'], start=1):
        names = [name for name in (*item['display_name'], *item['name']) if name]
        if not names or not item['id']:
            raise DataError(f'item {number} of the label map has no id or no name')
        if item['id'][0] in found or names[0] in found.values():
            raise DataError(f"id {item['id'][0]} or name '{names[0]}' stands in two items of the "
                            'label map')
        found[item['id'][0]] = names[0]
    if not found:
        raise DataError("it has no 'item { id: 1 name: ... }', as a label map has")
    return dict(sorted(found.items()))


def _declare(message, fields):
    """Adds fields to a DescriptorProto, all of them repeated: a file may hold one twice."""
    for number, (name, kind) in enumerate(fields.items(), start=1):
        field = message.field.add(name=name, number=number, label='LABEL_REPEATED')
        if isinstance(kind, Mapping):
            _declare(message.nested_type.add(name=f'Of_{name}'), kind)
            field.type, field.type_name = 'TYPE_MESSAGE', f'Of_{name}'
        elif isinstance(kind, tuple):
            words = message.enum_type.add(name=f'Of_{name}')
            for value, word in enumerate(kind):
                words.value.add(name=word, number=value)
            field.type, field.type_name = 'TYPE_ENUM', f'Of_{name}'
        else:
            field.type = _TYPES[kind]


def _values(message, fields):
    def plain(value, kind):
        if isinstance(kind, Mapping):
            return _values(value, kind)
        return kind[value] if isinstance(kind, tuple) else value

    return {name: [plain(value, kind) for value in getattr(message, name)]
            for name, kind in fields.items()}
