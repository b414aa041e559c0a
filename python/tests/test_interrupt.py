"""Stopped by a function or by Ctrl-C, a training goes on to the same bytes."""
import logging
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
import unseen

SETTINGS = {"epochs": 150, "evaluate_every": 5}


def test_a_function_stops(data, tmp_path):
    out = tmp_path / "one.model"
    unseen.train("dem", data, settings=SETTINGS, output=tmp_path / "whole.model")
    with pytest.raises(unseen.Interrupted, match="stopped"):
        unseen.train("dem", data, settings=SETTINGS, output=out, progress=lambda p: True)
    assert not out.exists() and out.with_name(out.name + ".checkpoint").exists()
    unseen.train("dem", data, settings=SETTINGS, output=out, resume=True)
    assert out.read_bytes() == (tmp_path / "whole.model").read_bytes()


def test_what_a_function_raises_arrives(data):
    def fail(_progress):
        raise KeyError("mine")
    with pytest.raises(KeyError, match="mine"):
        unseen.train("dem", data, settings=SETTINGS, progress=fail)


def test_what_a_logger_raises_arrives(arrays, data):
    """As Ctrl-C does that comes while a message is told."""
    class Raising(logging.Handler):
        def emit(self, record):
            raise KeyboardInterrupt("while a message is told")
    handler = Raising()
    logger = logging.getLogger("unseen")
    logger.addHandler(handler)
    try:
        with pytest.raises(KeyboardInterrupt, match="told"):
            unseen.Dataset.from_arrays(*arrays)
        logger.setLevel(logging.DEBUG)
        with pytest.raises(KeyboardInterrupt, match="told"):
            unseen.train("dem", data, settings={"epochs": 5})
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    unseen.train("dem", data, settings={"epochs": 2})


SESSION = """
    import sys, numpy as np, unseen
    sys.path.insert(0, {tests!r})
    from conftest import made
    features, labels, attributes = made()
    data = unseen.Dataset.from_arrays(features, labels, attributes)
    def tell(progress):
        print(progress.done, flush=True)
    try:
        unseen.train("dem", data, settings={{"epochs": 800, "evaluate_every": 50, "patience": 0,
                     "whiten": "no"}}, select="none", output={out!r}, resume={resume}, progress=tell)
    except KeyboardInterrupt:
        print("stopped by Ctrl-C", flush=True)
        sys.exit(9)
"""


def session(out, resume):
    tests = os.path.dirname(os.path.abspath(__file__))
    code = textwrap.dedent(SESSION.format(tests=tests, out=str(out), resume=resume))
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def test_ctrl_c(tmp_path):
    whole, out = tmp_path / "whole.model", tmp_path / "stopped.model"
    with session(whole, False) as process:
        process.communicate(timeout=300)
    assert process.returncode == 0
    stops = 0
    for attempt in range(4):
        with session(out, attempt > 0) as process:
            process.stdout.readline()  # training is under way
            time.sleep(0.15)
            if stops < 2:
                process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=300)[0]
        if process.returncode == 0:
            break
        assert process.returncode == 9 and "stopped by Ctrl-C" in said
        assert not out.exists() and out.with_name(out.name + ".checkpoint").exists()
        stops += 1
    assert stops >= 1
    assert out.read_bytes() == whole.read_bytes()
