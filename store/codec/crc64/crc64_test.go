package crc64

import (
	"math/rand/v2"
	"testing"
)

func TestKnownValues(t *testing.T) {
	for text, want := range map[string]uint64{
		"":          0,
		"123456789": 0xe9c6d914c4b8d9ca,
	} {
		if got := Update(0, []byte(text)); got != want {
			t.Errorf("%q: %x, want %x", text, got, want)
		}
	}
}

// bitwise is the definition.
func bitwise(crc uint64, b []byte) uint64 {
	for _, c := range b {
		crc ^= uint64(c)
		for range 8 {
			low := crc & 1
			crc >>= 1
			if low != 0 {
				crc ^= poly
			}
		}
	}
	return crc
}

func TestEveryLengthAndCut(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 64)
	for n := range b {
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		want := bitwise(0, b[:n])
		for cut := range n + 1 {
			if got := Update(Update(0, b[:cut]), b[cut:n]); got != want {
				t.Fatalf("%d bytes cut at %d: %x, want %x", n, cut, got, want)
			}
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	buf := make([]byte, 1<<16)
	b.SetBytes(int64(len(buf)))
	for range b.N {
		Update(0, buf)
	}
}
