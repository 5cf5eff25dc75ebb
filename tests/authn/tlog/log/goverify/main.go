// Verifies receipts with the Go team's golang.org/x/mod/sumdb and nothing of ours.
// usage: goverify VKEY RECEIPT LEAF | goverify -c VKEY OLD NEW PROOF
package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io/ioutil"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func check(err error) {
	if err != nil {
		fmt.Println("refused:", err)
		os.Exit(1)
	}
}

func read(path string) string {
	content, err := ioutil.ReadFile(path)
	check(err)
	return string(content)
}

func checkpoint(text string, key note.Verifier) tlog.Tree {
	opened, err := note.Open([]byte(text), note.VerifierList(key))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := base64.StdEncoding.DecodeString(lines[2])
	check(err)
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)
	return tree
}

func main() {
	args := os.Args[1:]
	if args[0] == "-c" {
		consistent(args[1:])
		return
	}
	key, err := note.NewVerifier(args[0])
	check(err)
	receipt := read(args[1])
	gap := strings.Index(receipt, "\n\n")
	tree := checkpoint(receipt[gap+2:], key)
	var index int64
	var proof tlog.RecordProof
	lines := bufio.NewScanner(strings.NewReader(receipt[:gap]))
	lines.Scan()
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "index ") {
			index, err = strconv.ParseInt(line[6:], 10, 64)
			check(err)
		} else if !strings.HasPrefix(line, "extra ") {
			hash, err := tlog.ParseHash(line)
			check(err)
			proof = append(proof, hash)
		}
	}
	check(tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash([]byte(read(args[2])))))
	fmt.Println("included", index, tree.N)
}

func consistent(args []string) {
	key, err := note.NewVerifier(args[0])
	check(err)
	older, newer := checkpoint(read(args[1]), key), checkpoint(read(args[2]), key)
	var proof tlog.TreeProof
	for _, line := range strings.Fields(read(args[3])) {
		hash, err := tlog.ParseHash(line)
		check(err)
		proof = append(proof, hash)
	}
	check(tlog.CheckTree(proof, newer.N, newer.Hash, older.N, older.Hash))
	fmt.Println("consistent", older.N, newer.N)
}
