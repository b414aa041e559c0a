# Sourced by the tests that kill the commands that write, or make their calls fail. Each command
# writes into ./w; what a whole run leaves there lies in ./whole.NAME.
# The first few, which a bounded run takes, are of different kinds.
writers="import words extract train duet eval predict explain report msdn eszsl cnzsl dedn demo"

prepare_writers() {
    "$unseen" import tinybirds -o base --size 64 --images-per-class 5 -q >/dev/null || return 1
    cp -r base featured
    "$unseen" extract --data featured --backbone builtin:descriptor -q --threads 1 >/dev/null ||
        return 1
    "$unseen" train eszsl --data featured --features $pooled -o m.model -q --threads 1 \
        >/dev/null || return 1
    picture=$(ls "$PWD"/base/images/*/001.png | head -1)
}
pooled=descriptor-1 regions=descriptor-1-regions

# whole NAME: makes ./whole.NAME, where it is not there yet
whole() {
    [ -e "whole.$1" ] && return
    fresh "$1"
    (write "$1") >/dev/null 2>&1 || { fail "$1 fails by itself"; finish; }
    mv w "whole.$1"
}

# fresh NAME: what the command finds before it runs
fresh() {
    rm -rf w
    mkdir w
    case $1 in
    words | extract) cp -r base w/set ;;
    esac
}

# write NAME: the command; its shell function is run in a subshell by those who kill it
write() {
    case $1 in
    import) set -- import tinybirds -o w/set --size 64 --images-per-class 5 ;;
    words) set -- words w/set --vectors builtin:words ;;
    extract) set -- extract --data w/set --backbone builtin:descriptor --pooled ;;
    train) set -- train dem --features $pooled $training ;;
    cnzsl) set -- train cnzsl --features $pooled $training --set hidden=64 ;;
    eszsl) set -- train eszsl --features $pooled ${training/--epochs 2/} ;;
    msdn) set -- train msdn --features $regions $training ;;
    dedn) set -- train dedn --features $regions $training --set groups=none --set experts=fine ;;
    duet) set -- train duet --features $regions $training $small ;;
    demo) set -- demo -o w/demo --images-per-class 5 --epochs 1 ;;
    eval) set -- eval m.model --data featured --per-class w/classes.csv --curve w/curve.csv ;;
    predict) set -- predict m.model "$picture" --csv w/a.csv --json w/a.json ;;
    explain) set -- explain m.model "$picture" -o w/why ;;
    report) set -- report m.model --data featured -o w/page.html ;;
    esac
    exec_or_run "$@" $resume
}
resume= # or --resume
training="--data featured -o w/m.model --epochs 2 --log w/log.csv"
small="--set hidden=16 --set heads=2 --set inner=24 --set text_layers=1 --set batch=8
    --set max_length=64 --set image_hidden=16 --set image_heads=2 --set image_inner=24
    --set image_layers=1"
exec_or_run() { "$unseen" "$@" -q --threads 1; }

# differences NAME: between ./w and a whole run; what tells times or places is left out
differences() {
    (cd w && find . -type f | sort) | while read -r f; do
        case $f in
        *.csv | *.json | *.html) [ -s "w/$f" ] || echo "$f is empty" ;;
        *) cmp -s "w/$f" "whole.$1/$f" || echo "$f differs" ;;
        esac
    done
    (cd "whole.$1" && find . -type f | sort) | while read -r f; do
        [ -e "w/$f" ] || echo "$f is missing"
    done
}

# half NAME: files that stand under a final name and are not whole
half() {
    # The words of a data set are replaced: until then it is as before.
    [ "$1" = words ] && cmp -s base/dataset.safetensors w/set/dataset.safetensors && return
    differences "$1" | grep -v "is missing\|\.lock\|\.partial\|\.journal\|\.checkpoint\|log.csv\|\.new\|\.tmp-"
}
leftovers() { find w -name '*.tmp-*' -o -name '*.partial' -o -name '.*.new' -o -name '*.checkpoint' -o -name '*.lock'; }
