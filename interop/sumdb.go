// Go's checksum database library reads our log: golang.org/x/mod/sumdb/note and .../tlog.
//
//	sumdb LOG_DIR EXHIBIT VKEY
//
// opens LOG_DIR/checkpoint with the log's key, computes the root from the entry bundles, checks every tile against the
// signed root, makes proofs from the tiles, and checks the proofs that an exhibit carries. Go's paths are tile/8/L/N, ours
// tile/L/N.
package main

import (
	"archive/zip"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func check(err error, what string) {
	if err != nil {
		fmt.Printf("FAILED  %s: %v\n", what, err)
		os.Exit(1)
	}
}

func expect(holds bool, what string) {
	if !holds {
		fmt.Printf("FAILED  %s\n", what)
		os.Exit(1)
	}
	fmt.Printf("ok      %s\n", what)
}

func hash(line string) tlog.Hash {
	hash, err := tlog.ParseHash(line)
	check(err, "a hash "+line)
	return hash
}

// A checkpoint is origin, size, root.
func open(signed []byte, verifier note.Verifier, what string) tlog.Tree {
	opened, err := note.Open(signed, note.VerifierList(verifier))
	check(err, what)
	lines := strings.Split(strings.TrimSuffix(opened.Text, "\n"), "\n")
	expect(len(lines) == 3 && lines[0] == verifier.Name() && len(opened.Sigs) == 1, what+" opens with the log's key")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err, "size of "+what)
	return tlog.Tree{N: size, Hash: hash(lines[2])}
}

type tiles struct {
	dir  string
	read int
}

func (*tiles) Height() int { return 8 }

func (t *tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range wanted {
		ours := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		bytes, err := os.ReadFile(filepath.Join(t.dir, filepath.FromSlash(ours)))
		if err != nil {
			return nil, err
		}
		all = append(all, bytes)
		t.read++
	}
	return all, nil
}

func (*tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// Entries of the first size from the bundles: two bytes of length before each.
func entries(dir string, size int64) [][]byte {
	var all [][]byte
	for n := int64(0); n*256 < size; n++ {
		width := size - n*256
		if width > 256 {
			width = 256
		}
		path := tlog.Tile{H: 8, L: 0, N: n, W: int(width)}.Path()
		path = strings.Replace(path, "tile/8/0/", "tile/entries/", 1)
		bytes, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(path)))
		check(err, path)
		for len(bytes) > 0 {
			length := int(binary.BigEndian.Uint16(bytes))
			all = append(all, bytes[2:2+length])
			bytes = bytes[2+length:]
		}
	}
	return all
}

func main() {
	dir, exhibit := os.Args[1], os.Args[2]
	verifier, err := note.NewVerifier(os.Args[3])
	check(err, "the log's key")
	signed, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	check(err, "checkpoint")
	tree := open(signed, verifier, "checkpoint")

	all := entries(dir, tree.N)
	expect(int64(len(all)) == tree.N, fmt.Sprintf("the bundles hold %d entries, as the checkpoint says", tree.N))
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range indexes {
			out = append(out, stored[i])
		}
		return out, nil
	})
	for i, entry := range all {
		hashes, err := tlog.StoredHashes(int64(i), entry, reader)
		check(err, "hashes of an entry")
		stored = append(stored, hashes...)
	}
	root, err := tlog.TreeHash(tree.N, reader)
	check(err, "root")
	expect(root == tree.Hash, "the root computed from the entries is the one signed: "+root.String())

	files := &tiles{dir: dir}
	authentic := tlog.TileHashReader(tree, files)
	var indexes []int64
	for i := int64(0); i < tree.N; i++ {
		indexes = append(indexes, tlog.StoredHashIndex(0, i))
	}
	leaves, err := authentic.ReadHashes(indexes)
	check(err, "tiles")
	for i, leaf := range leaves {
		if leaf != tlog.RecordHash(all[i]) {
			fmt.Printf("FAILED  leaf %d of the tiles is not entry %d\n", i, i)
			os.Exit(1)
		}
	}
	expect(true, fmt.Sprintf("%d tiles belong to the signed root and hold the hashes of all entries", files.read))
	for i := int64(0); i < tree.N; i++ {
		proof, err := tlog.ProveRecord(tree.N, i, authentic)
		check(err, "proof of a record")
		check(tlog.CheckRecord(proof, tree.N, tree.Hash, i, tlog.RecordHash(all[i])), "record")
	}
	for old := int64(1); old <= tree.N; old++ {
		proof, err := tlog.ProveTree(tree.N, old, authentic)
		check(err, "proof of a tree")
		was, err := tlog.TreeHash(old, reader)
		check(err, "an older root")
		check(tlog.CheckTree(proof, tree.N, tree.Hash, old, was), "tree")
	}
	expect(true, fmt.Sprintf("proofs made from our tiles hold, inclusion of %d entries and consistency with %d older trees", tree.N, tree.N))

	archive, err := zip.OpenReader(exhibit)
	check(err, "exhibit")
	part := func(name string) []byte {
		file, err := archive.Open(name)
		check(err, name)
		bytes, err := io.ReadAll(file)
		check(err, name)
		return bytes
	}
	head, signedIn, found := strings.Cut(string(part("proof.tlog-proof")), "\n\n")
	lines := strings.Split(head, "\n")
	expect(found && lines[0] == "c2sp.org/tlog-proof@v1" && strings.HasPrefix(lines[1], "index "), "the exhibit's proof has the form of a tlog-proof")
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	check(err, "index")
	var inclusion tlog.RecordProof
	for _, line := range lines[2:] {
		inclusion = append(inclusion, hash(line))
	}
	with := open([]byte(signedIn), verifier, "checkpoint of the exhibit")
	leaf := tlog.RecordHash(part("statement.dsse.json"))
	check(tlog.CheckRecord(inclusion, with.N, with.Hash, index, leaf), "CheckRecord")
	expect(true, fmt.Sprintf("CheckRecord: the exhibit's statement is entry %d of %d", index, with.N))
	leaf[0] ^= 1
	expect(tlog.CheckRecord(inclusion, with.N, with.Hash, index, leaf) != nil, "CheckRecord: another statement is not")

	before := open(part("before.note"), verifier, "earlier checkpoint of the exhibit")
	var consistency tlog.TreeProof
	for _, line := range strings.Fields(string(part("consistency.txt"))) {
		_, err := base64.StdEncoding.DecodeString(line)
		check(err, "consistency.txt")
		consistency = append(consistency, hash(line))
	}
	check(tlog.CheckTree(consistency, with.N, with.Hash, before.N, before.Hash), "CheckTree")
	expect(true, fmt.Sprintf("CheckTree: the tree of %d grew out of the earlier one of %d", with.N, before.N))
	before.Hash[0] ^= 1
	expect(tlog.CheckTree(consistency, with.N, with.Hash, before.N, before.Hash) != nil, "CheckTree: out of another tree it did not")
}
