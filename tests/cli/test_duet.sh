#!/bin/sh
# DUET on generated region features and pixels: train, stop and resume, eval, ablations.
. "$(dirname "$0")/common.sh"
cd "$scratch" || exit 1
"$tools/make_region_set" maps 200 9 16 12 12 || fail "make_region_set"
small="--set hidden=16 --set heads=2 --set inner=24 --set text_layers=1 --set batch=8"
small="$small --set max_length=64 --set image_hidden=16 --set image_heads=2 --set image_inner=24"
small="$small --set image_layers=1"
swin="--set image_side=swin --set swin_width=8 --set swin_depths=2,1 --set swin_heads=2,2"
swin="$swin --set swin_window=3"
train="$unseen train duet --data maps $small --quiet"

expect 0 "selection: validation" $train -o a.model --epochs 2 --log a.csv
head -1 a.csv | grep -q 'class,mse,calibration,grounding,attribute_contrast,class_contrast' ||
    fail "the log's losses"
expect 0 "T1" $train -o b.model --epochs 2
cmp a.model b.model || fail "two equal runs differ"
expect 0 "T1" "$unseen" eval a.model --data maps --json e.json
grep -q '"score_unit": "probability"' e.json || fail "score unit"

expect 0 "masked attributes of unseen" "$unseen" eval a.model --data maps --recovery --json r.json
grep -q '"in_group_prior"' r.json || fail "recovery in JSON"

# A run that was killed and one that was not end alike; the optimiser and the rate go on, and where
# it begins anew with every epoch, as published, it does so there.
for published in "" --duet-reference; do
    slow="--epochs 12 --select none --set dropout=0.1 --set lr_every=3 --set accumulate=3 $published"
    $train $slow -o whole.model >/dev/null || fail "whole"
    interrupted KILL killed.model.checkpoint killed.model \
        $train $slow -o killed.model --checkpoint-every 0.05
    $train $slow -o killed.model --resume >/dev/null || fail "resume"
    cmp whole.model killed.model || fail "killed and resumed differs $published"
    rm -f killed.model
done

# Parts switched off, the published habits, pixels, a frozen transformer.
expect 0 "T1" $train -o c.model --epochs 1 --select none --set text=no
expect 0 "T1" "$unseen" eval c.model --data maps
expect 1 "only DUET with text" "$unseen" eval c.model --data maps --recovery
expect 0 "T1" $train -o c.model --epochs 1 --select none --set mlm=0 --set contrast=0 \
    --set class_contrast=0
expect 0 "T1" $train -o c.model --epochs 1 --select none --duet-reference
"$tools/make_region_set" pictures 200 256 3 12 12 || fail "make_region_set"
pixels="$unseen train duet --data pictures $small --quiet --set batch=4 --epochs 1 --select none"
expect 0 "T1" $pixels -o p.model
expect 0 "T1" "$unseen" eval p.model --data pictures
expect 0 "T1" $pixels -o p.model --freeze-backbone
expect 0 "T1" $pixels -o p.model --set visual_tokens=logit --set labels=10

# A Swin transformer: both kinds of visual tokens, frozen, resumed.
expect 0 "T1" $pixels $swin -o s.model
expect 0 "T1" "$unseen" eval s.model --data pictures
expect 0 "T1" $pixels $swin -o s.model --freeze-backbone --set visual_tokens=logit --set labels=10
swin="$unseen train duet --data pictures $small $swin --quiet --set batch=4 --epochs 3 --select none"
swin="$swin --set recompute=yes --set drop_path=0.3"
$swin -o swin.model >/dev/null || fail "whole Swin"
interrupted KILL again.model.checkpoint again.model $swin -o again.model --checkpoint-every 0.05
$swin -o again.model --resume >/dev/null || fail "resume Swin"
cmp swin.model again.model || fail "killed and resumed Swin differs"

expect 1 "needs pixels with these settings; feature set maps holds region features" $train -o d.model --preset sun
expect 1 "among the semantics" $train -o d.model --set text_semantics=words
expect 1 "give --set vocab" $train -o d.model --set text_weights=bert.safetensors
finish
