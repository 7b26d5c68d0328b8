package codec

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestFunctions: a payload gives back what was put into it, whatever the compression, and nothing else gives anything
// but an error or codes that fit the payload.
func TestFunctions(t *testing.T) {
	codes := [][]byte{[]byte("#!lua name=a\nredis.register_function('f', function() end)"), {}, bytes.Repeat([]byte("x"), 5000)}
	for _, compress := range []bool{false, true} {
		p := AppendFunctions(nil, codes, compress)
		got, err := Functions(p)
		if err != nil || !slices.EqualFunc(got, codes, bytes.Equal) {
			t.Fatalf("compress %v: %d codes, %v", compress, len(got), err)
		}
		for i := range p {
			bad := bytes.Clone(p)
			bad[i] ^= 1 << (i % 8)
			if _, err := Functions(bad); err == nil {
				t.Fatalf("a flipped bit in byte %d was not noticed", i)
			}
		}
		for n := range len(p) {
			if _, err := Functions(p[:n]); err == nil {
				t.Fatalf("the first %d bytes are taken for a payload", n)
			}
		}
	}
	// With a checksum that fits again.
	r := rand.New(rand.NewPCG(1, 2))
	body := AppendFunctions(nil, codes, true)
	body = body[:len(body)-footSize]
	for range 20_000 {
		bad := bytes.Clone(body)
		for range 1 + r.IntN(3) {
			bad[r.IntN(len(bad))] = byte(r.Uint32())
		}
		got, err := Functions(sealed(bad[:1+r.IntN(len(bad))], Version70))
		total := 0
		for _, c := range got {
			total += len(c)
		}
		if err == nil && total > 300*len(bad) {
			t.Fatal(fmt.Sprintf("%d bytes of code out of a payload of %d", total, len(bad)))
		}
	}
}
