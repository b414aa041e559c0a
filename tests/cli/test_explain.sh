#!/bin/sh
# Explaining pictures, measuring where attention points, and the report, on drawn pictures.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1
"$tools/make_pictures" own || exit 1
cat >vectors.txt <<END
head 1 0 0 0 0
tail 0 1 0 0 0
red 0 0 1 0 0
green 0 0 0 1 0
blue 0 0 0 0 1
END
expect 0 "7 seen, 2 unseen" "$unseen" import folder own --attributes own.csv \
    --unseen "blue blue,red green" -o d -q
expect 0 "" "$unseen" words d --vectors vectors.txt -q
expect 0 "descriptor-1-regions" "$unseen" extract --backbone builtin:descriptor --data d -q
"$tools/make_pictures" --parts d || fail "parts could not be written"
expect 0 "boxes" "$unseen" inspect d
expect 0 "written to" "$unseen" train msdn --data d --features descriptor-1-regions -o m.model \
    --epochs 3 --log m.csv -q
expect 0 "written to" "$unseen" train dem --data d --features descriptor-1 -o dem.model \
    --select none --epochs 2 -q

# explain
expect 0 "and not" "$unseen" explain m.model "own/red red/1.png" "own/blue blue/1.png" -o out --top 2
for file in explanation.json sheet.png contributions.png crop.png; do
    [ -s "out/1/$file" ] || fail "out/1/$file is missing"
    [ -s "out/1-2/$file" ] || fail "out/1-2/$file is missing: two pictures of one name"
done
maps=$(find out/1/maps -name '*branch2.png' | wc -l)
[ "$maps" -ge 2 ] && [ "$maps" -le 4 ] || fail "$maps maps of 2 + 2 attributes"
find out/1/maps -name '*[: ]*' | grep . && fail "a map's name is not safe"
grep -q '"contribution_kind": "sum"' out/1/explanation.json || fail "MSDN's contributions are sums"
expect 0 "" "$unseen" explain m.model "own/red red/1.png" -o again --top 2
cmp -s out/1/explanation.json again/1/explanation.json || fail "two explanations differ"
cp again/1/sheet.png old.png
touch again/1/stray
expect 0 "" "$unseen" explain m.model "own/red red/1.png" -o again --top 2
[ -e again/1/stray ] && fail "the earlier explanation was not replaced"
cmp -s again/1/sheet.png old.png || fail "the same picture is explained differently"
[ -z "$(find again -name '.*.new*')" ] || fail "something was left behind"
mkdir -p mine/1
: >mine/1/letter
expect 1 "is no explanation" "$unseen" explain m.model "own/red red/1.png" -o mine
[ -e mine/1/letter ] || fail "a folder that is none of ours was replaced"
expect 0 "and not red blue" "$unseen" explain m.model "own/red red/2.png" -o out --instead-of "red blue"
best=$("$unseen" predict m.model "own/red red/3.png" --among unseen --top 1 --csv - -q |
    sed -n 's/.*,1,\([a-z ]*\),.*/\1/p')
expect 0 "itself; compared with the next best" "$unseen" explain m.model "own/red red/3.png" -o out \
    --among unseen --instead-of "$best"
expect 1 'did you mean "red red"' "$unseen" explain m.model own/*red/2.png -o out --instead-of "red rid"
printf 'magenta,head color::red=0.5,head color::blue=0.5,tail color::red=1\n' >new.csv
expect 0 "magenta (unseen" "$unseen" explain m.model "own/red red/1.png" -o new --classes new.csv \
    --instead-of magenta
: >bad.png
expect 1 "bad.png" "$unseen" explain m.model bad.png "own/red red/4.png" -o mixed
[ -s mixed/4/sheet.png ] || fail "a bad picture kept a good one from being explained"
[ -e mixed/bad ] && fail "a bad picture has a folder"
expect 0 "dem has no attention maps" "$unseen" explain dem.model "own/red red/1.png" -o outdem
[ -d outdem/1/maps ] && fail "DEM has maps"
grep -q '"contribution_kind": "exchange"' outdem/1/explanation.json || fail "DEM's contributions"
expect 0 "written to" "$unseen" train eszsl --data d --features descriptor-1 -o eszsl.model -q
expect 0 "eszsl has no attention maps" "$unseen" explain eszsl.model "own/red red/1.png" -o outes
grep -q '"contribution_kind": "sum"' outes/1/explanation.json || fail "ESZSL's contributions are sums"
grep -q '"score": \[' outes/1/explanation.json || fail "ESZSL has no attribute scores"
expect 2 "--output is missing" "$unseen" explain m.model "own/red red/1.png"
expect 2 "whole number" "$unseen" explain m.model "own/red red/1.png" -o x --top 0

# localisation
expect 0 "uniform  attainable" "$unseen" eval m.model --data d --localisation --json l.json
grep -q '"kind": "boxes"' l.json || fail "the kind of marks is not in the JSON"
expect 1 "no attention maps" "$unseen" eval dem.model --data d --localisation
mv d/parts.safetensors parts
expect 1 "no marked parts" "$unseen" eval m.model --data d --localisation
mv parts d/parts.safetensors

# report
expect 0 "r.html" "$unseen" report m.model --data d --log m.csv -o r.html
grep -q 'prefers-color-scheme' r.html || fail "no dark mode"
grep -qi '<script' r.html && fail "the report has a script"
grep -q 'src="http\|href=' r.html && fail "the report refers to something"
grep -q '<b onclick' r.html && fail "the name of a class became markup"
grep -q '&lt;b onclick=&quot;x()&quot;&gt;&amp;&#39;green green&#39;' r.html || fail "no escaped name"
grep -q 'data:image/jpeg;base64' r.html || fail "no pictures in the report"
grep -q 'aria-label="loss"' r.html || fail "no losses of the log"
[ "$(wc -c <r.html)" -le 5242880 ] || fail "the report is too large"
expect 0 "r2.html" "$unseen" report m.model dem.model eszsl.model --data d -o r2.html
grep -q 'Comparison' r2.html || fail "no comparison"
expect 1 "is no log" "$unseen" report m.model --data d --log own.csv -o no.html
[ -e no.html ] && fail "a failed report left a file"
expect 2 "more logs" "$unseen" report m.model --data d --log m.csv --log m.csv -o no.html
expect 2 "--data is missing" "$unseen" report m.model -o no.html
mv own elsewhere
expect 0 "r3.html" "$unseen" report m.model --data d -o r3.html
grep -q 'could not be read' r3.html || fail "missing pictures are not mentioned"
"$tools/make_dataset" toy || exit 1
expect 0 "written to" "$unseen" train dem --data toy -o toy.model --select none --epochs 1 -q
expect 0 "r4.html" "$unseen" report toy.model --data toy -o r4.html
grep -q 'has no pictures' r4.html || fail "a data set without pictures is not said to have none"
finish
