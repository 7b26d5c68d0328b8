package store

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestTextsGrowByZeros makes one string longer and shorter, written all over in between, through blocks that hold many
// keys and blocks of their own.
func TestTextsGrowByZeros(t *testing.T) {
	s := New(Options{})
	defer s.Close()
	tx := s.NewTx()
	rnd := rand.New(rand.NewPCG(1, 1))
	key := []byte("key")
	var want []byte
	for range 2000 {
		tx.Begin(0)
		tx.LockKey(key)
		var got []byte
		switch n := rnd.IntN(1 + rnd.IntN(40_000)); rnd.IntN(4) {
		case 0:
			got = tx.NewText(key, n)
			want = make([]byte, n)
			copy(got, want)
		default:
			got = tx.Resize(key, n)
			want = append(want, make([]byte, max(0, n-len(want)))...)[:n:n]
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("a string of %d bytes is not as it should be", len(want))
		}
		for i := range got {
			got[i], want[i] = 0xff, 0xff
		}
		if text, ok, err := tx.Text(key); !ok || err != nil || !bytes.Equal(text, want) {
			t.Fatalf("Text is not what was written: %v, %v", ok, err)
		}
		if f, _ := tx.Facts(key); f.Encoding != "raw" || f.Deadline != Forever {
			t.Fatalf("%+v", f)
		}
		tx.Unlock()
	}
}
