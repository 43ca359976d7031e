// Prints sumdb.txt: what Go's checksum database library says about trees, tiles and notes. Run where golang.org/x/mod 0.7
// or later is installed (Debian: golang-go, golang-golang-x-mod-dev):
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go run sumdb.go > sumdb.txt
package main

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const size = 200000

type hashes map[int64]tlog.Hash

func (h hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, i := range indexes {
		out = append(out, h[i])
	}
	return out, nil
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func list(hs []tlog.Hash) string {
	var out strings.Builder
	for _, h := range hs {
		fmt.Fprintf(&out, " %x", h[:])
	}
	return out.String()
}

func main() {
	h := hashes{}
	for i := int64(0); i < size; i++ {
		more, err := tlog.StoredHashes(i, []byte(fmt.Sprintf("entry %d", i)), h)
		must(err)
		at := tlog.StoredHashIndex(0, i)
		for j, hash := range more {
			h[at+int64(j)] = hash
		}
	}
	sizes := []int64{1, 2, 3, 5, 7, 8, 100, 255, 256, 257, 1000, 65535, 65536, 65537, 131072, 199999, size}
	for _, n := range sizes {
		root, err := tlog.TreeHash(n, h)
		must(err)
		fmt.Printf("root %d %x\n", n, root[:])
	}
	for _, n := range []int64{1, 2, 7, 257, 65537, size} {
		for _, i := range []int64{0, n / 3, n - 1} {
			proof, err := tlog.ProveRecord(n, i, h)
			must(err)
			fmt.Printf("inclusion %d %d%s\n", i, n, list(proof))
		}
	}
	for _, pair := range [][2]int64{{1, 2}, {3, 7}, {4, 7}, {6, 8}, {7, 7}, {255, 257}, {256, 1000}, {65535, 65537}, {65536, size}, {123456, size}} {
		proof, err := tlog.ProveTree(pair[1], pair[0], h)
		must(err)
		fmt.Printf("consistency %d %d%s\n", pair[0], pair[1], list(proof))
	}
	// Hash tiles of height 8 that growing creates. Go writes tile/8/<L>/…, C2SP tile/<L>/….
	for _, pair := range [][2]int64{{0, 1}, {0, 256}, {255, 257}, {1000, 1300}, {65535, 65537}, {199000, size}} {
		fmt.Printf("tiles %d %d", pair[0], pair[1])
		tiles := tlog.NewTiles(8, pair[0], pair[1])
		for i, tile := range tiles {
			// Go lists partial tiles of every width on the way; the widest comes last.
			if i+1 < len(tiles) && tiles[i+1].L == tile.L && tiles[i+1].N == tile.N {
				continue
			}
			// It lists those that have not grown, too.
			if pair[0]>>(8*tile.L) == tile.N<<8+int64(tile.W) {
				continue
			}
			data, err := tlog.ReadTileData(tile, h)
			must(err)
			sum := sha256.Sum256(data)
			fmt.Printf(" tile/%s=%x", strings.TrimPrefix(tile.Path(), "tile/8/"), sum[:4])
		}
		fmt.Println()
	}
	for i, name := range []string{"p1.example/hamsaya/1", "همسایه.example"} {
		seed := sha256.Sum256([]byte(name))
		skey, vkey, err := note.GenerateKey(strings.NewReader(string(seed[:])), name)
		must(err)
		signer, err := note.NewSigner(skey)
		must(err)
		text := fmt.Sprintf("%s\n%d\n%s\n", name, i, "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
		signed, err := note.Sign(&note.Note{Text: text}, signer)
		must(err)
		fmt.Printf("note %s %s %s\n", skey, vkey, strings.ReplaceAll(string(signed), "\n", "|"))
	}
}
