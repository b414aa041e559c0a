#!/bin/sh
# Ranks share the steps of a run: losses of one process within rounding, the same bytes from as many
# ranks whenever they are asked, also after the death of one.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/mpi.sh"
cd "$scratch" || exit 1
"$tools/make_region_set" maps 200 9 16 12 12 || fail "make_region_set"
"$tools/make_region_set" pictures 200 256 3 12 12 || fail "make_region_set"
"$tools/make_dataset" toy 100 256 || fail "make_dataset"

duet="--set hidden=16 --set heads=2 --set inner=24 --set text_layers=1 --set batch=8
    --set max_length=64 --set image_hidden=16 --set image_heads=2 --set image_inner=24
    --set image_layers=1 --set accumulate=3 --set dropout=0.1"
swin="--set image_side=swin --set swin_width=8 --set swin_depths=2,1 --set swin_heads=2,2
    --set swin_window=3 --set drop_path=0.3 --set augment=yes"
same="-q --select none --precision f32 --threads 1 --epochs 1"

# loss LOG: the mean over the steps of its last row.
loss() { tail -n 1 "$1" | cut -d, -f4; }
# near WHAT A B TOLERANCE: relative
near() {
    awk -v a="$2" -v b="$3" -v t="$4" 'BEGIN { d = a - b; if (d < 0) d = -d; exit !(a > 0 && d <= t * a) }' ||
        fail "$1: a loss of $3, one process has $2"
}
# Losses are sums in f64 of outputs in f32, which are sums of up to some hundred terms in an order
# that depends on the rows of the product: sqrt(500) 2^-24 = 1.3e-6. Steps that follow start from
# gradients that differ by as much.
alike() {
    name=$1
    shift
    "$unseen" train $same "$@" --log $name.1.csv -o $name.1.model >/dev/null || fail "one process, $name"
    for n in 2 4; do
        for turn in a b; do
            [ $n$turn$name = 4bmsdn ] || [ $n$turn != 4b ] || continue # order matters from 3 on
            ranks $n train $same "$@" --ranks-per-run $n --log $name.$n.csv -o $name.$n$turn.model >said 2>&1 ||
                fail "$n ranks, $name: $(cat said)"
        done
        [ ! -e $name.${n}b.model ] || cmp $name.${n}a.model $name.${n}b.model || fail "$n ranks, $name: two equal trainings differ"
        near "$n ranks, $name" "$(loss $name.1.csv)" "$(loss $name.$n.csv)" 4e-6
    done
}
alike msdn msdn --data maps --set batch=10 --steps 4
alike dedn dedn --data maps --set batch=10 --steps 4
alike regions duet --data maps $duet --set cross_layers=2 --steps 4
alike published duet --data maps $duet --duet-reference --set contrast_samples=3 --steps 4
alike prompt duet --data maps $duet --set dropout=0 --steps 4
alike pixels duet --data pictures $duet $swin --set recompute=yes --set batch=7 --steps 3
alike dem dem --data toy --set batch=10 --steps 6
alike means dem --data toy --set batching=class-means --steps 6
alike short dem --data toy --set batch=33 --steps 8 # the last of an epoch is of one image
alike cnzsl cnzsl --data toy --set batch=10 --set hidden=24 --steps 6
alike alone duet --data pictures $duet $swin --set text=no --steps 3

# Gradients in bf16 have 8 bits: other bytes, a loss near.
msdn="train msdn $same --data maps --set batch=10 --steps 8"
"$unseen" $msdn --log w1.csv -o w1.model >/dev/null || fail "one process, 8 steps"
for wire in f32 bf16; do
    ranks 2 $msdn --ranks-per-run 2 --wire $wire --log w.$wire.csv -o w.$wire.model >/dev/null || fail "$wire"
done
cmp -s w.f32.model w.bf16.model && fail "--wire bf16 changes nothing"
near "bf16 on the wire" "$(loss w1.csv)" "$(loss w.bf16.csv)" 4e-3 # 2^-8

# In teams: four ranks, two for each run, of two seeds on all folds, whose files are complete.
mkdir teams
teams="train msdn -q --data ../maps --threads 1 --epochs 2 --set batch=10 --seeds 1,2 -o m.model --log m.csv"
for turn in 1 2; do
    (cd teams && ranks 4 $teams --ranks-per-run 2) >said 2>&1 || fail "teams: $(cat said)"
    [ $turn = 1 ] && cp teams/m-seed2.model kept
done
cmp kept teams/m-seed2.model || fail "two equal trainings by teams differ"
(cd teams && ranks 2 $teams --ranks-per-run 2) >said 2>&1 || fail "one team: $(cat said)"
cmp kept teams/m-seed2.model || fail "one team makes another model than two"
[ "$(cd teams && echo *)" = "m-seed1.csv m-seed1.model m-seed2.csv m-seed2.model" ] || fail "teams left $(ls teams)"

# Killed in the middle of a step, or wherever, and stopped; resumed to the same bytes.
for method in "msdn --set batch=10 --set epoch_images=10 --epochs 1500" "duet $duet --set patience=0 --epochs 600"; do
    long="train $method --data maps --threads 1 -q --folds 1 --ranks-per-run 2"
    ranks 2 $long -o whole.model >said 2>&1 || fail "whole: $(cat said)"
    for signal in KILL TERM; do
        # On a busy machine the signal may come when all is written: again, sooner.
        for pause in 0.1 0.05 0.02 0; do
            rm -f cut.*
            "$MPIEXEC" -n 2 "$ranked" $long -o cut.model --checkpoint-every 0.05 >said 2>&1 &
            job=$!
            while ! there cut.model*.checkpoint && ! is_over $job; do sleep 0.01; done
            sleep $pause
            if [ $signal = TERM ]; then
                kill -TERM $job 2>/dev/null
            else
                kill -KILL "$(pgrep -P $job | sed -n 2p)" 2>/dev/null
            fi
            wait $job
            there cut.model*.checkpoint && [ ! -e cut.model ] && break
        done
        there cut.model*.checkpoint || fail "no job was stopped by $signal: the test is too fast"
        expect 1 "the number of ranks that share a step (was 2, is 3)" ranks 3 $long --ranks-per-run 3 \
            -o cut.model --resume
        ranks 2 $long -o cut.model --resume >said 2>&1 || fail "resuming after $signal: $(cat said)"
        cmp whole.model cut.model || fail "$signal: another model, ${method%% *}"
        [ "$(echo cut.*)" = "cut.model" ] || fail "$signal left $(echo cut.*)"
    done
done

# What cannot be.
expect 1 "a step of method eszsl cannot be split" ranks 2 train eszsl --data toy -q --ranks-per-run 2 -o x.model
expect 1 "3 ranks cannot be divided into teams of 2" ranks 3 train msdn --data maps -q --ranks-per-run 2 -o x.model
expect 1 "1 rank cannot be divided into teams of 2" "$unseen" train msdn --data maps -q --ranks-per-run 2 -o x.model
expect 1 "a step of 3 images cannot be split over 4 ranks" ranks 4 train msdn --data maps -q \
    --set batch=3 --ranks-per-run 4 -o x.model
expect 1 "wire must be f32 or bf16" "$unseen" train msdn --data maps -q --wire f16 -o x.model
finish
