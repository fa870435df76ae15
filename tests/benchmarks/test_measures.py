"""The kernels of a profile, summed up."""
import pytest

from benchmarks import measures

xplane_pb2 = pytest.importorskip('tensorflow.tsl.profiler.protobuf.xplane_pb2')


def _plane(space, name, lines):
    """lines: {name of a line: [(name of an event, picoseconds)]}."""
    plane = space.planes.add(name=name)
    for line_name, events in lines.items():
        line = plane.lines.add(name=line_name)
        for event, duration in events:
            number = len(plane.event_metadata) + 1
            plane.event_metadata[number].name = event
            line.events.add(metadata_id=number, duration_ps=duration)


def test_kernels_of_all_gpus():
    space = xplane_pb2.XSpace()
    _plane(space, '/device:GPU:0', {
        'Stream #1': [('conv', 10**12), ('relu', 10**11), ('conv', 2 * 10**12)],
        'XLA Ops': [('conv', 10**13)]})
    _plane(space, '/device:GPU:1', {'Stream #1': [('conv', 10**12)]})
    _plane(space, '/host:CPU', {'python': [('a:Conv2D', 10**14)]})
    assert measures.costliest(space.SerializeToString()) == [(4., 3, 'conv'), (0.1, 1, 'relu')]


def test_operations_of_the_cpu_without_a_gpu():
    space = xplane_pb2.XSpace()
    _plane(space, '/host:CPU', {'thread': [('net/conv:Conv2D', 10**12), ('wait', 10**13)]})
    assert measures.costliest(space.SerializeToString()) == [(1., 1, 'net/conv:Conv2D')]
    assert measures.costliest(xplane_pb2.XSpace().SerializeToString()) == []
