"""Data that tests share: made ones, and the drawn birds of the program."""
import os
import pathlib
import shutil
import subprocess
import threading

import numpy as np
import pytest
import unseen

C, A, F, N = 12, 6, 16, 600
ATTRIBUTES = ["big", "small", "furry", "winged", "wet", "loud"]


def made(seed=1, regions=None):
    """Features (N, F) or (N, R, F) float32, labels, attributes: what shows is what describes."""
    rng = np.random.default_rng(seed)
    attributes = rng.random((C, A)).astype(np.float32)
    labels = (np.arange(N) % C).astype(np.int32)
    mix = rng.standard_normal((A, F))
    shape = (N, F) if regions is None else (N, regions, F)
    means = attributes[labels] @ mix
    features = (means if regions is None else means[:, None]) + 0.2 * rng.standard_normal(shape)
    return features.astype(np.float32), labels, attributes


def in_time(function, seconds=30):
    """What function() returns in a thread of its own, which must end in time."""
    answers = []
    thread = threading.Thread(target=lambda: answers.append(function()), daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), "it waits for ever"
    assert answers, "it raised"
    return answers[0]


@pytest.fixture(scope="session")
def arrays():
    return made()


@pytest.fixture()
def data(arrays):
    features, labels, attributes = arrays
    with unseen.Dataset.from_arrays(features, labels, attributes, attribute_names=ATTRIBUTES,
                                    class_names=[f"kind {k}" for k in range(C)],
                                    unseen=["kind 3", "kind 5"]) as made_of_arrays:
        yield made_of_arrays


@pytest.fixture()
def model(data):
    return unseen.train("dem", data, settings={"epochs": 10})


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """A data set directory with pictures, to be copied and never changed; without the program it is
    skipped."""
    program = os.environ.get("UNSEEN")
    if not program:
        pytest.skip("UNSEEN does not name the program, which draws pictures")
    folder = tmp_path_factory.mktemp("drawn") / "birds"
    subprocess.run([program, "import", "tinybirds", "-o", folder, "--size", "64",
                    "--images-per-class", "5", "-q"], check=True, stdout=subprocess.DEVNULL)
    return folder


@pytest.fixture(scope="session")
def birds(drawn, tmp_path_factory):
    """A copy that tests share: what one adds is there for the next."""
    return pathlib.Path(shutil.copytree(drawn, tmp_path_factory.mktemp("shared") / "birds"))
