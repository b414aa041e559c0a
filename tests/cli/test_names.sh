#!/bin/bash
# Names from other people's files: escape sequences do not reach a terminal, formulas not a
# spreadsheet, ".." not the pictures outside; CSV and JSON stay valid.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1
esc=$(printf '\033')
"$unseen" import tinybirds -o t --size 64 --images-per-class 5 -q >/dev/null || fail "import"
set -- t/images/*
mkdir p
i=0
for name in "e${esc}[31mvil" "=cmd()" "<script>x" '🦜, "quoted"'; do
    i=$((i + 1))
    cp -r "${!i}" "p/$name"
done
{
    echo class,a,b,c
    printf '"e%s[31mvil",0,1,0\n=cmd(),1,0,0\n<script>x,0,0,1\n"🦜, ""quoted""",1,1,0\n' "$esc"
} >t.csv
"$unseen" import folder p --attributes t.csv -o d --unseen '<script>x' -q >out 2>&1 || fail "import: $(cat out)"
"$unseen" extract --data d --backbone builtin:descriptor --pooled -q >>out 2>&1 || fail "extract"
"$unseen" train eszsl --data d -o m.model -q --threads 1 >>out 2>&1 || fail "train"
"$unseen" predict m.model p --csv a.csv --json a.json >>out 2>&1 || fail "--csv and --json at once"
"$unseen" predict m.model p >>out 2>&1 || fail "predict"
"$unseen" eval m.model --data d --per-class c.csv >>out 2>&1 || fail "eval"
"$unseen" check d >>out 2>&1
"$unseen" explain m.model p/*/001.png -o why >>out 2>&1 || fail "explain"
"$unseen" predict m.model "no${esc}[31mne.png" >>out 2>&1
"$unseen" inspect "no${esc}[31mne" >>out 2>&1
grep -q "$esc" out && fail "an escape sequence reached the terminal"
grep -qF '\u001b[31m' out || fail "the sequence was not shown: nothing was tested"
grep -q "^p/" a.csv || fail "no CSV"
grep -q ",'=cmd()," a.csv || fail "a formula was written for a spreadsheet"
grep -q "^'=cmd()," c.csv || fail "a formula was written by --per-class"
grep -qF '"🦜, ""quoted"""' a.csv || fail "a name was not quoted"
[ "$(grep -c '"image"' a.json)" = 20 ] || fail "--json beside --csv is not whole"
expect 2 "only one of" "$unseen" predict m.model p --csv - --json -
"$unseen" report m.model --data d -o r.html >>out 2>&1 || fail "report"
[ "$(grep -c "<script" r.html)" = 1 ] || fail "a name became a script"
"$unseen" inspect m.model | grep -Eq '[0-9]\.[0-9]{9}' && fail "inspect prints more digits than people read"

# A line feed in a name does not make two answers of one; CSV and JSON keep it.
mkdir q
printf -v first 'one\n1  red'
cp "$1/001.png" "q/$first.png"
printf 'class,a,b,c\n"two\nlines",1,0,1\n' >new.csv
"$unseen" predict m.model q --classes new.csv --top 5 --csv n.csv --json n.json >out 2>&1 ||
    fail "predict: $(cat out)"
"$unseen" predict m.model q --classes new.csv --top 5 >out 2>&1 || fail "predict"
[ "$(wc -l <out)" = 7 ] || fail "a name broke a line: $(cat out)"
grep -qF 'q/one\u000a1  red.png' out && grep -qF 'two\u000alines' out || fail "names: $(cat out)"
python=$(command -v python3) || left_out "whether CSV and JSON keep line feeds: no python3"
${python:-cat} - <<'END' >/dev/null || fail "CSV and JSON do not keep line feeds"
import csv, json
rows = list(csv.reader(open("n.csv", newline="")))
assert len(rows) == 6 and all(len(r) == 6 for r in rows), rows
assert rows[1][0] == "q/one\n1  red.png" and "two\nlines" in [r[2] for r in rows], rows
assert "two\nlines" in [p["label"] for p in json.load(open("n.json"))[0]["predictions"]]
END
"$unseen" explain m.model q --classes new.csv -o why2 >out 2>&1 || fail "explain: $(cat out)"
grep -q '^1  red' out && fail "a name broke a line of explain: $(cat out)"
"$unseen" predict m.model "$(printf 'no\nsuch.png')" >out 2>err
[ "$(wc -l <err)" = 1 ] || fail "a sentence was broken: $(cat err)"

# A picture outside the folder, by an edit of the same length.
picture=$(cd p && ls '<script>x' | head -1)
cp "p/<script>x/$picture" outside.png
sed 's|<script>x/001.png|../.././outer.png|g' d/dataset.safetensors >edited
cmp -s edited d/dataset.safetensors && fail "no picture name was edited"
cp edited d/dataset.safetensors
rm -rf d/features
"$unseen" extract --data d --backbone builtin:descriptor --pooled --strict >out 2>&1 &&
    fail "a picture outside the folder was read"
grep -q "outside its folder" out || fail "no sentence about it: $(cat out)"
expect 1 "the names of 1 of 20 pictures lead out of the folder $PWD/p, \"../.././outer.png\" for one" \
    "$unseen" check d
grep -q "[1-9] error.*warning" <<<"$output" || fail "check ended at the picture outside: $output"
finish
