"""Score thresholds of a detector's classes: where each has its best F1 in an evaluation."""
import json
import math
import os
import statistics

from checkpoints import identity
from checkpoints import io as checkpoint

KEY = 'thresholds'  # of model.json: {name of a class: threshold}
_EVALUATION = 'evaluation.json'
_FEW = 10  # objects; fewer say little about a threshold
_LEAST = 0.3  # classes that are hardly known have their best F1 at scores where most is wrong


def known(prefix: str) -> dict[str, float]:
    """The thresholds of a checkpoint's classes: of its evaluation, and of its model.json.

    An evaluation counts if ssd_test.py wrote it beside the checkpoint, of the same training and
    step. It tells about the classes of which its images have objects; the others keep what
    model.json says. Of less than 10 objects, or where nothing was found, model.json counts too, and
    without it the median of the evaluated ones. No threshold is below 0.3. A class that is in
    neither is missing here.
    """
    evaluated, unsure = _of_evaluation(prefix)
    guessed = dict.fromkeys(unsure, statistics.median(evaluated.values())) if evaluated else {}
    return guessed | _described(prefix) | evaluated


def origin(prefix: str) -> str:
    """Where the thresholds that are `known` come from, in words."""
    evaluated, _ = _of_evaluation(prefix)
    places = [f'the evaluation of step {checkpoint.step_of(prefix)}'] if evaluated else []
    if _described(prefix).keys() - evaluated.keys():
        places.append(os.path.join(os.path.dirname(prefix), checkpoint.DESCRIPTION))
    return ' and '.join(places) or 'as there is no evaluation'


def _described(prefix):
    return checkpoint.read_description(prefix).get(KEY, {})


def _of_evaluation(prefix):
    """({class: threshold}, [other classes of which there are objects]) of an evaluation."""
    path = os.path.join(os.path.dirname(prefix), _EVALUATION)
    try:
        with open(path, encoding='utf-8') as file:
            content = json.load(file)
        about = content['about']
        if {key: about.get(key) for key in ('run', 'step')} != identity.of_checkpoint(prefix):
            return {}, []
        counted = {name: entry['best_f1']['threshold'] if entry['objects'] >= _FEW else None
                   for name, entry in content['classes'].items() if entry['objects']}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}, []
    # A score has to be higher than its threshold; this one was still right.
    sure = {name: max(_LEAST, math.floor(value * 1000) / 1000)
            for name, value in counted.items() if value}
    return sure, [name for name in counted if name not in sure]
