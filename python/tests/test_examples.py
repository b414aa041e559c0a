"""The examples run, and the package installs into an environment of its own."""
import os
import pathlib
import runpy
import shutil
import subprocess
import sys

import pytest
import unseen

HERE = pathlib.Path(__file__).resolve().parent.parent


def test_fifteen_lines(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["train_arrays.py", str(tmp_path / "arrays.model")])
    runpy.run_path(str(HERE.parent / "examples" / "train_arrays.py"))
    assert "unseen.Result T1" in capsys.readouterr().out
    assert unseen.Model(tmp_path / "arrays.model").class_count == 12


def test_notebook(monkeypatch):
    """Every cell, with the program for the last one."""
    program = os.environ.get("UNSEEN")
    if not program:
        pytest.skip("UNSEEN does not name the program, which makes a data set of pictures")
    monkeypatch.setenv("PATH", os.path.dirname(program) + os.pathsep + os.environ["PATH"])
    names = runpy.run_path(str(HERE.parent / "examples" / "arrays_to_curve.py"))
    assert names["result"].T1 > 1 / 2 and len(names["curve"].U) > 2
    assert names["explanation"].png().startswith(b"\x89PNG")


def test_a_wheel_in_a_fresh_environment(tmp_path):
    """Built offline from this checkout with the library of the build, and installed."""
    build = os.environ.get("UNSEEN_BUILD")
    if not build:
        pytest.skip("UNSEEN_BUILD does not name the folder of a build")
    for module in ("setuptools", "wheel", "pip", "venv", "ensurepip"):
        pytest.importorskip(module)
    clean = {k: v for k, v in os.environ.items()
             if k not in ("PYTHONPATH", "UNSEEN_LIBRARY", "LD_PRELOAD")}
    source = tmp_path / "checkout"
    for name in ("python", "include"):
        shutil.copytree(HERE.parent / name, source / name, ignore=shutil.ignore_patterns(
            "_interface.py", "build", "*.egg-info", "__pycache__"))
    (source / "CMakeLists.txt").write_bytes((HERE.parent / "CMakeLists.txt").read_bytes())
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-index", "--no-build-isolation", "-w",
                    tmp_path / "wheels", source / "python"], check=True, env=clean)
    wheel, = (tmp_path / "wheels").iterdir()
    assert wheel.name.startswith("unseen-") and "-py3-none-linux" in wheel.name
    subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", tmp_path / "venv"],
                   check=True, env=clean)
    python = tmp_path / "venv" / "bin" / "python3"
    subprocess.run([python, *pip[1:], "install", "--no-deps", "--no-index", wheel], check=True,
                   env=clean)
    told = subprocess.run(
        [python, "-c", "import unseen, unseen._library as l; print(unseen.__file__, unseen.methods());"
         "print([line.split()[-1] for line in open('/proc/self/maps') if 'libunseen' in line][0])"],
        check=True, env=clean, capture_output=True, text=True, cwd=tmp_path).stdout
    for line in told.splitlines():
        assert str(tmp_path / "venv") in line
    if "__asan" not in subprocess.run(["nm", "-D", pathlib.Path(build) / "libunseen.so"], check=True,
                                      capture_output=True, text=True).stdout:
        example = HERE.parent / "examples" / "train_arrays.py"
        subprocess.run([python, example, "arrays.model"], check=True,
                       env=clean, cwd=tmp_path, stdout=subprocess.DEVNULL)
