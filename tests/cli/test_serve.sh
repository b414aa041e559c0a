#!/bin/sh
# `unseen serve`: what it answers is what predict and explain say; what it refuses; token, host and
# origin; the models loaded anew; the end.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/serve.sh"
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
cd "$scratch" || exit 1
make_models
# holds PYTHON [FILE]: of the last answer `a`, and a file `b`, JSON both.
holds() {
    python3 -c "
import json, sys
a = json.load(open('answer'))
b = json.load(open(sys.argv[2])) if len(sys.argv) > 2 else None
near = lambda x, y: abs(x - y) <= 1e-5 * max(1, abs(x))
assert eval(sys.argv[1])" "$@" 2>err || fail "$1: $(tail -1 err): $(head -c 300 answer)"
}

# Options that are refused before anything is served.
expect 2 "which model?" "$unseen" serve
expect 2 "either --token-file or --no-token" "$unseen" serve m.model --token-file t --no-token
expect 2 "must be * or as a browser says it" "$unseen" serve m.model --allow-origin bogus
expect 2 "from 0 to 65535" "$unseen" serve m.model --port 70000
odd=$(printf 'bird\377.model')
cp eszsl.model "$odd"
expect 1 "is not UTF-8: rename it" "$unseen" serve "$odd" --port 0
expect 1 "open files, and the system allows 512" sh -c 'ulimit -n 512; exec "$0" "$@"' \
    "$unseen" serve eszsl.model --max-in-flight 4096 --port 0
expect 1 "absent.model" "$unseen" serve absent.model --port 0
expect 1 "two of the models are called" "$unseen" serve dedn.model ./dedn.model --port 0
expect 1 "give --token-file FILE" "$unseen" serve dedn.model --host 0.0.0.0 --port 0
printf 'short' >token
expect 1 "a token has 16 to 512 letters" "$unseen" serve dedn.model --token-file token --port 0

start "$PWD/dedn.model" eszsl.model --data birds --access-log access.log --max-upload 200K --max-pixels 1M
expect 1 "is taken by another program" "$unseen" serve dedn.model --port "${url##*:}"
model=$url/v1/models/dedn
for i in 0 1 2; do curl -s "$model/samples/$i" -o $i.png; done
png='Content-Type: image/png'

# The same as the commands say.
"$unseen" predict dedn.model 0.png --json want.json -q || fail "predict"
ask 200 '"model":"dedn"' "$model/predict" -H "$png" --data-binary @0.png
holds '[p["label"] for p in a["predictions"][0]] == [p["label"] for p in b[0]["predictions"]]' want.json
holds 'all(near(p["score"], q["score"]) and p["seen"] == q["seen"] for p, q in zip(a["predictions"][0], b[0]["predictions"]))' want.json
"$unseen" predict eszsl.model 0.png --among unseen --top 2 --native --json want.json -q || fail "predict"
ask 200 predictions "$url/v1/models/eszsl/predict?top=2&among=unseen&calibration=native" -H "$png" --data-binary @0.png
holds 'all(p["label"] == q["label"] and near(p["score"], q["score"]) for p, q in zip(a["predictions"][0], b[0]["predictions"])) and len(a["predictions"][0]) == 2' want.json
mkdir why
"$unseen" explain dedn.model 0.png -o why -q >/dev/null || fail "explain"
ask 200 explanation "$model/explain?maps=3" -H "$png" --data-binary @0.png
holds 'all(a["explanation"][k]["label"] == b[k]["label"] and near(a["explanation"][k]["score"], b[k]["score"]) for k in ("answer", "instead_of"))' why/0/explanation.json
holds 'a["explanation"]["shown"] == b["shown"] and a["explanation"]["crop"] == b["crop"]' why/0/explanation.json
holds 'sum(x["maps"] is not None for x in a["explanation"]["attributes"]) == 3 and a["picture"] == {"width": 224, "height": 224}'
holds 'all(any(near(x["contribution"], y["contribution"]) for y in b["attributes"] if y["number"] == x["number"]) for x in a["explanation"]["attributes"])' why/0/explanation.json

# Several pictures, one of them bad; features.
printf 'no picture' >bad.png
ask 200 predictions "$model/predict" -F image=@0.png -F image=@bad.png -F image=@1.png
holds 'len(a["predictions"]) == 3 and a["predictions"][1]["error"]["status"] in (400, 415) and a["predictions"][2][0]["label"]'
ask 200 predictions "$model/predict" -F image=@0.png -F image=@0.png -F 'request={"top": "all"}'
holds 'a["predictions"][0] == a["predictions"][1] and len(a["predictions"][0]) == 60'
length=$(curl -s "$url/v1/models/eszsl" | python3 -c 'import json,sys; print(json.load(sys.stdin)["feature_length"])')
python3 -c "import json; json.dump({'features': [[0.01 * (i % 7) for i in range($length)]] * 3}, open('rows', 'w'))"
ask 200 predictions "$url/v1/models/eszsl/predict" -H 'Content-Type: application/json' --data-binary @rows
holds 'len(a["predictions"]) == 3 and a["predictions"][0] == a["predictions"][2]'
python3 -c "import json; json.dump({'features': [[0.01] * ($length - 1)]}, open('rows', 'w'))"
ask 422 "row 0" "$url/v1/models/eszsl/predict" -H 'Content-Type: application/json' --data-binary @rows

# A class of one's own is known to its request alone.
own='{"name": "<b>Wren</b>", "attributes": {"has_breast_color::red": 1, "has_back_color::blue": 1}}'
ask 200 '"nearest"' "$model/predict?among=new" -F image=@0.png -F "request={\"classes\": [$own]}"
holds 'a["predictions"][0][0]["label"] == "<b>Wren</b>" and a["predictions"][0][0]["new"] and len(a["predictions"][0]) == 1'
holds 'a["classes"][0]["name"] == "<b>Wren</b>" and -1 <= a["classes"][0]["nearest"]["similarity"] <= 1.0001'
ask 200 '"classes"' "$model/explain" -F image=@0.png -F "request={\"instead_of\": \"<b>Wren</b>\", \"classes\": [$own]}"
holds 'a["explanation"]["instead_of"]["label"] == "<b>Wren</b>"'
ask 422 'dedn.model knows no attribute' "$model/predict" -F image=@0.png -F 'request={"classes": [{"name": "x", "attributes": {"has_no::such": 1}}]}'
grep -q / answer && fail "a stranger is told of folders: $(cat answer)"
ask 422 'did you mean' "$model/predict" -F image=@0.png -F 'request={"classes": [{"name": "x", "attributes": {"has_brest_color::red": 1}}]}'
ask 422 'two of' "$model/predict" -F image=@0.png -F "request={\"classes\": [$own, $own]}"
ask 200 predictions "$model/predict?top=all" -F image=@0.png
holds 'all(p["label"] != "<b>Wren</b>" for p in a["predictions"][0])'
name=$(curl -s "$model" | python3 -c 'import json,sys; print(json.load(sys.stdin)["classes"][0]["name"])')
ask 200 predictions "$model/predict?top=all" -F image=@0.png -F "request={\"classes\": [{\"name\": \"$name\", \"attributes\": {\"has_size::small\": 1}}]}"
holds "len(a['predictions'][0]) == 60 and [p for p in a['predictions'][0] if p.get('new')][0]['label'] == '$name'"

# Requests that are refused, each with its status and a sentence.
ask 404 'did you mean \"dedn\"' "$url/v1/models/dedm"
ask 404 'no such resource' "$url/../../etc/passwd" --path-as-is
ask 404 'no such' "$url/v1/models/dedn/samples/99"
ask 405 'only POST' "$model/predict"
ask 405 'only GET' -X DELETE "$model"
ask 400 'did you mean \"top\"' "$model/predict?topp=1" -H "$png" --data-binary @0.png
ask 400 'whole number' "$model/predict?top=-1" -H "$png" --data-binary @0.png
ask 400 'one of' "$model/predict?among=some" -H "$png" --data-binary @0.png
ask 400 'escape' "$model/predict?among=%zz" -H "$png" --data-binary @0.png
ask 415 'Content-Type' "$model/predict" --data-binary @0.png
ask 411 'no body' -X POST "$model/predict" -H "$png" -H 'Content-Length:'
ask 400 'empty' -X POST "$model/predict" -H "$png" -d ''
head -c 300000 /dev/zero >big
ask 413 '204800 bytes' "$model/predict" -H "$png" --data-binary @big -H 'Expect:'
ask 413 '204800 bytes' "$model/predict" -H "$png" --data-binary @big -H 'Expect:' -H 'Transfer-Encoding: chunked'
ask 200 predictions "$model/predict" -H "$png" --data-binary @0.png -H 'Transfer-Encoding: chunked'
head -c 20000 0.png >cut.png
ask 400 '"status":400' "$model/predict" -H "$png" --data-binary @cut.png
python3 - <<'P'
import struct, zlib
def chunk(kind, body): return struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))
open('bomb.png', 'wb').write(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 40000, 40000, 8, 0, 0, 0, 0)) +
    chunk(b'IDAT', zlib.compress(b'\0' * 4000000)) + chunk(b'IEND', b''))
open('deep', 'w').write('{"features": ' + '[' * 60000 + ']' * 60000 + '}')
P
ask 413 'pixels' "$model/predict" -H "$png" --data-binary @bomb.png
ask 400 '"status":400' "$model/predict" -H 'Content-Type: application/json' --data-binary @deep
ask 400 'damaged' "$model/predict" -H 'Content-Type: multipart/form-data; boundary=x' --data-binary 'nothing'
# twice HEADER: a request that has such a line beside another one; one answer, and nothing is read behind.
twice() {
    python3 - "${url##*:}" "$1" >answer <<'P'
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 30)
s.settimeout(10)
s.sendall(f"POST /v1/models/dedn/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n{sys.argv[2]}\r\n"
          "Content-Length: 5\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
text = b""
while piece := s.recv(65536):
    text += piece
sys.stdout.write(text.decode())
P
    [ "$(grep -c '^HTTP/' answer)" = 1 ] && grep -q '^HTTP/1.1 400 ' answer && grep -qi '^connection: close' answer ||
        fail "$1: $(head -c 600 answer)"
}
twice 'Transfer-Encoding: chunked'
twice 'Content-Length: 3'
twice 'Host: evil.example'
ask 403 'Host' "$url/v1/models" -H 'Host: evil.example'
ask 403 'Origin' "$model/predict" -H 'Origin: http://evil.example' -H "$png" --data-binary @0.png
ask 403 'Origin' "$url/v1/models" -H 'Origin: null'
ask 200 predictions "$model/predict" -H "Origin: $url" -H "$png" --data-binary @0.png
ask 200 predictions "$model/predict" -H "Host: localhost:1" -H "$png" --data-binary @0.png
tag=$(curl -sI "$url/" | tr -d '\r' | sed -n 's/^ETag: //p')
[ "$(curl -s -o answer -w '%{http_code}' -H "If-None-Match: $tag" "$url/")" = 304 ] || fail "no 304 for $tag"
curl -sI "$url/" | grep -q "default-src 'self'" || fail "no policy: $(curl -sI "$url/")"
ask 200 'unseen_requests_total{status="413"} 3' "$url/metrics"
grep -q '"POST /v1/models/dedn/predict?topp=1" 400 ' access.log || fail "access log: $(tail -3 access.log)"

# What would be cut or lost on the way is refused.
json='Content-Type: application/json'
ask 400 'must be an object with a' "$model/predict" -H "$json" -d '{"features": [], "classes": [{"name": "A\u0000B", "attributes": {"x": 1}}]}'
ask 400 'must be an object with a' "$model/predict" -H "$json" -d '{"features": [], "classes": [{"name": "  ", "attributes": {"x": 1}}]}'
ask 400 'U+0000' "$model/predict" -H "$json" -d '{"features": [], "among": "unseen\u0000zzz"}'
ask 400 'range of a float' "$model/predict" -H "$json" -d '{"features": [], "classes": [{"name": "A", "attributes": {"x": 1e308}}]}'

# Someone who opens connections and says little shuts nobody out.
python3 - "${url#http://}" >held <<'P' || fail "connections: $(cat held)"
import socket, sys, urllib.request
host, port = sys.argv[1].rsplit(':', 1)
held = []
for i in range(700):
    s = socket.create_connection((host, int(port)), 5)
    s.send(b'POST /v1')
    held.append(s)
    if i % 100 == 99:
        assert urllib.request.urlopen('http://%s:%s/healthz' % (host, port), timeout=5).status == 200
P
ask 200 predictions "$model/predict" -H "$png" --data-binary @0.png

# Loaded anew: a damaged file leaves the old model, a good one takes its place; the log is opened again.
cp dedn.model kept
printf 'damaged' >dedn.model
mv access.log old.log
kill -HUP $server
for i in $(seq 100); do grep -q 'dedn stays as it was' serve.err && break; sleep 0.1; done
grep -q 'dedn stays as it was' serve.err || fail "no word about a damaged model: $(cat serve.err)"
ask 200 predictions "$model/predict" -H "$png" --data-binary @0.png
cp eszsl.model dedn.model
for i in $(seq 100); do
    kill -HUP $server; sleep 0.3
    [ "$(curl -s "$model" | python3 -c 'import json,sys; print(json.load(sys.stdin)["method"])')" = eszsl ] && break
done
ask 200 '"method":"eszsl"' "$model"
[ -s access.log ] || fail "the access log was not opened again"
cp kept dedn.model

# The end: who has connected is waited for a second, and is answered.
python3 - "${url##*:}" $server >answer <<'P' &
import os, signal, socket, sys, time
port, server = map(int, sys.argv[1:])
late, silent = (socket.create_connection(("127.0.0.1", port), 30) for _ in range(2))
late.sendall(b"GET /healthz HTTP/1.1\r\n")
time.sleep(0.3)
os.kill(server, signal.SIGTERM)
time.sleep(0.5)
late.sendall(b"Host: localhost\r\n\r\n")
sys.stdout.write(late.recv(65536).decode())
P
begun=$(date +%s)
wait $server || fail "the server ended with $?: $(cat serve.err)"
wait
[ $(($(date +%s) - begun)) -le 5 ] || fail "a silent connection held the end for $(($(date +%s) - begun)) s"
grep -q '^HTTP/1.1 200 ' answer || fail "a request that had begun got no answer: $(cat answer)"
grep -qi '^connection: close' answer || fail "the connection stays: $(cat answer)"

# What has been accepted is answered, too.
start dedn.model eszsl.model
for i in 1 2 3 4 5 6 7 8; do
    curl -s --max-time 30 -o last.$i -w '%{http_code}\n' "$url/v1/models/eszsl/predict" -F image=@0.png -F image=@1.png -F image=@2.png >code.$i &
done
sleep 0.05
stop
wait
for i in 1 2 3 4 5 6 7 8; do
    case $(cat code.$i) in 200) grep -q predictions last.$i || fail "request $i: $(cat last.$i)" ;;
    000) ;; # came too late: nobody accepted it
    *) fail "request $i: $(cat code.$i)" ;; esac
done
[ "$(cat code.? | grep -c 200)" -ge 1 ] || fail "no request was answered at the end"

# A token, another origin, another name.
printf '0123456789abcdef0123456789\n' >token
chmod 600 token
printf 'class,has_size::small\nTiny Thing,1\n' >new.csv
start eszsl.model --classes new.csv --token-file token --allow-origin http://friend.example --allow-host birds.example
ask 200 html "$url/"
ask 401 token "$url/v1/models"
ask 401 token "$url/metrics"
ask 401 token "$url/v1/models" -H 'Authorization: Bearer 0123456789abcdef012345678'
ask 401 token "$url/v1/models" -H 'Authorization: Bearer 0123456789abcdef01234567890'
ask 200 eszsl "$url/v1/models" -H 'Authorization: Bearer 0123456789abcdef0123456789'
ask 200 '"new":true' "$url/v1/models/eszsl/predict?among=new" -F image=@0.png -H 'Authorization: Bearer 0123456789abcdef0123456789'
holds '[p["label"] for p in a["predictions"][0]] == ["Tiny Thing"]'
ask 200 ok "$url/healthz" -H 'Host: birds.example'
ask 204 '' -X OPTIONS "$url/v1/models/eszsl/predict" -H 'Origin: http://friend.example'
curl -si "$url/readyz" -H 'Origin: http://friend.example' | grep -q 'Access-Control-Allow-Origin: http://friend.example' ||
    fail "the friend's page is not let in"
ask 403 Origin "$url/readyz" -H 'Origin: http://stranger.example'
grep -q . serve.err && fail "a server without trouble said $(cat serve.err)"
stop
finish
