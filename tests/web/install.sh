#!/bin/sh
# Installs what the tests of the page in a browser need and is not there yet: Chromium and node by
# apt, two packages of npm into node_modules here. `make test` calls it; what it cannot install it
# says, and the tests are skipped.
web_here=$(cd "$(dirname "$0")" && pwd)
. "$web_here/found.sh"
[ -n "$web_missing" ] || exit 0
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    packages=
    [ -n "$web_chromium" ] || packages=chromium
    for program in node:nodejs npm:npm; do
        command -v "${program%:*}" >/dev/null || packages="$packages ${program#*:}"
    done
    if [ -n "$packages" ]; then
        echo "Installing Debian packages:" $packages
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
    fi
fi
if command -v npm >/dev/null; then
    echo "Installing the packages of tests/web/package.json"
    npm ci --prefix "$web_here" --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
fi
. "$web_here/found.sh"
[ -z "$web_missing" ] || echo "There is no $web_missing: the tests of the page in a browser are skipped"
exit 0
