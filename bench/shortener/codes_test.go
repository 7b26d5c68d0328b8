package shortener

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/streampulse/pulse/bench/internal/benchtest"
)

var secret = []byte("sixteen bytes or more")

// Every number has a code of its own, and all codes are given out, in an order of which neighbours say nothing.
func TestPermutation(t *testing.T) {
	for length := 1; length <= 2; length++ {
		n, err := space(length)
		if err != nil {
			t.Fatal(err)
		}
		p := newPermutation(n, secret)
		seen := make([]bool, n)
		rising, next := 0, 0
		last := p.apply(n - 1)
		for x := range n {
			y := p.apply(x)
			if y >= n || seen[y] {
				t.Fatalf("of %d: %d became %d, which is too large or another's", n, x, y)
			}
			seen[y] = true
			if y > last {
				rising++
			}
			if y == last+1 {
				next++
			}
			last = y
		}
		if length > 1 && (rising < int(n)*45/100 || rising > int(n)*55/100 || next > 10) {
			t.Errorf("of %d: %d codes above the one before, %d right after it", n, rising, next)
		}
	}
	n, _ := space(7)
	if a, b := newPermutation(n, secret), newPermutation(n, []byte("sixteen other bytes")); a.apply(1) == b.apply(1) && a.apply(2) == b.apply(2) {
		t.Error("the secret changes nothing")
	}
}

func TestEncode(t *testing.T) {
	for want, n := range map[string]uint64{"0": 0, "z": 61, "00": 0, "10": 62, "zz": 62*62 - 1, "0Az": 10*62 + 61} {
		if got := encode(n, len(want)); got != want {
			t.Errorf("%d in %d characters: %q, want %q", n, len(want), got, want)
		}
	}
	for _, length := range []int{0, -1, maxLength + 1} {
		if _, err := space(length); err == nil {
			t.Errorf("length %d passed", length)
		}
	}
}

func TestSequentialEnds(t *testing.T) {
	rdb, prefix := benchtest.Client(t)
	ctx := context.Background()
	src, err := NewSequential(rdb, prefix+"n", 1, secret)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range base {
		code, err := src.Next(ctx)
		if err != nil || len(code) != 1 || seen[code] {
			t.Fatalf("%q, %v", code, err)
		}
		seen[code] = true
	}
	for range 2 {
		if code, err := src.Next(ctx); !errors.Is(err, ErrFull) {
			t.Errorf("%q after the last, %v", code, err)
		}
	}
	if _, err := NewSequential(rdb, prefix+"n", 7, []byte("short")); err == nil {
		t.Error("a short secret passed")
	}
}

// What would prefer some codes is drawn again, all are about as frequent, and an exhausted reader is an error.
func TestRandom(t *testing.T) {
	ctx := context.Background()
	src, err := NewRandom(1, bytes.NewReader(append(bytes.Repeat([]byte{0xff}, 8), 0, 0, 0, 0, 0, 0, 0, 62<<1+2)))
	if err != nil {
		t.Fatal(err)
	}
	if code, err := src.Next(ctx); err != nil || code != "1" {
		t.Errorf("%q, %v", code, err)
	}
	if code, err := src.Next(ctx); err == nil {
		t.Errorf("%q out of nothing", code)
	}
	src, err = NewRandom(1, rand.NewChaCha8([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	const each = 200
	for range each * int(base) {
		code, err := src.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		count[code]++
	}
	for code, n := range count {
		if n < each*2/3 || n > each*4/3 {
			t.Errorf("%q came %d times, others about %d", code, n, each)
		}
	}
	if len(count) != int(base) {
		t.Errorf("%d codes", len(count))
	}
}

// A client sends a request again when its reply was lost: the link that the first one made is its own.
func TestRequestSentTwiceMakesOneLink(t *testing.T) {
	rdb, prefix := benchtest.Client(t)
	src, _ := NewRandom(7, nil)
	s, err := New(rdb, prefix, src, Options{})
	if err != nil {
		t.Fatal(err)
	}
	nonce := newNonce()
	for range 2 {
		if ok, err := s.take(context.Background(), "mine", nonce, "https://example.com/", 0); err != nil || !ok {
			t.Errorf("%v, %v", ok, err)
		}
	}
	if ok, err := s.take(context.Background(), "mine", newNonce(), "https://example.com/", 0); err != nil || ok {
		t.Errorf("another took it: %v, %v", ok, err)
	}
}
