package commands

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// TestPfaddDoesNotAllocate adds to sparse and dense values, seen elements and new ones.
func TestPfaddDoesNotAllocate(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	for i := range 300 {
		h.do(c, fmt.Sprintf("PFADD sparse e%d", i))
	}
	for i := range 20000 {
		h.run(c, [][]byte{[]byte("PFADD"), []byte("dense"), fmt.Appendf(nil, "e%d", i)})
	}
	for _, key := range []string{"sparse", "dense"} {
		if got, want := h.do(c, "PFDEBUG ENCODING "+key), "+"+key+"\r\n"; got != want {
			t.Fatalf("%s is %q", key, got)
		}
		args := [][]byte{[]byte("PFADD"), []byte(key), []byte("e7")}
		if n := testing.AllocsPerRun(200, func() { h.table.Do(c, args) }); n != 0 {
			t.Errorf("PFADD of a seen element to a %s value allocates %v times", key, n)
		}
		c.Out.Truncate(0)
		elem := make([]byte, 8)
		rng := rand.New(rand.NewPCG(1, 1))
		args = [][]byte{[]byte("PFADD"), []byte(key), elem}
		n := testing.AllocsPerRun(100, func() {
			for i := range elem {
				elem[i] = byte('a' + rng.IntN(26))
			}
			h.table.Do(c, args)
		})
		if n != 0 {
			t.Errorf("PFADD to a %s value allocates %v times", key, n)
		}
		c.Out.Truncate(0)
	}
}

func TestPfcountOfSaturatedRegisters(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	text := "HYLL\x00\x00\x00\x00" + strings.Repeat("\x00", 7) + "\x80" + strings.Repeat("\xff", 12288)
	h.run(c, [][]byte{[]byte("SET"), []byte("k"), []byte(text)})
	for _, do := range []string{"PFCOUNT k", "PFCOUNT k", "PFCOUNT k nokey"} {
		if got := h.do(c, do); got != ":9223372036854775807\r\n" {
			t.Errorf("%s = %q", do, got)
		}
	}
}

// TestHyperLogLogBytesAgreeWithRedis runs the same random commands here and there, and compares every reply and the
// bytes of every value.
func TestHyperLogLogBytesAgreeWithRedis(t *testing.T) {
	p := newPair(t)
	both := p.both
	limit := func(n int) {
		l := *p.h.store.Limits()
		l.HLLSparseMaxBytes = n
		p.h.store.SetLimits(l)
		p.there("CONFIG", "SET", "hll-sparse-max-bytes", strconv.Itoa(n))
	}
	rng := rand.New(rand.NewPCG(8, 8))
	keys := []string{"a", "b", "c", "d"}
	key := func() string { return keys[rng.IntN(len(keys))] }
	for step := range 1500 {
		k := key()
		switch rng.IntN(20) {
		case 0:
			both("PFCOUNT", k)
		case 1:
			both("PFCOUNT", k, key(), key())
		case 2:
			both("PFMERGE", k, key(), key())
		case 3:
			if rng.IntN(4) == 0 {
				both("DEL", k)
			}
		case 4:
			if rng.IntN(10) == 0 {
				limit([]int{0, 30, 200, 3000, 20000}[rng.IntN(5)])
			}
		default:
			args := []string{"PFADD", k}
			for range rng.IntN(1 << rng.IntN(8)) {
				args = append(args, fmt.Sprintf("%x", rng.IntN(1<<(4+rng.IntN(20)))))
			}
			both(args...)
		}
		both("GET", k)
		if step%50 == 0 {
			both("PFDEBUG", "ENCODING", k)
		}
	}
}
