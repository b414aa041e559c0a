#!/usr/bin/env bash
# Debian packages of this checkout on a fresh Debian: built, installed, used and removed. As root:
#
#   bench/packages.sh FOLDER           Debian 13; SUITE=bookworm: Debian 12
#   PACKAGES=build-deb/packages bench/packages.sh FOLDER    packages that are there, of that Debian
#
# FOLDER/build becomes the root where they are built (bench/debian13.sh), FOLDER/use the one where they
# are installed; both are kept, so that the next run is quick. Needs debootstrap.
set -euo pipefail

[ $# -ge 1 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
packages=${PACKAGES:-$folder/build/src/unseen/build-deb/packages}
[ -n "${PACKAGES:-}" ] || "$here/debian13.sh" "$folder/build" 'make deb'
"$here/debian13.sh" "$folder/use" 'true'
mkdir -p "$folder/use/packages"
rm -f "$folder/use/packages/"*
cp "$packages/"*.deb "$here/../examples/score_features.c" "$here/../examples/train_arrays.py" \
    "$folder/use/packages/"
cat >"$folder/use/packages/try.sh" <<'EOF'
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
cd /packages
# Everything but what apt and dpkg write down about themselves.
files() {
    find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /packages -o -path /src -o -path /tmp \
        -o -path /var/lib/apt -o -path /var/cache -o -path /var/log -o -path /var/lib/dpkg \) -prune \
        -o -print | sort
}
ours=$(dpkg-query -W -f '${Package}\n' '*unseen*' 2>/dev/null || true)
[ -z "$ours" ] || apt-get purge -y -qq $ours >/dev/null
apt-get update -qq
# The library alone brings compute, no pictures.
apt-get install -y -qq --no-install-recommends ./libunseen0_*.deb >/dev/null
ldd /usr/lib/*/libunseen.so.0 | grep -q 'not found' && { echo "libunseen0 lacks a dependency"; exit 1; }
apt-get purge -y -qq libunseen0 >/dev/null
# What they depend on first, so that only our own files make a difference.
apt-get install -y -qq --no-install-recommends ./libunseen0_*.deb ./libunseen-dev_*.deb ./unseen_*.deb \
    ./python3-unseen_*.deb gcc libc6-dev pkg-config >/dev/null
apt-mark manual $(dpkg-query -W -f '${Package}\n') >/dev/null
apt-get purge -y -qq python3-unseen unseen libunseen-dev libunseen0 >/dev/null
files >/tmp/before
apt-get install -y -qq --no-install-recommends ./libunseen0_*.deb ./libunseen-dev_*.deb ./unseen_*.deb \
    ./python3-unseen_*.deb >/dev/null
[ -s /usr/share/man/man1/unseen-train.1 ] || [ -s /usr/share/man/man1/unseen-train.1.gz ] ||
    [ -e /etc/dpkg/dpkg.cfg.d/docker ] || { echo "no manual pages"; exit 1; }
cd /tmp
unseen import tinybirds -o birds --size 64 --images-per-class 5 -q
unseen extract --data birds --backbone builtin:descriptor --pooled -q
unseen train dem --data birds -o birds.model --epochs 2 -q
unseen predict birds.model birds/images/*/001.png --csv answers.csv -q
[ "$(wc -l <answers.csv)" -gt 60 ]
cc /packages/score_features.c $(pkg-config --cflags --libs unseen) -o score
head -c 100 /dev/zero | ./score birds.model >/dev/null || true
python3 /packages/train_arrays.py arrays.model
# The whole way once, short: pictures, features, every method, the page.
unseen demo -o demo --images-per-class 5 --epochs 1 -q >told
grep -q '^Done in' told && [ "$(ls demo/*.model | wc -l)" -ge 5 ] && grep -q '</html>' demo/report.html
rm -rf birds birds.model arrays.model answers.csv score demo told
apt-get purge -y -qq python3-unseen unseen libunseen-dev libunseen0 >/dev/null
files >/tmp/after
diff /tmp/before /tmp/after || { echo "the packages leave something behind"; exit 1; }
echo "installed, used and removed without a trace"
EOF
exec "$here/debian13.sh" "$folder/use" 'bash /packages/try.sh'
