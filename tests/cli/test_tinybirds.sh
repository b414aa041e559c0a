#!/bin/sh
# Drawing the built-in data set: same seed, same bytes; a data set that passes its check.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1
draw="$unseen import tinybirds --images-per-class 5 --size 64 -q"

expect 0 "300 images of 60 kinds (15 unseen)" $draw --seed 3 -o a
expect 0 "drawn in" $draw --seed 3 --threads 1 -o b/
expect 0 "drawn in" $draw --seed 4 -o c
diff -r a/images b/images >/dev/null || fail "the same seed gave other pictures"
cmp -s a/parts.safetensors b/parts.safetensors || fail "the same seed gave other boxes"
diff -r a/images c/images >/dev/null 2>&1 && fail "another seed gave the same pictures"
expect 0 "good: 0 errors, 0 warnings" "$unseen" check a

expect 1 "not empty" $draw -o a
expect 1 "64 to 1024 pixels" $draw --size 8 -o d
expect 1 "images of a class" "$unseen" import tinybirds --images-per-class 1 -o d
expect 2 "wants a whole number from 1" $draw --images-per-class -3 -o d
expect 2 "--output is missing" $draw
[ -e d ] || [ -e d.partial ] && fail "a refused import left something behind"
finish
