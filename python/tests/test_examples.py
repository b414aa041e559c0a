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


def sources(folder):
    """A copy of what a wheel is made of, but for the library's sources."""
    for name in ("python", "include"):
        shutil.copytree(HERE.parent / name, folder / name, ignore=shutil.ignore_patterns(
            "_interface.py", "build", "*.egg-info", "__pycache__"))
    (folder / "CMakeLists.txt").write_bytes((HERE.parent / "CMakeLists.txt").read_bytes())
    return folder / "python"


@pytest.fixture(scope="module")
def build():
    """The folder of the build; what pip needs is there."""
    folder = os.environ.get("UNSEEN_BUILD")
    if not folder:
        pytest.skip("UNSEEN_BUILD does not name the folder of a build")
    for module in ("setuptools", "wheel", "pip", "venv", "ensurepip"):
        pytest.importorskip(module)
    return pathlib.Path(folder).resolve()


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """An environment of its own: run(words, **more) runs its Python there, and says what it says."""
    folder = tmp_path_factory.mktemp("fresh")
    clean = {k: v for k, v in os.environ.items()
             if k not in ("PYTHONPATH", "UNSEEN_LIBRARY", "UNSEEN_BUILD", "LD_PRELOAD")}

    def run(*words, **more):
        return subprocess.run([folder / "venv" / "bin" / "python3", *words], check=True, cwd=folder,
                              env={**clean, **more}, stdout=subprocess.PIPE, text=True).stdout
    subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", folder / "venv"],
                   check=True, env=clean)
    run.folder = folder
    return run


PIP = ("-m", "pip", "--disable-pip-version-check", "-q")
OFFLINE = ("--no-deps", "--no-index")


def check_installed(fresh, build):
    """The package and the library are those of the environment, and work."""
    preload = {k: v for k, v in os.environ.items() if k == "LD_PRELOAD"}  # of a sanitizer
    told = fresh(
        "-c", "import unseen, unseen._library as l; print(unseen.__file__, unseen.methods());"
        "print([line.split()[-1] for line in open('/proc/self/maps') if 'libunseen' in line][0])", **preload)
    assert len(told.splitlines()) == 2
    for line in told.splitlines():
        assert str(fresh.folder / "venv") in line
    if "__asan" not in subprocess.run(["nm", "-D", build / "libunseen.so"], check=True,
                                      capture_output=True, text=True).stdout:
        fresh(HERE.parent / "examples" / "train_arrays.py", "arrays.model")
    fresh(*PIP, "uninstall", "-y", "unseen")


def test_a_wheel_in_a_fresh_environment(tmp_path, build, fresh):
    """Built offline from this checkout with the library of the build, and installed."""
    fresh(*PIP, "wheel", *OFFLINE, "--no-build-isolation", "-w", tmp_path / "wheels",
          sources(tmp_path), UNSEEN_BUILD=str(build))
    wheel, = (tmp_path / "wheels").iterdir()
    assert wheel.name.startswith("unseen-") and "-py3-none-linux" in wheel.name
    fresh(*PIP, "install", *OFFLINE, wheel)
    check_installed(fresh, build)


def test_a_plain_installation(tmp_path, build, fresh):
    """`pip install ./python` has CMake build the library. A project that takes the one of the build
    stands in for the checkout's, which has the target and the options that are asked for."""
    project = tmp_path / "CMakeLists.txt"
    source = sources(tmp_path)
    version = project.read_text().split("project(unseen VERSION ")[1].split()[0].rstrip(")")
    soname = "libunseen.so." + version.split(".")[0]
    project.write_text(f"""
        cmake_minimum_required(VERSION 3.18)
        project(unseen VERSION {version} LANGUAGES NONE)
        if(NOT UNSEEN_TESTS STREQUAL "OFF" OR NOT UNSEEN_WERROR STREQUAL "OFF")
          message(FATAL_ERROR "other options")
        endif()
        add_custom_target(unseen_shared COMMAND ${{CMAKE_COMMAND}} -E copy
          "{build}/{soname}" "${{CMAKE_BINARY_DIR}}/{soname}")
    """)
    fresh(*PIP, "install", *OFFLINE, "--no-build-isolation", source)
    check_installed(fresh, build)
    cache = (build / "CMakeCache.txt").read_text()
    assert "UNSEEN_TESTS:BOOL=" in cache and "UNSEEN_WERROR:BOOL=" in cache
    targets = subprocess.run(["cmake", "--build", build, "--target", "help"], check=True,
                             capture_output=True, text=True).stdout
    assert "unseen_shared" in targets
