#!/bin/sh
# The best model of all pictures: classes without pictures are the unseen ones, the rest of a split
# is for measuring; train --all learns from every image and says that nothing tested it. Empty test
# lists.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1
"$unseen" import tinybirds --images-per-class 6 --size 64 -o birds >/dev/null 2>&1 || { echo "FAILED: import"; exit 1; }
echo "class,red,large,crest,white" >kinds.csv
n=0
for folder in $(find birds/images -mindepth 1 -maxdepth 1 -type d | LC_ALL=C sort | head -8); do
    n=$((n + 1))
    mkdir -p photos/kind$n
    cp "$folder"/*.png photos/kind$n
    echo "kind$n,0.$n,0.$((9 - n)),0.$((n * 3 % 7)),0.$((n * 5 % 9))" >>kinds.csv
done
cp kinds.csv full.csv
echo "nobody,0.5,0.1,0.6,0.8" >>kinds.csv
import="$unseen import folder photos --attributes"
extract="$unseen extract --backbone builtin:descriptor --image-size 32 -q --data"

# flat FILE: JSON without blanks.
flat() { tr -d '\n ' <"$1"; }

# ---- what import says ----
$import kinds.csv -o d >out 2>err || fail import
grep -q "there for measuring, the classes without images are the unseen ones; .unseen train METHOD --all" err ||
    fail "import does not say what is only for measuring: $(cat err)"
expect 0 "(8 seen, 0 unseen)" $import kinds.csv --unseen-count 0 -o zero
expect 0 "trainval 40, test_seen 8, test_unseen 0" $import kinds.csv --unseen "" -o empty
expect 2 "number from 0" $import kinds.csv --unseen-count -1 -o no
expect 0 "test_unseen is empty: T1, U and H cannot be measured" "$unseen" check zero
expect 0 "good: 0 errors" "$unseen" check zero
echo '{"unseen": []}' >split.json
expect 0 "test_unseen 0" $import kinds.csv --splits split.json -o viajson
$import kinds.csv -q --unseen-count 0 --write-splits whole.json -o x >/dev/null || fail import
sed 's/"trainval": *\[/"trainval": [/' whole.json | tr -d '\n' |
    sed 's/\],* *"test_seen": *\[\([^]]*\)\]/, \1], "test_seen": []/' >nothing.json
expect 0 "trainval 48, test_seen 0, test_unseen 0" $import kinds.csv --splits nothing.json -o nothing
expect 0 "test_unseen 0" $import kinds.csv --unseen nobody -o named
echo '{"trainval": [], "test_seen": [], "test_unseen": [1]}' >bad.json
expect 1 "nothing to learn from" $import kinds.csv --splits bad.json -o no

# One picture a class: nothing can be kept, and that is no failure.
for k in 1 2 3 4; do
    mkdir -p single/kind$k
    cp "photos/kind$k/$(ls photos/kind$k | head -1)" single/kind$k
done
expect 0 "trainval 3, test_seen 0, test_unseen 1" "$unseen" import folder single --attributes full.csv \
    --unseen kind4 -o single.d

# Two classes with pictures and one without: none can be spared for testing, and what works is said.
mkdir two && cp -r photos/kind1 photos/kind2 two
sed -n '1,3p;$p' kinds.csv >two.csv
expect 1 "take none with --unseen-count 0" "$unseen" import folder two --attributes two.csv -o two.d
expect 0 "(2 seen, 0 unseen)" "$unseen" import folder two --attributes two.csv --unseen-count 0 -o two.d
$extract two.d >/dev/null || fail extract
expect 0 "written to" "$unseen" train eszsl --data two.d --features descriptor-1-32 --all -o two.model -q
expect 0 "nobody" "$unseen" predict two.model photos/kind1 --top 3 --csv -
rm -r two/kind2
expect 1 "at least 2 need some" "$unseen" import folder two --attributes two.csv --unseen-count 0 -o one.d

# ---- figures that cannot be measured are null ----
$extract zero >/dev/null || fail extract
"$unseen" train eszsl --data zero --features descriptor-1-32 -o z.model --json z.json -q >/dev/null || fail "train without unseen classes"
flat z.json | grep -q '"T1":null' || fail "T1 of nothing: $(cat z.json)"
flat z.json | grep -q '"S":[0-9]' || fail "S is not measured: $(cat z.json)"

# ---- train --all ----
$extract d >/dev/null || fail extract
$extract nothing >/dev/null || fail extract
for method in eszsl dem msdn; do
    features=descriptor-1-32
    [ $method = msdn ] && features=descriptor-1-32-regions
    short=
    [ $method = eszsl ] || short="--epochs 2"
    for set in d zero nothing; do
        "$unseen" train $method --data $set --features $features --all $short -o $set-$method.model \
            --json r.json >out 2>err || { fail "$method --all on $set: $(cat err)"; continue; }
        grep -q "learned from every image, those of the test lists included: no test figures" out ||
            fail "$method on $set does not say it: $(cat out)"
        flat r.json | grep -q '"T1":null' && flat r.json | grep -q '"S":null' && flat r.json | grep -q '"trained_on":"all"' ||
            fail "$method on $set has figures: $(cat r.json)"
        flat r.json | grep -q '"name":"kind1","seen":true' && flat r.json | grep -q '"name":"nobody","seen":false' ||
            fail "$method on $set: seen classes: $(cat r.json)"
        flat r.json | grep -o '"name":"kind[1-8]","seen":true' | wc -l | grep -q 8 || fail "$method on $set: not all seen"
        expect 1 "nothing left to test it on" "$unseen" eval $set-$method.model --data $set
    done
    expect 1 "nothing left to test it on" "$unseen" report d-$method.model --data d -o page.html
done
# DUET, whose self-calibration looks at the unseen classes, of which "whole" has none at all.
$import full.csv -q --unseen-count 0 -o whole >/dev/null || fail import
small="--set hidden=16 --set heads=2 --set inner=24 --set text_layers=1 --set batch=8 --set max_length=64"
small="$small --set image_hidden=16 --set image_heads=2 --set image_inner=24 --set image_layers=1"
$extract whole --regions >/dev/null || fail extract
for set in d whole; do
    "$unseen" train duet --data $set --features descriptor-1-32-regions --all --epochs 2 $small \
        -o $set-duet.model --json r.json >out 2>err || { fail "duet --all on $set: $(cat err)"; continue; }
    grep -q "learned from every image" out || fail "duet on $set does not say it: $(cat out)"
    flat r.json | grep -q '"T1":null' && flat r.json | grep -q '"trained_on":"all"' ||
        fail "duet on $set has figures: $(cat r.json)"
    flat r.json | grep -o '"name":"kind[1-8]","seen":true' | wc -l | grep -q 8 || fail "duet on $set: not all seen"
    expect 0 "learned from every image" "$unseen" predict $set-duet.model "$(find photos -name '*.png' | sort | head -1)"
done
flat r.json | grep -q '"seen":false' && fail "an unseen class where there is none"

expect 1 "cannot be selected on them" "$unseen" train eszsl --data d --features descriptor-1-32 --all --select test -o no.model
"$unseen" inspect d-eszsl.model --json i.json >/dev/null && flat i.json | grep -q '"trained_on":"all"' ||
    fail "inspect does not say it"
photo=$(find photos -name '*.png' | sort | head -1)
expect 0 "learned from every image" "$unseen" predict d-eszsl.model "$photo"
expect 0 "nobody" "$unseen" predict d-eszsl.model "$photo" --among unseen
expect 0 "learned from every image" "$unseen" explain d-msdn.model "$photo" -o why

# It is another training than the one without --all, for --resume, too.
"$unseen" train eszsl --data d --features descriptor-1-32 -o e.model -q --json e.json >/dev/null || fail train
cmp e.model d-eszsl.model >/dev/null && fail "--all changes nothing"
"$unseen" train eszsl --data d --features descriptor-1-32 -o e.model --all --resume >/dev/null 2>err
cmp e.model d-eszsl.model || fail "--resume took the model without --all for one with: $(cat err)"
expect 0 "already trained" "$unseen" train eszsl --data d --features descriptor-1-32 -o e.model --all --resume
finish
