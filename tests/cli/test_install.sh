#!/bin/sh
# Installed under a prefix, the library serves a program that finds it through pkg-config.
. "$(dirname "$0")/common.sh"
here=$(cd "$(dirname "$0")/../.." && pwd)
build=$(dirname "$unseen")
cd "$scratch" || exit 1
cmake --install "$build" --prefix "$scratch/usr" >/dev/null || fail "cmake --install"
library=$(dirname "$(find "$scratch/usr" -name libunseen.so | head -1)")
[ -f "$library/libunseen.a" ] || fail "the static library"
[ -f "$scratch/usr/share/man/man1/unseen.1" ] || fail "the manual page"
for file in bash-completion/completions/unseen zsh/site-functions/_unseen; do
    [ -s "$scratch/usr/share/$file" ] || fail "no share/$file"
done
# Every page that the program can print, and no other.
"$unseen" --help=pages | sed 's/ /-/g; s/.*/unseen-&.1/' | sort >want
find usr/share/man/man1 -name 'unseen-*' -size +0 | sed 's/.*\///' | sort >have
[ -s want ] && cmp -s want have || fail "installed pages: $(diff want have | grep '^[<>]')"
# Only the public names leave the shared library.
leaked=$(nm -D --defined-only "$library/libunseen.so" | awk '$2 ~ /[TDBR]/ {print $3}' | grep -v '^unseen_')
[ -z "$leaked" ] || fail "symbols that should be hidden: $leaked"
if nm -D "$library/libunseen.so" | grep -q __asan; then
    left_out "the examples, which are built without sanitizers"
    finish
fi
export PKG_CONFIG_PATH="$library/pkgconfig"
# The file carries the prefix of the build; here it stands elsewhere.
flags=$(pkg-config --define-variable=prefix="$scratch/usr" --cflags --libs unseen)
cc "$here/examples/score_features.c" $flags -o example || fail "the example does not build"
"$tools/make_dataset" toy || fail "make_dataset"
"$unseen" train dem --data toy -o toy.model --epochs 20 -q >/dev/null || fail "training"
tail -c 640 toy/features/toy.safetensors >features.f32 # the last five images, of the last kind
lines=$(LD_LIBRARY_PATH="$library" ./example toy.model <features.f32 | grep -c kind_)
[ "$lines" = 5 ] || fail "the example classified $lines of 5 images"
# The static library alone, with the system's as they are: the same answers without libunseen.so.
private=$(pkg-config --define-variable=prefix="$scratch/usr" --cflags --libs --static unseen |
    sed 's/-lunseen/-l:libunseen.a/')
if ! cc "$here/examples/score_features.c" $private -o alone 2>err; then
    grep -q 'cannot find -l' err || fail "the static library does not link: $(cat err)"
    left_out "libraries of libraries: $(grep -o 'cannot find -l[^:]*' err | sort -u | tr '\n' ' ')"
    direct=$(pkg-config --libs $(pkg-config --print-requires-private unseen))
    cc "$here/examples/score_features.c" -I"$scratch/usr/include" -L"$library" -l:libunseen.a \
        $direct -ldnnl -lgomp -lpthread -lm -o alone || fail "the static library does not link"
fi
readelf -d alone | grep -q 'libunseen' && fail "linked to libunseen.so after all"
LD_LIBRARY_PATH="$library" ./example toy.model <features.f32 >shared.out
./alone toy.model <features.f32 >static.out || fail "the statically linked example failed"
cmp shared.out static.out || fail "the statically linked example answers otherwise"
cc "$here/examples/classify_photo.c" $flags -o classify || fail "classify_photo.c does not build"
LD_LIBRARY_PATH="$library" expect 1 "imported features" ./classify toy.model photo.jpg
finish
