#!/bin/sh
# The main job on a toy data set: train, eval, seeds, files, selection words.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1
"$tools/make_dataset" toy || fail "make_dataset"
# value FILE KEY: a number at the top level of a JSON file
value() { sed -n "s/^  \"$2\": \([-0-9.e]*\),*\$/\1/p" "$1" | head -1; }
# same FILE FILE KEY: both have the number, and it is one
same() {
    [ -n "$(value $1 $3)" ] || fail "$1 has no $3"
    [ "$(value $1 $3)" = "$(value $2 $3)" ] || fail "$1 and $2 differ in $3"
}
at_least() { awk "BEGIN{exit !($1 >= $2)}" || fail "$3: $1 is below $2"; }

expect 0 "good" "$unseen" check toy
expect 0 "selection: validation" "$unseen" train dem --data toy -o a.model --epochs 30 \
    --log a.csv --json a.json
at_least "$(value a.json T1)" 0.8 "T1 on an easy data set"
at_least "$(value a.json H)" 0.6 "H on an easy data set"
head -1 a.csv | grep -q '^run,step,epoch,loss,fit,l2,T1,U,S,H,AUSUC' || fail "log header"
grep -q '^fold 1,' a.csv && grep -q '^final,' a.csv || fail "log rows"

# The same command gives the same bytes, and a model says what it was trained on.
expect 0 "" "$unseen" train dem --data toy -o b.model --epochs 30
cmp a.model b.model || fail "two equal runs differ"
expect 0 "split_hash" "$unseen" inspect a.model

# eval repeats what train printed.
expect 0 "T1" "$unseen" eval a.model --data toy --json e.json --per-class c.csv --curve v.csv \
    --confusion m.csv
for key in T1 U S H AUSUC H_best_curve gamma; do
    same a.json e.json $key
done
for key in method T1 U S H gamma gamma_source H_best_curve AUSUC per_image classes selection \
    split_hash seed native validation score_unit; do
    grep -q "\"$key\"" e.json || fail "eval --json lacks $key"
done
[ "$(wc -l <c.csv)" = 17 ] || fail "per-class table"
head -1 v.csv | grep -q gamma_from || fail "curve"
[ "$(awk -F, 'NR>1{n+=$3}END{print n}' m.csv)" = 192 ] || fail "confusion matrix counts"
# The per-class table and its means, by hand from the confusion matrix.
awk -F, 'FNR == 1 { next }
    NR == FNR { all[$1] += $3; if ($1 == $2) right[$1] = $3; next }
    $3 != all[$1] || ($4 - right[$1] / all[$1]) ^ 2 > 1e-20 { print "class", $0 }
    { sum[$2] += right[$1] / all[$1]; n[$2]++ }
    END { printf "%.6f %.6f\n", sum[0] / n[0], sum[1] / n[1] }' m.csv c.csv >hand.txt
[ "$(cat hand.txt)" = "$(printf '%.6f %.6f' "$(value e.json U)" "$(value e.json S)")" ] ||
    fail "figures by hand: $(cat hand.txt)"
expect 0 "given" "$unseen" eval a.model --data toy --gamma 0.1
expect 0 "native" "$unseen" eval a.model --data toy --gamma native
expect 1 "gamma must be" "$unseen" eval a.model --data toy --gamma much
expect 1 "gamma must be" "$unseen" eval a.model --data toy --gamma inf
expect 1 "one value, or one" "$unseen" train dem --data toy -o q.model --set input_scale=1,2

# Several seeds, selection on test with its words, no selection.
expect 0 "2 models, mean ± sd" "$unseen" train dem --data toy -o s.model --epochs 5 --seeds 1,2
[ -s s-seed1.model ] && [ -s s-seed2.model ] || fail "one model for each seed"
expect 0 "2 models" "$unseen" eval s-seed1.model s-seed2.model --data toy
expect 0 "already trained" "$unseen" train dem --data toy -o s.model --epochs 5 --seeds 1,2 --resume
expect 2 "twice" "$unseen" train dem --data toy -o s.model --seeds 7,7
expect 0 "selected on test" "$unseen" train dem --data toy -o t.model --epochs 5 --select test \
    --json t.json
grep -q '"selection": "selected on test"' t.json || fail "JSON of a selection on test"
expect 0 "selected on test" "$unseen" eval t.model --data toy --per-class t.csv
grep -q "selected on test" t.csv || fail "a CSV of a selection on test"
expect 0 "partly selected on test" "$unseen" eval a.model t.model --data toy --json mixed.json
grep -q '"selection": "mixed, partly selected on test"' mixed.json || fail "JSON of mixed models"
expect 0 "chose 1 epochs" "$unseen" train dem --data toy -o few.model --steps 2
expect 0 "selection: none" "$unseen" train dem --data toy -o n.model --epochs 2 --select none
# A mean is for seeds of one training; others stand in a table, and what differs is told.
"$unseen" eval a.model t.model --data toy --json mixed.json >mixed.txt 2>/dev/null
grep -q "mean ±" mixed.txt && fail "a mean of different trainings"
grep -q '"mean": {' mixed.json && grep -q '^  "mean"' mixed.json && fail "a mean in JSON"
grep -q "t.model differs from a.model in setting epochs (was 30, is 5)" mixed.txt ||
    fail "what tells two models apart: $(cat mixed.txt)"
expect 0 "a.model: dem" "$unseen" eval a.model t.model --data toy
"$unseen" eval s-seed1.model s-seed2.model a.model --data toy --json groups.json >groups.txt 2>&1
grep -q "seeds of s-seed1.model" groups.txt || fail "seeds beside another training"
grep -q '"groups"' groups.json || fail "no groups in JSON"
# A model that is named twice, the seeds of a closed form, and models without test figures have no
# deviation.
expect 0 "2 models of one run, so there is no deviation" "$unseen" eval a.model a.model --data toy \
    --json same.json
grep -q '"n": 1,' same.json || fail "one model counts as $(grep '"n"' same.json)"
sed -n '/"sd": {/,/}/p' same.json | grep -q '[0-9],$' && fail "a deviation of one model"
expect 0 "3 models of 2 runs, mean ± sd" "$unseen" eval s-seed1.model s-seed2.model s-seed1.model \
    --data toy
"$unseen" eval s-seed1.model s-seed2.model --data toy | tail -12 >two.txt
"$unseen" eval s-seed1.model s-seed2.model s-seed1.model --data toy | tail -12 >three.txt
[ "$(grep "   T1$" two.txt)" = "$(grep "   T1$" three.txt)" ] || fail "a model was counted twice"
expect 0 "a closed form draws nothing" "$unseen" train eszsl --data toy -o z.model --seeds 1,2
"$unseen" train dem --data toy -o all.model --epochs 1 --all --seeds 1,2 --select none >all.txt 2>&1
grep -q "2 models without test figures" all.txt || fail "seeds of --all: $(cat all.txt)"
grep -q -e "- ± " all.txt && fail "seeds of --all: $(cat all.txt)"
expect 0 "html" "$unseen" report a.model a.model --data toy -o same.html
grep -q "± 0.0" same.html && fail "the report has a deviation of one model"
expect 1 "without selection" "$unseen" eval n.model --data toy --gamma validation

# A closed form: the folds choose among the points of its grid, nothing is chosen without them.
expect 0 'chose {"gamma"' "$unseen" train eszsl --data toy -o e.model --set gamma=0.1,1,10 \
    --set lambda=0.1,1 --json e.json --log e.csv
at_least "$(value e.json T1)" 0.6 "T1 of ESZSL on an easy data set"
at_least "$(value e.json H)" 0.5 "H of ESZSL on an easy data set"
[ "$(grep -c '^fold 1,' e.csv)" = 6 ] && [ "$(grep -c '^final,' e.csv)" = 1 ] || fail "log of a grid"
expect 0 '"point":' "$unseen" inspect e.model
expect 0 "T1" "$unseen" eval e.model --data toy --json f.json
for key in T1 U S H AUSUC H_best_curve gamma; do
    same e.json f.json $key
done
# 0.1 is told as it was given, not as what a double makes of it.
expect 0 'chose {"gamma":0.1,"lambda":0.1} (point 1)' "$unseen" train eszsl --data toy -o r.model \
    --set gamma=0.1 --set lambda=0.1
expect 1 "one value" "$unseen" train eszsl --data toy -o q.model --select none
expect 0 "selection: none" "$unseen" train eszsl --data toy -o q.model --select none \
    --set gamma=1 --set lambda=1
expect 1 "no setting \"epochs\"" "$unseen" train eszsl --data toy -o q.model --epochs 3
expect 1 "closed form" "$unseen" train eszsl --data toy -o q.model --steps 3
expect 0 "columns" "$unseen" train eszsl --settings
expect 0 "fit" "$unseen" bench eszsl --features 64 --images 300 --classes 20 --attributes 9
expect 0 '"prepare_ms"' "$unseen" bench eszsl --features 64 --images 300 --classes 20 --json -

# Other batchings, precisions, networks.
expect 0 "T1" "$unseen" train dem --data toy -o c.model --batching class-means --epochs 100 \
    --set lr=3e-3 --set evaluate_every=10 --precision f32
expect 0 "T1" "$unseen" train dem --data toy -o o.model --epochs 3 --set network=one-layer
expect 0 "T1" "$unseen" train dem --data toy -o f.model --epochs 3 --semantics att,att \
    --set modality_scale=3,1 --set lambda=1e-3,1e-4,1e-3
expect 0 "T1" "$unseen" eval f.model --data toy
echo '{"epochs": 2, "hidden": 8}' >config.json
expect 0 "T1" "$unseen" train dem --data toy -o g.model --config config.json
echo '{"epochs": 2, "hidden": [8, {}]}' >config.json
"$tools/make_dataset" other 10 || fail "make_dataset"
mkdir -p bad/features
cp toy/dataset.safetensors bad/
cp other/features/toy.safetensors bad/features/
expect 1 "images, data set" "$unseen" eval a.model --data bad
expect 1 "hidden must be" "$unseen" train dem --data toy -o g2.model --config config.json
finish
