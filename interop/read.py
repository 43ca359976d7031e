"""aics-tlog (PyPI) reads our log: read.py SOURCE EXHIBIT [KEY]. SOURCE is a log folder, or the URL under which a node serves
it; bundles of entries are for nodes of the founding, so KEY is the file of a node's key, which signs what is asked (RFC 9421).

Checkpoint, tiles and entry bundles come from SOURCE; the keys of the log and its witnesses from the policy in the exhibit.
"""
import base64
import sys
import time
import zipfile
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import BaseHandler

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from aics_tlog import HttpTileReader, leaf_hash, parse_note, parse_vkey, verify_checkpoint
from aics_tlog.tiles import (
    FileSystemTileReader,
    consistency_proof_from_tiles,
    inclusion_proof_from_tiles,
    read_entry,
    tree_root_from_tiles,
)
from aics_tlog.tree import verify_consistency, verify_inclusion
from aics_tlog.verified import audit_tiles


def expect(holds, what):
    print(f"{'ok     ' if holds else 'FAILED '} {what}")
    if not holds:
        sys.exit(1)


class Signed(BaseHandler):
    """Signs every request with a key of the founding: method, authority, path and query."""

    def __init__(self, path):
        name, hex8, key = Path(path).read_text().strip().removeprefix("PRIVATE+KEY+").split("+", 2)
        self.keyid, self.key = f"{name}+{hex8}", Ed25519PrivateKey.from_private_bytes(base64.b64decode(key)[1:])

    def http_request(self, request):
        url = urlsplit(request.full_url)
        parameters = ('("@method" "@authority" "@path" "@query" "hamsaya-purpose")'
                      f';created={int(time.time())};keyid="{self.keyid}";alg="ed25519"')
        base = (f'"@method": {request.get_method()}\n"@authority": {url.netloc.lower()}\n"@path": {url.path}\n'
                f'"@query": ?{url.query}\n"hamsaya-purpose": \n"@signature-params": {parameters}')
        signature = base64.b64encode(self.key.sign(base.encode())).decode()
        request.add_header("Hamsaya-Purpose", "")
        request.add_header("Signature-Input", f"hamsaya={parameters}")
        request.add_header("Signature", f"hamsaya=:{signature}:")
        return request


source, exhibit = sys.argv[1], zipfile.ZipFile(sys.argv[2])
policy = [line.split() for line in exhibit.read("policy.txt").decode().splitlines()]
log = next(parse_vkey(words[1]) for words in policy if words[:1] == ["log"])
witnesses = [parse_vkey(words[2]) for words in policy if words[:1] == ["witness"]]

if source.startswith("http"):
    reader = HttpTileReader([source])
    try:
        read_entry(reader, 0, int(reader.read_checkpoint().split(b"\n")[1]))
        expect(False, "whoever is no node of the founding gets no bundle of entries")
    except Exception as refused:
        expect("403" in str(refused), f"whoever is no node of the founding gets no bundle of entries: {refused}")
    reader = HttpTileReader([source])
    reader._opener.add_handler(Signed(sys.argv[3]))
    signed = reader.read_checkpoint()
else:
    reader = FileSystemTileReader(source)
    signed = (Path(source) / "checkpoint").read_bytes()

checked = verify_checkpoint(parse_note(signed), log, witnesses, quorum=3)
expect(checked.ok, f"verify_checkpoint: signed by {log.name}, cosigned by 3 of {len(witnesses)} {checked.error or ''}")
size, root = checked.size, checked.root
expect(tree_root_from_tiles(reader, size) == root, f"tree_root_from_tiles: the root of {size} entries is the one signed")
entries = [read_entry(reader, index, size) for index in range(size)]
for index, entry in enumerate(entries):
    proof = inclusion_proof_from_tiles(reader, index, size)
    assert verify_inclusion(leaf_hash(entry), index, size, proof, root), index
expect(True, f"inclusion from our tiles: all {size} entries")
for old in range(1, size + 1):
    proof = consistency_proof_from_tiles(reader, old, size)
    # Tiles of an older tree are complete subtrees of the newer one's.
    was = tree_root_from_tiles(reader, old, size)
    assert verify_consistency(old, size, was, root, proof), old
expect(True, f"consistency from our tiles: all {size} older trees")
report = audit_tiles(reader, size, root)
expect(True, f"audit_tiles: {report}")
for name in ("proof.tlog-proof", "before.note"):
    text = exhibit.read(name).decode()
    note = text if name == "before.note" else text.split("\n\n", 1)[1]
    checked = verify_checkpoint(parse_note(note), log, witnesses, quorum=3)
    expect(checked.ok, f"verify_checkpoint: {name} of an exhibit, {checked.size} entries {checked.error or ''}")
