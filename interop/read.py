"""aics-tlog (PyPI) reads our log: read.py SOURCE EXHIBIT. SOURCE is a log folder, or the URL under which a node serves it.

Checkpoint, tiles and entry bundles come from SOURCE; the keys of the log and its witnesses from the policy in the exhibit.
"""
import sys
import zipfile
from pathlib import Path

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


source, exhibit = sys.argv[1], zipfile.ZipFile(sys.argv[2])
policy = [line.split() for line in exhibit.read("policy.txt").decode().splitlines()]
log = next(parse_vkey(words[1]) for words in policy if words[:1] == ["log"])
witnesses = [parse_vkey(words[2]) for words in policy if words[:1] == ["witness"]]

if source.startswith("http"):
    reader = HttpTileReader([source])
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
