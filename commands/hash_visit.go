package commands

import (
	"math"

	"github.com/streampulse/pulse/store"
)

// maxDrawReply bounds the reply to a negative count, in bytes: such a request asks for as many elements as it likes of
// whatever there is. It is as long as the longest string may be, and only tests change it.
var maxDrawReply = 512 << 20

// drawCount takes a count whose sign says whether an element may be returned more than once.
func drawCount(a *Args) int64 {
	n := a.Int()
	if n == math.MinInt64 {
		a.Fail(ErrCountRange)
	}
	return n
}

// drawsTooMuch reports whether n random elements are more than a reply may hold, however short they are.
func drawsTooMuch(n int64) bool { return n > int64(maxDrawReply/len("$0\r\n\r\n")) }

func hrandfield(c *Call) error {
	if len(c.Args) == 2 {
		return hrandfieldOne(c)
	}
	a := c.From(2)
	n := drawCount(&a)
	withValues := false
	if a.More() {
		if withValues = a.Is("WITHVALUES"); !withValues || a.More() {
			a.Fail(ErrSyntax)
		}
	}
	if withValues && (n < -math.MaxInt64/2 || n > math.MaxInt64/2) {
		a.Fail(ErrOutOfRange)
	}
	if err := a.Err(); err != nil {
		return err
	}
	v, err := c.Tx.Hash(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	if v.Len() == 0 || n == 0 {
		c.Array(0)
		return nil
	}
	draw := n < 0
	if draw {
		n = -n
	}
	if draw && drawsTooMuch(n) {
		return ErrOutOfRange
	} else if !draw {
		n = min(n, int64(v.Len()))
	}
	switch {
	case withValues && !c.RESP3():
		c.Array(int(2 * n))
	default:
		c.Array(int(n))
	}
	write := func(field, value []byte) {
		if withValues && c.RESP3() {
			c.Array(2)
		}
		c.Bulk(field)
		if withValues {
			c.Bulk(value)
		}
	}
	if !draw {
		v.Sample(c.Tx.Rand(), int(n), write)
		return nil
	}
	start := c.Len()
	v.Draw(c.Tx.Rand(), int(n), func(field, value []byte) bool {
		write(field, value)
		return c.Len()-start <= maxDrawReply
	})
	if c.Len()-start > maxDrawReply {
		return ErrOutOfRange
	}
	return nil
}

func hrandfieldOne(c *Call) error {
	v, err := c.Tx.Hash(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	if v.Len() == 0 {
		c.Null()
		return nil
	}
	v.Draw(c.Tx.Rand(), 1, func(field, _ []byte) bool { c.Bulk(field); return true })
	return nil
}

// elementScan is one call of HSCAN or its relatives: options and reply.
type elementScan struct {
	scanOptions
	noValues bool
	c        *Call
	start    int // length of the output before the reply
	n        int // elements written
}

// startScan reads the cursor, which comes before any look at the key.
func startScan(c *Call) (s elementScan, err error) {
	a := c.From(2)
	s.c, s.start, s.count = c, c.Len(), 10
	s.cursor = scanCursor(&a)
	return s, a.Err()
}

// options reads what follows the cursor, which comes after the look at the key. Only a hash can leave its values out.
func (s *elementScan) options(hash bool) error {
	a := s.c.From(3)
	for a.More() {
		switch {
		case s.common(&a):
		case a.Is("NOVALUES"):
			if s.noValues = true; !hash {
				a.Fail(ErrNoValuesHashOnly)
			}
		default:
			a.Fail(ErrSyntax)
		}
	}
	return a.Err()
}

func (s *elementScan) write(b []byte) {
	s.c.Bulk(b)
	s.n++
}

// finish puts the head of the reply, whose cursor is known last, before the elements written.
func (s *elementScan) finish(next uint64) {
	c := s.c
	body := c.Len()
	c.Array(2)
	replyCursor(c, next)
	c.Array(s.n)
	reply := c.Bytes()[s.start:]
	var buf [64]byte
	head := append(buf[:0], reply[body-s.start:]...)
	copy(reply[len(head):], reply)
	copy(reply, head)
}

func hscan(c *Call) error {
	s, err := startScan(c)
	if err != nil {
		return err
	}
	v, err := c.Tx.Hash(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	if v == nil {
		s.finish(0) // whatever the options are
		return nil
	}
	if err := s.options(true); err != nil {
		return err
	}
	next := v.Scan(s.cursor, s.count, func(field, value []byte) {
		if s.matches(field) {
			s.write(field)
			if !s.noValues {
				s.write(value)
			}
		}
	})
	s.finish(next)
	return nil
}
