"""Files: data sets imported, word vectors, what is in a file."""
import numpy as np
import pytest
import unseen
from conftest import ATTRIBUTES, C, N


@pytest.fixture()
def files(arrays, tmp_path):
    features, labels, attributes = arrays
    np.save(tmp_path / "x.npy", features)
    np.save(tmp_path / "y.npy", labels)
    np.save(tmp_path / "a.npy", attributes)
    return {"features": tmp_path / "x.npy", "labels": tmp_path / "y.npy",
            "semantics": {"att": tmp_path / "a.npy"}}


def test_arrays_are_imported(files, arrays, tmp_path):
    (tmp_path / "names.txt").write_text("".join(f"kind {k}, so\n" for k in range(C)))
    data = unseen.import_dataset("arrays", tmp_path / "made", unseen=["kind 3, so", "kind 5, so"],
                                 classes=tmp_path / "names.txt", name="beasts", **files)
    assert len(data) == N and data.name == "beasts" and data.image_folder is None
    assert [n for n, seen in zip(data.class_names, data.class_seen) if not seen] == [
        "kind 3, so", "kind 5, so"]
    assert (data.features()[:, 0] == arrays[0]).all()
    found = unseen.inspect(tmp_path / "made")
    assert found["kind"] == "data set" and found["features"][0]["shape"] == [N, 1, 16]
    for wrong, sentence in (({"unseen": 3, "update": True}, "no use for update"),
                            ({"dtype": "f16"}, "f16"), ({"orientation": "up"}, "up")):
        with pytest.raises(unseen.ArgumentError, match=sentence):
            unseen.import_dataset("arrays", tmp_path / "other", **files, **wrong)
    with pytest.raises(unseen.ArgumentError, match="needs features"):
        unseen.import_dataset("arrays", tmp_path / "other")
    none = unseen.import_dataset("arrays", tmp_path / "none", unseen=[], **files)
    assert none.class_seen.all()


def test_birds_are_drawn(tmp_path):
    birds = unseen.import_dataset("tinybirds", tmp_path / "birds", images_per_class=5,
                                  image_size=64, seed=3)
    assert len(birds) == 300 and (tmp_path / "birds" / "images").samefile(birds.image_folder)
    assert birds.words().shape == (len(birds.attribute_names()), 300)


def test_words_let_msdn_begin(arrays):
    """MSDN starts from word vectors, which arrays have not until they are added."""
    features, labels, attributes = arrays
    regions = np.repeat(features[:, None], 4, axis=1)
    data = unseen.Dataset.from_arrays(regions, labels, attributes, attribute_names=ATTRIBUTES,
                                      grid=(2, 2))
    assert data.words() is None
    with pytest.raises(unseen.Error, match="word vectors"):
        unseen.train("msdn", data, settings={"epochs": 1})
    data.add_words("builtin:words")
    vectors = data.words("att")
    assert vectors.shape == (len(ATTRIBUTES), 300) and not vectors.flags.writeable
    unseen.train("msdn", data, settings={"epochs": 1}, max_steps=1)
    with pytest.raises(unseen.ArgumentError, match="sent"):
        data.add_words("builtin:words", semantics=["sent"])


def test_inspect(model, tmp_path):
    model.save(tmp_path / "m.model")
    found = unseen.inspect(tmp_path / "m.model")
    assert found["kind"] == "model" and found["metadata"]["manifest"]["method"] == "dem"
    with pytest.raises(unseen.FileError, match="nowhere"):
        unseen.inspect(tmp_path / "nowhere")
