"""A scikit-learn estimator; needs scikit-learn (Debian: python3-sklearn)."""
from __future__ import annotations

from typing import Any, Callable, Mapping, Optional, Sequence, Union

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from . import _arguments
from ._library import Setting
from .dataset import Dataset
from .errors import ArgumentError
from .model import Model
from .train import train

try:  # scikit-learn 1.6 and later
    from sklearn.utils.validation import validate_data as _validate
except ImportError:
    def _validate(estimator: Any, *arrays: Any, **how: Any) -> Any:
        return estimator._validate_data(*arrays, **how)


def _kind(labels: Any) -> str:
    """The kind of labels, as of a dtype; of those in an array of objects, too."""
    kind = np.asarray(labels).dtype.kind
    return "i" if kind == "u" else kind


class ZeroShotClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Learns classes by their images and descriptions, and knows others by descriptions alone.

    method, preset, settings, select, precision: as in `unseen.train`; None: the library's default.
    random_state: the seed, an integer from 0 to 2^64 - 1, or a generator of NumPy that draws one;
    None: the library's. regions: R, where a row of X is R regions of width F, (R F). calibrated:
    whether gamma lowers the scores of seen classes.

    Fitted: ``classes_`` (C) labels, ``model_`` the `Model`, ``n_features_in_``.
    """

    def __init__(self, method: str = "dem", *, preset: Optional[str] = None,
                 settings: Optional[Mapping[str, Setting]] = None, select: Optional[str] = None,
                 precision: Optional[str] = None,
                 random_state: Union[None, int, np.random.RandomState, np.random.Generator] = None,
                 regions: Optional[int] = None, calibrated: bool = True):
        self.method = method
        self.preset = preset
        self.settings = settings
        self.select = select
        self.precision = precision
        self.random_state = random_state
        self.regions = regions
        self.calibrated = calibrated

    def fit(self, X: ArrayLike, y: ArrayLike,  # pylint: disable=invalid-name
            class_attributes: Union[None, Mapping[Any, Sequence[float]], ArrayLike] = None,
            attribute_names: Optional[Sequence[str]] = None) -> ZeroShotClassifier:
        """Trains on X (n, D) and labels y (n) of any type.

        class_attributes: a description of length A for each label, those without images too: a
        mapping, or a pandas table whose index has the labels, and whose columns name the attributes
        unless attribute_names does; or an array (C, A) for the labels of y in sorted order. None:
        each class is its name and nothing else, which makes an ordinary classifier. NaN, pandas'
        NA, or what a mask hides, is unknown.
        """
        _arguments.refuse_masks(X, "X")
        _arguments.refuse_masks(y, "y")
        rows, labels = _validate(self, X, y, dtype=np.float32)
        check_classification_targets(labels)
        seen = np.unique(labels)
        if _arguments.is_table(class_attributes):
            if attribute_names is None:
                attribute_names = _arguments.column_names(class_attributes)
            class_attributes = self._by_index(class_attributes, seen.tolist())
        elif _arguments.is_series(class_attributes):
            class_attributes = _arguments.mapping(class_attributes, "class_attributes")
        if isinstance(class_attributes, Mapping):
            missing = [label for label in seen.tolist() if label not in class_attributes]
            if missing:
                raise ArgumentError(f"class_attributes has no class {missing[0]!r}")
            classes = np.unique(np.asarray(list(class_attributes)))
            if any(label not in class_attributes for label in classes.tolist()):
                raise ArgumentError("labels of class_attributes are of different kinds")
            described = _arguments.floats(
                [_arguments.with_unknown(class_attributes[label]) for label in classes.tolist()],
                "class_attributes")
        else:
            classes = seen
            described = (np.eye(len(seen), dtype=np.float32) if class_attributes is None
                         else _arguments.floats(_arguments.with_unknown(class_attributes),
                                                "class_attributes"))
            if len(described) != len(seen):
                raise ArgumentError(f"class_attributes has {len(described)} rows for {len(seen)} "
                                    "classes")
        if self.regions is not None:
            regions = _arguments.whole(self.regions, "regions", 1, 2**31 - 1)
            if rows.shape[1] % regions:
                raise ArgumentError(f"rows of {rows.shape[1]} numbers are not {regions} regions")
            rows = rows.reshape(len(rows), regions, -1)
        with Dataset.from_arrays(
                rows, np.searchsorted(classes, labels), described,
                class_names=[str(label) for label in classes.tolist()],
                attribute_names=attribute_names,
                split=(np.arange(len(rows)), (), ())) as data:
            self.model_: Model = train(
                self.method, data, preset=self.preset, settings=self.settings, select=self.select,
                precision=self.precision, seed=self._seed())
        self.classes_ = classes
        return self

    @staticmethod
    def _by_index(table: Any, seen: Sequence[Any]) -> dict[Any, Any]:
        """The rows of a pandas table by its index, where this has the labels."""
        described = _arguments.rows_by_index(table, "class_attributes")
        missing = [label for label in seen if label not in described]
        if missing:
            raise ArgumentError(
                f"class_attributes has no class {missing[0]!r} in its index, which names the rows: "
                "name them by the labels, or give class_attributes.to_numpy() for rows in the "
                "sorted order of the labels")
        return described

    def _seed(self) -> Optional[int]:
        state = self.random_state
        if isinstance(state, np.random.RandomState):
            return int(state.randint(2**31 - 1))
        if isinstance(state, np.random.Generator):
            return int(state.integers(2**31 - 1))
        return None if state is None else _arguments.whole(state, "random_state")

    def add_class(self, label: Any, attributes: Mapping[str, float]) -> None:
        """Adds a class by its description, without training. Its label is of the kind of the
        others: where they are integers, an integer."""
        check_is_fitted(self)
        self._grow([label], lambda model: model.add_class(str(label), attributes))

    def add_classes(self, class_attributes: Mapping[Any, Mapping[str, float]]) -> None:
        """Adds many at once, all or none; much quicker than one by one. A mapping, or a pandas
        table with the labels as its index and attributes as its columns."""
        check_is_fitted(self)
        class_attributes = _arguments.mapping(class_attributes, "class_attributes")
        described = {str(label): values for label, values in class_attributes.items()}
        self._grow(list(class_attributes), lambda model: model.add_classes(described))

    def _grow(self, labels: Sequence[Any], add: Callable[[Model], None]) -> None:
        """Adds classes of these labels, all or none."""
        classes = self._classes_and(labels)
        model = self.model_.clone()
        add(model)
        # The model takes names that differ in case, blanks, "-" and "_" for one class.
        if model.class_count != len(classes):
            raise ArgumentError(f"one of the labels {', '.join(map(repr, labels[:5]))} is spelled "
                                "like another class but for case, blanks, '-' and '_'")
        self.model_ = model
        self.classes_ = classes

    def _classes_and(self, labels: Sequence[Any]) -> NDArray[Any]:
        """classes_ and more labels, of the same kind."""
        known = self.classes_.tolist()
        there, kind = set(known), _kind(known)
        for label in labels:
            if np.ndim(label) or _kind([label]) != kind:
                raise ArgumentError(
                    f"labels are of the type {self.classes_.dtype}, {label!r} is not")
            if label in there:
                raise ArgumentError(f"there is a class {label!r} already")
        return np.array([*known, *labels],
                        dtype=object if self.classes_.dtype == object else None)

    def _scores(self, X: ArrayLike) -> NDArray[np.float32]:  # pylint: disable=invalid-name
        check_is_fitted(self)
        _arguments.refuse_masks(X, "X")
        rows = _validate(self, X, dtype=np.float32, reset=False)
        return self.model_.score(rows.reshape(len(rows), -1), self.calibrated)

    def decision_function(self, X: ArrayLike) -> NDArray[np.float32]:  # pylint: disable=invalid-name
        """Scores (n, C) in the unit of the method, higher is better; of two classes (n), how much
        better the second is."""
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # pylint: disable=invalid-name
        """The labels (n) of the best classes."""
        best = self._scores(X).argmax(axis=1)
        labels: NDArray[Any] = self.classes_[best]
        return labels

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:  # pylint: disable=invalid-name
        """(n, C), the softmax of the scores: an order of the classes, no frequencies."""
        scores = self._scores(X).astype(np.float64)
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        return np.asarray(shares)
