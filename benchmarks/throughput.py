"""Measures images/s of every part that takes time, beside the limit of the machine.

    python3 -m benchmarks.throughput --precision=bfloat16 --batch_size=8
    python3 -m benchmarks.throughput --measures=training,training_as_run --records=tfrecords_train
    python3 -m benchmarks.throughput --precision=bfloat16,float16 --batch_size=32,64 --xla=off,on

--precision, --batch_size and --xla take lists: every combination is a row of its own. XLA compiles
training (as run, on a GPU only) and the network alone; the other figures are the same with it.

Each figure comes from a process of its own. `peak` is the largest memory of the GPU, or without one
of that whole process. `limit` compares with a matrix multiplication in the same precision: the
model's multiply-adds per second, as a share of those of the matrix multiplication. Those of a
training step count three times (forward, gradients of inputs, gradients of kernels). `suppression`
names the device of non-maximum suppression (nets/suppression.py).
"""
import argparse
import itertools
import json
import os
import tempfile
import types

from utils import processor
from utils.script import imports, run

processor.use_onednn(fixed_weights=True)  # as the scripts; a Trainer takes it back
with imports():
    from benchmarks import commands, measures, models
    from nets import backbones
    from nets.slim_compat import prepare_devices, tf
    from nets.spec import PRECISIONS
    from utils import command_line

_OF_MACHINE = {'matmul': measures.matmul, 'evaluation': measures.evaluation}
# Measure of a backbone -> function, heads of its columns; in the order of the table.
_OF_BACKBONE = {
    'facts': (measures.facts, 'parameters | multiply-adds | default boxes'),
    'input_pipeline': (measures.input_pipeline, 'input pipeline images/s a core'),
    'training': (measures.training, 'training images/s | limit | peak GiB'),
    'training_as_run': (measures.training_as_run, 'as run images/s'),
    'inference': (measures.inference, 'inference images/s | limit | peak GiB | suppression'),
    'network': (measures.network, 'network alone images/s | limit | peak GiB'),
    'latency': (measures.latency, 'batch 1 ms | suppression'),
    'input_pipeline_all_cores': (measures.input_pipeline_all_cores,
                                 'input pipeline images/s, all cores'),
    'jpeg_to_boxes': (measures.jpeg_to_boxes, 'JPEG to boxes images/s'),
    'postprocessing': (measures.postprocessing, 'postprocessing ms/image | suppression'),
}
_NEED_RECORDS = {'input_pipeline', 'input_pipeline_all_cores', 'training_as_run', 'jpeg_to_boxes'}
_USUAL = ('matmul', 'evaluation', 'facts', 'input_pipeline', 'training', 'training_as_run',
          'inference', 'jpeg_to_boxes', 'postprocessing')


def main() -> None:
    options = _options()
    if options.measure:
        print(json.dumps(_measure(options)))
        return
    with tempfile.TemporaryDirectory() as folder:
        if not options.records and _NEED_RECORDS & set(options.measures):
            options.records = measures.draw_records(folder)
        _report(options)


def _options():
    parser = command_line.parser('python3 -m benchmarks.throughput', __doc__)
    known = (*_OF_MACHINE, *_OF_BACKBONE)
    sizes = [str(2**power) for power in range(11)]
    commands.add_list(parser, '--backbones', 'backbone', backbones.names())
    commands.add_list(parser, '--measures', 'measure', known, _USUAL)
    commands.add_list(parser, '--precision', 'precision', PRECISIONS, ('float32',))
    commands.add_list(parser, '--batch_size', 'batch size', sizes, ('8',))
    commands.add_list(parser, '--xla', 'state of XLA', ('off', 'on'), ('off',))
    parser.add_argument('--profile', default='',
                        help='Folder that receives a TensorBoard profile of each figure; the ten '
                             'costliest kernels are printed.')
    parser.add_argument('--seconds', type=float, default=8,
                        help='Seconds measured per figure, at least three steps.')
    parser.add_argument('--records', default='',
                        help='Folder of records. Empty: drawn images of 500 x 375 pixels.')
    parser.add_argument('--voc', default='',
                        help='VOC folder with the list test, for evaluation. Empty: drawn objects.')
    parser.add_argument('--detections', default='',
                        help='Folder of comp4_det_test_<class>.txt for it.')
    parser.add_argument('--measure', choices=known, help=argparse.SUPPRESS)
    return parser.parse_args()


def _measure(options):
    """One figure, in the process that was started for it."""
    prepare_devices()
    setting = measures.Setting(
        precision=options.precision[0], batch_size=int(options.batch_size[0]),
        seconds=options.seconds, records=options.records, voc=options.voc,
        detections=options.detections, profile=options.profile,
        xla=options.xla == ['on'])
    measure = _OF_MACHINE.get(options.measure) or _OF_BACKBONE[options.measure][0]
    return measure(backbones.get(options.backbones[0]), setting)


def _report(options):
    gpus = ', '.join(gpu.name for gpu in tf.config.list_physical_devices('GPU')) or 'no GPU'
    print(f'{os.cpu_count()} cores, {gpus}, {models.CLASSES} classes with background')
    any_backbone, limits = options.backbones[0], {}
    for precision in options.precision if 'matmul' in options.measures else ():
        limits[precision] = _in_process('matmul', any_backbone, options, precision).multiply_adds
        print(f'matrix multiplication, {precision}: '
              f'{limits[precision] / 1e9:.0f} G multiply-adds/s')
    if 'evaluation' in options.measures:
        seconds = _in_process('evaluation', any_backbone, options).seconds
        print(f'VOC evaluation of 4,952 images: {seconds:.2f} s')
    chosen = [name for name in _OF_BACKBONE if name in options.measures]
    if not chosen:
        return
    heads = ' | '.join(['backbone', 'precision', 'batch', 'XLA']
                       + [_OF_BACKBONE[name][1] for name in chosen])
    print(f'\n| {heads} |\n' + '|---' * (heads.count('|') + 1) + '|')
    settings = list(itertools.product(options.precision, options.batch_size, options.xla))
    for backbone in options.backbones:
        facts = _in_process('facts', backbone, options)
        for setting in settings:
            cells = [f'`{backbone}`', *setting]
            for name in chosen:
                found = facts if name == 'facts' else _in_process(name, backbone, options, *setting)
                cells.append(_cells(name, found, facts, limits.get(setting[0])))
            print(f'| {" | ".join(cells)} |', flush=True)


def _cells(name, found, facts, limit):
    """Cells of one measure. limit: multiply-adds/s of the machine, None where not measured."""
    if name == 'facts':
        return (f'{found.parameters / 1e6:.1f} M | {found.multiply_adds / 1e9:.2f} G '
                f'| {found.boxes:,}')
    if name in ('postprocessing', 'latency'):
        return f'{found.milliseconds:.1f} | {found.suppression}'
    if name in ('training', 'inference', 'network'):
        work = facts.multiply_adds * (3 if name == 'training' else 1)
        share = f'{100 * found.images_per_second * work / limit:.0f} %' if limit else '-'
        cells = f'{found.images_per_second:.1f} | {share} | {found.peak:.1f}'
        return f'{cells} | {found.suppression}' if name == 'inference' else cells
    return f'{found.images_per_second:.1f}'


def _in_process(measure, backbone, options, precision='float32', batch_size='8', xla='off'):
    name = f'{backbone}-{measure}-{precision}-{batch_size}-xla_{xla}'
    profile = options.profile and os.path.join(options.profile, name)
    return types.SimpleNamespace(**json.loads(commands.last_line(
        'benchmarks.throughput', f'--measure={measure}', f'--backbones={backbone}',
        f'--precision={precision}', f'--batch_size={batch_size}', f'--xla={xla}',
        f'--profile={profile}', f'--seconds={options.seconds}', f'--records={options.records}',
        f'--voc={options.voc}', f'--detections={options.detections}')))


if __name__ == '__main__':
    run(main)
