"""Zero-shot image classification: recognise classes that no training image ever showed, from a
description of their attributes. The library libunseen for Python, with NumPy arrays.

>>> birds = unseen.Dataset.from_arrays(features, labels, attributes, unseen=["bobolink"])
>>> model = unseen.train("dem", birds, progress=True)
>>> model.evaluate(birds)
>>> model.add_class("my bird", {"has_wing_color::red": 1})
>>> model.score(features)

Accuracies are fractions, times seconds. N images of a data set, n of a call, C classes, A
attributes, R regions of width F, D = R F. What goes wrong is raised as `Error`, with the library's
sentence. Messages go to the logger "unseen".
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._interface import VERSION as __version__
from ._library import Progress
from .dataset import Dataset, ExtractResult, Split
from .errors import (ArgumentError, Error, FileError, FileMissingError, FilePermissionError,
                     FormatError, Interrupted, OutOfMemoryError, UnsupportedError)
from .files import import_dataset, inspect
from .model import Answer, Model, Prediction, describe_method, methods, set_threads
from .picture import Crop, crop
from .result import Curve, Explanation, Result
from .train import Models, Results, report, train

if TYPE_CHECKING:
    from .estimator import ZeroShotClassifier

__all__ = [
    "Answer", "ArgumentError", "Crop", "Curve", "Dataset", "Error", "Explanation", "ExtractResult",
    "FileError", "FileMissingError", "FilePermissionError", "FormatError", "Interrupted", "Model",
    "Models", "OutOfMemoryError", "Prediction", "Progress", "Result", "Results", "Split",
    "UnsupportedError", "ZeroShotClassifier", "__version__", "crop", "describe_method",
    "import_dataset", "inspect", "methods", "report", "set_threads", "train",
]


def __getattr__(name: str) -> Any:
    """The estimator needs scikit-learn, nothing else does."""
    if name == "ZeroShotClassifier":
        from .estimator import ZeroShotClassifier as estimator
        return estimator
    raise AttributeError(f"module 'unseen' has no attribute {name!r}")
