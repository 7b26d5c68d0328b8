package crc64

import (
	"math/rand/v2"
	"testing"
)

func TestCombine(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	b := make([]byte, 5000)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	for range 300 {
		end := r.IntN(len(b) + 1)
		cut := r.IntN(end + 1)
		want := Update(0, b[:end])
		if got := Combine(Update(0, b[:cut]), Update(0, b[cut:end]), int64(end-cut)); got != want {
			t.Fatalf("%d bytes cut at %d: %x, want %x", end, cut, got, want)
		}
	}
}
