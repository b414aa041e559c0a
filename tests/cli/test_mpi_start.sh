#!/bin/sh
# Ranks that differ are found at the start and named; a failure that all share is told once.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/mpi.sh"
cd "$scratch" || exit 1

expect 0 "unseen" ranks 1 --version
expect 0 "unseen" ranks 3 --version
expect 2 "there is no command" ranks 2 frobnicate
expect 1 "cannot open /nowhere" ranks 2 inspect /nowhere
expect 2 "unrecognized option" ranks 2 train --bogus

# once TEXT COMMAND...: what is printed has the text in one line.
once() {
    text=$1
    shift
    "$@" >said 2>&1
    [ "$(grep -c -- "$text" said)" = 1 ] || fail "\"$text\" not once in what $* said: $(cat said)"
}
once "unseen 0" ranks 4 --version
once "cannot open /nowhere" ranks 4 inspect /nowhere
once "there is no command" ranks 4 frobnicate
once "unrecognized option" ranks 4 train --bogus

# different WHAT FIRST SECOND: rank 0 starts as FIRST says, rank 1 as SECOND does.
different() {
    what=$1 first=$2 second=$3
    expect 1 "$what" two "exec $first" "exec $second"
    case $output in *"rank 1 on "*"rank 0 on "*) ;; *) fail "$what: no ranks named: $output" ;; esac
}
cp "$ranked" other && echo >>other
different "has another program file than" "$ranked inspect ." "./other inspect ."
different "has another command line (inspect ..) than" "$ranked inspect ." "$ranked inspect .."
different "has another processor type" "$ranked inspect ." "env UNSEEN_ISA=portable $ranked inspect ."
finish
