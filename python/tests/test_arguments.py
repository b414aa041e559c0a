"""What is handed in wrongly is refused with a sentence of ours, or does what is obviously meant."""
import datetime
import errno
import pickle

import numpy as np
import pytest
import unseen
from conftest import ATTRIBUTES, C, N

QUICK = {"epochs": 1}


def refused(call, sentence):
    """That the call raises an ArgumentError of one line."""
    with pytest.raises(unseen.ArgumentError, match=sentence) as raised:
        call()
    assert isinstance(raised.value, ValueError) and "\n" not in str(raised.value)


def test_texts_are_not_cut_at_a_nul(data, model, arrays, tmp_path):
    path = str(tmp_path / "a\0b")
    calls = (
        lambda: unseen.train("dem", data, settings=QUICK, output=path),
        lambda: unseen.train("dem", data, settings=QUICK, log=path),
        lambda: unseen.train("dem\0", data, settings=QUICK),
        lambda: unseen.train("dem", data, settings={"epochs": "1\0"}),
        lambda: unseen.train("dem", data, settings=QUICK, select="none\0"),
        lambda: unseen.Dataset(path), lambda: unseen.Model(path), lambda: unseen.inspect(path),
        lambda: data.save(path), lambda: data.features(name="features\0"),
        lambda: data.semantics("att\0"), lambda: data.add_words("builtin:words\0"),
        lambda: unseen.import_dataset("arrays", path),
        lambda: unseen.import_dataset("tinybirds", tmp_path / "x", name="a\0b"),
        lambda: unseen.Dataset.from_arrays(*arrays, class_names=["a\0b"] * C),
        lambda: unseen.Dataset.from_arrays(*arrays, unseen=["a\0b"]),
        lambda: unseen.Dataset.from_arrays(*arrays, name="a\0b"),
        lambda: model.save(path), lambda: model.predict(path), lambda: model.predict([path]),
        lambda: model.features(path), lambda: model.attach_backbone(path),
        lambda: model.add_class("a\0b", {"big": 1}), lambda: model.add_class("a", {"big\0": 1}),
        lambda: model.add_classes({"a\0b": {"big": 1}}),
        lambda: model.replace_class(0, {"big": 1}, name="a\0b"),
        lambda: model.read_classes(path), lambda: model.evaluate(data, gamma="native\0"),
        lambda: model.evaluate(data)["H\0"], lambda: model.evaluate(data).write("curve", path),
        lambda: unseen.report(data, [model], path), lambda: unseen.describe_method("dem\0"))
    for call in calls:
        refused(call, "NUL")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("options", [
    {"seed": -1}, {"seed": 2**64}, {"seed": 1.5}, {"seed": "3"}, {"seed": True},
    {"seed": np.random.RandomState(1)}, {"seeds": [1, -1]}, {"seeds": [2**64]}, {"seeds": ["1"]},
    {"folds": -1}, {"folds": 2**64}, {"max_steps": -1}, {"max_steps": 1.0},
    {"checkpoint_seconds": -1, "output": "x"}, {"checkpoint_seconds": float("nan"), "output": "x"},
    {"checkpoint_seconds": "soon", "output": "x"}, {"all_images": "no"}, {"resume": 2},
    {"seeds": 3}, {"seeds": "12"}, {"preset": 3}, {"output": 3}, {"settings": ["epochs=1"]},
    {"settings": {"epochs": -1}}, {"settings": {"epochs": 2**70}}, {"progress": 3},
    {"seeds": []},
])
def test_numbers_of_a_training(data, options):
    refused(lambda: unseen.train("dem", data, **{"settings": QUICK, **options}), "")


def test_options_that_exclude_each_other(data, tmp_path):
    refused(lambda: unseen.train("dem", data, seed=1, seeds=[1, 2]), "one of the two")
    refused(lambda: unseen.train("dem", data, resume=True), "no output")
    refused(lambda: unseen.train("dem", data, seeds=[1], resume=True), "no output")
    refused(lambda: unseen.train("dem", data, checkpoint_seconds=5), "beside an output")
    unseen.train("dem", data, settings=QUICK, resume=True, output=tmp_path / "a.model")


def test_numbers_elsewhere(data, model, arrays, tmp_path):
    for k in (-1, 2**64, 1.5, "0", None, True):
        for call in (model.class_description, model.nearest_class, model.remove_class,
                     lambda number: model.replace_class(number, {"big": 1})):
            refused(lambda: call(k), "number of a class is a whole number")
    for threads in (-1, 2000, 2**40, "2", None):
        refused(lambda: unseen.set_threads(threads), "threads")
    for top in (-1, 0, "3", 1.5, True, 2**64):
        refused(lambda: model.predict("x.jpg", top=top), "top")
        refused(lambda: model.explain(features=arrays[0][0], top=top), "top|1 to 50|1 and 50")
    for gamma in ("1", None, float("nan"), float("inf"), 1e300, 1j):
        refused(lambda: setattr(model, "gamma", gamma), "gamma")
    for images in ([-1], [N], [2**63], [2**70]):
        with pytest.raises(unseen.Error):
            data.features(images)
    for value in (-1, 0, 2**64, 1.5, True):
        refused(lambda: unseen.Dataset.from_arrays(*arrays, unseen=value), "unseen")
    for value in (-1, -5, 2**64, 1.5, True):
        refused(lambda: unseen.import_dataset("arrays", tmp_path / "x", unseen=value), "unseen")
    for value in ({"split_seed": -1}, {"grid": (-1, -1)}, {"grid": 4}, {"grid": (1, 2, 3)},
                  {"grid": "ab"}):
        refused(lambda: unseen.Dataset.from_arrays(*arrays, **value), "split_seed|grid")
    for option in ("images_per_class", "image_size", "seed"):
        refused(lambda: unseen.import_dataset("tinybirds", tmp_path / "x", **{option: -1}), option)
    for option in ("image_size", "batch"):
        refused(lambda: data.extract(**{option: -1}), option)
    refused(lambda: data.extract(pooled="no"), "pooled is True or False")
    refused(lambda: model.evaluate(data, localisation="no"), "localisation is True or False")
    refused(lambda: model.score(arrays[0], calibrated="no"), "calibrated is True or False")
    refused(lambda: unseen.crop(b"", "{}", max_pixels=-1), "max_pixels")


def test_arrays_of_what_is_no_number(model, arrays):
    rows = arrays[0][:4]
    width = rows.shape[1]
    for wrong in (rows.astype(complex), np.zeros((4, width), "datetime64[s]"),
                  np.zeros((4, width), "timedelta64[s]"), rows.astype(str), rows.astype("S9"),
                  rows.astype(str).tolist(), rows.astype(str).astype(object), np.zeros(4, "i4,f4"),
                  np.full((4, width), 1j, object), "features", None,
                  [[datetime.date(2020, 1, 1)] * width], [[0] * width, [0]]):
        refused(lambda: model.score(wrong), "features are")
        refused(lambda: unseen.Dataset.from_arrays(wrong, arrays[1][:4], arrays[2]), "features are")
        refused(lambda: unseen.Dataset.from_arrays(*arrays[:2], wrong), "attributes are")
    assert (model.score(rows.astype(object)) == model.score(rows)).all()
    hidden = np.ma.array(rows, mask=rows > 1)
    for wrong in (hidden, list(hidden), [hidden[0], hidden[1]]):
        refused(lambda: model.score(wrong), "hidden by a mask")
        refused(lambda: unseen.Dataset.from_arrays(wrong, arrays[1][:4], arrays[2]), "mask")
    assert (model.score(np.ma.array(rows)) == model.score(rows)).all()
    for lists in (([0, 1], [], []), ([0], [1], [2])):
        masked = [np.ma.array(images, mask=True) if images else images for images in lists]
        refused(lambda: unseen.Dataset.from_arrays(*arrays, split=masked), "mask")
    refused(lambda: unseen.Dataset.from_arrays(arrays[0], np.ma.array(arrays[1], mask=True),
                                               arrays[2]), "mask")


def test_crops_that_nobody_made(model):
    pixels = np.zeros((8, 8, 3), np.uint8)
    for box, shape in (((0, 0, 8), (8, 8)), ((0, 0, 8, 8), (-8, 8)), ((0, 0, 8, "8"), (8, 8)),
                       (None, (8, 8)), ((0, 0, 8, 8), (2**64, 8))):
        refused(lambda: model.predict(unseen.Crop(pixels, box, shape, False)), "the crop is none")


def test_what_is_no_data_set(data, model, arrays, tmp_path):
    for wrong in (arrays, list(arrays), None, "birds", model):
        for call in (lambda: unseen.train("dem", wrong), lambda: model.evaluate(wrong),
                     lambda: unseen.report(wrong, [model], tmp_path / "r.html")):
            refused(call, "data is an unseen.Dataset, not .*from_arrays")
    refused(lambda: unseen.report(data, [3], tmp_path / "r.html"), "models are")
    assert unseen.report(data, model, tmp_path / "r.html") > 0


def test_names_that_are_no_texts(data, model, arrays):
    numbered = unseen.Dataset.from_arrays(*arrays, class_names=range(100, 100 + C),
                                          attribute_names=np.arange(len(ATTRIBUTES)), unseen=[103])
    assert numbered.class_names[3] == "103" and not numbered.class_seen[3]
    assert numbered.attribute_names()[2] == "2"
    named = unseen.Dataset.from_arrays(*arrays, class_names=np.array(data.class_names),
                                       unseen="kind 3")
    assert named.class_names == data.class_names and named.class_seen.sum() == C - 1
    model.add_class(7, {"big": 1})
    model.add_class(np.int32(8), {"big": np.float32(1), "wet": np.int8(0)})
    assert model.class_names[-2:] == ["7", "8"]
    for wrong in (None, 1.5, True, ["a"]):
        refused(lambda: unseen.Dataset.from_arrays(*arrays, class_names=[wrong] * C), "a name is")
        refused(lambda: model.add_class(wrong, {"big": 1}), "a name is a text")
        refused(lambda: unseen.Dataset(wrong), "a name or path is a text")
    refused(lambda: unseen.Dataset.from_arrays(*arrays, class_names="k" * C), "is a list")
    refused(lambda: unseen.Dataset.from_arrays(*arrays, class_names=C), "is a list")
    refused(lambda: model.add_class("x", ["big"]), "is a mapping")
    refused(lambda: model.add_class("x", {"big": "much"}), "attribute 'big' is a number")
    refused(lambda: data.add_words("builtin:words", semantics="att"), "semantics is a list")
    refused(lambda: unseen.Model("\ud800"), "UTF-8")


def test_pandas_series_and_numpy_arrays(data, model, arrays):
    pandas = pytest.importorskip("pandas", reason="pandas (python3-pandas) is not installed")
    features, labels, attributes = arrays
    names = pandas.Series(data.class_names, index=range(50, 50 + C))
    made = unseen.Dataset.from_arrays(
        pandas.DataFrame(features), pandas.Series(labels), attributes, class_names=names,
        attribute_names=pandas.Series(ATTRIBUTES), unseen=names.iloc[[3, 5]])
    assert made.class_names == data.class_names and (made.class_seen == data.class_seen).all()
    other = model.clone()
    model.add_class("beast", pandas.Series([0.5, 0.25], index=["big", "wet"]))
    other.add_class("beast", {"big": 0.5, "wet": 0.25})
    frame = pandas.DataFrame([[1, 0.5]], index=["more"], columns=["big", "wet"])
    model.add_classes(frame)
    other.add_classes({"more": {"big": 1, "wet": 0.5}})
    assert (model.score(pandas.DataFrame(features)) == other.score(features)).all()
    one, two = (unseen.train("dem", data, settings={"epochs": epochs, "whiten": no})
                for epochs, no in ((np.int64(2), np.bool_(False)), (2, False)))
    assert one.to_bytes() == two.to_bytes()


class Bar:
    """As tqdm: it can be called, closed, and has no truth."""

    def __init__(self):
        self.calls, self.closed = 0, False

    def __call__(self, _progress):
        self.calls += 1

    def __bool__(self):
        raise TypeError("no truth")

    def close(self):
        self.closed = True


def test_what_is_not_ours_stays_open(data, model):
    bar = Bar()
    unseen.train("dem", data, settings=QUICK, progress=bar)
    calls = bar.calls
    model.evaluate(data, progress=bar)
    assert 0 < calls < bar.calls and not bar.closed


def test_our_bars_are_closed(data, monkeypatch):
    bars = []

    class Ours(Bar):
        def __init__(self):
            super().__init__()
            bars.append(self)
    monkeypatch.setattr("unseen.progress.Bars", Ours)
    unseen.train("dem", data, settings=QUICK, progress=True)
    unseen.train("dem", data, settings=QUICK, progress=False)
    assert [bar.closed for bar in bars] == [True] and bars[0].calls > 0


def test_file_errors_say_which_and_why(model, data, tmp_path):
    nowhere = tmp_path / "nowhere"
    for call in (lambda: unseen.Dataset(nowhere), lambda: unseen.Model(nowhere),
                 lambda: unseen.inspect(nowhere), lambda: model.read_classes(nowhere),
                 lambda: unseen.crop(nowhere, '{"resize": 9}')):
        with pytest.raises(FileNotFoundError, match="nowhere") as raised:
            call()
        error = raised.value
        assert isinstance(error, unseen.FileError) and error.errno == errno.ENOENT
        assert error.filename == str(nowhere) and error.strerror == "No such file or directory"
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error) and str(again) == str(error)
        assert (again.errno, again.filename) == (error.errno, error.filename)
    inside = tmp_path / "no" / "folder"
    for call in (lambda: model.save(inside), lambda: model.evaluate(data).write("curve", inside)):
        with pytest.raises(FileNotFoundError) as raised:
            call()
        assert raised.value.filename == str(inside) and raised.value.errno == errno.ENOENT
    # Of several files none is named that may be the wrong one: the sentence says which it is.
    for call in (lambda: unseen.report(data, model, tmp_path / "r.html", logs=[nowhere]),
                 lambda: data.add_words("builtin:words", attributes=nowhere),
                 lambda: unseen.train("dem", data, output=tmp_path / "m", config=nowhere)):
        with pytest.raises(FileNotFoundError, match="nowhere") as raised:
            call()
        assert raised.value.filename is None and raised.value.errno == errno.ENOENT
    error = unseen.FileError("disk full")
    assert str(error) == "disk full" and error.errno is None and error.filename is None


def test_nothing_is_lost_or_shuffled(arrays, data):
    pandas = pytest.importorskip("pandas")
    model = unseen.train("eszsl", data)
    big, other = model.attribute_names[:2]
    for call in (
            lambda: model.add_class("twice", pandas.Series([1.0, 0.0], index=[big, big])),
            lambda: model.add_classes(pandas.DataFrame([[1, 0]], index=["a"], columns=[big, big])),
            lambda: model.add_classes(pandas.Series([{big: 1}, {other: 1}], index=["a", "a"]))):
        with pytest.raises(unseen.ArgumentError, match="twice"):
            call()
    names = [f"kind {k}" for k in range(len(arrays[2]))]
    with pytest.raises(unseen.ArgumentError, match="a set, which has no order"):
        unseen.Dataset.from_arrays(*arrays, class_names=set(names))
    unseen.Dataset.from_arrays(*arrays, class_names=names, unseen={"kind 3", "kind 5"}).close()
