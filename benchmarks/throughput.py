"""Images/s of everything that takes time, beside the machine's own limit.

    python3 -m benchmarks.throughput --precision=bfloat16 --batch_size=8
    python3 -m benchmarks.throughput --backbones=vgg_300 --measures=training,training_as_run --records=tfrecords_train
    python3 -m benchmarks.throughput --precision=bfloat16,float16 --batch_size=32,64 --xla=off,on --measures=training,inference

Each figure comes from a process of its own, whose peak memory is that of TensorFlow and everything else in it. `limit` is the
share of the measured rate of matrix multiplications in the same precision that the model's multiply-adds make up, those of a
training step counted three times (forward, and the gradients of inputs and of kernels).
"""
import argparse
import itertools
import json
import os
import tempfile
import types

from utils.script import quiet, run

with quiet():
    from benchmarks import commands, measures
    from nets import backbones
    from nets.slim_compat import prepare_devices, tf
    from nets.spec import PRECISIONS
    from utils import command_line

# Of the machine, and of each backbone; in the order of the tables.
_OF_MACHINE = {'matmul': measures.matmul, 'evaluation': measures.evaluation}
_OF_BACKBONE = {'facts': measures.facts, 'input_pipeline': measures.input_pipeline, 'training': measures.training,
                'training_as_run': measures.training_as_run, 'inference': measures.inference, 'network': measures.network,
                'latency': measures.latency, 'input_pipeline_all_cores': measures.input_pipeline_all_cores,
                'jpeg_to_boxes': measures.jpeg_to_boxes, 'postprocessing': measures.postprocessing}
_NEED_RECORDS = {'input_pipeline', 'input_pipeline_all_cores', 'training_as_run', 'jpeg_to_boxes'}
_USUAL = ('matmul', 'evaluation', 'facts', 'input_pipeline', 'training', 'training_as_run', 'inference', 'jpeg_to_boxes',
          'postprocessing')


def main() -> None:
    options = _options()
    if options.measure:
        prepare_devices(xla=options.xla == ['on'])
        options.precision, options.batch_size = options.precision[0], int(options.batch_size[0])
        measure = (_OF_MACHINE | _OF_BACKBONE)[options.measure]
        print(json.dumps(measure(backbones.get(options.backbones[0]), options)))
        return
    with tempfile.TemporaryDirectory() as folder:
        if not options.records and _NEED_RECORDS & set(options.measures):
            options.records = measures.drawn_records(folder)
        _report(options)


def _options():
    parser = command_line.parser('python3 -m benchmarks.throughput', __doc__)
    known = (*_OF_MACHINE, *_OF_BACKBONE)
    commands.add_list(parser, '--backbones', 'backbone', backbones.names())
    commands.add_list(parser, '--measures', 'measure', known, default=_USUAL)
    commands.add_list(parser, '--precision', 'precision', PRECISIONS, default=('float32',))
    commands.add_list(parser, '--batch_size', 'batch size', [str(2**power) for power in range(11)], default=('8',))
    commands.add_list(parser, '--xla', 'state of XLA', ('off', 'on'), default=('off',))
    parser.add_argument('--profile', default='', help='Folder for TensorBoard profiles; the costliest kernels are printed.')
    parser.add_argument('--seconds', type=float, default=8, help='Seconds measured per figure, at least three steps.')
    parser.add_argument('--records', default='', help='Folder of records. Empty: drawn pictures of 500 x 375 pixels.')
    parser.add_argument('--voc', default='', help='VOC folder with the list test, for evaluation. Empty: drawn objects.')
    parser.add_argument('--detections', default='', help='Folder of comp4_det_test_<class>.txt for it.')
    parser.add_argument('--measure', choices=known, help=argparse.SUPPRESS)
    return parser.parse_args()


def _report(options):
    gpus = ', '.join(gpu.name for gpu in tf.config.list_physical_devices('GPU')) or 'no GPU'
    print(f'{os.cpu_count()} cores, {gpus}, {measures.CLASSES} classes with background')
    limits = {}
    if 'matmul' in options.measures:
        for precision in options.precision:
            limits[precision] = _in_process('matmul', options.backbones[0], options, precision).multiply_adds
            print(f'matrix multiplication, {precision}: {limits[precision] / 1e9:.0f} G multiply-adds/s')
    if 'evaluation' in options.measures:
        print(f'VOC evaluation of 4,952 images: {_in_process("evaluation", options.backbones[0], options).seconds:.2f} s')
    chosen = [name for name in _OF_BACKBONE if name in options.measures]
    if chosen:
        print('\n| backbone | precision | batch | XLA | ' + ' | '.join(_HEADS[name] for name in chosen) + ' |')
        print('|---' * (4 + sum(_HEADS[name].count('|') + 1 for name in chosen)) + '|')
    for backbone in options.backbones if chosen else ():
        facts = _in_process('facts', backbone, options)
        for setting in itertools.product(options.precision, options.batch_size, options.xla):
            cells = [_cell(name, facts if name == 'facts' else _in_process(name, backbone, options, *setting), facts,
                           limits.get(setting[0])) for name in chosen]
            print(f'| `{backbone}` | ' + ' | '.join((*setting, *cells)) + ' |', flush=True)


_HEADS = {
    'facts': 'parameters | multiply-adds | default boxes',
    'input_pipeline': 'input pipeline images/s a core',
    'training': 'training images/s | limit | peak GiB',
    'training_as_run': 'as run images/s',
    'inference': 'inference images/s | limit | peak GiB',
    'jpeg_to_boxes': 'JPEG to boxes images/s',
    'postprocessing': 'postprocessing ms/image',
    'network': 'network alone images/s | limit | peak GiB',
    'latency': 'batch 1 ms',
    'input_pipeline_all_cores': 'input pipeline images/s, all cores',
}


def _cell(name, found, facts, limit):
    """The table's cells of one measure."""
    if name == 'facts':
        return f'{found.parameters / 1e6:.1f} M | {found.multiply_adds / 1e9:.2f} G | {found.boxes:,}'
    if name in ('postprocessing', 'latency'):
        return f'{found.milliseconds:.1f}'
    if name in ('training', 'inference', 'network'):
        work = facts.multiply_adds * (3 if name == 'training' else 1)
        share = f'{100 * found.images_per_second * work / limit:.0f} %' if limit else '-'
        return f'{found.images_per_second:.1f} | {share} | {found.peak:.1f}'
    return f'{found.images_per_second:.1f}'


def _in_process(measure, backbone, options, precision='float32', batch_size='8', xla='off'):
    profile = options.profile and os.path.join(options.profile, f'{backbone}-{measure}-{precision}-{batch_size}-xla_{xla}')
    found = commands.last_line(
        'benchmarks.throughput', f'--measure={measure}', f'--backbones={backbone}', f'--precision={precision}',
        f'--batch_size={batch_size}', f'--xla={xla}', f'--profile={profile}', f'--seconds={options.seconds}',
        f'--records={options.records}', f'--voc={options.voc}', f'--detections={options.detections}')
    return types.SimpleNamespace(**json.loads(found))


if __name__ == '__main__':
    run(main)
