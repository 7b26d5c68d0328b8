package commands

import (
	"math"

	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/list"
)

// lposArgs are the options of LPOS.
type lposArgs struct {
	rank    int64 // which match to begin with; negative: searched from the tail
	count   int64 // of matches, 0 for all
	maxLen  int64 // elements to compare, 0 for all
	counted bool
}

func parseLPos(c *Call) (o lposArgs, err error) {
	o.rank = 1
	a := c.From(3)
	for a.More() {
		switch {
		case a.IsWith("RANK", 1):
			o.rank = a.Int()
			switch {
			case a.Err() != nil:
			case o.rank == 0:
				a.Fail(ErrRankZero)
			case o.rank == math.MinInt64:
				a.Fail(ErrCountRange)
			}
		case a.IsWith("COUNT", 1):
			o.counted = true
			if o.count = a.IntErr(ErrCountNegative); o.count < 0 {
				a.Fail(ErrCountNegative)
			}
		case a.IsWith("MAXLEN", 1):
			if o.maxLen = a.IntErr(ErrMaxLenNegative); o.maxLen < 0 {
				a.Fail(ErrMaxLenNegative)
			}
		default:
			a.Fail(ErrSyntax)
		}
	}
	return o, a.Err()
}

func lpos(c *Call) error {
	o, err := parseLPos(c)
	if err != nil {
		return err
	}
	l, err := c.Tx.List(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	mark, n := c.Defer(), 0
	eachMatch(l, c.Args[2], &o, func(index int) bool {
		c.Int(int64(index))
		n++
		return o.counted && (o.count == 0 || int64(n) < o.count)
	})
	switch {
	case o.counted:
		c.EndArray(mark, n)
	case n == 0:
		c.Null()
	}
	return nil
}

// eachMatch calls f with the indexes of the elements that LPOS asks for until f returns false.
func eachMatch(l *list.List, elem []byte, o *lposArgs, f func(index int) bool) {
	back := o.rank < 0
	skip := o.rank - 1
	if back {
		skip = -o.rank - 1
	}
	v := list.NewNeedle(elem)
	it := l.End(!back)
	for i := 0; it.Valid() && (o.maxLen == 0 || int64(i) < o.maxLen); i++ {
		if it.Is(&v) {
			index := i
			if back {
				index = l.Len() - 1 - i
			}
			if skip--; skip < 0 && !f(index) {
				return
			}
		}
		it.Next()
	}
}
