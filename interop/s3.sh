#!/usr/bin/env bash
# Logs in a bucket: an S3 server that is not ours (s3s-fs, from crates.io) keeps the record of five nodes. `make test-s3` runs this.
#
#   s3.sh HAMSAYA WORK     HAMSAYA: the built command; WORK: a folder to work in, e.g. target/s3
#
# The same store tests as over memory run over its wire; then a town lives on it, and a node of it is killed and started again.
# s3s-fs checks and writes in two steps, so that it loses some of two writes at once: one writer a log is all it is good for,
# and `record check-store` has to find that out.
set -euo pipefail
hamsaya=$(realpath "$1")
mkdir -p "$2"
work=$(realpath "$2")
root=$(realpath "$(dirname "$0")/..")
declare -A started=()
trap 'for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done' EXIT

say() { printf 's3: %s\n' "$*"; }
await() {
  for _ in $(seq 1200); do
    if eval "$2"; then return; fi
    sleep 0.1
  done
  say "waited in vain for $1"; exit 1
}

no_proxy='*'
export no_proxy
for tool in curl python3; do
  command -v "$tool" >/dev/null || { say "$tool was not found"; echo "hint: install it from your distribution"; exit 2; }
done

if ! [ -x "$work/bin/s3s-fs" ]; then
  say "installing s3s-fs 0.14.1 (cargo; some minutes)"
  CARGO_TARGET_DIR=$work/build cargo install --quiet --debug --locked --root "$work" --version 0.14.1 --features binary s3s-fs || {
    say "SKIPPED: s3s-fs cannot be installed"; echo "hint: crates.io must be reachable"; exit 0; }
fi

rm -rf "$work/run"
mkdir -p "$work/run/objects/hamsaya" "$work/run/town"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$work/bin/s3s-fs" --host 127.0.0.1 --port "$port" --access-key hamsaya --secret-key hamsaya-secret "$work/run/objects" >"$work/run/s3.log" 2>&1 &
started[s3]=$!
await "the S3 server" "curl -s -o /dev/null --max-time 5 http://127.0.0.1:$port/"

say "the store's tests over the wire"
(cd "$root" && HAMSAYA_S3=http://127.0.0.1:$port/hamsaya "${CARGO:-cargo}" test --quiet --locked -p hamsaya-node --test it -- bucket)

say "five nodes keep their record in the bucket"
town=$work/run/town
"$hamsaya" init demo "$town" >/dev/null
listens() { sed -n 's/^listen = "\(.*\)"/\1/p' "$town/$1/node.toml"; }
serve() {
  "$hamsaya" serve "$town/$1" >>"$town/$1/serve.log" 2>&1 &
  started[$1]=$!
  await "$1 to answer" "curl -sf -o /dev/null --max-time 5 http://$(listens "$1")/api/state"
}
for node in p1 p2 g1 g2 o1; do
  printf '\n[store]\nurl = "s3://hamsaya/%s"\nendpoint = "http://127.0.0.1:%s"\n' "$node" "$port" >>"$town/$node/node.toml"
  (umask 077 && printf 'hamsaya\nhamsaya-secret\n' >"$town/$node/keys/store.key")
  serve "$node"
done
report() { "$hamsaya" record append "$town/$1" --kind nil_report --field "sector_of=$2" --field day=2026-11-20T00:00:00Z --occurred 2026-11-20T00:00:00Z..2026-11-20T23:59:59Z >/dev/null; }
# Each member's own chair or observer asks.
reader() { case $1 in p*) echo "$town/$1/keys/chair.key" ;; *) echo "$town/$1/keys/observer.key" ;; esac; }
entries() { "$hamsaya" record list "http://$(listens "$1")" --kind nil_report --as "$(reader "$1")" 2>/dev/null | wc -l; }
for n in 1 2 3; do report p1 "S$n"; report p2 "S$n"; done
await "every node to hold six reports" "[ \$(entries p1) = 6 ] && [ \$(entries p2) = 6 ] && [ \$(entries g1) = 6 ] && [ \$(entries g2) = 6 ]"

say "P1 is killed and started again, on another machine for all it knows"
kill -9 "${started[p1]}"
wait "${started[p1]}" 2>/dev/null || true
report p2 S4
serve p1
await "P1 to be ready" "report p1 S4 2>/dev/null"
await "every node to hold eight reports" "[ \$(entries p1) = 8 ] && [ \$(entries p2) = 8 ] && [ \$(entries g1) = 8 ]"
[ -e "$town/p1/log/lock" ] && { say "P1's log lies in its folder"; exit 1; }

said=$("$hamsaya" verify "$town/p1" 2>&1 || true)
[[ $said == *"lies in a bucket"* ]] || { say "verify does not say where the record is"; exit 1; }
say "its record is fetched into a folder, verified and judged offline"
"$hamsaya" record fetch "$town/p1" "$work/run/copy"
"$hamsaya" verify "$work/run/copy" | tail -1
"$hamsaya" judge --agreement "$root/agreements/hamsaya-accord" --record "$work/run/copy" --as-of 2026-12-20T16:00:00Z | tail -1 || [ $? = 1 ]

say "eight writers race on the bucket"
if "$hamsaya" record check-store "$town/p1" --writers 8 --swaps 40; then
  say "this server lost nothing this time; it is not made for two writers"
else
  say "found out: it must not keep a log that two may write to"
fi
say "all passed"
