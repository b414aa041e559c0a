#!/bin/sh
# All speed comparisons with PyTorch, one after the other. usage: run.sh UNSEEN
set -eu
here=$(dirname "$0")
/usr/bin/python3 "$here/dem.py" "$1"
/usr/bin/python3 "$here/msdn.py" "$1"
/usr/bin/python3 "$here/backbone.py" "$1"
/usr/bin/python3 "$here/duet.py" "$1" --best --scaling
