package commands

import (
	"math"

	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/zset"
)

// zpopped calls f for the n members at the lower, or upper, end of the set at key, in the order in which they go, and
// removes them. There must be as many.
func (c *Call) zpopped(key []byte, z *zset.ZSet, high bool, n int, f func(m []byte, s float64)) {
	from, start, end := 0, 0, n
	if high {
		from, start, end = z.Len()-1, z.Len()-n, z.Len()
	}
	z.Each(from, n, high, func(m []byte, s float64) bool {
		f(m, s)
		return true
	})
	z.RemoveRange(start, end)
	c.Tx.Settle(key, z, n)
	c.NotifyTaken(store.OnZSet, eitherEvent(high, "zpopmax", "zpopmin"), key, z.Len())
}

func zpop(c *Call, high bool) error {
	n, counted := int64(1), len(c.Args) > 2
	switch {
	case len(c.Args) > 3:
		return ErrSyntax
	case counted:
		v, ok := num.ParseInt(c.Args[2])
		if !ok || v < 0 {
			return ErrMustBePositive
		}
		n = v
	}
	z, err := c.Tx.ZSet(c.Args[1], store.Write)
	if err != nil {
		return err
	}
	n = min(n, int64(z.Len()))
	if counted {
		c.pairsHeader(int(n), true)
	} else {
		c.Array(int(2 * n))
	}
	if n == 0 {
		return nil
	}
	c.zpopped(c.Args[1], z, high, int(n), func(m []byte, s float64) {
		if counted {
			c.pair(m, s, true)
			return
		}
		c.Bulk(m)
		c.Double(s)
	})
	return nil
}

// firstZSet returns the first of the keys at which there is something, which must be a sorted set; nil if there is
// nothing.
func (c *Call) firstZSet(keys [][]byte) (key []byte, z *zset.ZSet, err error) {
	for _, key := range keys {
		z, err := c.Tx.ZSet(key, store.Write)
		if z != nil || err != nil {
			return key, z, err
		}
	}
	return nil, nil, nil
}

func bzpop(c *Call, high bool) error {
	keys := c.Args[1 : len(c.Args)-1]
	a := c.From(len(c.Args) - 1)
	timeout := c.timeout(&a)
	if a.Err() != nil {
		return a.Err()
	}
	key, z, err := c.firstZSet(keys)
	if err != nil {
		return err
	}
	if z == nil {
		return c.Block(Wait{Keys: keys, Timeout: timeout, OnTimeout: NullArrayReply})
	}
	c.Array(3)
	c.Bulk(key)
	c.zpopped(key, z, high, 1, func(m []byte, s float64) {
		c.Bulk(m)
		c.Double(s)
	})
	if high {
		c.Effect(wordZPopMax, key)
	} else {
		c.Effect(wordZPopMin, key)
	}
	return nil
}

func zmpop(c *Call) error { return c.multiPop("MAX", "MIN", (*Call).popFromZSets) }

func bzmpop(c *Call) error { return c.blockingMultiPop("MAX", "MIN", (*Call).popFromZSets) }

// popFromZSets replies with the name and members of the first sorted set that has any; done is false if there is none.
func (c *Call) popFromZSets(o *multiPopArgs) (done bool, err error) {
	key, z, err := c.firstZSet(o.keys)
	if z == nil || err != nil {
		return false, err
	}
	n := min(o.count, int64(z.Len()))
	c.Array(2)
	c.Bulk(key)
	c.Array(int(n))
	c.zpopped(key, z, o.first, int(n), func(m []byte, s float64) {
		c.Array(2)
		c.Bulk(m)
		c.Double(s)
	})
	c.popEffect(key, o, wordZPopMax, wordZPopMin)
	return true, nil
}

func zrandmember(c *Call) error {
	n, withScores := int64(0), len(c.Args) == 4
	if len(c.Args) > 2 {
		a := c.From(2)
		n = drawCount(&a)
		if a.Err() == nil && (len(c.Args) > 4 || withScores && !is(c.Args[3], "WITHSCORES")) {
			a.Fail(ErrSyntax)
		}
		if withScores && (n < -math.MaxInt64/2 || n > math.MaxInt64/2) {
			a.Fail(ErrOutOfRange)
		}
		if a.Err() != nil {
			return a.Err()
		}
	}
	z, err := c.Tx.ZSet(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	switch {
	case len(c.Args) == 2 && z == nil:
		c.Null()
	case len(c.Args) == 2:
		z.Each(c.Tx.Rand().IntN(z.Len()), 1, false, func(m []byte, _ float64) bool { c.Bulk(m); return true })
	case z == nil || n == 0:
		c.Array(0)
	case n < 0:
		return c.zdraw(z, -n, withScores)
	default:
		c.zsample(z, int(min(n, int64(z.Len()))), withScores)
	}
	return nil
}

// zdraw replies with n members each of which is chosen among all.
func (c *Call) zdraw(z *zset.ZSet, n int64, withScores bool) error {
	if drawsTooMuch(n) {
		return ErrOutOfRange
	}
	c.pairsHeader(int(n), withScores)
	start := c.Len()
	for ; n > 0 && c.Len()-start <= maxDrawReply; n-- {
		z.Each(c.Tx.Rand().IntN(z.Len()), 1, false, func(m []byte, s float64) bool {
			c.pair(m, s, withScores)
			return true
		})
	}
	if n > 0 {
		return ErrOutOfRange
	}
	return nil
}

// zsample replies with n different members, of which there are as many.
func (c *Call) zsample(z *zset.ZSet, n int, withScores bool) {
	c.pairsHeader(n, withScores)
	write := func(m []byte, s float64) bool {
		c.pair(m, s, withScores)
		return true
	}
	if size := z.Len(); n > size/8 {
		// One walk over all, taking each with the probability that what is left to take has.
		left := size
		z.Each(0, size, false, func(m []byte, s float64) bool {
			if c.Tx.Rand().IntN(left) < n {
				write(m, s)
				n--
			}
			left--
			return n > 0
		})
		return
	}
	taken := make(map[int]bool)
	for len(taken) < n {
		if k := c.Tx.Rand().IntN(z.Len()); !taken[k] {
			taken[k] = true
			z.Each(k, 1, false, write)
		}
	}
}

func zscan(c *Call) error {
	s, err := startScan(c)
	if err != nil {
		return err
	}
	z, err := c.Tx.ZSet(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	if z == nil {
		s.finish(0) // whatever the options are
		return nil
	}
	if err := s.options(false); err != nil {
		return err
	}
	var scratch [32]byte
	next := z.Scan(s.cursor, s.count, func(m []byte, score float64) {
		if s.matches(m) {
			s.write(m)
			s.write(num.AppendFloat(scratch[:0], score))
		}
	})
	s.finish(next)
	return nil
}
