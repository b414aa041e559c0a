#!/bin/sh
# Ranks train folds and seeds: the models, logs and results of one process, whatever their number,
# also after a stop or the death of a rank.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/mpi.sh"
cd "$scratch" || exit 1
"$tools/make_dataset" toy 100 256 || fail "make_dataset"
train="train dem --data toy --epochs 12 --set hidden=64 --quiet"

# logs DIR: the logs without the times.
logs() { for log in "$1"/*.csv; do cut -d, -f1-13 "$log" || fail "no log"; done; }
# alike DIR: models, logs and results are those of one process.
alike() {
    for file in one/*.model one/*.json; do
        cmp "$file" "$1/$(basename "$file")" || fail "$1 has another $(basename "$file")"
    done
    logs one >a && logs "$1" >b && cmp a b || fail "$1 has other logs"
    [ "$(cd one && ls)" = "$(cd "$1" && ls)" ] || fail "$1 has other files: $(ls "$1")"
}
# where models go is in the results
inside() { (cd "$1" && shift && "$@"); }

mkdir one
three="--data ../toy --seeds 3,1,2 -o m.model --log m.csv --json r.json"
inside one "$unseen" $train $three >/dev/null || fail "one process"
for n in 1 2 4 7; do
    mkdir by$n
    inside by$n ranks $n $train $three >said 2>&1 || fail "$n ranks: $(cat by$n/said)"
    rm -f by$n/said
    alike by$n
done

# What is printed is printed once, in order.
"$unseen" $train --seeds 5,4 -o a.model >said.1 || fail "one process"
ranks 3 $train --seeds 5,4 -o a3.model >said.3 || fail "three ranks"
sed 's/a3-/a-/' said.3 | cmp - said.1 || fail "three ranks print: $(cat said.3)"

# One seed; nothing selected; selected on the test sets; a closed form.
for more in "" "--select none" "--select test"; do
    "$unseen" $train -o x1.model $more >/dev/null || fail "one process $more"
    ranks 3 $train -o x3.model $more >/dev/null || fail "three ranks $more"
    cmp x1.model x3.model || fail "three ranks, $more: another model"
    rm -f x1.model x3.model
done
"$unseen" train eszsl --data toy -q --seeds 1,2 -o e1.model >/dev/null || fail "one process, eszsl"
ranks 2 train eszsl --data toy -q --seeds 1,2 -o e2.model >/dev/null || fail "two ranks, eszsl"
cmp e1-seed1.model e2-seed1.model && cmp e1-seed2.model e2-seed2.model || fail "eszsl differs"

# --resume of what is finished does nothing.
cp by2/m-seed1.model kept
inside by2 ranks 2 $train $three --resume >/dev/null || fail "resuming what is finished"
cmp kept by2/m-seed1.model || fail "a finished model was trained again into another"

# Stopped politely and killed, at whatever moment; resumed by as many ranks, also more than once.
turns=0
long="train dem --data ../toy --epochs 60 --set hidden=256 --quiet --seeds 1,2 -o m.model --log m.csv"
rm -rf one && mkdir one
inside one "$unseen" $long >/dev/null || fail "one process, long"
for signal in TERM KILL KILL; do
    more=$((4 - turns)) turns=$((turns + 1))
    # On a busy machine a job may be over before it is stopped: again, sooner.
    for pause in 0.1 0.05 0.02 0; do
        rm -rf cut && mkdir cut
        stops=0
        for turn in 1 2 3; do
            ls cut/*.checkpoint >before 2>/dev/null
            (cd cut && exec "$MPIEXEC" -n 3 "$ranked" $long --resume --checkpoint-every 0.1) >said 2>&1 &
            job=$!
            while [ "$(ls cut/*.checkpoint 2>/dev/null)" = "$(cat before)" ] && ! is_over $job; do sleep 0.02; done
            sleep $pause
            if [ $signal = TERM ]; then
                kill -TERM $job 2>/dev/null
            else
                kill -KILL "$(pgrep -P $job | sed -n ${turn}p)" 2>/dev/null
            fi
            wait $job && break
            # or the signal came when all was done
            [ $signal = KILL ] || grep -q "go on with --resume\|written to m-seed2" said || fail "a stop says: $(cat said)"
            stops=$((stops + 1))
        done
        [ $stops -gt 0 ] && break
    done
    echo "$signal: $stops jobs of $turn were stopped"
    [ $stops -gt 0 ] || fail "no job was stopped by $signal: the test is too fast"
    # as many ranks as before, or others
    inside cut ranks $more $long --resume >said 2>&1 || fail "resuming after $signal: $(cat cut/said)"
    rm -f cut/said
    for seed in 1 2; do cmp one/m-seed$seed.model cut/m-seed$seed.model || fail "$signal: another model"; done
    logs one >a && logs cut >b && cmp a b || fail "$signal: other logs"
    [ "$(cd one && ls)" = "$(cd cut && ls)" ] || fail "$signal left $(ls cut)"
done

# Teams: a signal at one rank that is not the first of its team stops both, each with its state.
rm -rf teams && mkdir teams
pairs="$long --epochs 3000 --ranks-per-run 2"
inside teams timeout -k 5 120 "$MPIEXEC" -n 4 sh -c 'echo $$ >rank.${OMPI_COMM_WORLD_RANK:-$PMI_RANK}; exec "$@"' - \
    "$ranked" $pairs >said 2>&1 &
job=$!
while [ "$(ls teams/*.csv.run* 2>/dev/null | wc -l)" -lt 2 ] && ! is_over $job; do sleep 0.02; done
kill -TERM "$(cat teams/rank.1)" 2>/dev/null
wait $job && fail "a signal at one rank of a team stopped nothing: the test is too fast"
[ "$(grep -o "the state is in [^ :]*" said | sort -u | wc -l)" = 2 ] || fail "one team lost its state: $(cat said)"

# What one process left is not for ranks, nor the other way round; without --resume all is refused.
mkdir odd
cp one/m-seed1.model odd/m-seed1.model.run2.checkpoint
cd odd || exit 1
expect 1 "--resume, or remove it" ranks 2 $long
expect 1 "by several ranks" "$unseen" $long
rm m-seed1.model.run2.checkpoint
# Of a later seed, too, before the first is trained.
cp ../one/m-seed1.model m-seed2.model.checkpoint
expect 1 "--resume, or remove it" ranks 2 $long
expect 1 "not a usable checkpoint" ranks 2 $long --resume
[ "$(ls)" = m-seed2.model.checkpoint ] || fail "work was done before the checkpoint was looked at: $(ls)"
cd ..

# A signal at one rank alone stops all, each with its state.
mkdir one-stops && cd one-stops || exit 1
"$MPIEXEC" -n 2 "$ranked" $long --resume >said 2>&1 &
job=$!
while [ -z "$(ls ./*.csv.run* 2>/dev/null)" ] && ! is_over $job; do sleep 0.02; done
kill -TERM "$(pgrep -P $job | tail -1)" 2>/dev/null
wait $job && fail "a signal at one rank stopped nothing: the test is too fast"
[ "$(grep -c "stopped in\|stopped while" said)" -gt 0 ] || fail "one rank was stopped: $(cat said)"
grep -q "killed\|signal 9" said && fail "others were killed: $(cat said)"
ls ./*.checkpoint >/dev/null || fail "no state was kept: $(ls) $(cat said)"
cd ..
inside one-stops ranks 2 $long --resume >said 2>&1 || fail "resuming: $(cat one-stops/said)"
for seed in 1 2; do cmp one/m-seed$seed.model one-stops/m-seed$seed.model || fail "one rank stopped: another model"; done

# A rank that sees other data, and one without any.
mkdir elsewhere && cp -r toy elsewhere/toy && mkdir elsewhere/in
"$tools/make_dataset" elsewhere/toy 90 256 || fail "make_dataset"
other="train dem --data toy --epochs 2 --quiet -o other.model"
expect 1 "it differs in" two "exec '$ranked' $other" \
    "cd elsewhere && exec '$ranked' $other"
case $output in *"rank 1 on"*) ;; *) fail "it does not say which rank: $output" ;; esac
rm -rf elsewhere/toy
expect 1 "rank 1 on" two "exec '$ranked' $other" \
    "cd elsewhere && exec '$ranked' $other"
case $output in *"toy"*) ;; *) fail "it does not say what is missing: $output" ;; esac

# The same data on each machine, but no folder that they share: a model would lie on another one.
cp -r toy elsewhere/toy
expect 1 "rank 1 on" two "exec '$ranked' $other --seeds 1,2" \
    "cd elsewhere && exec '$ranked' $other --seeds 1,2"
case $output in
*"/elsewhere is not the one that rank 0 writes other-seed1.model into"*) ;;
*) fail "it does not say which folder: $output" ;;
esac
there other-seed* || there elsewhere/other-seed* && fail "left: $(ls . elsewhere)"

# The disk of one rank is full: it says so alone, all end, and with room they go on.
full="train dem --data toy --epochs 1 --set hidden=8192 --quiet --seeds 1,2"
"$unseen" $full -o roomy.model >/dev/null || fail "one process, wide"
expect 1 "rank 1 on" two "exec '$ranked' $full -o full.model" \
    "ulimit -f 40000; exec '$ranked' $full -o full.model"
case $output in *"full-seed"*) ;; *) fail "it does not say what has no room: $output" ;; esac
ranks 2 $full -o full.model --resume >said 2>&1 || fail "going on with room: $(cat said)"
for seed in 1 2; do cmp roomy-seed$seed.model full-seed$seed.model || fail "after a full disk: another model"; done
finish
