#!/bin/sh
# run.sh PYTHON BUILD: the tests of the Python package with the library of BUILD. Ends with 77 where
# what they need is absent.
here=$(cd "$(dirname "$0")/.." && pwd)
python=$1
build=$2
skip() { echo "skipped: $1"; exit 77; }
[ -x "$python" ] || skip "there is no python3"
[ -f "$build/python/unseen/_interface.py" ] || skip "the Python package was not built: it needs python3-cffi"
for module in numpy pytest; do
    "$python" -c "import $module" 2>/dev/null || skip "$python has no $module (python3-$module)"
done
if nm -D "$build/libunseen.so" | grep -q __asan; then
    LD_PRELOAD=$(${CC:-gcc} -print-file-name=libasan.so) # an interpreter without it loads one with it
    ASAN_OPTIONS=detect_leaks=0:detect_odr_violation=0
    export LD_PRELOAD ASAN_OPTIONS
fi
cd "$here/tests" || exit 1 # not where the sources are found as a package
PYTHONPATH="$build/python" PYTHONDONTWRITEBYTECODE=1 UNSEEN_BUILD="$build" \
    exec "$python" -m pytest -q -p no:cacheprovider .
