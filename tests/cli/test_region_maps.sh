#!/bin/bash
# Region maps from the command line: usage, damaged files, a full disk, a kill, word vectors.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1
"$tools/test_region_maps" --write maps.hdf5 || fail "no file to import"
import="$unseen import region-maps maps.hdf5"

expect 2 "the HDF5 file is missing" "$unseen" import region-maps -o x
expect 2 "output is missing" $import
expect 2 "dtype must be" $import --dtype f16 -o x
expect 1 "no-such" "$unseen" import region-maps no-such.hdf5 -o x
printf 'no HDF5 file' >none.hdf5
expect 1 "not an HDF5 file" "$unseen" import region-maps none.hdf5 -o x
head -c 100000 maps.hdf5 >cut.hdf5
expect 1 "cut.hdf5" "$unseen" import region-maps cut.hdf5 -o x
ls -d x* 2>/dev/null && fail "a failed import left something"

expect 0 "80 x 49 x 20 BF16" $import -o a
expect 0 "word vectors of width 3" $import -o a-again
cmp -s a/features/maps.safetensors a-again/features/maps.safetensors || fail "two imports differ"
expect 0 "80 x 49 x 20 F32" $import --dtype f32 --features-name regions -o b
expect 0 "0 errors" "$unseen" check a
expect 1 "not empty" $import -o a

# Killed in the middle: nothing under the final name, and the next import works.
interrupted KILL killed.partial killed $import -q -o killed
expect 0 "images        80" $import -o killed
ls -d killed.* 2>/dev/null && fail "something was left beside the data set"

# A full disk: one sentence, nothing left.
output=$( (ulimit -f 64; $import -o full) 2>&1)
status=$?
[ $status = 1 ] || fail "a full disk ended with $status: $output"
ls -d full* 2>/dev/null && fail "something was left on the full disk"

# Word vectors at the import and after it.
printf 'tail 1 2\nlong 3 4\n' >vectors.txt
printf 'tail\nlong_tail\nxyz\nlong\n' >names.txt
expect 0 "word vectors of width 2, attributes named" $import --word-vectors vectors.txt \
    --attributes names.txt -o w
expect 0 "zeros: xyz" $import --word-vectors vectors.txt --attributes names.txt -o w2
expect 1 "HDF5" $import --word-vectors maps.hdf5 --attributes names.txt -o w3
[ -e w3 ] && fail "an import without its words was left"
expect 0 "word vectors of width 2" "$unseen" words a --vectors vectors.txt --attributes names.txt
expect 0 "0 errors" "$unseen" check a
expect 2 "vectors is missing" "$unseen" words a
expect 1 "nothing.txt" "$unseen" words a --vectors nothing.txt
finish
