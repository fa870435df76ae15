"""Data: VOC annotations, record files, evaluation and pictures."""


class DataError(ValueError):
    """A file that is missing, damaged or of the wrong kind; the message is one line that names it and the way out."""
