"""aics-witness (PyPI) on both sides of tlog-witness.

    witness.py keys FOLDER OUT       the witness O1 of these folders as a configuration of aics-witness, same name and key
    witness.py cosigned URL FOLDER   waits until the log at URL is published with O1's cosignature on a grown tree
    witness.py ask URL FOLDER        asks our witness at URL until every status of the specification was answered
"""
import base64
import json
import os
import sys
import time
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

from aics_tlog import parse_note, parse_vkey, sign_checkpoint, verify_checkpoint
from aics_tlog.checkpoint import Checkpoint
from aics_tlog.cosign import cosignature_vkey
from aics_tlog.note import format_vkey, vkey_from_ed25519
from aics_tlog.tiles import TileWriter, consistency_proof_from_tiles, tree_root_from_tiles
from aics_witness.feeder import WitnessClient
from aics_witness.protocol import format_add_checkpoint_request, origin_hash
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def expect(holds, what):
    print(f"{'ok     ' if holds else 'FAILED '} {what}", flush=True)
    if not holds:
        sys.exit(1)


def secret(folder, name):
    """Name and key of a file `PRIVATE+KEY+name+hash+base64(type, seed)`."""
    words = (Path(folder) / "keys" / f"{name}.key").read_text().strip().split("+", 4)
    return words[2], Ed25519PrivateKey.from_private_bytes(base64.b64decode(words[4])[1:])


def log_vkey(folder):
    name, key = secret(folder, "log")
    return vkey_from_ed25519(name, key.public_key())


def witness_vkey(folder):
    name, key = secret(folder, "witness")
    return cosignature_vkey(name, key.public_key())


def members(root):
    return [m for m in sorted(Path(root).iterdir()) if (m / "keys" / "log.key").exists()]


def configure(root, out):
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    name, key = secret(Path(root) / "o1", "witness")
    listen = tomllib.loads((Path(root) / "o1" / "node.toml").read_text())["listen"]
    (out / "witness.key").touch(mode=0o600)
    (out / "witness.key").write_text(key.private_bytes_raw().hex() + "\n")
    logs = [{"origin": v.name, "vkeys": [format_vkey(v)]} for v in map(log_vkey, members(root))]
    witness = {"name": name, "listen": listen, "prefix": "/witness", "db": "witness.db", "key_file": "witness.key"}
    (out / "witness.json").write_text(json.dumps({"witness": witness, "logs": logs}, indent=1))


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


def cosigned(url, root):
    root = Path(root)
    log, o1 = log_vkey(root / "p1"), witness_vkey(root / "o1")
    others = [witness_vkey(root / name) for name in ("p2", "g1", "g2")]
    ends, last = time.monotonic() + 120, "nothing"
    while time.monotonic() < ends:
        try:
            note = parse_note(get(f"{url}/log/checkpoint"))
        except (urllib.error.URLError, OSError) as error:
            last = str(error)
        else:
            last = note.text
            checked = verify_checkpoint(note, log, [*others, o1], quorum=3)
            if checked.ok and o1.name in checked.witnesses and checked.size > 1:
                break
        time.sleep(0.1)
    else:
        expect(False, f"the live aics-witness cosigns our log; last seen: {last}")
    expect(True, f"the live aics-witness cosigned our log; published with {' '.join(sorted(checked.witnesses))}")
    there = parse_note(get(f"http://{tomllib.loads((root / 'o1' / 'node.toml').read_text())['listen']}/witness/{origin_hash(log.name)}/checkpoint"))
    checked = verify_checkpoint(there, log, [o1], quorum=1)
    expect(checked.ok and checked.size > 1, f"it took our consistency proof: it holds {checked.size} entries, after fewer")


def post(url, body):
    request = urllib.request.Request(f"{url}/witness/add-checkpoint", data=body, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers.get("content-type"), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("content-type"), error.read()


def ask(url, root):
    root = Path(root)
    (origin, key), o1 = secret(root / "p1", "log"), witness_vkey(root / "o1")
    tiles = TileWriter([b"entry %d" % i for i in range(300)]).to_memory_reader()

    def head(size, key=key, name=origin, root=None):
        root = root or tree_root_from_tiles(tiles, size, 300)
        return sign_checkpoint(Checkpoint(origin=name, size=size, root=root), key, name).to_bytes()

    def proof(old, size):
        return consistency_proof_from_tiles(tiles, old, size, 300)

    def status(expected, what, old, proof, checkpoint, said=None):
        body = checkpoint if old is None else format_add_checkpoint_request(old, proof, checkpoint)
        found, kind, text = post(url, body)
        holds = found == expected and (said is None or (kind, text) == said)
        expect(holds, f"{expected} {what}" + ("" if holds else f": found {found} {kind} {text!r}"))

    client = WitnessClient(f"{url}/witness", o1)
    client.submit(head(3), proof)
    expect(True, "200 the first checkpoint; the foreign client verified the cosignature")
    client.submit(head(7), proof)
    expect(True, "200 a grown tree with the foreign library's proof")
    client.submit(head(7), proof)
    expect(True, "200 the same size again")
    anew = WitnessClient(f"{url}/witness", o1)
    anew.submit(head(290), proof)
    expect(True, "200 after 409: a client that remembers nothing starts from the size it is told")

    stranger = Ed25519PrivateKey.generate()
    status(404, "unknown origin", 0, [], head(3, stranger, "elsewhere.example/log"))
    status(403, "no signature by the log's key", 290, [], head(290, stranger))
    signed = head(290)
    broken = signed[:-12] + (b"AAAA" if signed[-12:-8] != b"AAAA" else b"BBBB") + signed[-8:]
    status(403, "the log's signature fails", 290, [], broken)
    status(404, "unknown origin comes before all else", 999, [b"\0" * 32], head(3, stranger, "elsewhere.example/log"))
    status(400, "no `old` line", None, [], b"new 290\n\n" + signed)
    status(400, "a size with a leading zero", None, [], b"old 0290\n\n" + signed)
    status(400, "a proof line that is no hash", None, [], b"old 290\nAAAA\n\n" + signed)
    status(400, "64 proof lines", None, [], b"old 290\n" + (base64.b64encode(b"\0" * 32) + b"\n") * 64 + b"\n" + signed)
    status(400, "old is larger than the size", 291, [], signed)
    status(409, "old is not the recorded size; the body tells it", 7, proof(7, 300), head(300), ("text/x.tlog.size", b"290\n"))
    status(409, "the same, for an older checkpoint", 3, proof(3, 7), head(7), ("text/x.tlog.size", b"290\n"))
    status(422, "a proof that does not prove it", 290, [b"\7" * 32] * len(proof(290, 300)), head(300))
    status(422, "no proof where one is due", 290, [], head(300))
    status(422, "another root of the same size", 290, [], head(290, root=b"\7" * 32))
    status(422, "a proof where none is due", 290, [b"\7" * 32], signed)
    status(200, "and it still cosigns what is right", 290, proof(290, 300), head(300))
    other, other_key = secret(root / "p2", "log")
    status(422, "a proof from size 0", 0, [b"\7" * 32], head(3, other_key, other))
    status(422, "no entries, and a root that is not that of nothing", 0, [], head(0, other_key, other, b"\7" * 32))


{"keys": configure, "cosigned": cosigned, "ask": ask}[sys.argv[1]](*sys.argv[2:])
