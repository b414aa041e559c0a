# Sourced by the tests of `unseen serve`: models on the built-in birds, and a server.
command -v curl >/dev/null || { echo "skipped: no curl"; exit 77; }

# make_models: dedn.model, with a few epochs, and eszsl.model in the scratch folder, data in birds.
make_models() {
    "$unseen" import tinybirds --images-per-class 5 -o birds -q >out 2>&1 &&
        "$unseen" extract --backbone builtin:descriptor --data birds -q >>out 2>&1 &&
        "$unseen" train eszsl --data birds --features descriptor-1 --folds=1 -o eszsl.model -q >>out 2>&1 &&
        "$unseen" train dedn --data birds --features descriptor-1-regions --epochs 2 --folds=1 \
            -o dedn.model -q >>out 2>&1 || { fail "models: $(cat out)"; finish; }
}

# start ARGUMENT...: a server on a free port; $url and $server, its process.
start() {
    : >serve.out # what an earlier server said there is not this one's
    "$unseen" serve "$@" --port 0 >serve.out 2>serve.err &
    server=$!
    tries=0
    while ! grep -q listening serve.out && kill -0 $server 2>/dev/null && [ $tries -lt 600 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    url=$(sed -n 's/^unseen serve: listening on //p' serve.out)
    [ -n "$url" ] && return
    kill -0 $server 2>/dev/null || wait $server
    fail "no server (its status: $?): $(cat serve.out serve.err)"
    finish
}

# stop: by SIGTERM, which must end it with 0 within 10 seconds.
stop() {
    begun=$(date +%s)
    kill -TERM $server 2>/dev/null
    wait $server
    status=$?
    [ $status = 0 ] || fail "the server ended with $status: $(cat serve.err)"
    [ $(($(date +%s) - begun)) -le 10 ] || fail "the end took $(($(date +%s) - begun)) s"
}

# ask STATUS TEXT ARGUMENT...: of curl; a piece of what is answered.
ask() {
    want=$1 text=$2
    shift 2
    got=$(curl -s --max-time 60 -o answer -w '%{http_code}' "$@")
    [ "$got" = "$want" ] || fail "curl $*: $got, expected $want: $(head -c 300 answer)"
    [ -z "$text" ] || grep -qF -e "$text" answer || fail "curl $* did not say \"$text\": $(head -c 300 answer)"
}
