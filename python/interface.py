"""Writes unseen/_interface.py: what the public headers declare, for cffi, so that an import parses
nothing. usage: interface.py INCLUDE_FOLDER VERSION LIBRARY FILE; LIBRARY is a path from the
package or a name that the system finds"""
import contextlib
import os
import re
import sys
import tempfile

import cffi


def declarations(folder):
    """unseen.h and what it includes, without comments, directives, attributes and C++."""
    def read(name):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            return file.read()
    text = re.sub(r'^#include "([a-z_]+\.h)"$', lambda m: read(m[1]), read("unseen.h"), flags=re.M)
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r"^#ifdef __cplusplus.*?^#endif", "", text, flags=re.S | re.M)
    text = re.sub(r"^[ \t]*#.*$", "", text, flags=re.M)
    return text.replace("UNSEEN_API", "")


def write(folder, version, library, path):
    """Writes the module, whole or not at all."""
    ffi = cffi.FFI()
    ffi.cdef(declarations(folder))
    ffi.set_source("unseen._interface", None)
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        made = os.path.join(scratch, "_interface.py")
        with contextlib.redirect_stdout(None):
            ffi.emit_python_code(made)
        with open(made, encoding="utf-8") as file:
            text = file.read()
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text + f'\nVERSION = {version!r}\nLIBRARY = {library!r}\n')
    os.replace(path + ".new", path)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    write(*sys.argv[1:])
