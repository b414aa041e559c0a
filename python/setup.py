"""Builds a wheel that carries the library, which CMake makes of the checkout that this folder is in.
UNSEEN_BUILD names a build of it that is there already."""
import os
import pathlib
import re
import shutil
import subprocess
import sys

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:
    from wheel.bdist_wheel import bdist_wheel

HERE = pathlib.Path(__file__).resolve().parent
CHECKOUT = HERE.parent
VERSION = re.search(r"project\(unseen VERSION ([0-9.]+)",
                    (CHECKOUT / "CMakeLists.txt").read_text(encoding="utf-8"))[1]
SONAME = "libunseen.so." + VERSION.split(".")[0]


class Build(build_py):
    """The package's files, the library, and what its headers declare."""

    def run(self):
        super().run()
        folder = pathlib.Path(HERE if getattr(self, "editable_mode", False) else self.build_lib)
        package = folder / "unseen"
        package.mkdir(parents=True, exist_ok=True)
        # Follows the link; a library that is in use is not written over.
        (package / SONAME).unlink(missing_ok=True)
        shutil.copy(self.library(), package / SONAME)
        subprocess.run([sys.executable, HERE / "interface.py", CHECKOUT / "include", VERSION,
                        "./" + SONAME, package / "_interface.py"], check=True)

    def library(self):
        """The library of UNSEEN_BUILD, or one that is built now."""
        given = os.environ.get("UNSEEN_BUILD")
        build = pathlib.Path(given or HERE / "build" / "library").resolve()
        if not given:
            subprocess.run(["cmake", "-S", CHECKOUT, "-B", build, "-DUNSEEN_TESTS=OFF",
                            "-DUNSEEN_WERROR=OFF"], check=True)
            subprocess.run(["cmake", "--build", build, "--parallel", "--target", "unseen_shared"],
                           check=True)
        return build / SONAME


class Wheel(bdist_wheel):
    """For every Python 3 on machines of this kind: nothing is compiled against Python."""

    def get_tag(self):
        return ("py3", "none", super().get_tag()[2])


class Carrying(Distribution):
    """One that carries a library."""

    def has_ext_modules(self):
        return True


setup(version=VERSION, distclass=Carrying, cmdclass={"build_py": Build, "bdist_wheel": Wheel})
