package commands

import (
	"errors"

	"github.com/streampulse/pulse/store"
)

func lcs(c *Call) error {
	x, _, errX := c.Tx.Text(c.Args[1])
	y, _, errY := c.Tx.Text(c.Args[2])
	if errors.Is(errX, store.ErrWrongType) || errors.Is(errY, store.ErrWrongType) {
		return ErrLCSNotStrings
	}
	var length, index, withLen bool
	minLen := int64(0)
	a := c.From(3)
	for a.More() {
		switch {
		case a.Is("IDX"):
			index = true
		case a.Is("LEN"):
			length = true
		case a.Is("WITHMATCHLEN"):
			withLen = true
		case a.IsWith("MINMATCHLEN", 1):
			minLen = max(a.Int(), 0)
		default:
			a.Fail(ErrSyntax)
		}
	}
	if index && length {
		a.Fail(ErrLCSLenAndIdx)
	}
	if err := a.Err(); err != nil {
		return err
	}
	// Redis holds a table of 4 bytes for each pair of positions; its limit is kept, though a bit each does here.
	if cells := uint64(len(x)+1) * uint64(len(y)+1); cells > uint64(c.Env.MaxBulk())/4 {
		return ErrLCSMemory
	}
	switch {
	case length:
		c.Int(int64(lcsLen(x, y, nil)))
	case index:
		lcsIndex(c, x, y, minLen, withLen)
	default:
		c.Bulk(lcsText(x, y))
	}
	return nil
}

// lcsSteps holds a bit for each pair of positions of two strings: whether the way back through the table of lengths
// takes the last byte from the first string (set) or from the second.
type lcsSteps struct {
	bits  []uint64
	width int // length of the second string
}

func newLCSSteps(x, y []byte) *lcsSteps {
	return &lcsSteps{bits: make([]uint64, (len(x)*len(y)+63)/64), width: len(y)}
}

func (s *lcsSteps) mark(i, j int) {
	at := i*s.width + j
	s.bits[at>>6] |= 1 << (at & 63)
}

func (s *lcsSteps) first(i, j int) bool {
	at := i*s.width + j
	return s.bits[at>>6]>>(at&63)&1 != 0
}

// lcsLen returns the length of the longest common subsequence. It notes the way back in steps, if that is not nil.
func lcsLen(x, y []byte, steps *lcsSteps) int {
	if len(x) == 0 || len(y) == 0 {
		return 0
	}
	row := make([]uint32, len(y)+1) // lengths for the bytes of x so far and each prefix of y
	for i, b := range x {
		diag := uint32(0) // row[j] as it was for one byte of x less
		for j, d := range y {
			up, left := row[j+1], row[j]
			switch {
			case b == d:
				row[j+1] = diag + 1
			case up > left:
				if steps != nil {
					steps.mark(i, j)
				}
			default:
				row[j+1] = left
			}
			diag = up
		}
	}
	return int(row[len(y)])
}

func lcsText(x, y []byte) []byte {
	steps := newLCSSteps(x, y)
	n := lcsLen(x, y, steps)
	out := make([]byte, n)
	for i, j := len(x), len(y); n > 0; {
		switch {
		case x[i-1] == y[j-1]:
			i, j, n = i-1, j-1, n-1
			out[n] = x[i]
		case steps.first(i-1, j-1):
			i--
		default:
			j--
		}
	}
	return out
}

// lcsIndex replies with the runs of equal bytes of at least minLen, the last one first, and the length of the whole.
func lcsIndex(c *Call, x, y []byte, minLen int64, withLen bool) {
	steps := newLCSSteps(x, y)
	length := lcsLen(x, y, steps)
	c.Map(2)
	c.BulkString("matches")
	m, runs := c.Defer(), 0
	run := 0 // length of the run that begins at i, j
	for i, j := len(x), len(y); i > 0 && j > 0; {
		step := x[i-1] != y[j-1]
		if !step {
			i, j, run = i-1, j-1, run+1
		}
		if run > 0 && (step || i == 0 || j == 0) {
			if int64(run) >= minLen {
				lcsRun(c, i, j, run, withLen)
				runs++
			}
			run = 0
		}
		if step && steps.first(i-1, j-1) {
			i--
		} else if step {
			j--
		}
	}
	c.EndArray(m, runs)
	c.BulkString("len")
	c.Int(int64(length))
}

func lcsRun(c *Call, i, j, n int, withLen bool) {
	if withLen {
		c.Array(3)
	} else {
		c.Array(2)
	}
	for _, at := range [2]int{i, j} {
		c.Array(2)
		c.Int(int64(at))
		c.Int(int64(at + n - 1))
	}
	if withLen {
		c.Int(int64(n))
	}
}
