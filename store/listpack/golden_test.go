package listpack

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/internal/oracle"
)

var rewrite = flag.Bool("rewrite", false, "record testdata/server.txt from a real server")

const goldenFile = "testdata/server.txt"

// golden is one collection that a server packs into a listpack of elems.
type golden struct {
	name  string
	key   string // list, hash or zset
	elems []string
}

func goldens() []golden {
	var ints, texts, sizes []string
	for _, v := range borders {
		ints = append(ints, strconv.FormatInt(v, 10))
	}
	texts = []string{"", "a", "-0", "007", "+5", " 5", "5 ", "-", "1.5", "9223372036854775808", "-9223372036854775809", "\x00\xff"}
	for _, n := range []int{1, 62, 63, 64, 65, 125, 126, 127, 128, 4095, 4096} {
		sizes = append(sizes, strings.Repeat("x", n))
	}
	g := []golden{
		{"one", "list", []string{"hello"}},
		{"integers", "list", ints},
		{"texts", "list", texts},
		{"sizes", "list", sizes},
		{"hash", "hash", []string{"name", "pulse", "count", "12345", "neg", "-1", "", "", "3", "4"}},
		{"zset", "zset", []string{"a", "-5000", "10", "1", "b", "1", "c", "2.5", "d", "70000"}},
	}
	for _, v := range ints {
		g = append(g, golden{"int " + v, "list", []string{v}})
	}
	// Bodies at the borders of the back length; a string of n takes n+5 here.
	for _, border := range []int{1<<14 - 1, 1<<14 + 1, 1<<21 - 1, 1<<21 + 1} {
		for d := -2; d <= 1; d++ {
			g = append(g, golden{fmt.Sprintf("body %d", border+d), "list", []string{strings.Repeat("y", border+d-5)}})
		}
	}
	return g
}

func build(elems []string) Listpack {
	l := New(0)
	for _, e := range elems {
		l = l.Append([]byte(e))
	}
	return l
}

// digest shows small listpacks in full and large ones as a checksum.
func digest(l []byte) string {
	if len(l) <= 256 {
		return hex.EncodeToString(l)
	}
	return fmt.Sprintf("sha256 %x", sha256.Sum256(l))
}

func TestGolden(t *testing.T) {
	if *rewrite {
		var b strings.Builder
		c := connect(t)
		for _, g := range goldens() {
			fmt.Fprintf(&b, "%s: %s\n", g.name, digest(serverBytes(t, c, g)))
		}
		if err := os.WriteFile(goldenFile, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	recorded := map[string]string{}
	for s := bufio.NewScanner(f); s.Scan(); {
		name, want, _ := strings.Cut(s.Text(), ": ")
		recorded[name] = want
	}
	for _, g := range goldens() {
		l := build(g.elems)
		if got := digest(l); got != recorded[g.name] {
			t.Errorf("%s:\n got %s\nwant %s", g.name, got, recorded[g.name])
		}
		same(t, l, g.elems)
	}
}

func TestAgainstServer(t *testing.T) {
	c := connect(t)
	r := rand.New(rand.NewPCG(7, 8))
	for range 100 {
		g := golden{key: "list"}
		for range 1 + r.IntN(10) {
			g.elems = append(g.elems, element(r))
		}
		got, want := build(g.elems), serverBytes(t, c, g)
		if digest(got) != digest(want) {
			t.Fatalf("%q:\n got % x\nwant % x", g.elems, []byte(got), want)
		}
	}
}

func connect(t *testing.T) *redis.Client {
	srv := oracle.Start(t, "--rdbcompression", "no", "--list-max-listpack-size", "-5",
		"--hash-max-listpack-value", "10000", "--zset-max-listpack-value", "10000")
	c := redis.NewClient(&redis.Options{Addr: srv.Addr(), Protocol: 2, DisableIdentity: true, PoolSize: 1})
	t.Cleanup(func() { c.Close() })
	return c
}

// serverBytes has a server pack g and takes the listpack out of its DUMP.
func serverBytes(t *testing.T, c *redis.Client, g golden) []byte {
	t.Helper()
	ctx := t.Context()
	args := make([]any, 0, len(g.elems))
	for _, e := range g.elems {
		args = append(args, e)
	}
	add := map[string]string{"list": "RPUSH", "hash": "HSET", "zset": "ZADD"}[g.key]
	if g.key == "zset" { // ZADD takes score and member, the listpack has member and score
		for i := 0; i < len(args); i += 2 {
			args[i], args[i+1] = args[i+1], args[i]
		}
	}
	c.Del(ctx, "k")
	if err := c.Do(ctx, append([]any{add, "k"}, args...)...).Err(); err != nil {
		t.Fatal(err)
	}
	dump, err := c.Dump(ctx, "k").Result()
	if err != nil {
		t.Fatal(err)
	}
	b := []byte(dump)
	kind := b[0]
	b = b[1 : len(b)-10] // less version and checksum
	switch kind {
	case 18: // list: number of nodes, then for each its container and bytes
		if b[0] != 1 || b[1] != 2 {
			t.Fatalf("%s: not one packed node: % x", g.name, b[:2])
		}
		b = b[2:]
	case 16, 17: // hash, sorted set
	default:
		t.Fatalf("%s: DUMP has type %d", g.name, kind)
	}
	size := int(b[0] & 0x3F)
	switch b[0] >> 6 {
	case 0:
		b = b[1:]
	case 1:
		size, b = size<<8|int(b[1]), b[2:]
	default:
		size, b = int(binary.BigEndian.Uint32(b[1:])), b[5:]
	}
	if size != len(b) {
		t.Fatalf("%s: string of %d bytes in %d", g.name, size, len(b))
	}
	return b
}
