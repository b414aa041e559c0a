#!/bin/sh
# What only pictures, drawing and imports need is loaded when first used: the library and the program
# themselves need the processor's libraries and the C library. Where such a library is absent, what
# needs it says so and the rest works.
. "$(dirname "$0")/common.sh"
build=$(dirname "$unseen")
cd "$scratch" || exit 1
if nm -D "$build/libunseen.so" | grep -q __asan; then allowed='libasan|libubsan|'; else allowed=; fi
for file in unseen libunseen.so; do
    needed=$(readelf -d "$build/$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
        grep -vE "^(${allowed}lib(c|m|dl|pthread|gomp|dnnl|jansson)\.so\.|ld-linux)")
    [ -z "$needed" ] || fail "$file is linked to $needed"
done

# Which names the loader is asked for.
files=$(strings -a "$build/libunseen.so" | grep -E '^lib(vips|cairo|hdf5|zip|z|utf8proc|microhttpd)[-_a-z0-9.]*\.so')
[ -n "$files" ] || { left_out "absent libraries: this build links them"; finish; }
"$tools/make_dataset" toy || fail "make_dataset"
"$tools/make_pictures" pictures >/dev/null 2>&1
printf 'not a library' >broken
mkdir none all
for name in $files; do cp broken "none/$name"; done

# All absent: data sets, training, models and sentences need none of them.
without() { env LD_LIBRARY_PATH="$scratch/none" "$@"; }
without "$unseen" train dem --data toy -o toy.model --epochs 2 -q >out 2>&1 || fail "train: $(cat out)"
"$unseen" train dem --data toy -o same.model --epochs 2 -q >/dev/null
cmp toy.model same.model || fail "another model without the libraries"
without "$unseen" eval toy.model --data toy >out 2>&1 || fail "eval: $(cat out)"
without "$unseen" inspect toy.model >out 2>&1 || fail "inspect: $(cat out)"
without "$unseen" check toy >out 2>&1 || fail "check: $(cat out)"
# Texts of ASCII letters need no tables of Unicode.
"$tools/make_region_set" maps 200 9 16 12 12 || fail "make_region_set"
without "$unseen" train duet --data maps -o duet.model --steps 1 --select none -q --set hidden=16 \
    --set heads=2 --set inner=24 --set text_layers=1 --set batch=8 --set max_length=64 \
    --set image_hidden=16 --set image_heads=2 --set image_inner=24 --set image_layers=1 >out 2>&1 ||
    fail "train duet: $(cat out)"
expect 1 "drawing needs libcairo.so" without "$unseen" demo -o demo
expect 1 "cannot be loaded" without "$unseen" demo -o demo
[ ! -e demo/report.html ] || fail "a demo without cairo"
expect 1 "serving needs libmicrohttpd.so" without "$unseen" serve toy.model --port 0
printf 'P6 1 1 255 abc' >picture.ppm
printf '\377\330\377\340\000\020JFIF\000' >picture.jpg
mkdir folder folder/a folder/b
for class in a b; do cp picture.jpg folder/$class/1.jpg; done
printf 'class,x,y\na,1,0\nb,0,1\nc,1,1\n' >classes.csv
"$unseen" import folder folder --attributes classes.csv --unseen c -o mine >out 2>&1 ||
    fail "import folder: $(cat out)"
expect 1 "pictures needs libvips.so" without "$unseen" extract --backbone builtin:descriptor --data mine
printf '\211HDF\r\n\032\n' >file.mat
expect 1 "needs libhdf5" without "$unseen" import region-maps file.mat --semantics att=file.mat --splits file.mat -o other
finish
