#!/bin/sh
# The driver of the fuzz targets sees what it is there to see: a file that should be refused and is
# taken, one that should be taken and is refused, a folder without files, an unknown target; and
# its seeds are the ones that are kept.
. "$(dirname "$0")/common.sh"
replay=$tools/fuzz_replay
corpus=$(cd "$(dirname "$0")/../fuzz/corpus" && pwd)
mkdir "$scratch/empty"
printf 'class,a\nx,1\n' >"$scratch/bad_sound"
printf 'class,a\nx,tall\n' >"$scratch/damaged"
expect 1 "bad_sound was taken" "$replay" table "$scratch/bad_sound"
expect 1 "damaged was refused" "$replay" table "$scratch/damaged"
expect 1 "there are no files" "$replay" table "$scratch/empty"
expect 1 "there is no target" "$replay" tabel "$scratch/damaged"
expect 1 "cannot read" "$replay" table "$scratch/absent"

# An input that ends the process is kept and told.
export UNSEEN_FUZZ_CRASHES="$scratch"
mv "$scratch/bad_sound" "$scratch/sound"
expect 0 "table: 1 files, 7 mutations" "$replay" table --mutations 7 "$scratch/sound"
for seconds in 1 5 20; do # on a busy machine it may not have begun after one
    "$replay" table --mutations 100000000 "$scratch/sound" >"$scratch/said" 2>&1 &
    sleep $seconds
    kill -ABRT $! && wait $!
    [ $? -gt 1 ] || fail "an aborted replay ended well"
    grep -q "Target table failed on .*sound, mutation [1-9]" "$scratch/said" && break
done
grep -q "Target table failed on .*sound, mutation [1-9]" "$scratch/said" || fail "not told: $(cat "$scratch/said")"
ls "$scratch"/crash-table-* >/dev/null 2>&1 || fail "the input was not kept"

# Every target has files in the kept corpus, one of which at least must be taken.
for target in $("$replay" --list); do
    ls "$corpus/$target" | grep -q -v -E '^(bad|found)' || [ "$target" = model ] ||
        fail "no file of the corpus must be taken by $target"
done
finish
