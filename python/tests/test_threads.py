"""Handles in several threads, in callbacks, and under Ctrl-C."""
import ctypes
import gc
import logging
import os
import random
import signal
import threading

import pytest
import unseen
from conftest import C, N, in_time
from unseen import _library


def test_ctrl_c_leaves_no_handle_locked(data, model, arrays):
    """Many times, wherever it comes: while a lock is taken, held or given back."""
    rows = arrays[0][:2]
    model.evaluate(data)
    calls = (lambda: model.score(rows), lambda: data.features([1]), lambda: data.feature_sets,
             lambda: data.use_images("nowhere"), lambda: model.class_names,
             lambda: model.add_class("kind 3", {"big": 1}))
    armed, come = False, 0

    def interrupt(*_):
        nonlocal armed
        if armed:
            armed = False
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    shuffled = random.Random(1)
    try:
        for k in range(1500):
            call = calls[k % len(calls)]
            try:
                armed = True
                signal.setitimer(signal.ITIMER_REAL, shuffled.uniform(2e-5, 4e-4))
                while armed:
                    try:
                        call()
                    except unseen.ArgumentError:  # no such folder
                        pass
            except KeyboardInterrupt:
                come += 1
            armed = False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert come > 1000
    for call in calls[:3] + calls[4:]:
        in_time(call)
    with pytest.raises(unseen.ArgumentError, match="no names"):
        data.use_images("nowhere")
    assert in_time(lambda: model.score(arrays[0])).shape == (N, C)


def test_callbacks_read_and_change_nothing(data, model, caplog):
    """A callback of a call may ask its data set and what its model is; what would have to wait for
    the call itself says so."""
    said, refused = [], []

    def during_training(_progress):
        said.append((data.feature_sets, data.check()["errors"], len(data.features([1, 2])),
                     data.class_names[3]))
        for call in (lambda: data.use_images("."), data.extract):
            with pytest.raises(RuntimeError, match="being used by the call that is asking"):
                call()
            refused.append(call)
    in_time(lambda: unseen.train("dem", data, settings={"epochs": 2}, progress=during_training))
    assert said and len(refused) == 2 * len(said)
    assert all(s == (["features"], [], 2, "kind 3") for s in said)

    del said[:]

    class DuringEvaluation(logging.Handler):
        def emit(self, _record):
            said.append((model.method, model.class_count, model.class_names[3], model.recipe,
                         model.attribute_names[0], model.manifest["method"], model.gamma,
                         model.class_seen.sum(), repr(model)))
            with pytest.raises(RuntimeError, match="being used by the call that is asking"):
                model.save("nowhere")
    logger, handler = logging.getLogger("unseen"), DuringEvaluation()
    logger.addHandler(handler)
    try:
        with caplog.at_level(logging.INFO, logger="unseen"):
            in_time(lambda: model.evaluate(data))
    finally:
        logger.removeHandler(handler)
    assert said and all(s[:6] == ("dem", C, "kind 3", None, "big", "dem") for s in said)


def forked_beside(use, call):
    """The status of a child, forked while another thread is in use(hold), that does `call`."""
    inside, go = threading.Event(), threading.Event()

    def hold(_pointer=None):
        inside.set()
        go.wait(60)
    other = threading.Thread(target=use, args=(hold,))
    other.start()
    assert inside.wait(60)
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        try:
            call()
        except RuntimeError as error:
            os._exit(7 if "when this process was forked" in str(error) else 8)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    go.set()
    other.join()
    call()
    return os.waitstatus_to_exitcode(status)


def test_a_forked_child_does_not_wait_for_threads_that_it_lacks(data, model, arrays):
    """Their locks stayed held. What was only read is whole; what was changed, or a model, which has
    working memory, is not."""
    handle = data._handle
    assert forked_beside(handle.read, lambda: handle.change(lambda pointer: None)) == 0
    assert forked_beside(handle.read, lambda: data.features([1])) == 0
    assert forked_beside(handle.change, lambda: data.features([1])) == 7
    assert forked_beside(handle.change, lambda: handle.change(lambda pointer: None)) == 7

    def use(hold):
        with model._handle.alone:
            hold()
    assert forked_beside(use, lambda: model.score(arrays[0][:2])) == 7
    assert forked_beside(use, lambda: model.clone().score(arrays[0][:2])) == 7


def test_readers_do_not_wait_for_readers(data):
    """Other threads read during a training; the one that changes the data set waits for all, and
    they for it."""
    answers, order = [], []

    def during_training(_progress):
        if not answers:
            answers.append(in_time(lambda: (data.feature_sets, data.check()["errors"],
                                            data.features([5]).shape)))
    unseen.train("dem", data, settings={"epochs": 2}, progress=during_training)
    assert answers == [(["features"], [], (1, 1, 16))]

    handle = data._handle
    inside, go = threading.Barrier(3, timeout=60), threading.Event()

    def read():
        def hold(_pointer):
            inside.wait()
            go.wait(60)
            order.append("read")
        handle.read(hold)
    changed = lambda: handle.change(lambda _pointer: order.append("changed"))  # noqa: E731
    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    inside.wait()
    threads.append(threading.Thread(target=changed))
    threads[-1].start()
    while not handle._changing.locked():
        threads[-1].join(0.001)
    threads.append(threading.Thread(target=lambda: handle.read(lambda _: order.append("later"))))
    threads[-1].start()
    threads[-1].join(0.05)
    assert order == []
    go.set()
    for thread in threads:
        thread.join(60)
    assert order == ["read", "read", "changed", "later"]


def test_what_a_model_is_waits_for_what_changes_it(model):
    """Texts belong to the model; another thread that changes it would release them."""
    names = ("method", "class_count", "class_names", "class_seen", "attribute_names", "gamma",
             "manifest", "recipe", "feature_length", "grid", "branch_count")
    for name in names:
        with model._handle.lock:
            thread = threading.Thread(target=getattr, args=(model, name))
            thread.start()
            thread.join(0.05)
            assert thread.is_alive(), name
        thread.join(60)
        assert not thread.is_alive(), name


def test_what_a_logger_raises_in_a_thread_of_the_library(arrays, monkeypatch):
    """It is told as that of any thread, and reaches no call of a later thread of that number."""
    class Failing:
        def isEnabledFor(self, _level):
            raise KeyError("of the logger")
    told = []
    monkeypatch.setattr(threading, "excepthook", lambda args: told.append(args.exc_value))
    libc = ctypes.CDLL(None)
    create = libc.pthread_create
    create.argtypes = [ctypes.POINTER(ctypes.c_ulong), ctypes.c_void_p, ctypes.c_void_p,
                       ctypes.c_void_p]
    libc.pthread_join.argtypes = [ctypes.c_ulong, ctypes.c_void_p]
    number = ctypes.c_ulong()
    log = int(_library.ffi.cast("uintptr_t", _library._log_callback))
    with monkeypatch.context() as patched:
        patched.setattr(_library, "_logger", Failing())
        assert create(ctypes.byref(number), None, log, None) == 0  # level 0, and a text unread
        assert libc.pthread_join(number, None) == 0
    assert [repr(e) for e in told] == ["KeyError('of the logger')"]
    numbers = []
    for _ in range(50):
        numbers.append(in_time(lambda: (unseen.Dataset.from_arrays(*arrays),
                                        threading.get_ident())[1]))
        if numbers[-1] == number.value:
            break
    assert len(told) == 1


def test_what_was_made_when_a_logger_raised_is_released(arrays, monkeypatch):
    """The call succeeded, and its object reaches nobody."""
    class Failing:
        def isEnabledFor(self, _level):
            raise KeyError("of the logger")
    released = []
    close = _library.lib.unseen_dataset_close

    class Lib:
        def __getattr__(self, name):
            if name == "unseen_dataset_close":
                return lambda pointer: (released.append(bool(pointer)), close(pointer))
            return getattr(_library.lib, name)
    monkeypatch.setattr("unseen.dataset.lib", Lib())
    monkeypatch.setattr(_library, "_logger", Failing())
    with pytest.raises(KeyError, match="of the logger"):
        unseen.Dataset.from_arrays(*arrays)
    gc.collect()  # the exception refers to where it was raised
    assert released == [True]
