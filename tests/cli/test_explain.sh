#!/bin/sh
# Explaining pictures, measuring where attention points, and the report, on drawn pictures.
. "$(dirname "$0")/common.sh"
here=$(cd "$(dirname "$0")" && pwd)
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
[ "$maps" -ge 2 ] && [ "$maps" -le 6 ] || fail "$maps maps of 2 + 2 + 2 attributes"
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
[ -z "$(find again -name '*.partial' -o -name '*.old')" ] || fail "something was left behind"
mkdir -p busy/1.partial
: >busy/1.partial/.lock
expect 1 "another explain is writing busy/1" flock busy/1.partial/.lock \
    "$unseen" explain m.model "own/red red/1.png" -o busy
expect 0 "" "$unseen" explain m.model "own/red red/1.png" -o busy --top 2
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
echo text >file
expect 1 "file is there and is no folder" "$unseen" explain m.model "own/red red/4.png" -o file
expect 1 "file is there and is no folder" "$unseen" import tinybirds -o file -q
[ "$(cat file)" = text ] || fail "a file was changed that was named as a folder"
[ -s mixed/4/sheet.png ] || fail "a bad picture kept a good one from being explained"
[ -e mixed/bad ] && fail "a bad picture has a folder"
expect 0 "dem has no attention maps" "$unseen" explain dem.model "own/red red/1.png" -o outdem
[ -d outdem/1/maps ] && fail "DEM has maps"
grep -q '"contribution_kind": "exchange"' outdem/1/explanation.json || fail "DEM's contributions"
# A method of two experts, one of them of groups, with two paths each; a new class and its maps.
printf '{"groups": ["front", "front", "front", "back", "back", "back"]}' >groups.json
expect 0 "written to" "$unseen" train dedn --data d --features descriptor-1-regions -o dedn.model \
    --select none --epochs 3 --set groups=groups.json -q
rm groups.json
expect 0 "the fine expert looks" "$unseen" explain dedn.model "own/red red/1.png" -o outx --top 2
maps=$(find outx/1/maps -name '*branch4.png' | wc -l)
[ "$maps" -ge 2 ] && [ "$maps" -le 6 ] || fail "$maps maps of the fine expert's channels"
[ -s outx/1/groups.png ] || fail "no chart of the groups"
grep -q '"name": "back"' outx/1/explanation.json || fail "no share of a group"
grep -q '"contribution_kind": "sum"' outx/1/explanation.json || fail "DEDN's contributions are sums"
expect 0 "magenta" "$unseen" explain dedn.model "own/red red/1.png" -o newx --classes new.csv \
    --instead-of magenta
expect 0 "coarse expert, what regions add by channels" "$unseen" eval dedn.model --data d --localisation
expect 0 "" "$unseen" report dedn.model --data d -o dedn.html
grep -q "attention that prefers some regions" dedn.html || fail "no groups in DEDN's report"
expect 1 "no preset" "$unseen" train dedn --data d -o x.model --preset cubb
expect 1 "CUB's 312 attributes" "$unseen" train dedn --data d --features descriptor-1-regions -o x.model --preset cub
expect 0 "written to" "$unseen" train eszsl --data d --features descriptor-1 -o eszsl.model -q
expect 0 "eszsl has no attention maps" "$unseen" explain eszsl.model "own/red red/1.png" -o outes
grep -q '"contribution_kind": "sum"' outes/1/explanation.json || fail "ESZSL's contributions are sums"
grep -q '"score": \[' outes/1/explanation.json || fail "ESZSL has no attribute scores"
# What speaks against the answer is told apart, and said where it is more than what speaks for it.
expect 0 "speaks against it, for red red" "$unseen" explain eszsl.model "own/red red/1.png" -o outes \
    --among unseen --instead-of "red red"
case $output in
*"attributes speak for red red"*"not among the classes asked for"*) ;;
*) fail "attributes that argue against the answer are not said to: $output" ;;
esac
grep -q '"decided_by": "candidates"' outes/1/explanation.json || fail "what decided"
grep -q '"verdict": "The attributes speak for red red' outes/1/explanation.json || fail "no verdict"
# The unit is that of the method's scores, what calibration did to them stands beside it.
grep -q '"score_unit": "bilinear score, 1 for the class and -1 for others in training"' \
    outes/1/explanation.json || fail "the unit of scores"
grep -q '"calibration": "less gamma 0.1[0-9]* for seen classes"' outes/1/explanation.json ||
    fail "explain does not say what gamma did to the scores"
expect 2 "--output is missing" "$unseen" explain m.model "own/red red/1.png"
expect 2 "whole number" "$unseen" explain m.model "own/red red/1.png" -o x --top 0

# DUET: over regions, without text, from pixels; maps, groups of attributes, recovery.
tiny="--select none --epochs 1 --set hidden=16 --set heads=2 --set inner=24 --set max_length=64"
tiny="$tiny --set image_hidden=16 --set image_heads=2 --set image_inner=24 --set image_layers=1"
"$unseen" extract --backbone builtin:pixels --image-size 32 --data d -q >/dev/null || fail "pixels"
pixels=$(ls d/features | sed -n 's/^\(pixels.*regions\)\.safetensors$/\1/p')
expect 0 "written to" "$unseen" train duet --data d --features descriptor-1-regions -o t.model \
    $tiny -q
expect 0 "written to" "$unseen" train duet --data d --features "$pixels" -o p.model $tiny -q
expect 0 "written to" "$unseen" train duet --data d --features descriptor-1-regions -o n.model \
    $tiny --set text=no -q
expect 0 "of the text it attends most to" "$unseen" explain t.model "own/red red/1.png" -o outt
[ -s outt/1/groups.png ] || fail "no chart of the groups"
grep -q '"contribution_kind": "log"' outt/1/explanation.json || fail "contributions to probabilities"
grep -q '"attribute masked"' outt/1/explanation.json || fail "the branches have no titles"
expect 0 "does not come" "$unseen" explain p.model "own/red red/1.png" -o outp
cat >check.py <<'END'
import json, math, sys
regions, pixels = [json.load(open(name)) for name in sys.argv[1:]]
for e in regions, pixels:
    p = [e[k]["score"] for k in ("answer", "instead_of")]
    total = e["constant"] + sum(a["contribution"] for a in e["attributes"])
    assert abs(math.log(p[0] / p[1]) - total) < 1e-4, (p, total)
    assert abs(e["constant"]) < 1e-3, e["constant"]
    assert 0 < sum(g["share"] for g in e["groups"]) < 1
    for a in e["attributes"]:
        for m in a["maps"] or []:
            assert len(m) == e["grid"][0] and len(m[0]) == e["grid"][1]
            assert abs(sum(map(sum, m)) - 1) < 1e-4
    up = sum(max(a["contribution"], 0) for a in e["attributes"])
    down = sum(min(a["contribution"], 0) for a in e["attributes"])
    assert abs(e["attributes_for"] - up) < 1e-5 and abs(e["attributes_against"] - down) < 1e-5
    assert (e["decided_by"] == "attributes") == (up + down > 0) == (e["verdict"] is None)
    by_number = {a["number"]: a["contribution"] for a in e["attributes"]}
    for side, sign in ("for", 1), ("against", -1):
        shown = [sign * by_number[i] for i in e["shown"][side]]
        assert shown == sorted(shown, reverse=True) and all(x > 0 for x in shown), shown
    assert e["score_unit"] == "probability" and e["calibration"] is None
assert pixels["grid"] == [4, 4], pixels["grid"]
END
for python in /usr/bin/python3 python3 none; do
    command -v "$python" >/dev/null 2>&1 && break
done
if [ "$python" = none ]; then
    left_out "the numbers of DUET's explanations, and a split without seen test pictures: no python3"
else
    "$python" check.py outt/1/explanation.json outp/1/explanation.json || fail "DUET explained"
fi
expect 0 "duet has no attention maps" "$unseen" explain n.model "own/red red/1.png" -o outn
expect 0 "rt.html" "$unseen" report t.model n.model p.model --data d -o rt.html
grep -q 'Pictures and words' rt.html || fail "no recovery in the report"
[ "$(grep -c 'How pictures divide' rt.html)" = 2 ] || fail "no groups of attributes in the report"
expect 0 "attribute masked" "$unseen" eval p.model --data d --localisation

# A split without test pictures of seen classes.
cat >cut.py <<'END'
import json, struct
from pathlib import Path
path = Path("u/dataset.safetensors")
data = path.read_bytes()
size, = struct.unpack("<Q", data[:8])
header, tensors, body = json.loads(data[8:8 + size]), data[8 + size:], b""
for name in sorted(set(header) - {"__metadata__"}, key=lambda n: header[n]["data_offsets"]):
    entry = header[name]
    piece = tensors[slice(*entry["data_offsets"])]
    if name == "split.test_seen":
        entry["shape"], piece = [0], b""
    entry["data_offsets"] = [len(body), len(body) + len(piece)]
    body += piece
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
path.write_bytes(struct.pack("<Q", len(text)) + text + body)
END
if [ "$python" != none ]; then
    cp -r d u
    "$python" cut.py || fail "cut.py"
    expect 0 "of unseen classes" "$unseen" eval t.model --data u --recovery
    expect 0 "ru.html" "$unseen" report t.model --data u -o ru.html
    grep -q '"row">unseen classes' ru.html || fail "no recovery without seen classes"
    grep -q '"row">seen classes' ru.html && fail "recovery of no pictures"
fi

# localisation
expect 0 "uniform  attainable" "$unseen" eval m.model --data d --localisation --json l.json
grep -q '"kind": "boxes"' l.json || fail "the kind of marks is not in the JSON"
expect 1 "no attention maps" "$unseen" eval dem.model --data d --localisation
expect 0 "written to" "$unseen" train msdn --data d --features descriptor-1-regions -o m2.model \
    --epochs 3 --seed 2 -q
expect 0 "mean ± sd of 2 models" "$unseen" eval m.model m2.model --data d --localisation \
    --json l2.json
grep -q '"branches_sd"' l2.json || fail "no deviation of the localisation in the JSON"
mv d/parts.safetensors parts
expect 1 "no marked parts" "$unseen" eval m.model --data d --localisation
mv parts d/parts.safetensors

# report
expect 0 "r.html" "$unseen" report m.model --data d --log m.csv -o r.html
grep -q 'prefers-color-scheme' r.html || fail "no dark mode"
[ "$(grep -ci '<script' r.html)" = 1 ] || fail "the report has another script than its own"
grep -q 'src="http\|href="[^#]' r.html && fail "the report refers to something"
grep -q '<b onclick' r.html && fail "the name of a class became markup"
grep -q '&lt;b onclick=&quot;x()&quot;&gt;&amp;&#39;green green&#39;' r.html || fail "no escaped name"
grep -q 'data:image/jpeg;base64' r.html || fail "no pictures in the report"
grep -q 'aria-label="loss"' r.html || fail "no losses of the log"
grep -q '</svg>proposed 1</li>' r.html || fail "folds of one source have one name"
[ "$(wc -c <r.html)" -le 5242880 ] || fail "the report is too large"
expect 0 "r6.html" "$unseen" report eszsl.model --data d -o r6.html
check_page() { # PAGE MODEL...: what the page is made of, and its numbers against those of eval
    page=$1
    shift
    [ "$python" = none ] && return
    "$unseen" eval "$@" --data d --json page.json -q >/dev/null 2>&1 || fail "eval $*"
    "$python" "$here/check_report.py" "$page" page.json || fail "$page is not as it should be"
}
[ "$python" = none ] && left_out "the structure and numbers of reports: no python3"
check_page r.html m.model
check_page r6.html eszsl.model
grep -q 'others in training; calibrated scores are less gamma 0.1' r6.html ||
    fail "the report does not say what gamma does to scores"
expect 0 "less gamma 0.1" "$unseen" predict eszsl.model "own/red red/1.png"
expect 0 "" "$unseen" eval eszsl.model --data d --json e.json
grep -q '"score_unit": "bilinear score, 1 for the class and -1 for others in training"' e.json ||
    fail "eval's unit"
grep -q '"calibration": "less gamma 0.1' e.json || fail "eval does not say what gamma does to scores"
expect 0 "" "$unseen" eval eszsl.model --data d --gamma native --json e.json
grep -q '"calibration": null' e.json || fail "native scores are not calibrated"
expect 0 "r2.html" "$unseen" report m.model dem.model eszsl.model --data d -o r2.html
grep -q 'Models side by side' r2.html || fail "no comparison"
check_page r2.html m.model dem.model eszsl.model
grep -q 'Where attention points' r2.html || fail "no localisation in the report"
grep -q ' seeds)' r2.html && fail "models of different methods were taken for seeds"
expect 0 "r5.html" "$unseen" report m.model m2.model dem.model --data d -o r5.html
check_page r5.html m.model m2.model dem.model
grep -q 'Part by part: msdn (2 seeds)' r5.html || fail "two seeds were not averaged"
grep -q 'Those of the first model with these settings' r5.html || fail "pictures of the second seed"
expect 1 "is no log" "$unseen" report m.model --data d --log own.csv -o no.html
[ -e no.html ] && fail "a failed report left a file"
expect 2 "more logs" "$unseen" report m.model --data d --log m.csv --log m.csv -o no.html
expect 2 "--data is missing" "$unseen" report m.model -o no.html
# Many classes and models: the confusion matrices are left out before the page is too large.
"$tools/make_scale_set" g.safetensors 900 40000 16 32 3 || fail "make_scale_set"
expect 0 "" "$unseen" import arrays --features g.safetensors:features --labels g.safetensors:labels \
    --semantics att=g.safetensors:att --unseen-count 450 -o large -q
expect 0 "" "$unseen" train eszsl --data large -o l1.model --select none --set gamma=1 \
    --set lambda=1 -q
for copy in 2 3 4 5 6; do cp l1.model l$copy.model; done
expect 0 "l1.html" "$unseen" report l1.model --data large -o l1.html
grep -q 'class="matrix"' l1.html || fail "no confusion matrix of 900 classes"
expect 0 "l6.html" "$unseen" report l[1-6].model --data large -o l6.html
[ "$(grep -c 'would make the page too large' l6.html)" = 6 ] || fail "six matrices of 900 classes"
[ "$(wc -c <l6.html)" -le 5242880 ] || fail "the report is too large"
mv own elsewhere
expect 0 "r3.html" "$unseen" report m.model --data d -o r3.html
grep -q 'could not be read' r3.html || fail "missing pictures are not mentioned"
"$tools/make_dataset" toy || exit 1
expect 0 "written to" "$unseen" train dem --data toy -o toy.model --select none --epochs 1 -q
expect 0 "r4.html" "$unseen" report toy.model --data toy -o r4.html
grep -q 'has no pictures' r4.html || fail "a data set without pictures is not said to have none"
finish
