#!/bin/sh
# What selection does where little can be measured, and under which names figures stand.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1
# member FILE KEY: the object or value of a key at the top level of a JSON file, on one line
member() { tr -d '\n' <"$1" | sed -n "s/.*[{,]  *\"$2\": \({[^}]*}\|[^,}]*\).*/\1/p" | tr -d ' '; }

# All images alike: H is 0 at every gamma on the folds, so gamma is 0 and that is said.
"$tools/make_dataset" flat 30 32 0 || fail "make_dataset"
expect 0 "H is 0 at every gamma, so it stays 0" "$unseen" train eszsl --data flat -o flat.model
expect 0 "at gamma 0 (validation)" "$unseen" eval flat.model --data flat --json flat.json
[ "$(member flat.json gamma)" = 0.0 ] || fail "gamma without evidence: $(member flat.json gamma)"
expect 0 '"gamma_decided": false' "$unseen" inspect flat.model

# The first of the folds alone, which the model says; another number of folds is another training.
"$tools/make_dataset" folds 60 32 1 || fail "make_dataset"
count=$("$unseen" inspect folds | grep -c "  fold ")
[ "$count" -gt 1 ] || fail "make_dataset made $count folds"
expect 0 "written to" "$unseen" train eszsl --data folds -o one.model --folds 1 --log one.csv
cut -d, -f1 one.csv | sort -u | grep -q "fold 2" && fail "a second fold was used"
"$unseen" inspect one.model | tr -d ' \n' | grep -q '"runs":\["[^"]*"\]' || fail "not one run"
expect 0 "differs in" "$unseen" train eszsl --data folds -o one.model --resume
expect 1 "has $count validation folds, not 8" "$unseen" train eszsl --data folds -o x.model --folds 8
expect 1 "validation folds only" "$unseen" train eszsl --data folds -o x.model --folds 1 \
    --select test
expect 2 "1 to " "$unseen" train eszsl --data folds -o x.model --folds 0

# Pure zero-shot splits: what needs images of seen classes is null, for people "-".
"$tools/make_dataset" noseen 30 32 1 without-seen || fail "make_dataset"
expect 0 "S     -   H     -" "$unseen" train eszsl --data noseen -o noseen.model --json train.json
expect 0 "AUSUC     -" "$unseen" eval noseen.model --data noseen --json noseen.json --curve v.csv \
    --per-class c.csv
for file in train.json noseen.json; do
    for key in S H AUSUC H_best_curve best_curve; do
        [ "$(member $file $key)" = null ] || fail "$file: $key is $(member $file $key), not null"
    done
    case $(member $file native) in
    '{"gamma":0.0,"U":'[0-9]*',"S":null,"H":null}') ;;
    *) fail "$file: native is $(member $file native)" ;;
    esac
    case $(member $file T1) in [0-9]*) ;; *) fail "$file: T1 is $(member $file T1)" ;; esac
done
grep -qi nan v.csv c.csv noseen.json && fail "NaN in a file"
awk -F, 'NR > 1 && ($4 != "" || $5 != "")' v.csv | grep -q . && fail "a curve has S or H"
expect 0 "html" "$unseen" report noseen.model --data noseen -o r.html
grep -q "There is no curve" r.html || fail "the report shows a curve of nothing"
grep -qi ">nan" r.html && fail "NaN in the report"
expect 0 "no images to measure AUSUC on; T1 decided" "$unseen" train eszsl --data noseen \
    -o noseen2.model --select test

# The same without images of unseen classes.
"$tools/make_dataset" nounseen 30 32 1 without-unseen || fail "make_dataset"
expect 0 "T1     -" "$unseen" train eszsl --data nounseen -o nounseen.model --json nounseen.json
for key in T1 U H AUSUC; do
    [ "$(member nounseen.json $key)" = null ] || fail "$key is not null without unseen classes"
done
case $(member nounseen.json S) in [0-9]*) ;; *) fail "S was not measured" ;; esac
expect 0 "" "$unseen" train dem --data nounseen -o nounseen2.model --select test --epochs 2 \
    --log n.csv
grep -qi nan n.csv && fail "NaN in a log"

# Figures at a gamma that the test sets chose never stand under the name of validation.
"$tools/make_dataset" toy || fail "make_dataset"
expect 0 "(selected on test)" "$unseen" train eszsl --data toy -o t.model --select test --json t.json
expect 0 "(selected on test)" "$unseen" eval t.model --data toy --json te.json
for file in t.json te.json; do
    [ "$(member $file validation)" = null ] || fail "$file: validation is $(member $file validation)"
    case $(member $file selected_on_test) in
    '{"gamma":'*) ;;
    *) fail "$file has no selected_on_test" ;;
    esac
done
expect 0 "This model was selected on the test sets" "$unseen" inspect t.model
expect 0 "" "$unseen" inspect flat.model
case $output in *"This model"*) fail "inspect warns of a model chosen on validation" ;; esac
expect 0 "written" "$unseen" train eszsl --data toy --all -o all.model
expect 0 "This model learned from every image" "$unseen" inspect all.model
expect 1 "selected on test, not on validation" "$unseen" eval t.model --data toy --gamma validation
expect 0 "(selected on test)" "$unseen" eval t.model --data toy --gamma selected
expect 0 "selected on test" "$unseen" inspect t.model
"$unseen" inspect t.model | grep -q '"validation": {' && fail "inspect shows figures of validation"
expect 0 "html" "$unseen" report t.model --data toy -o t.html
grep -q "selected on validation" t.html && fail "the report says validation of a choice on test"
grep -q "selected on the test sets" t.html || fail "the report does not tell how it was selected"
expect 0 "at the gamma selected on test" "$unseen" train dem --data toy -o m.model --select test \
    --seeds 1,2 --epochs 2 --json m.json
grep -q '"selected_on_test_H": [01]' m.json || fail "no mean of the figures selected on test"
grep -q '"validation_H": null' m.json || fail "a mean of validation that never was"
expect 0 "(validation)" "$unseen" train eszsl --data toy -o v.model --json v.json
[ "$(member v.json selected_on_test)" = null ] || fail "an honest model has figures chosen on test"
# A method of fixed length: folds choose gamma after the last epoch, and what would stop earlier is no
# setting of it.
expect 0 "validation chose gamma" "$unseen" train cnzsl --data toy -o fixed.model --epochs 6 \
    --set hidden=16 --set evaluate_every=2
expect 0 "after all 6 epochs" "$unseen" train cnzsl --data toy -o fixed.model --epochs 6 \
    --set hidden=16 --set evaluate_every=4
expect 0 '"fixed_length": true' "$unseen" inspect fixed.model
expect 0 '"epochs": 6' "$unseen" inspect fixed.model
for setting in patience=3 metric=H; do
    expect 1 "cnzsl has no setting" "$unseen" train cnzsl --data toy -o no.model --set $setting
done
expect 0 "gamma alone" "$unseen" train cnzsl --settings
finish
