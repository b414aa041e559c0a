#!/bin/bash
# Importing pictures again over a data set: features of unchanged pictures stay, told by content;
# a kill at any step leaves the old data set or the new one.
. "$(dirname "$0")/common.sh"
old_files=$(cd "$(dirname "$0")/../data/v0.1/maps" && pwd)
cd "$scratch" || exit 1
"$unseen" import tinybirds --images-per-class 10 --size 64 -o birds >/dev/null 2>&1 || { echo "FAILED: import"; exit 1; }
n=0
for folder in $(find birds/images -mindepth 1 -maxdepth 1 -type d | LC_ALL=C sort | head -8); do
    n=$((n + 1))
    mkdir -p all/kind$n
    cp "$folder"/*.png all/kind$n
done
for n in 1 2 3 4 5 6 7 8; do echo "kind$n,0.$n,0.$((9 - n)),0.$((n * 3 % 7)),0.$((n * 5 % 9))"; done >rows
{ echo "class,red,large,crest,white"; head -7 rows; } >kinds.csv
{ echo "class,red,large,crest,white"; tac rows; } >more.csv
mkdir photos
cp -r all/kind[1-7] photos
import="$unseen import folder photos --unseen kind6,kind7 --name photos -q"
extract="$unseen extract --backbone builtin:descriptor --image-size 64 -q --name"
$import --attributes kinds.csv -o first >/dev/null || fail import
$extract f --pooled --data first >/dev/null || fail extract
$extract g --regions --data first >/dev/null || fail "extract regions"

# listing DIR: name and sum of each file below it.
listing() { (cd "$1" && find . -type f ! -name .lock | LC_ALL=C sort | xargs sha256sum); }
# again: the update itself, of the data set d.
again() { $import --attributes more.csv -o d --update "$@"; }
restore() { rm -rf d d.partial d.old && cp -r first d; }

# ---- a class more in another order of the table, pictures that come, go, change, are renamed ----
cp -r all/kind8 photos
mv photos/kind1/001.png photos/kind1/zz.png
mv photos/kind2/003.png photos/kind3/from2.png # to another class
rm photos/kind4/002.png
cp photos/kind5/004.png photos/kind5/copy.png
cp birds/images/"$(ls birds/images | LC_ALL=C sort | tail -1)"/001.png photos/kind6/new.png
cp photos/kind7/005.png photos/kind7/006.png # other bytes under an old name
printf 'no picture' >photos/kind3/007.png
$import --attributes more.csv -o fresh >/dev/null || fail import
$extract f --pooled --data fresh >/dev/null || fail extract
$extract g --regions --data fresh >/dev/null || fail "extract regions"

restore
expect 1 "d is a data set already; --update" $import --attributes more.csv -o d
diff <(listing first) <(listing d) || fail "refused, but changed"
again >out 2>err || fail "update: $(cat err)"
# 80 pictures, and 1 + 1 new, less 1; of these 10 + 1 new ones and one that is damaged have no row.
grep -q "f: 81 x 1 x [0-9]* F32, 69 kept; .unseen extract. makes the other 12" out || fail "not told: $(cat out)"
grep -q "g: 81 x [0-9]* x [0-9]* BF16, 69 kept" out || fail "regions: $(cat out)"
cmp d/dataset.safetensors fresh/dataset.safetensors || fail "another data set than of a fresh import"
[ -e d.partial ] || [ -e d.old ] && fail "left $(ls -d d.*)"
expect 0 "f\": 12 images have none" "$unseen" check d
"$unseen" extract --backbone builtin:descriptor --image-size 64 --name f --pooled --data d >out 2>err ||
    fail "extract: $(cat err)"
grep -q "69 already there, 1 damaged" out || fail "extract did not fill the holes only: $(cat out)"
$extract g --regions --data d >/dev/null || fail extract
for k in f g; do
    cmp d/features/$k.safetensors fresh/features/$k.safetensors || fail "$k: other bytes than computed anew"
done
"$unseen" train eszsl --data d --features f --select none --set gamma=1 --set lambda=1 -o m.model -q >/dev/null ||
    fail train

# Once more with nothing changed: every row stays; and where nothing is there it is an import.
expect 0 "80 kept" again
cmp d/features/f.safetensors fresh/features/f.safetensors || fail "an update without a change changes features"
$import --attributes more.csv --update -o other >/dev/null || fail "--update of nothing"
cmp other/dataset.safetensors fresh/dataset.safetensors || fail "--update of nothing"
ln -s d link
$import --attributes more.csv --update -o link >/dev/null || fail "through a link"
[ -L link ] || fail "the link became a directory"
listing d >d.list
mkdir empty
expect 0 "data set" $import --attributes more.csv --update -o empty

# ---- nothing is lost without a word ----
refused() { # TEXT: the update says it, and the data set stays as it is
    listing d >before
    expect 1 "$1" again
    diff before <(listing d) || fail "refused ($1), but changed"
    [ -e d.partial ] && fail "refused ($1), but left d.partial"
}
echo model >d/my.model
refused "d/my.model is no part of the data set"
rm d/my.model
echo text >d/features/notes
refused "notes is no part of the data set"
rm d/features/notes
touch d/features/f.safetensors.partial
refused "an extraction that was interrupted"
rm d/features/f.safetensors.partial
mkdir d/states && echo text >d/states/notes
refused "d/states/notes is no part of the data set"
# The states of a frozen image side are no loss: the next training makes them again.
rm -r d/states
cp -r d kept
mkdir kept/states
touch kept/states/f-0123456789ab.safetensors{,.partial} kept/states/f-0123456789ab.journal
expect 0 "80 kept" $import --attributes more.csv -o kept --update
[ -e kept/states ] && fail "states of pictures that were are left"
mkdir work && echo text >work/text
expect 1 "only a data set can be updated" $import --attributes more.csv --update -o work
[ -e work/text ] || fail "a folder of someone's was replaced"
cp "$old_files"/features/*.safetensors d/features/old.safetensors || fail "no file of version 0.1"
refused "does not say which pictures"
rm -f d/features/old.safetensors
mv photos away
refused "photos"
strange=birds/images/$(ls birds/images | LC_ALL=C sort | tail -2 | head -1)
for k in 1 2 3; do mkdir -p photos/kind$k && cp "$strange"/00[$k$((k + 3))].png photos/kind$k; done
expect 0 "none of the pictures is one" "$unseen" import folder photos --attributes kinds.csv --unseen "" -o d \
    --update
rm -rf photos && mv away photos

# ---- pictures that cannot be read: reading this file is an error, whoever does it ----
ln -s /proc/self/mem photos/kind1/002b.png
restore
expect 0 "1 of 82 pictures cannot be read and keep no features, the first: cannot read $PWD/photos/kind1/002b.png" \
    ${import% -q} --attributes more.csv -o d --update
expect 0 "f: 82 x 1 x" again
grep -q "69 kept" <<<"$output" || fail "with an unreadable picture others lost theirs: $output"
for k in $(seq 10 45); do ln -s /proc/self/mem photos/kind1/003$k.png; done
refused "32 pictures in a row could not be read"
rm photos/kind1/002b.png photos/kind1/003??.png

# ---- killed at every step ----
driver=$tools/unseen_faults.so
if [ ! -e "$driver" ]; then
    left_out "killing at every step: under a sanitizer calls cannot be replaced"
    finish
fi
driven() { env UNSEEN_FAULT="$1" LD_PRELOAD="$driver" $import --attributes more.csv -o d --update; }
export OMP_WAIT_POLICY=passive # the program would start itself anew
restore
UNSEEN_FAULT_COUNT=$PWD/count driven none:1:EIO >/dev/null || fail "under the driver"
listing d >new.list
listing first >old.list
kills=0
for kind in rename exchange fsync unlink ftruncate; do
    number=$(sed -n "s/^$kind //p" count)
    for at in $(seq "$number"); do
        restore
        driven $kind:$at:KILL >/dev/null 2>&1
        [ $? = 137 ] || { fail "$kind $at was no kill"; continue; }
        kills=$((kills + 1))
        listing d >now.list
        cmp -s now.list old.list || cmp -s now.list new.list || fail "killed at $kind $at: $(diff now.list old.list)"
        again >/dev/null 2>err || fail "after a kill at $kind $at: $(cat err)"
        diff new.list <(listing d) || fail "after a kill at $kind $at and an update"
        [ -e d.partial ] || [ -e d.old ] && fail "after a kill at $kind $at: $(ls -d d.*)"
    done
done
[ $kills -ge 8 ] || fail "only $kills kills"

# What fails before the exchange leaves no trace, what fails after it is no failure of what is there.
restore
expect 1 "cannot exchange" driven exchange:1:EIO
diff old.list <(listing d) || fail "an exchange that failed"
[ -e d/.lock ] && fail "an exchange that failed left a lock in the data set"
[ -e d.partial ] && fail "an exchange that failed left d.partial"
restore
expect 0 "d is made, but may not outlast a power cut" env LD_PRELOAD="$driver" \
    UNSEEN_FAULT=fsync:"$(sed -n 's/^fsync //p' count)":EIO ${import% -q} --attributes more.csv -o d --update
diff new.list <(listing d) || fail "a sync that failed after the exchange"
[ -e d/.lock ] && fail "a sync that failed after the exchange left a lock"
diff old.list <(listing d.partial) || fail "what was there before is lost before the new one is safe"
again >/dev/null 2>err || fail "after a sync that failed: $(cat err)"
[ -e d.partial ] && fail "the next update left d.partial"

# A file system that cannot exchange directories: two renames, and a kill between them.
restore
driven exchange:1:EINVAL >/dev/null 2>err || fail "without an exchange: $(cat err)"
diff new.list <(listing d) || fail "without an exchange"
[ -e d.partial ] || [ -e d.old ] && fail "without an exchange: $(ls -d d.*)"
restore
mkdir d.old
expect 1 "d.old is in the way" driven exchange:1:EINVAL
diff old.list <(listing d) || fail "with d.old in the way"
rmdir d.old
mv d d.old && touch d.old/.lock && cp -r first d.partial && touch d.partial/.lock
again >/dev/null 2>err || fail "after a kill between two renames: $(cat err)"
diff new.list <(listing d) || fail "after a kill between two renames"
mv d d.old && touch d.old/.lock
expect 1 "d exists" $import --attributes more.csv -o d
diff new.list <(listing d) || fail "the old one was not put back"
finish
