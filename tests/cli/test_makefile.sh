#!/bin/sh
# The front door does what it is told, after a build as well, in a checkout whose path has a blank
# and on systems without apt or sudo. A cmake that only writes down its words stands in for the real
# one, which is asked at the end whether it understands them.
. "$(dirname "$0")/common.sh"
source=$(cd "$(dirname "$0")/../.." && pwd -P)
checkout="$scratch/a check out"
mkdir -p "$checkout" "$scratch/bin"
cp "$source/Makefile" "$checkout" || fail "cp"
cd "$checkout" || exit 1
unset CC PREFIX DESTDIR SANITIZE SHARED BUILD WERROR JOBS MAKEFLAGS MFLAGS MAKELEVEL

# A system with little on it: no apt, no sudo, nobody root.
for tool in sh cat grep rm nproc make mkdir; do
    ln -s "$(command -v $tool)" "$scratch/bin/$tool" || fail "no $tool"
done
cat >"$scratch/bin/cmake" <<EOF
#!/bin/sh
{ printf 'cmake'; for word in "\$@"; do printf ' [%s]' "\$word"; done
printf ' DESTDIR=%s\n' "\${DESTDIR-}"; } >>"$scratch/said"
[ "\$1" = -S ] || exit 0
mkdir -p "\$4/CMakeFiles"
: >"\$4/build.ninja"
[ -f "\$4/CMakeCache.txt" ] || echo "a new folder" >>"$scratch/said"
: >"\$4/CMakeCache.txt"
EOF
cat >"$scratch/bin/ctest" <<EOF
#!/bin/sh
echo "ctest \$* UNSEEN_SHARED=\$UNSEEN_SHARED" >>"$scratch/said"
EOF
printf '#!/bin/sh\necho 1000\n' >"$scratch/bin/id"
chmod +x "$scratch/bin/cmake" "$scratch/bin/ctest" "$scratch/bin/id"

# does ARGUMENTS...: what make then has others do is in $said, what it prints in $output.
does() {
    : >"$scratch/said"
    output=$(PATH="$scratch/bin" make "$@" 2>&1)
    status=$?
    said=$(cat "$scratch/said")
}
succeeds() { does "$@"; [ $status = 0 ] || fail "make $* ended with $status: $output"; }
says() { for text in "$@"; do case $said in *"$text"*) ;; *) fail "no \"$text\" in: $said" ;; esac; done; }
keeps_from() { for text in "$@"; do case $said in *"$text"*) fail "\"$text\" in: $said" ;; esac; done; }

succeeds
says "[-S] [.] [-B] [build] [-G] [Ninja] [-DCMAKE_C_COMPILER=gcc] [-DCMAKE_INSTALL_PREFIX=/usr/local]" \
    "[-DUNSEEN_SANITIZE=OFF] [-DUNSEEN_SHARED_DATA=$checkout/../shared] [-DUNSEEN_WERROR=OFF]" \
    "[--build] [build]" "[unseen]"
case $output in
*"libdnnl-dev"*) ;;
*) fail "without apt, make does not say what is needed: $output" ;;
esac
succeeds
keeps_from "[-S]" # nothing has changed
says "[--build] [build]"

# Asked for after a build.
succeeds install PREFIX="$scratch/my prefix" DESTDIR="$scratch/my stage"
says "[-DCMAKE_INSTALL_PREFIX=$scratch/my prefix]" "[--install] [build] DESTDIR=$scratch/my stage"
keeps_from "a new folder"
succeeds install PREFIX="$scratch/my prefix"
keeps_from "[-S]"
succeeds test SHARED="$scratch/my data"
says "[-DUNSEEN_SHARED_DATA=$scratch/my data]" "[-DUNSEEN_WERROR=ON]" \
    "--test-dir build" "UNSEEN_SHARED=$scratch/my data"
succeeds CC=gcc-12
says "[-DCMAKE_C_COMPILER=gcc-12]" "a new folder" # a folder of CMake's keeps its compiler
succeeds CC=/opt/llvm/bin/clang
says "[-B] [build-clang]" "[-DCMAKE_C_COMPILER=/opt/llvm/bin/clang]"
CC=gcc-13 succeeds
says "[-DCMAKE_C_COMPILER=gcc-13]"
succeeds SANITIZE=1
says "[-B] [build-sanitize]" "[-DUNSEEN_SANITIZE=ON]"

# Warnings are errors for those who develop: where tests are built, and from then on.
rm -rf build
succeeds
says "[-DUNSEEN_WERROR=OFF]"
succeeds WERROR=1
says "[-DUNSEEN_WERROR=ON]"
succeeds
keeps_from "[-S]"
succeeds test WERROR=0
says "[-DUNSEEN_WERROR=OFF]"

# Debian, but neither root nor sudo: what to do is said, and nothing is built.
printf '#!/bin/sh\necho "$3" | grep -q libvips && exit 1\necho install ok installed\n' \
    >"$scratch/bin/dpkg-query"
printf '#!/bin/sh\necho "apt-get $*" >>"%s"\n' "$scratch/said" >"$scratch/bin/apt-get"
chmod +x "$scratch/bin/dpkg-query" "$scratch/bin/apt-get"
does
[ $status != 0 ] || fail "make went on without a package"
case $output in
*"as root run: apt-get install libvips-dev"*) ;;
*) fail "without sudo: $output" ;;
esac
keeps_from "cmake" "apt-get"
printf '#!/bin/sh\necho sudo >>"%s"\n"$@"\n' "$scratch/said" >"$scratch/bin/sudo"
chmod +x "$scratch/bin/sudo"
succeeds
says "sudo" "apt-get install" "libvips-dev" "[--build]"
printf '#!/bin/sh\necho install ok installed\n' >"$scratch/bin/dpkg-query"
succeeds
keeps_from "apt-get" "sudo"

# The image of the Dockerfile is built with what `make deb` would install.
printf '#!/bin/sh\nexit 1\n' >"$scratch/bin/dpkg-query"
does deb
wanted=$(printf '%s\n' "$said" | sed -n 's/.*--no-install-recommends//p')
for package in libvips-dev dpkg-dev $wanted; do
    echo "$wanted" | grep -qw -- "$package" || fail "make deb does not want $package: $said"
    sed -n '/ AS build/,/^WORKDIR/p' "$source/Dockerfile" | grep -qw -- "$package" ||
        fail "the Dockerfile does not install $package"
done

# Nothing is asked for and nothing installed where that is wanted.
succeeds PACKAGES=
keeps_from "apt-get" "sudo"
says "[--build]"
case $output in *"needed are"*) fail "make PACKAGES= asks for something: $output" ;; esac
# Nor by root, for what tests and packages want.
for tool in apt-get npm; do
    printf '#!/bin/sh\necho %s "$*" >>"%s/said"\n' $tool "$scratch" >"$scratch/bin/$tool"
    chmod +x "$scratch/bin/$tool"
done
printf '#!/bin/sh\necho 0\n' >"$scratch/bin/id"
mkdir -p tests/web
printf 'apt-get install chromium\n' >tests/web/install.sh
succeeds PACKAGES= test
keeps_from "apt-get" "npm"
does PACKAGES= deb
keeps_from "apt-get" "npm"
rm -r tests "$scratch/bin/apt-get" "$scratch/bin/npm"

# The real cmake.
command -v ninja >/dev/null || { left_out "cmake, which needs ninja"; finish; }
for part in CMakeLists.txt cmake docs include src; do cp -r "$source/$part" "$checkout"; done
for werror in OFF ON; do
    cmake -S . -B real -G Ninja -DCMAKE_INSTALL_PREFIX="$scratch/my prefix" -DUNSEEN_TESTS=OFF \
        -DUNSEEN_WERROR=$werror >out 2>&1 || fail "cmake: $(cat out)"
    found=OFF
    grep -q -- -Werror real/build.ninja && found=ON
    [ $found = $werror ] || fail "UNSEEN_WERROR=$werror, but -Werror is $found"
done
grep -q '^prefix=${pcfiledir}/' real/unseen.pc || fail "unseen.pc: $(cat real/unseen.pc)"
cmake --build real --target CMakeFiles/unseen_objects.dir/src/base/rng.c.o >out 2>&1 ||
    fail "one file in a folder with a blank: $(cat out)"
finish
