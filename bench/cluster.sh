#!/bin/sh
# What several ranks gain: 2 ranks of 1 thread beside 1 process of 2 threads, for extract, train with
# runs dealt out, and train with each step shared; with --network also two ranks in two network
# namespaces, 1 ms and 1 Gbit/s apart (root, iproute2, a kernel with sch_netem; with sch_tbf alone they
# are 1 Gbit/s apart without delay, without both as fast as the kernel makes them; the table says which).
# Times are wall and processor seconds, the least of the rounds, which are interleaved; the files of
# both are compared. The table at the end is computed.
#
#     bench/cluster.sh [--network] [--rounds N] [--quick] [BUILD]
#
# --quick only shows that all runs.
set -eu
network=0 rounds=3 quick=0 build=build apart=
while [ $# -gt 0 ]; do
    case $1 in
    --network) network=1 ;;
    --quick) quick=1 rounds=1 ;;
    --rounds) rounds=$2 && shift ;;
    *) build=$1 ;;
    esac
    shift
done
build=$(cd "$build" && pwd)
[ -x "$build/unseen-mpi" ] || { echo "there is no $build/unseen-mpi: it needs an MPI" >&2; exit 1; }
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe OMPI_MCA_btl_vader_single_copy_mechanism=none
scratch=$(mktemp -d "${TMPDIR:-/tmp}/unseen-cluster-XXXXXX")
a=unseen-a-$$ b=unseen-b-$$
clean() {
    rm -rf "$scratch" || :
    [ $network = 0 ] || for ns in $a $b; do ip netns del $ns 2>/dev/null || :; done
}
trap clean EXIT
trap 'exit 1' INT TERM
cd "$scratch"

alone="$build/unseen"
two="mpirun -n 2 --bind-to none $build/unseen-mpi"
each=40 size=160 epochs=8
[ $quick = 0 ] || each=5 size=64 epochs=1
"$alone" import tinybirds -o birds --size 64 --images-per-class $each -q >/dev/null
"$alone" extract --backbone builtin:descriptor --data birds -q >/dev/null
extract="extract --backbone builtin:descriptor --data birds -q --image-size $size --name big"
train="train msdn --data birds -q --seeds 1,2,3 --epochs $epochs"

shared="train msdn --data birds -q --select none --epochs $epochs"

# timed NAME COMMAND...: keeps the least wall and processor seconds of NAME.
timed() {
    name=$1
    shift
    python3 - "$scratch/$name" "$@" <<'END'
import os, subprocess, sys, time
before, begin = os.times(), time.time()
subprocess.run(sys.argv[2:], check=True, stdout=subprocess.DEVNULL)
wall, now = time.time() - begin, os.times()
used = now.children_user + now.children_system - before.children_user - before.children_system
old = list(map(float, open(sys.argv[1]).read().split())) if os.path.exists(sys.argv[1]) else [1e9, 1e9]
open(sys.argv[1], "w").write("%.2f %.2f\n" % (min(wall, old[0]), min(used, old[1])))
END
}
rows() { # NAME THREADS COMMAND...
    name=$1 threads=$2
    shift 2
    rm -f birds/features/big*
    timed "$name" "$@" $extract --threads "$threads"
    mkdir -p "$name.files" && mv birds/features/big* "$name.files"
}
runs() {
    name=$1 threads=$2
    shift 2
    mkdir -p "$name.files"
    timed "$name" "$@" $train --threads "$threads" -o m.model
    mv m-seed*.model "$name.files"
}
steps() { # one run; the two forms differ by rounding, so nothing is compared
    name=$1 threads=$2 ranks=$3
    shift 3
    timed "$name" "$@" $shared --ranks-per-run "$ranks" --threads "$threads" -o s.model
}
same() {
    for file in "$1.files"/*; do cmp "$file" "$2.files/${file##*/}"; done
}

if [ $network = 1 ]; then
    for ns in $a $b; do ip netns add $ns && ip -n $ns link set lo up; done
    ip link add name va$$ netns $a type veth peer name vb$$ netns $b
    ip -n $a addr add 10.231.7.1/24 dev va$$
    ip -n $b addr add 10.231.7.2/24 dev vb$$
    ip -n $a link set va$$ up
    ip -n $b link set vb$$ up
    # slow QDISC...: both ends of the link
    slow() {
        ip netns exec $a tc qdisc add dev va$$ root "$@" 2>/dev/null &&
            ip netns exec $b tc qdisc add dev vb$$ root "$@" 2>/dev/null
    }
    if slow netem delay 0.5ms rate 1gbit; then
        apart="the same, 1 ms and 1 Gbit/s apart"
    elif slow tbf rate 1gbit burst 256kb latency 20ms; then
        echo "this kernel has no netem: the link has a rate, by tbf, and no delay" >&2
        apart="the same, 1 Gbit/s apart"
    else
        echo "this kernel has neither netem nor tbf: the two namespaces are as fast as it makes them" >&2
        apart="the same, two namespaces"
    fi
    # What starts mpirun's second daemon: in the other namespace, in the place of ssh.
    cat >agent <<END
#!/bin/sh
shift
exec ip netns exec $b sh -c "\$*"
END
    chmod +x agent
    far="ip netns exec $a mpirun -n 2 --host 10.231.7.1:1,10.231.7.2:1 --bind-to none
        --mca plm_rsh_agent $scratch/agent --mca btl tcp,self --mca btl_tcp_if_include 10.231.7.0/24
        --mca oob_tcp_if_include 10.231.7.0/24 $build/unseen-mpi"
fi

round=0
while [ $round -lt "$rounds" ]; do
    round=$((round + 1))
    rows rows.alone 2 "$alone"
    # shellcheck disable=SC2086
    rows rows.two 1 $two
    runs runs.alone 2 "$alone"
    # shellcheck disable=SC2086
    runs runs.two 1 $two
    steps steps.alone 2 1 "$alone"
    # shellcheck disable=SC2086
    steps steps.two 1 2 $two
    [ $network = 0 ] || {
        # shellcheck disable=SC2086
        rows rows.far 1 $far
        # shellcheck disable=SC2086
        runs runs.far 1 $far
        # shellcheck disable=SC2086
        steps steps.far 1 2 $far
        same rows.alone rows.far && same runs.alone runs.far
    }
    same rows.alone rows.two && same runs.alone runs.two
done

python3 - "$apart" <<'END'
import sys
def read(name):
    return list(map(float, open(name).read().split()))
print("%-34s %8s %10s %10s" % ("", "wall s", "processor", "efficiency"))
for kind, what in (("rows", "extract"), ("runs", "train, 3 seeds"),
                   ("steps", "train, steps shared")):
    alone = read(kind + ".alone")
    for form, label in (("alone", "1 process x 2 threads"), ("two", "2 ranks x 1 thread"),
                        ("far", sys.argv[1])):
        if form == "far" and not sys.argv[1]:
            continue
        wall, used = read("%s.%s" % (kind, form))
        print("%-34s %8.2f %10.2f %10.2f   %s" % (label, wall, used, alone[0] / wall, what))
print("""
Expected of more machines; n: machines.
extract: 1 / (max(1 / n, p b / link) + (1 - 1 / n) p w (1 / link + 1 / h)); p pictures/s of one machine
(30, ResNet-101), b bytes of a picture read and its row written (0.3 MB, regions in bf16), w of these of
the row (0.2 MB), link of the file server and of rank 0. At the end rank 0 reads what others wrote and
hashes it, h bytes/s (1.2e9, SHA-256 by the processor's instructions).""")
print("%10s %8s %8s %8s" % ("machines", "1 Gbit", "10 Gbit", "100 Gbit"))
for n in (2, 8, 64):
    speed = [1 / (max(1 / n, 30 * 0.3e6 / (g * 125e6)) +
                  (1 - 1 / n) * 30 * 0.2e6 * (1 / (g * 125e6) + 1 / 1.2e9)) for g in (1, 10, 100)]
    print("%10d %8.1f %8.1f %8.1f" % (n, *speed))
print("""
train, s seeds on f folds, a machine for each run at most: total / longest of the ranks; all runs
alike, first all folds, then the last runs, each after the folds of its seed. What travels, curves, is less than a second's work.""")
def makespan(n, s, f):
    busy, done = [0.0] * n, [0.0] * s
    def work(seed, ready):
        rank = min(range(n), key=lambda r: busy[r])
        busy[rank] = max(busy[rank], ready) + 1
        return busy[rank]
    for seed in range(s):
        done[seed] = max(work(seed, 0) for _ in range(f))
    for seed in range(s):
        work(seed, done[seed])
    return max(busy)
print("%10s %12s %12s %12s" % ("machines", "1 seed x 3", "5 seeds x 3", "20 seeds x 3"))
for n in (2, 8, 64):
    print("%10d %12.1f %12.1f %12.1f" % (n, *[s * 4 / makespan(n, s, 3) for s in (1, 5, 20)]))
print("""
steps shared by n: T / (T / n + t - h), t = 8 P (n - 1) / (n link) of traffic, of which h is behind the
backward pass, at most b / n and t less that of the last window of 4 Mi parameters; T of a step on one
machine, P parameters, b of the last backward pass. MSDN at CUB's size: 0.564 s, 2.55 M, one window;
DUET at full size: 178 s, 237 M, 11.9 s (docs/CLUSTER.md).""")
def speed(t, p, b, n, gbit):
    def seconds(elements):
        return 8 * elements * (n - 1) / n / (gbit * 125e6)
    hidden = min(b / n, seconds(p - min(p, 1 << 22)))
    return t / (t / n + seconds(p) - hidden)
print("%10s %8s %8s %8s %8s %8s %8s" % ("machines", "MSDN 1", "10", "100 Gbit", "DUET 1", "10", "100 Gbit"))
for n in (2, 8, 64):
    print("%10d %8.1f %8.1f %8.1f %8.1f %8.1f %8.1f" % (n, *[
        speed(t, p, b, n, g) for t, p, b in ((0.564, 2.55e6, 0), (178, 237e6, 11.9)) for g in (1, 10, 100)]))
END
