#!/bin/sh
# Installed under a prefix whose path has blanks, the library serves programs that find it through
# pkg-config or CMake, shared and static; uninstalled, it leaves nothing.
. "$(dirname "$0")/common.sh"
here=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$(dirname "$unseen")" && pwd -P)
prefix="$scratch/my prefix"
cd "$scratch" || exit 1
mkdir -p "$prefix/share" "$prefix/etc"
echo kept >"$prefix/share/kept"
find "$prefix" | sort >before
cmake --install "$build" --prefix "$prefix" >out 2>&1 || fail "cmake --install: $(cat out)"
library=$(dirname "$(find "$prefix" -name libunseen.so | head -1)")
[ -f "$library/libunseen.a" ] || fail "the static library"
[ -f "$prefix/share/man/man1/unseen.1" ] || fail "the manual page"
for file in bash-completion/completions/unseen zsh/site-functions/_unseen; do
    [ -s "$prefix/share/$file" ] || fail "no share/$file"
done
# Every page that the program can print, that of unseen-mpi where it is built, and no other.
{
    "$unseen" --help=pages | sed 's/ /-/g; s/.*/unseen-&.1/'
    [ ! -x "$prefix/bin/unseen-mpi" ] || echo unseen-mpi.1
} | sort >want
(cd "$prefix/share/man/man1" && find . -name 'unseen-*' -size +0) | sed 's/.*\///' | sort >have
[ -s want ] && cmp -s want have || fail "installed pages: $(diff want have | grep '^[<>]')"

# consumers: programs against what is installed, with the same answers each.
consumers() {
    "$tools/make_dataset" toy || fail "make_dataset"
    "$unseen" train dem --data toy -o toy.model --epochs 20 -q >/dev/null || fail "training"
    tail -c 640 toy/features/toy.safetensors >features.f32 # the last five images, of the last kind
    export PKG_CONFIG_PATH="$library/pkgconfig"
    [ "$(pkg-config --modversion unseen)" = "$("$unseen" --version | sed -n '1s/.* //p')" ] ||
        fail "the version in unseen.pc"
    # Headers of others are not asked for: where there are no .pc files but this one, too.
    own=$(PKG_CONFIG_LIBDIR=$PKG_CONFIG_PATH PKG_CONFIG_PATH= pkg-config --cflags --libs unseen 2>&1) ||
        fail "unseen.pc wants others: $own"
    # What pkg-config prints is for a shell to read.
    eval "cc '$here/examples/score_features.c' $(pkg-config --cflags --libs unseen) -o shared" ||
        fail "the example does not build"
    lines=$(LD_LIBRARY_PATH="$library" ./shared toy.model <features.f32 | tee shared.out | grep -c kind_)
    [ "$lines" = 5 ] || fail "the example classified $lines of 5 images"
    # As docs/INSTALL.md has it, shared and static.
    cp "$here/examples/score_features.c" program.c
    sed -n '/pkg-config --cflags/p' "$here/docs/INSTALL.md" >commands
    [ "$(wc -l <commands)" = 2 ] || fail "docs/INSTALL.md has other commands: $(cat commands)"
    while read -r command; do
        rm -f a.out
        sh -c "$command" >out 2>&1 || fail "docs/INSTALL.md: $command: $(cat out)"
        LD_LIBRARY_PATH="$library" ./a.out toy.model <features.f32 | cmp - shared.out ||
            fail "docs/INSTALL.md: what $command makes answers otherwise"
    done <commands
    eval "cc '$here/examples/classify_photo.c' $(pkg-config --cflags --libs unseen) -o classify" ||
        fail "classify_photo.c does not build"
    LD_LIBRARY_PATH="$library" expect 1 "imported features" ./classify toy.model photo.jpg
    # The static library, without libunseen.so.
    static=$(pkg-config --cflags --libs --static unseen | sed 's/-lunseen/-l:libunseen.a/')
    eval "cc '$here/examples/score_features.c' $static -o static" ||
        fail "pkg-config --static does not link"
    mkdir consumer
    cp "$here/examples/score_features.c" consumer
    cat >consumer/CMakeLists.txt <<'EOF'
cmake_minimum_required(VERSION 3.18)
project(consumer C)
find_package(unseen 0.1 REQUIRED COMPONENTS static)
add_executable(by_shared score_features.c)
target_link_libraries(by_shared unseen::unseen)
add_executable(by_static score_features.c)
target_link_libraries(by_static unseen::static)
find_package(unseen 99.0 QUIET)
if(unseen_FOUND)
  message(FATAL_ERROR "any version will do")
endif()
foreach(known shared "shared;static")
  find_package(unseen QUIET COMPONENTS ${known})
  if(NOT unseen_FOUND)
    message(FATAL_ERROR "no ${known}: ${unseen_NOT_FOUND_MESSAGE}")
  endif()
endforeach()
find_package(unseen QUIET OPTIONAL_COMPONENTS magic)
if(NOT unseen_FOUND)
  message(FATAL_ERROR "an optional component is asked for")
endif()
find_package(unseen QUIET COMPONENTS static magic)
if(unseen_FOUND OR NOT unseen_NOT_FOUND_MESSAGE MATCHES "no component magic")
  message(FATAL_ERROR "any component will do: ${unseen_NOT_FOUND_MESSAGE}")
endif()
EOF
    if cmake -S consumer -B "consumer/a build" -DCMAKE_PREFIX_PATH="$prefix" >out 2>&1 &&
        cmake --build "consumer/a build" >>out 2>&1; then
        cp "consumer/a build/by_shared" "consumer/a build/by_static" .
    else
        fail "find_package: $(cat out)"
    fi
    for program in static by_static; do
        readelf -d $program | grep -q libunseen && fail "$program is linked to libunseen.so after all"
        ./$program toy.model <features.f32 >$program.out || fail "$program"
        cmp shared.out $program.out || fail "$program answers otherwise"
    done
    # CMake's search path of what it built leads to where it is installed.
    ./by_shared toy.model <features.f32 >by_shared.out || fail "by_shared"
    cmp shared.out by_shared.out || fail "by_shared answers otherwise"
}
# imports PREFIX: the Python package there, and no other, loads the library there.
imports() {
    interface=$(find "$(realpath "$1")" -path '*/unseen/_interface.py')
    interpreter=$(sed -n 's/^UNSEEN_PYTHON:[A-Z]*=//p' "$build/CMakeCache.txt")
    if [ -z "$interface" ] || ! "$interpreter" -c 'import numpy' 2>/dev/null; then
        left_out "the Python package, without python3-cffi or python3-numpy"
        return
    fi
    found=$(cd / && env -u LD_LIBRARY_PATH -u UNSEEN_LIBRARY PYTHONDONTWRITEBYTECODE=1 \
        PYTHONPATH="$(dirname "$(dirname "$interface")")" "$interpreter" -c '
import unseen, unseen._library
assert "dem" in unseen.methods()
print(unseen.__file__)
print(next(l.split(None, 5)[5].strip() for l in open("/proc/self/maps") if "/libunseen.so" in l))
' 2>&1)
    want="$(dirname "$interface")/__init__.py
$(realpath "$(find "$1" -name libunseen.so)")"
    [ "$found" = "$want" ] || fail "the Python package below $1: $found"
}
if nm -D "$library/libunseen.so" | grep -q __asan; then
    left_out "the examples and the Python package, which run without sanitizers"
    imports() { :; }
else
    consumers
fi
imports "$prefix"

# Moved as a whole, it is found where it lies now.
mv "$prefix" moved
imports moved
[ "$(PKG_CONFIG_PATH=$(dirname "$(find moved -name unseen.pc)") pkg-config --variable=prefix unseen |
    xargs realpath)" = "$(realpath moved)" ] || fail "unseen.pc does not move with its tree"
mv moved "$prefix"

# Twice, and then nothing is left but what was there; below DESTDIR likewise.
cmake --install "$build" --prefix "$prefix" >/dev/null || fail "a second time"
gone() { make -s -C "$here" uninstall BUILD="$build" PREFIX="$1" >out 2>&1; }
# What Python makes of a package that is imported, and a file of an earlier version, go with the rest.
find "$prefix" -name '*.py' | while read -r file; do
    mkdir -p "$(dirname "$file")/__pycache__"
    : >"$(dirname "$file")/__pycache__/$(basename "$file" .py).cpython-399.pyc"
done
: >"$library/libunseen.so.0.0.1"
list=$(grep -lF "$library/libunseen.so" "$build"/installed/*.txt | head -1)
[ -f "$list" ] || fail "the installation is not remembered"
echo "$library/libunseen.so.0.0.1" >>"$list"
cmake --install "$build" --prefix "$prefix/" >/dev/null || fail "with a slash at the end"
gone "$prefix/" || fail "uninstall: $(cat out)"
find "$prefix" | sort >after
cmp before after || fail "uninstall leaves or takes: $(diff before after)"
gone "$prefix" && fail "uninstalled twice"
tr -s ' \n' ' ' <out | grep -qF "Nothing is installed in $(realpath "$prefix") by" || fail "uninstall twice says: $(cat out)"
cmake --install "$build" --prefix "$prefix" >/dev/null || fail "once more"
relative=$(realpath --relative-to="$here" "$prefix")
gone "$relative" || fail "uninstall from $relative: $(cat out)"
find "$prefix" | sort >after
cmp before after || fail "uninstall from $relative leaves or takes: $(diff before after)"
DESTDIR="$scratch/a stage" cmake --install "$build" --prefix /opt/unseen >/dev/null || fail "DESTDIR"
[ -x "a stage/opt/unseen/bin/unseen" ] || fail "DESTDIR is not honoured"
[ ! -e /opt/unseen/bin/unseen ] || fail "DESTDIR is not kept to"
DESTDIR="$scratch/a stage" gone /opt/unseen || fail "uninstall below DESTDIR: $(cat out)"
[ ! -e "a stage" ] || fail "left below DESTDIR: $(find 'a stage')"
finish
