"""Score thresholds of a detector's classes: where each has its best F1 in an evaluation."""
import json
import math
import os
import statistics

from checkpoints import io as checkpoint

KEY = 'thresholds'  # of model.json: {name of a class: threshold}
_EVALUATION = 'evaluation.json'
_FEW = 10  # objects; fewer say little about a threshold
_LEAST = 0.3  # classes that are hardly known have their best F1 at scores where most is wrong


def known(prefix: str) -> dict[str, float]:
    """The thresholds of a checkpoint's classes: of its evaluation, or else of its model.json.

    An evaluation counts if ssd_test.py wrote it beside the checkpoint and of the same step. Classes
    of less than 10 objects, or of which nothing was found, get the median of the others. No
    threshold is below 0.3. {}: nothing is known.
    """
    path = os.path.join(os.path.dirname(prefix), _EVALUATION)
    return (_of_evaluation(path, checkpoint.step_of(prefix))
            or checkpoint.read_description(prefix).get(KEY, {}))


def _of_evaluation(path, step):
    try:
        with open(path, encoding='utf-8') as file:
            content = json.load(file)
        if content['about']['step'] != step:
            return {}
        found = {name: entry['best_f1']['threshold'] if entry['objects'] >= _FEW else None
                 for name, entry in content['classes'].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    # A score has to be higher than its threshold; this one was still right.
    below = {name: max(_LEAST, math.floor(value * 1000) / 1000)
             for name, value in found.items() if value}
    if not below:
        return {}
    return dict.fromkeys(found, statistics.median(below.values())) | below
