package commands

import (
	"cmp"
	"math"
	"slices"

	"github.com/streampulse/pulse/store"
	setvalue "github.com/streampulse/pulse/store/set"
	"github.com/streampulse/pulse/store/zset"
)

// zsource is an input of ZUNION and its relatives: a sorted set, a set, whose members have the score 1, or nothing.
type zsource struct {
	z      *zset.ZSet
	s      *setvalue.Set
	weight float64
}

func (s *zsource) len() int {
	if s.s != nil {
		return s.s.Len()
	}
	return s.z.Len()
}

// score returns the weighted score of a member.
func (s *zsource) score(m []byte) (float64, bool) {
	if s.s != nil {
		return s.weight, s.s.Has(m)
	}
	score, ok := s.z.Score(m)
	return score * s.weight, ok
}

// each calls f for all members with their weighted scores until it returns false. Infinity times nothing is nothing.
func (s *zsource) each(f func(m []byte, score float64) bool) {
	if s.s != nil {
		s.s.Each(func(m []byte) bool { return f(m, s.weight) })
		return
	}
	s.z.Each(0, math.MaxInt, false, func(m []byte, score float64) bool { return f(m, orZero(score*s.weight)) })
}

// orZero makes of what is not a number the number 0.
func orZero(f float64) float64 {
	if f != f {
		return 0
	}
	return f
}

// The ways to join the scores of one member. Infinities of both signs add up to 0.
func zjoinSum(x, y float64) float64 { return orZero(x + y) }

func zjoinMin(x, y float64) float64 {
	if y < x {
		return y
	}
	return x
}

func zjoinMax(x, y float64) float64 {
	if y > x {
		return y
	}
	return x
}

// zcombination is what is asked for, after its inputs were looked up.
type zcombination struct {
	sources    []zsource
	join       func(x, y float64) float64
	withScores bool
	limit      int64 // of ZINTERCARD, 0: none
}

type zoperation uint8

const (
	zunion zoperation = iota
	zinter
	zdiff
	zcardinality
)

// zsources reads the number of keys and looks at them, which comes before any look at the options behind.
func (c *Call) zsources(a *Args) ([]zsource, error) {
	n := a.Int()
	switch {
	case a.Err() != nil:
		return nil, a.Err()
	case n < 1:
		return nil, errNoInputKey(c.Spec)
	case n > int64(a.Left()):
		return nil, ErrSyntax
	}
	in := make([]zsource, n)
	for i := range in {
		key := a.Next()
		z, err := c.Tx.ZSet(key, store.Read)
		in[i] = zsource{z: z, weight: 1}
		if err != nil {
			// The look above has counted as the read; this one is no other.
			if in[i].s, err = c.Tx.Set(key, store.Write); err != nil {
				return nil, err
			}
		}
	}
	return in, nil
}

func (c *Call) zcombination(a *Args, op zoperation, stored bool) (o zcombination, err error) {
	if o.sources, err = c.zsources(a); err != nil {
		return o, err
	}
	o.join = zjoinSum
	scored := op == zunion || op == zinter
	for a.More() {
		switch {
		case scored && a.IsWith("WEIGHTS", len(o.sources)):
			for i := range o.sources {
				o.sources[i].weight = a.FloatErr(ErrWeight)
			}
		case scored && a.IsWith("AGGREGATE", 1):
			switch {
			case a.Is("SUM"):
				o.join = zjoinSum
			case a.Is("MIN"):
				o.join = zjoinMin
			case a.Is("MAX"):
				o.join = zjoinMax
			default:
				a.Fail(ErrSyntax)
			}
		case !stored && op != zcardinality && a.Is("WITHSCORES"):
			o.withScores = true
		case op == zcardinality && a.IsWith("LIMIT", 1):
			if o.limit = a.IntErr(ErrLimitNegative); o.limit < 0 {
				a.Fail(ErrLimitNegative)
			}
		default:
			a.Fail(ErrSyntax)
		}
	}
	return o, a.Err()
}

// bySize puts the smallest input first.
func (o *zcombination) bySize() {
	slices.SortStableFunc(o.sources, func(x, y zsource) int { return cmp.Compare(x.len(), y.len()) })
}

// run collects the result.
func (o *zcombination) run(op zoperation) *zset.Builder {
	b := zset.NewBuilder()
	switch op {
	case zunion:
		o.bySize()
		for i := range o.sources {
			o.sources[i].each(func(m []byte, s float64) bool {
				b.Merge(m, s, o.join)
				return true
			})
		}
	case zinter:
		o.bySize()
		o.inAll(func(m []byte, s float64) bool {
			b.AddNew(m, s)
			return true
		})
	case zdiff:
		o.inFirst(func(m []byte, s float64) bool {
			b.AddNew(m, s)
			return true
		})
	}
	return b
}

// inAll calls f for the members of all inputs, walking the first.
func (o *zcombination) inAll(f func(m []byte, s float64) bool) {
	others := o.sources[1:]
	o.sources[0].each(func(m []byte, s float64) bool {
		for i := range others {
			t, ok := others[i].score(m)
			if !ok {
				return true
			}
			s = o.join(s, t)
		}
		return f(m, s)
	})
}

// inFirst calls f for the members of the first input that are in no other. The largest of these is asked first: it is
// the likeliest to have one.
func (o *zcombination) inFirst(f func(m []byte, s float64) bool) {
	others := o.sources[1:]
	slices.SortStableFunc(others, func(x, y zsource) int { return cmp.Compare(y.len(), x.len()) })
	o.sources[0].each(func(m []byte, s float64) bool {
		for i := range others {
			if _, ok := others[i].score(m); ok {
				return true
			}
		}
		return f(m, s)
	})
}

func zcombine(c *Call, op zoperation) error {
	a := c.From(1)
	o, err := c.zcombination(&a, op, false)
	if err != nil {
		return err
	}
	b := o.run(op)
	b.Sort()
	c.pairsHeader(b.Len(), o.withScores)
	b.Each(func(m []byte, s float64) bool {
		c.pair(m, s, o.withScores)
		return true
	})
	return nil
}

func zcombinestore(c *Call, op zoperation) error {
	a := c.From(2)
	o, err := c.zcombination(&a, op, true)
	if err != nil {
		return err
	}
	c.storeZSet(c.Args[1], o.run(op))
	return nil
}

func zintercard(c *Call) error {
	a := c.From(1)
	o, err := c.zcombination(&a, zcardinality, false)
	if err != nil {
		return err
	}
	n := int64(0)
	o.bySize()
	o.inAll(func([]byte, float64) bool {
		n++
		return n != o.limit
	})
	c.Int(n)
	return nil
}
