#!/bin/sh
# Trains MSDN on a CUB-sized file of region features (9 GiB) that is not in the page cache, and
# prints seconds a step, peak anonymous memory, and the speed of the same steps on data in memory.
# usage: stream.sh BUILD_DIRECTORY SCRATCH_DIRECTORY     (root: only root can drop the cache)
set -eu
build=$1
scratch=$2
steps=${STEPS:-70}
[ -d "$scratch/maps" ] || "$build/tests/make_region_set" "$scratch/maps"
ls -l "$scratch/maps/features"
rm -f "$scratch/maps.csv" "$scratch/maps.model.checkpoint"
sync
echo 3 >/proc/sys/vm/drop_caches
"$build/unseen" train msdn --data "$scratch/maps" --preset cub --select none --steps "$steps" \
    --set evaluate_every=1000 -o "$scratch/maps.model" --log "$scratch/maps.csv" --quiet \
    --checkpoint-every 0 >/dev/null 2>"$scratch/maps.err" &
pid=$!
peak=0
while kill -0 $pid 2>/dev/null; do
    now=$(awk '/RssAnon/ {print $2}' /proc/$pid/status 2>/dev/null || true)
    [ "${now:-0}" -gt $peak ] && peak=$now
    [ -s "$scratch/maps.csv" ] && [ "$(wc -l <"$scratch/maps.csv")" -gt 1 ] && break
    sleep 0.2
done
awk -F, -v peak=$peak 'END {printf "streamed: %d steps in %.1f s, %.0f ms a step; peak anonymous memory %d MiB\n",
    $2, $NF, 1000 * $NF / $2, peak / 1024}' "$scratch/maps.csv"
kill $pid 2>/dev/null || true
wait $pid 2>/dev/null || true
"$build/unseen" bench msdn --images 200 --steps 10
