#!/usr/bin/env bash
# Builds this checkout on another Debian, with its compiler and libraries, and runs the demo and all
# tests there. As root:
#
#   bench/debian13.sh FOLDER           Debian 13: gcc 14, oneDNN 3, HDF5 1.14
#   SUITE=bookworm bench/debian13.sh FOLDER
#   bench/debian13.sh FOLDER 'make test SANITIZE=1'        another command
#
# FOLDER becomes the root of that system (2 GB) and is kept: the next run builds what has changed.
# MIRROR is where packages come from, by default where this machine's do; SHARED a folder with real
# data for the tests. Needs debootstrap.
set -euo pipefail

[ $# -ge 1 ] || { sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "$0: only root may make the root of a system" >&2; exit 1; }
suite=${SUITE:-trixie}
root=$(mkdir -p "$1" && cd "$1" && pwd)
command=${2:-make demo && make test}
checkout=$(cd "$(dirname "$0")/.." && pwd)
shared=${SHARED:-$checkout/../shared}
command -v debootstrap >/dev/null || apt-get install -y -qq --no-install-recommends debootstrap

if [ ! -e "$root/etc/debian_version" ] || [ -e "$root/debootstrap" ]; then
    mirror=${MIRROR:-$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' \
        'Origin: Debian' 'Component: main' | head -n 1)}
    [ -n "$mirror" ] || { echo "$0: say with MIRROR where Debian's packages are" >&2; exit 1; }
    debootstrap --variant=minbase --include=ca-certificates,make "$suite" "$root" "$mirror"
fi
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"

# The files as they are now, new ones too; what is gone here goes there.
mkdir -p "$root/src/unseen" "$root/src/shared"
find "$root/src/unseen" -mindepth 1 -maxdepth 1 ! -name 'build*' -exec rm -rf {} +
git -C "$checkout" ls-files -z --cached --others --exclude-standard |
    (cd "$checkout" && xargs -0 ls -d 2>/dev/null | tar -cf - -T -) | tar -xf - -C "$root/src/unseen"

# Mounts are of this command alone and go with it.
exec unshare --mount bash -euc '
    root=$1 shared=$2 command=$3
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount -t sysfs -o ro sysfs "$root/sys"
    if [ -d "$shared" ]; then
        mount --bind "$shared" "$root/src/shared"
        mount -o remount,bind,ro "$root/src/shared"
    fi
    exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
        OMP_WAIT_POLICY=passive bash -c "cd /src/unseen && $command"
' - "$root" "$shared" "$command"
