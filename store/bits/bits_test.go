package bits

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// text is a byte string as a text of 0 and 1, the naive model of everything here.
func text(b []byte) string {
	s := ""
	for _, x := range b {
		s += fmt.Sprintf("%08b", x)
	}
	return s
}

// sample makes a byte string that is random, or nearly all zeros, or nearly all ones.
func sample(rnd *rand.Rand, n int) []byte {
	b := make([]byte, n)
	kind := rnd.IntN(3)
	for i := range b {
		switch kind {
		case 0:
			b[i] = byte(rnd.Uint32())
		case 1:
			b[i] = 0xff
		}
		if kind != 0 && rnd.IntN(60) == 0 {
			b[i] ^= 1 << rnd.IntN(8)
		}
	}
	return b
}

func TestCountAndFind(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		b := sample(rnd, 1+rnd.IntN(90))
		s := text(b)
		from, to := rnd.Int64N(int64(len(s))), rnd.Int64N(int64(len(s)))
		var all, in int64
		zero, one := int64(-1), int64(-1)
		for i, c := range s {
			if c == '1' {
				all++
			}
			if i := int64(i); i < from || i > to {
				continue
			} else if c == '1' {
				in++
				if one < 0 {
					one = i
				}
			} else if zero < 0 {
				zero = i
			}
		}
		if got := Count(b); got != all {
			t.Fatalf("Count(%x) = %d, want %d", b, got, all)
		}
		if got := CountIn(b, from, to); got != in {
			t.Fatalf("CountIn(%x, %d, %d) = %d, want %d", b, from, to, got, in)
		}
		if got := Find(b, true, from, to); got != one {
			t.Fatalf("Find(%x, true, %d, %d) = %d, want %d", b, from, to, got, one)
		}
		if got := Find(b, false, from, to); got != zero {
			t.Fatalf("Find(%x, false, %d, %d) = %d, want %d", b, from, to, got, zero)
		}
	}
}

func TestGetAndPut(t *testing.T) {
	b := []byte{0x80, 0x01}
	for p := int64(0); p < 24; p++ {
		want := 0
		if p == 0 || p == 15 {
			want = 1
		}
		if got := Get(b, p); got != want {
			t.Errorf("Get(%d) = %d", p, got)
		}
	}
	Put(b, 0, false)
	Put(b, 9, true)
	Put(b, 9, true)
	if want := []byte{0, 0x41}; !bytes.Equal(b, want) {
		t.Errorf("after Put: %x, want %x", b, want)
	}
}

func TestFields(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		b := sample(rnd, 1+rnd.IntN(20))
		width := uint(1 + rnd.IntN(64))
		p := rnd.Int64N(int64(len(b))*8 + 20)
		padded := text(b) + text(make([]byte, 12))
		want := uint64(0)
		for _, c := range padded[p : p+int64(width)] {
			want = want<<1 | uint64(c-'0')
		}
		if got := Field(b, p, width); got != want {
			t.Fatalf("Field(%x, %d, %d) = %x, want %x", b, p, width, got, want)
		}
		signed := int64(want)
		if width < 64 && want>>(width-1) == 1 {
			signed -= 1 << width
		}
		if got := SignedField(b, p, width); got != signed {
			t.Fatalf("SignedField(%x, %d, %d) = %d, want %d", b, p, width, got, signed)
		}
		if p+int64(width) > int64(len(b))*8 {
			continue
		}
		old := bytes.Clone(b)
		v := rnd.Uint64()
		PutField(b, p, width, v)
		s := text(old)
		s = s[:p] + fmt.Sprintf("%064b", v)[64-width:] + s[p+int64(width):]
		if text(b) != s {
			t.Fatalf("PutField(%x, %d, %d, %x) left %x", old, p, width, v, b)
		}
	}
}

// combined is bit i of op of srcs.
func combined(op Op, srcs [][]byte, i int64) bool {
	n := 0
	for _, s := range srcs {
		n += Get(s, i)
	}
	first := Get(srcs[0], i)
	others := n - first
	switch op {
	case And:
		return n == len(srcs)
	case Or:
		return n > 0
	case Xor:
		return n%2 == 1
	case Not:
		return n == 0
	case Diff:
		return first == 1 && others == 0
	case Diff1:
		return first == 0 && others > 0
	case AndOr:
		return first == 1 && others > 0
	}
	return n == 1
}

func TestCombine(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for round := range 600 {
		op := Op(round % 8)
		srcs := make([][]byte, 2+rnd.IntN(4))
		if op == Not {
			srcs = srcs[:1]
		}
		size, longest := 80, 0
		if round >= 560 {
			size = 2*chunk + 50
		}
		for i := range srcs {
			srcs[i] = sample(rnd, rnd.IntN(size))
			if i > 0 && rnd.IntN(4) == 0 {
				srcs[i] = srcs[i-1]
			}
			longest = max(longest, len(srcs[i]))
		}
		want := make([]byte, longest)
		for i := range int64(longest) * 8 {
			Put(want, i, combined(op, srcs, i))
		}
		got := sample(rnd, longest)
		Combine(got, op, srcs)
		if !bytes.Equal(got, want) {
			t.Fatalf("op %d of %x\n got %x\nwant %x", op, srcs, got, want)
		}
		// The result may take the place of sources.
		inPlace, place := make([]byte, longest), rnd.IntN(len(srcs))
		old := bytes.Clone(srcs[place])
		for i, s := range srcs {
			if i == place || bytes.Equal(s, old) {
				srcs[i] = inPlace[:copy(inPlace, s)]
			}
		}
		Combine(inPlace, op, srcs)
		if !bytes.Equal(inPlace, want) {
			t.Fatalf("op %d in the place of source %d, %x\n got %x\nwant %x", op, place, old, inPlace, want)
		}
	}
}

func BenchmarkCount(b *testing.B) {
	s := sample(rand.New(rand.NewPCG(7, 8)), 1<<20)
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		Count(s)
	}
}

func BenchmarkFind(b *testing.B) {
	s := make([]byte, 1<<20)
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		Find(s, true, 1, 1<<23-1)
	}
}

func BenchmarkCombine(b *testing.B) {
	rnd := rand.New(rand.NewPCG(9, 10))
	srcs := [][]byte{sample(rnd, 1<<20), sample(rnd, 1<<20), sample(rnd, 1<<20)}
	dst := make([]byte, 1<<20)
	for _, op := range []struct {
		name string
		op   Op
		n    int
	}{{"And2", And, 2}, {"Xor2", Xor, 2}, {"Or3", Or, 3}, {"Not", Not, 1}, {"AndOr3", AndOr, 3}, {"One3", One, 3}} {
		b.Run(op.name, func(b *testing.B) {
			b.SetBytes(1 << 20)
			b.ReportAllocs()
			for b.Loop() {
				Combine(dst, op.op, srcs[:op.n])
			}
		})
	}
	b.Run("And2InPlace", func(b *testing.B) {
		b.SetBytes(1 << 20)
		for b.Loop() {
			Combine(srcs[0], And, srcs[:2])
		}
	})
}
