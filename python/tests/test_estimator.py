"""The scikit-learn estimator."""
import pickle
import warnings

import numpy as np
import pytest
import unseen
from conftest import ATTRIBUTES, C, made

sklearn = pytest.importorskip("sklearn", reason="scikit-learn (python3-sklearn) is not installed")
from sklearn.base import clone  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import check_estimator  # noqa: E402


def every_check():
    estimators = (unseen.ZeroShotClassifier("dem", settings={"epochs": 30}),
                  unseen.ZeroShotClassifier("eszsl"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for estimator in estimators:
            for given, check in check_estimator(estimator, generate_only=True):
                name = getattr(check, "func", check).__name__
                yield pytest.param(given, check, id=f"{estimator.method}-{name}")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("estimator, check", list(every_check()))
def test_scikit_learns_own(estimator, check):
    check(estimator)


def test_classes_without_images(arrays):
    features, labels, attributes = arrays
    names = np.array([f"kind {k}" for k in range(C)])
    seen = (labels != 3) & (labels != 5)
    described = dict(zip(names.tolist(), attributes))
    estimator = unseen.ZeroShotClassifier(settings={"epochs": 20}, random_state=2)
    estimator.fit(features[seen], names[labels[seen]], class_attributes=described,
                  attribute_names=ATTRIBUTES)
    assert sorted(estimator.classes_) == sorted(names)
    assert estimator.predict_proba(features[:5]).sum(1) == pytest.approx(1)
    among_unseen = estimator.decision_function(features[~seen])
    columns = [estimator.classes_.tolist().index(k) for k in ("kind 3", "kind 5")]
    guess = np.array(["kind 3", "kind 5"])[among_unseen[:, columns].argmax(1)]
    assert (guess == names[labels[~seen]]).mean() > 0.8
    again = pickle.loads(pickle.dumps(estimator))
    assert (again.predict(features) == estimator.predict(features)).all()
    estimator.add_class("my beast", {"big": 1})
    assert estimator.decision_function(features[:2]).shape == (2, C + 1)
    with pytest.raises(unseen.ArgumentError, match="already"):
        estimator.add_class("my beast", {"big": 1})
    # What the model takes for one class cannot be two labels.
    for alike in ({"My_Beast": {"big": 1}}, {"Wolf": {"big": 1}, "wolf": {"big": 0}}):
        try:
            estimator.add_classes(alike)
        except unseen.ArgumentError as error:
            assert "spelled like another" in str(error)
        assert len(estimator.classes_) == estimator.model_.class_count
        assert estimator.decision_function(features[:2]).shape == (2, len(estimator.classes_))
    with pytest.raises(unseen.ArgumentError, match="spelled like another"):
        estimator.add_class("MY BEAST", {"big": 1})
    with pytest.raises(unseen.ArgumentError, match="no class"):
        estimator.fit(features, labels, class_attributes={0: [1, 2]})
    with pytest.raises(unseen.ArgumentError, match="rows for"):
        estimator.fit(features, labels, class_attributes=attributes[:3])


def test_a_table_describes_classes_by_its_index(arrays):
    """Rows in any order, classes without images too, attributes by the columns."""
    pandas = pytest.importorskip("pandas", reason="pandas (python3-pandas) is not installed")
    features, labels, attributes = arrays
    names = np.array([f"kind {k}" for k in range(C)])
    seen = (labels != 3) & (labels != 5)
    y = names[labels[seen]]
    table = pandas.DataFrame(attributes, index=names, columns=ATTRIBUTES)
    want = unseen.ZeroShotClassifier("eszsl").fit(
        features[seen], y, class_attributes=dict(zip(names.tolist(), attributes)))
    estimator = unseen.ZeroShotClassifier("eszsl").fit(
        features[seen], pandas.Series(y), class_attributes=table.sample(frac=1, random_state=3))
    assert (estimator.classes_ == want.classes_).all()
    assert (estimator.decision_function(features) == want.decision_function(features)).all()
    rows = pandas.Series(list(attributes), index=names).sample(frac=1, random_state=4)
    assert (unseen.ZeroShotClassifier("eszsl").fit(features[seen], y, rows).predict(features)
            == want.predict(features)).all()
    estimator.add_class("beast", table.loc["kind 3"])
    estimator.add_classes(table.iloc[:2].rename(lambda name: "another " + name))
    assert estimator.classes_[-3:].tolist() == ["beast", "another kind 0", "another kind 1"]
    assert estimator.model_.attribute_names == ATTRIBUTES
    numbers = pandas.DataFrame(attributes).sample(frac=1, random_state=3)
    one, other = (unseen.ZeroShotClassifier("eszsl").fit(features, labels, class_attributes=given)
                  for given in (numbers, attributes))
    assert (one.decision_function(features) == other.decision_function(features)).all()
    for wrong, sentence in ((table.reset_index(drop=True), "'kind 0' in its index"),
                            (table.drop("kind 1"), "'kind 1' in its index"),
                            (table.rename({"kind 2": "kind 1"}), "'kind 1' twice")):
        with pytest.raises(unseen.ArgumentError, match=sentence):
            estimator.fit(features[seen], y, class_attributes=wrong)


def test_nobody_is_warned_of_what_the_estimator_chose(arrays, caplog):
    for method in ("dem", "eszsl"):
        unseen.ZeroShotClassifier(method).fit(*arrays[:2], class_attributes=arrays[2])
    assert [r.getMessage() for r in caplog.records if r.name == "unseen"] == []


def test_seeds_of_scikit_learn(arrays):
    """An integer, or a generator that draws one."""
    features, labels, attributes = arrays

    def scores(state):
        estimator = unseen.ZeroShotClassifier(settings={"epochs": 2}, random_state=state)
        return estimator.fit(features, labels, attributes).decision_function(features[:9])
    for make in (np.random.RandomState, np.random.default_rng):
        assert (scores(make(3)) == scores(make(3))).all()
        assert (scores(make(3)) != scores(make(4))).any()
    assert (scores(np.int64(7)) == scores(7)).all()
    for wrong in (-1, "3", 1.5, 2**64):
        with pytest.raises(unseen.ArgumentError, match="random_state is a whole number"):
            scores(wrong)


def test_masked_rows_are_refused(arrays):
    features, labels, attributes = arrays
    masked = np.ma.array(features, mask=features > 2)
    estimator = unseen.ZeroShotClassifier("eszsl").fit(features, labels, attributes)
    for call in (lambda: estimator.fit(masked, labels, attributes),
                 lambda: estimator.predict(masked),
                 lambda: estimator.fit(features, np.ma.array(labels, mask=labels == 2))):
        with pytest.raises(unseen.ArgumentError, match="hidden by a mask"):
            call()
    described = np.ma.array(attributes, mask=attributes > 0.9)
    want = unseen.ZeroShotClassifier("eszsl").fit(features, labels, described.filled(np.nan))
    for given in (described, dict(enumerate(described))):
        estimator.fit(features, labels, given)
        assert (estimator.decision_function(features) == want.decision_function(features)).all()


@pytest.mark.parametrize("labels, more, others", [
    (np.arange(C), 40, ("new", 3.5, None, [1])),
    (np.arange(C, dtype=np.uint64), 40, ("new", 2**70)),
    (np.array([f"kind {k:02}" for k in range(C)]), "a kind with a long name", (3, b"new", None)),
    (np.array([f"kind {k:02}" for k in range(C)], dtype=object), "new", (3, None)),
    (np.arange(C) + 0.0, 40.0, ("new", 40)),
])
def test_labels_stay_of_their_kind(arrays, labels, more, others):
    """A class of another kind would turn all labels into texts."""
    features, numbers, attributes = arrays
    y = labels[numbers]
    estimator = unseen.ZeroShotClassifier("eszsl").fit(
        features, y, class_attributes=attributes, attribute_names=ATTRIBUTES)
    kind, score = estimator.classes_.dtype.kind, estimator.score(features, y)
    assert score > 0.5
    for other in others:
        with pytest.raises(unseen.ArgumentError, match="labels are of the type"):
            estimator.add_class(other, {"big": 1})
    with pytest.raises(unseen.ArgumentError, match="labels are of the type"):
        estimator.add_classes({more: {"big": 1}, others[0]: {"big": 1}})
    assert estimator.model_.class_count == len(estimator.classes_) == C
    estimator.add_class(more, {"big": 1e-3})
    assert estimator.classes_.dtype.kind in (kind, "i") and estimator.classes_[-1] == more
    assert set(estimator.predict(features).tolist()) <= {*labels.tolist(), more}
    assert estimator.score(features, y) > 0.4
    again = unseen.ZeroShotClassifier("eszsl").fit(
        features, y, class_attributes=attributes, attribute_names=ATTRIBUTES)
    again.add_classes({more: {"big": 1e-3}})
    assert (again.classes_ == estimator.classes_).all()
    assert again.classes_.dtype == estimator.classes_.dtype


def test_labels_of_descriptions_are_of_one_kind(arrays):
    features, labels, attributes = arrays
    described = {**dict(enumerate(attributes)), "new": attributes[0]}
    with pytest.raises(unseen.ArgumentError, match="of different kinds"):
        unseen.ZeroShotClassifier("eszsl").fit(features, labels, class_attributes=described)


def test_among_others_of_scikit_learn(arrays):
    features, labels, attributes = arrays
    search = GridSearchCV(
        make_pipeline(StandardScaler(), unseen.ZeroShotClassifier("dem", random_state=1)),
        {"zeroshotclassifier__settings": [{"epochs": 5}, {"epochs": 15}]}, cv=2)
    search.fit(features, labels, zeroshotclassifier__class_attributes=attributes)
    assert search.best_score_ > 0.5
    copy = clone(search.best_estimator_)
    assert copy[-1].get_params()["method"] == "dem" and not hasattr(copy[-1], "model_")


def test_regions():
    """Rows of regions, flat as scikit-learn wants them, are the same data."""
    features, labels, attributes = made(6, regions=4)
    rows = features.reshape(len(features), -1)
    settings = {"epochs": 2, "vectors": "one-hot"}
    estimator = unseen.ZeroShotClassifier("msdn", regions=4, settings=settings)
    estimator.fit(rows, labels, class_attributes=attributes)
    data = unseen.Dataset.from_arrays(features, labels, attributes,
                                      split=(np.arange(len(rows)), [], []))
    model = unseen.train("msdn", data, settings=settings)
    assert (estimator.decision_function(rows) == model.score(features)).all()
