package commands

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

// smallEnv is a server whose strings are short, or may be longer than the store can hold.
type smallEnv struct {
	*harness
	most int64
}

func (e smallEnv) MaxBulk() int64 { return e.most }

func TestBitmapsDoNotOutgrowStrings(t *testing.T) {
	const (
		tooLong = "-" + string(ErrStringTooLong) + "\r\n"
		offset  = "-" + string(ErrBitOffset) + "\r\n"
	)
	h := newHarness(t)
	c := h.conn(2)
	c.Env = smallEnv{h, 1000}
	h.check(c,
		"SETBIT k 7999 1", ":0\r\n",
		"STRLEN k", ":1000\r\n",
		"SETBIT k 8000 1", offset,
		"GETBIT k 8000", offset,
		"BITFIELD k SET u8 7992 1", "*1\r\n:1\r\n",
		"BITFIELD k SET u8 7993 1", tooLong,
		"BITFIELD k SET u8 #999 0 INCRBY i64 7999 1", tooLong,
		"BITFIELD k GET u8 7999", "*1\r\n:128\r\n",
		"BITFIELD k GET u8 #1000", offset,
		"STRLEN k", ":1000\r\n",
	)
	c.Env = smallEnv{h, math.MaxInt64}
	h.check(c,
		"SETBIT k 8589934592 1", tooLong,
		"SETBIT k 9223372036854775807 1", tooLong,
		"BITFIELD k SET u64 0 1", "-"+string(ErrBitfieldType)+"\r\n",
		"BITFIELD k SET i64 9223372036854775807 1", tooLong,
		"BITFIELD k GET i64 9223372036854775807", "*1\r\n:0\r\n",
		"BITFIELD k SET i64 #9223372036854775807 1", offset,
		"GETBIT k 9223372036854775807", ":0\r\n",
		"STRLEN k", ":1000\r\n",
	)
}

func TestBitfieldKeyUse(t *testing.T) {
	for _, test := range []struct {
		args string
		want KeyFlags
	}{
		{"BITFIELD k", RO | Access},
		{"BITFIELD k get u8 0 OVERFLOW sat GET u8 1", RO | Access},
		{"BITFIELD k GET", RO | Access},
		{"BITFIELD k GET u8 0 SET u8 0 1", RW | Access | Update},
		{"BITFIELD k OVERFLOW SAT INCRBY u8 0 1", RW | Access | Update},
		{"BITFIELD k x", RW | Access | Update},
	} {
		var args [][]byte
		for _, w := range strings.Fields(test.args) {
			args = append(args, []byte(w))
		}
		if got := bitfieldKeyUse(args); got != test.want {
			t.Errorf("%s: %b, want %b", test.args, got, test.want)
		}
	}
}

// TestBitfieldArithmetic compares with numbers of any size.
func TestBitfieldArithmetic(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	number := func() int64 {
		switch rnd.IntN(4) {
		case 0:
			return []int64{math.MinInt64, math.MinInt64 + 1, math.MaxInt64, math.MaxInt64 - 1, 0, 1, -1}[rnd.IntN(7)]
		case 1:
			return rnd.Int64N(600) - 300
		}
		return int64(rnd.Uint64()) >> rnd.IntN(64)
	}
	for range 20000 {
		op := bitfieldOp{signed: rnd.IntN(2) == 0, width: uint(1 + rnd.IntN(63)), overflow: overflow(rnd.IntN(3)),
			kind: bitfieldSet + bitfieldKind(rnd.IntN(2)), value: number()}
		if op.signed && rnd.IntN(4) == 0 {
			op.width = 64
		}
		old := op.wrap(uint64(number()))
		size := new(big.Int).Lsh(big.NewInt(1), op.width)
		least, most := new(big.Int), new(big.Int).Sub(size, big.NewInt(1))
		if op.signed {
			least.Rsh(size, 1).Neg(least)
			most.Add(least, most)
		}
		sum := big.NewInt(op.value)
		if op.kind == bitfieldIncr {
			sum.Add(sum, big.NewInt(old))
		} else if !op.signed {
			sum.SetUint64(uint64(op.value))
		}
		want, fits := new(big.Int).Set(sum), true
		if sum.Cmp(least) < 0 || sum.Cmp(most) > 0 {
			switch op.overflow {
			case overflowFail:
				fits = false
			case overflowWrap:
				want.Sub(sum, least).Mod(want, size).Add(want, least)
			case overflowSat:
				if want = most; sum.Cmp(least) < 0 {
					want = least
				}
			}
		}
		got, ok := op.next(old)
		if ok != fits || ok && want.Cmp(big.NewInt(got)) != 0 {
			t.Fatalf("%+v of %d is %d, %v; want %d, %v", op, old, got, ok, want, fits)
		}
	}
}

// TestBitopOfManyKeys has more sources than fit the handler's own buffer, the destination among them.
func TestBitopOfManyKeys(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	keys := ""
	for i := range 40 {
		h.check(c, fmt.Sprintf("SETBIT k%d %d 1", i, i), ":0\r\n")
		keys += fmt.Sprintf(" k%d", i)
	}
	h.check(c, "BITOP OR k7"+keys, ":5\r\n", "BITCOUNT k7", ":40\r\n",
		"BITOP ONE k9"+keys, ":5\r\n", "BITCOUNT k9", ":1\r\n", "GETBIT k9 7", ":1\r\n")
}

func TestBitmapsDoNotAllocate(t *testing.T) {
	for _, run := range []string{
		"SETBIT key 5 1", "SETBIT key 5 0", "GETBIT key 100", "BITCOUNT key 0 -1 BIT", "BITPOS key 1",
		"BITFIELD key INCRBY u8 #3 7 GET i16 3 OVERFLOW SAT SET u4 0 9", "BITFIELD_RO key GET u8 0",
		"BITOP XOR dest key key", "DIGEST key", "SET key 1234567890abcdefghij IFNE x", "DELEX key IFEQ x",
		"MSETEX 2 key 1234567890abcdefghij dest x KEEPTTL",
	} {
		h := newHarness(t)
		c := h.conn(2)
		h.do(c, "SET key 1234567890abcdefghij")
		var args [][]byte
		for _, w := range strings.Fields(run) {
			args = append(args, []byte(w))
		}
		n := testing.AllocsPerRun(100, func() {
			c.Out.Reset(c.Out.Bytes()[:0])
			h.gate.Enter()
			h.table.Do(c, args)
			h.gate.Leave()
		})
		if b := c.Out.Bytes(); n != 0 || b[0] == '-' {
			t.Errorf("%s: %v allocations, reply %q", run, n, b)
		}
	}
}
