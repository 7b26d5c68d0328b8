package commands

import (
	"bytes"

	"github.com/streampulse/pulse/store"
)

func spop(c *Call) error {
	if len(c.Args) > 3 {
		return ErrSyntax
	}
	n := int64(1)
	if len(c.Args) == 3 {
		a := c.From(2)
		if n = a.IntErr(ErrMustBePositive); n < 0 {
			a.Fail(ErrMustBePositive)
		}
		if err := a.Err(); err != nil {
			return err
		}
	}
	v, err := c.Tx.Set(c.Args[1], store.Write)
	if err != nil {
		return err
	}
	n = min(n, int64(v.Len()))
	if len(c.Args) == 3 {
		c.Set(int(n))
	} else if n == 0 {
		c.Null()
	}
	if n == 0 {
		return nil
	}
	var gone [][]byte
	v.Pop(c.Tx.Rand(), int(n), func(member []byte) {
		c.Bulk(member)
		if c.Feeding() {
			gone = append(gone, bytes.Clone(member))
		}
	})
	c.Tx.Settle(c.Args[1], v, int(n))
	c.NotifyTaken(store.OnSet, "spop", c.Args[1], v.Len())
	c.effectOn(wordSRem, c.Args[1], gone)
	return nil
}

func srandmember(c *Call) error {
	if len(c.Args) > 3 {
		return ErrSyntax
	}
	if len(c.Args) == 2 {
		return srandmemberOne(c)
	}
	a := c.From(2)
	n := drawCount(&a)
	if err := a.Err(); err != nil {
		return err
	}
	v, err := c.Tx.Set(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	switch {
	case v.Len() == 0 || n == 0:
		c.Array(0)
		return nil
	case n > 0:
		n = min(n, int64(v.Len()))
		c.Array(int(n))
		v.Sample(c.Tx.Rand(), int(n), func(member []byte) { c.Bulk(member) })
		return nil
	case drawsTooMuch(-n):
		return ErrOutOfRange
	}
	start := c.Len()
	c.Array(int(-n))
	v.Draw(c.Tx.Rand(), int(-n), func(member []byte) bool {
		c.Bulk(member)
		return c.Len()-start <= maxDrawReply
	})
	if c.Len()-start > maxDrawReply {
		return ErrOutOfRange
	}
	return nil
}

func srandmemberOne(c *Call) error {
	v, err := c.Tx.Set(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	if v.Len() == 0 {
		c.Null()
		return nil
	}
	v.Draw(c.Tx.Rand(), 1, func(member []byte) bool { c.Bulk(member); return true })
	return nil
}

func sscan(c *Call) error {
	s, err := startScan(c)
	if err != nil {
		return err
	}
	v, err := c.Tx.Set(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	if v == nil {
		s.finish(0) // whatever the options are
		return nil
	}
	if err := s.options(false); err != nil {
		return err
	}
	next := v.Scan(s.cursor, s.count, func(member []byte) {
		if s.matches(member) {
			s.write(member)
		}
	})
	s.finish(next)
	return nil
}
