#!/bin/sh
# Pictures that are gone for a moment: the split stays, what is missing takes no part, and a later
# extract fills it in. Pictures that moved, changed, or lie in two classes.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1
"$unseen" import tinybirds --images-per-class 10 --size 96 -o birds >/dev/null 2>&1 || { echo "FAILED: import"; exit 1; }

# Seven kinds of ten pictures each, and one of whose pictures nothing is known.
echo "class,red,large,crest,white" >kinds.csv
n=0
mkdir work
for folder in $(find birds/images -mindepth 1 -maxdepth 1 -type d | LC_ALL=C sort | head -7); do
    n=$((n + 1))
    mkdir -p work/photos/kind$n
    cp "$folder"/*.png work/photos/kind$n
    echo "kind$n,0.$n,0.$((9 - n)),0.$((n * 3 % 7)),0.$((n * 5 % 9))" >>kinds.csv
done
[ "$(find work/photos -type f | wc -l)" = 70 ] || fail "not 70 pictures"
import="$unseen import folder work/photos --attributes kinds.csv --unseen kind6,kind7 -q"
$import --write-splits s0.json -o work/d >/dev/null || fail import
$import -o work/whole >/dev/null || fail import
extract="$unseen extract --backbone builtin:descriptor --image-size 64 --name f --pooled --batch 4"
$extract --data work/whole -q >/dev/null || fail extract
cp work/d/dataset.safetensors before

# json FILE KEY: a number of a JSON file that has it once, or first.
json() { tr ',{' '\n\n' <"$1" | sed -n "s/^ *\"$2\": *\([^ }]*\).*/\1/p" | head -1; }

# ---- no folder, an empty folder ----
mv work/photos work/away
expect 1 "is not there; mount its drive" $extract --data work/d
[ "$(echo "$output" | wc -l)" = 1 ] || fail "more than a sentence: $output"
mkdir work/photos
expect 1 "32 pictures in a row could not be read" $extract --data work/d
[ "$(echo "$output" | wc -l)" -le 7 ] || fail "many lines: $output"
[ -e work/d/features/f.safetensors ] && fail "features of nothing"
ls -A work/d/features | grep . && fail "leftovers"
cmp before work/d/dataset.safetensors || fail "the split changed"
expect 1 "none of the 70 pictures" $extract --data work/d --keep-going
expect 0 "70 of 70 pictures cannot be read" "$unseen" check work/d
rmdir work/photos
expect 0 "the folder of the pictures" "$unseen" check work/d
expect 0 "good: 0 errors" "$unseen" check work/d
"$unseen" check work/d --images work/away --json c.json >out || fail check
grep -q "cannot be read\|is not there" out && fail "check did not take --images: $(cat out)"
[ "$(json c.json missing_pictures)" = 0 ] || fail "missing pictures: $(cat c.json)"
mv work/away work/photos

# ---- a drive that vanishes in the middle: what was done is kept ----
mkdir away
mv work/photos/kind[3-7] away
expect 1 "goes on after the 20 images before them" $extract --data work/d
mv away/* work/photos
$extract --data work/d >out 2>err || fail "going on: $(cat err)"
grep -q "20 of them from an earlier run" out || fail "began anew: $(cat out)"
cmp work/whole/features/f.safetensors work/d/features/f.safetensors || fail "other bytes than in one go"

# ---- some pictures unreadable: holes, filled later, and only these ----
rm work/d/features/*
mv work/photos/kind4 work/photos/kind6/*1*.png away
printf 'no picture' >damaged
cp work/photos/kind1/$(ls work/photos/kind1 | head -1) good.png
cp damaged work/photos/kind1/$(ls work/photos/kind1 | head -1)
gone=$((10 + $(ls away/*.png | wc -l)))
$extract --data work/d >out 2>err || fail "extract with holes: $(cat err)"
grep -q "70, 1 damaged, $gone could not be read" out || fail "counts: $(cat out)"
[ "$(grep -c '^warning' err)" = 6 ] || fail "warnings: $(cat err)"
grep -q "$((gone + 1 - 5)) more pictures were left out; --verbose" err || fail "the rest: $(cat err)"
cmp before work/d/dataset.safetensors || fail "the split changed"
expect 0 "$((gone + 1)) images have none" "$unseen" check work/d
"$unseen" train eszsl --data work/d -o holes.model --select none --set gamma=1 --set lambda=1 \
    --json t.json -q >/dev/null 2>err || fail "train with holes: $(cat err)"
"$unseen" eval holes.model --data work/d --json e.json --per-class p.csv >out 2>err || fail "eval: $(cat err)"
grep -q "$((gone + 1)) images of the split have no features" err || fail "not told: $(cat err)"
grep -q '1 seen class ("kind4") was not trained on by the model' err || fail "kind4 not told: $(cat err)"
grep -q '"untrained_classes": *\["kind4"\]' e.json || tr -d '\n ' <e.json | grep -q '"untrained_classes":\["kind4"\]' ||
    fail "JSON of eval: $(cat e.json)"
grep "^kind4," p.csv | grep -q ",0," || fail "pictures of kind4 were tested: $(cat p.csv)"
"$unseen" inspect holes.model --json m.json >/dev/null || fail inspect
tr -d '\n ' <m.json | grep -q '"untrained_classes":\["kind4"\]' || fail "the manifest does not say it"

# The same again: nothing can be done, nothing is written.
cp work/d/features/f.safetensors holes
$extract --data work/d >out 2>err || fail "again: $(cat err)"
grep -q "$((69 - gone)) already there, 1 damaged, $gone could not" out || fail "again: $(cat out)"
cmp holes work/d/features/f.safetensors || fail "rewritten for nothing"
expect 1 "$(ls work/photos/kind1 | head -1)" $extract --data work/d --strict

# From elsewhere by --images; the rest from where it was.
mkdir elsewhere
cp -r work/photos/* elsewhere
cp -r away/kind4 elsewhere
$extract --data work/d --images elsewhere >out 2>err || fail "--images: $(cat err)"
grep -q "$((69 - gone)) already there, 1 damaged, $((gone - 10)) could not" out || fail "--images: $(cat out)"
mv away/*.png work/photos/kind6
mv away/kind4 work/photos
cp good.png work/photos/kind1/$(ls work/photos/kind1 | head -1)
$extract --data work/d >out || fail "filling"
grep -q "$((79 - gone)) already there" out || fail "filling: $(cat out)"
cmp work/whole/features/f.safetensors work/d/features/f.safetensors || fail "filled, other bytes than in one go"
expect 0 "nothing was left to do" $extract --data work/d

# The model of before still has not learned kind4; nothing else changes about what it is tested on.
"$unseen" eval holes.model --data work/d --json e.json --per-class p.csv >out 2>err || fail "eval: $(cat err)"
grep -q '1 seen class ("kind4") was not trained on by the model' err || fail "kind4 not told: $(cat err)"
tr -d '\n ' <e.json | grep -q '"untrained_classes":\["kind4"\]' || fail "JSON of eval: $(cat e.json)"
grep -q "^kind4,0,0," p.csv || fail "kind4 is seen, or tested: $(cat p.csv)"

# To test, no training picture is needed.
"$unseen" train eszsl --data work/d -o all.model --select none --set gamma=1 --set lambda=1 -q >/dev/null ||
    fail "train with all pictures"
"$unseen" eval all.model --data work/d --per-class before.csv >/dev/null 2>err || fail "eval: $(cat err)"
rm work/d/features/*
mkdir trained
tr -d '\n ' <s0.json | sed 's/.*"trainval":\[\([^]]*\)\].*/\1/' | tr ',' '\n' | tr -d '"' >trainval
grep -q "^kind1/" trainval || fail "no list of training pictures: $(cat trainval)"
cp -r work/photos saved
while read -r picture; do rm work/photos/"$picture"; done <trainval
$extract --data work/d --keep-going -q >/dev/null 2>err || fail "extract of test pictures: $(cat err)"
"$unseen" eval all.model --data work/d --per-class after.csv >/dev/null 2>err || fail "eval of tests only: $(cat err)"
cmp before.csv after.csv || fail "tested otherwise: $(cat after.csv)"
rm -r work/photos work/d/features/*
mv saved work/photos
$extract --data work/d -q >/dev/null || fail "extract again"
expect 0 "0 warnings" "$unseen" check work/d

# ---- a class whose only training picture is damaged ----
rm -rf work/few work/d2
mkdir work/few
cp -r work/photos/* work/few
ls work/few/kind5/* | tail -n +3 | xargs rm
"$unseen" import folder work/few --attributes kinds.csv --unseen kind6,kind7 -q --write-splits s.json \
    -o work/d2 >/dev/null || fail import
one=$(tr -d '\n ' <s.json | sed 's/.*"trainval":\[\([^]]*\)\].*/\1/' | tr ',' '\n' | grep kind5 | tr -d '"')
cp damaged work/few/"$one"
$extract --data work/d2 -q >/dev/null || fail extract
"$unseen" train eszsl --data work/d2 -o few.model --select none --set gamma=1 --set lambda=1 --json t.json \
    >/dev/null 2>err || fail "train: $(cat err)"
grep -q '"kind5") has no training image' err || fail "not told: $(cat err)"
tr -d '\n ' <t.json | grep -q '{[^}]*"name":"kind5","seen":false' || fail "kind5 is still seen: $(cat t.json)"
"$unseen" eval few.model --data work/d2 --per-class p.csv >/dev/null 2>&1 || fail eval
grep "^kind5," p.csv | grep -q ",0," || fail "kind5's test picture lowers S: $(cat p.csv)"

# ---- data set and pictures moved together; a report from elsewhere ----
mv work moved
expect 0 "0 warnings" "$unseen" check moved/d
"$unseen" train eszsl --data moved/d -o e.model --select none --set gamma=1 --set lambda=1 -q >/dev/null || fail train
mv moved/photos nobody-knows
"$unseen" report e.model --data moved/d -o without.html >/dev/null 2>&1 || fail report
"$unseen" report e.model --data moved/d --images nobody-knows -o with.html >/dev/null || fail "report --images"
grep -q "data:image/jpeg" without.html && fail "pictures from nowhere"
grep -q "data:image/jpeg" with.html || fail "report did not take --images"
expect 1 "is not a folder" "$unseen" report e.model --data moved/d --images gone -o no.html

# ---- one picture in two classes; a picture that changed ----
cp nobody-knows/kind1/$(ls nobody-knows/kind1 | head -1) nobody-knows/kind2/zz.png
"$unseen" import folder nobody-knows --attributes kinds.csv -q -o d3 >/dev/null || fail import
expect 0 'the same picture is in two classes 1 time: "kind1/' "$unseen" check d3
$extract --data d3 -q >/dev/null || fail extract
cp good.png nobody-knows/kind3/$(ls nobody-knows/kind3 | head -1)
expect 0 "1 picture has changed since they were made" "$unseen" check d3
finish
