package commands

import (
	"bytes"
	"errors"
	"math"
	"strconv"

	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/zset"
)

// rangeKind says what the ends of a range are.
type rangeKind uint8

const (
	byRank rangeKind = iota
	byScore
	byLex
)

// zrangeQuery is what ZRANGE and its relatives are asked for.
type zrangeQuery struct {
	open       bool // REV, BYSCORE and BYLEX may be given
	by         rangeKind
	rev        bool
	withScores bool
	offset     int64
	limit      int64 // -1: all
	zbounds
}

// zbounds are the ends of a range; which field counts says the kind.
type zbounds struct {
	first, last int64
	score       zset.ScoreRange
	lex         zset.LexRange
}

// parse takes the arguments from the ends of the range on. WITHSCORES is refused when the result is stored.
func (q *zrangeQuery) parse(a *Args, store bool) {
	lo, hi := a.Next(), a.Next()
	revGiven, byGiven := !q.open, !q.open
	q.limit = -1
	for a.More() {
		switch {
		case !store && a.Is("WITHSCORES"):
			q.withScores = true
		case a.IsWith("LIMIT", 2):
			q.offset, q.limit = a.Int(), a.Int()
		case !revGiven && a.Is("REV"):
			q.rev, revGiven = true, true
		case !byGiven && a.Is("BYLEX"):
			q.by, byGiven = byLex, true
		case !byGiven && a.Is("BYSCORE"):
			q.by, byGiven = byScore, true
		default:
			a.Fail(ErrSyntax)
		}
	}
	switch {
	case a.Err() != nil:
		return
	case q.limit != -1 && q.by == byRank:
		a.Fail(ErrLimitByRank)
	case q.withScores && q.by == byLex:
		a.Fail(ErrScoresByLex)
	}
	if q.rev && q.by != byRank {
		lo, hi = hi, lo
	}
	q.bounds(a, q.by, lo, hi)
}

// bounds reads the ends of a range.
func (b *zbounds) bounds(a *Args, by rangeKind, lo, hi []byte) {
	ok1, ok2 := true, true
	switch by {
	case byRank:
		b.first, ok1 = num.ParseInt(lo)
		b.last, ok2 = num.ParseInt(hi)
		if !ok1 || !ok2 {
			a.Fail(ErrNotInteger)
		}
	case byScore:
		b.score.Min, b.score.MinEx, ok1 = scoreBound(lo)
		b.score.Max, b.score.MaxEx, ok2 = scoreBound(hi)
		if !ok1 || !ok2 {
			a.Fail(ErrScoreRange)
		}
	default:
		b.lex.Min, ok1 = lexBound(lo)
		b.lex.Max, ok2 = lexBound(hi)
		if !ok1 || !ok2 {
			a.Fail(ErrLexRange)
		}
	}
}

// scoreBound reads an end of a range of scores. It takes what C's strtod takes, which is more than a score may be: no
// digits at all are 0, white space may lead, and what is too large is infinite.
func scoreBound(b []byte) (s float64, ex, ok bool) {
	b = untilNUL(b) // Redis reads it as a C string
	if len(b) > 0 && b[0] == '(' {
		ex, b = true, b[1:]
	}
	if s, ok = num.ParseFloat(b); ok || len(b) == 0 {
		return s, ex, true
	}
	if b = bytes.TrimLeft(b, " \t\n\v\f\r"); len(b) == 0 || bytes.IndexByte(b, '_') >= 0 {
		return 0, ex, false
	}
	if s, ok = num.ParseFloat(b); ok {
		return s, ex, true
	}
	s, err := strconv.ParseFloat(string(b), 64)
	return s, ex, (err == nil || errors.Is(err, strconv.ErrRange)) && !math.IsNaN(s)
}

// lexBound reads an end of a range of members. Like the real server it takes a lone sign only.
func lexBound(b []byte) (zset.Bound, bool) {
	switch {
	case len(b) == 0:
	case b[0] == '-':
		return zset.Bound{Inf: -1}, len(b) == 1
	case b[0] == '+':
		return zset.Bound{Inf: 1}, len(b) == 1
	case b[0] == '(' || b[0] == '[':
		return zset.Bound{Member: b[1:], Ex: b[0] == '('}, true
	}
	return zset.Bound{}, false
}

// in returns the ranks that a range of the given kind has in z: start to end-1. Ranks count from the end if rev.
func (b *zbounds) in(z *zset.ZSet, by rangeKind, rev bool) (start, end int) {
	switch by {
	case byScore:
		return z.ByScore(b.score)
	case byLex:
		return z.ByLex(b.lex)
	}
	n := int64(z.Len())
	first, last := b.first, b.last
	if first < 0 {
		first = max(first+n, 0)
	}
	if last < 0 {
		last += n
	}
	if last = min(last, n-1); first > last {
		return 0, 0
	}
	if rev {
		first, last = n-1-last, n-1-first
	}
	return int(first), int(last) + 1
}

// find returns the ranks that are asked for.
func (q *zrangeQuery) find(z *zset.ZSet) (start, end int) {
	start, end = q.in(z, q.by, q.rev)
	n := int64(end - start)
	if q.by == byRank {
		return start, end
	}
	if q.offset < 0 || q.offset >= n {
		return 0, 0
	}
	n -= q.offset
	if q.limit >= 0 {
		n = min(n, q.limit)
	}
	if q.rev {
		end -= int(q.offset)
		return end - int(n), end
	}
	start += int(q.offset)
	return start, start + int(n)
}

func zrange(c *Call, q zrangeQuery) error {
	a := c.From(2)
	q.parse(&a, false)
	if a.Err() != nil {
		return a.Err()
	}
	z, err := c.Tx.ZSet(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	start, end := q.find(z)
	from := start
	if q.rev {
		from = end - 1
	}
	c.pairsHeader(end-start, q.withScores)
	z.Each(from, end-start, q.rev, func(m []byte, s float64) bool {
		c.pair(m, s, q.withScores)
		return true
	})
	return nil
}

// pairsHeader begins an array of n members, which come with their scores if so asked: as pairs in RESP3, one after the
// other in RESP2.
func (c *Call) pairsHeader(n int, withScores bool) {
	if withScores && !c.RESP3() {
		n *= 2
	}
	c.Array(n)
}

// pair writes an element of such an array.
func (c *Call) pair(m []byte, s float64, withScore bool) {
	if !withScore {
		c.Bulk(m)
		return
	}
	if c.RESP3() {
		c.Array(2)
	}
	c.Bulk(m)
	c.Double(s)
}

func zrangestore(c *Call) error {
	q := zrangeQuery{open: true}
	a := c.From(3)
	q.parse(&a, true)
	if a.Err() != nil {
		return a.Err()
	}
	z, err := c.Tx.ZSet(c.Args[2], store.Read)
	if err != nil {
		return err
	}
	start, end := q.find(z)
	b := zset.NewBuilder()
	z.Each(start, end-start, false, func(m []byte, s float64) bool {
		b.AddNew(m, s)
		return true
	})
	c.storeZSet(c.Args[1], b)
	return nil
}

// storeZSet makes key hold what b has collected, or nothing, and replies with the number of members.
func (c *Call) storeZSet(key []byte, b *zset.Builder) {
	n := b.Len()
	if n == 0 {
		c.deleteKey(key)
	} else {
		c.Tx.SetObject(key, store.ZSet, b.Build(c.zsetLimits()))
		c.Tx.Modified(key, 1)
		c.Notify(store.OnZSet, c.storeEvent(), key)
	}
	c.Int(int64(n))
}

// storeEvent is the event of a command that stores a sorted set: its own name, but for the older commands on places.
func (c *Call) storeEvent() string {
	switch c.Spec.full {
	case "georadius", "georadiusbymember":
		return "georadiusstore"
	}
	return c.Spec.full
}

func zcount(c *Call) error    { return countIn(c, byScore) }
func zlexcount(c *Call) error { return countIn(c, byLex) }

// zsetBounds reads the two ends that follow the key.
func (c *Call) zsetBounds(by rangeKind) (b zbounds, err error) {
	a := c.From(4)
	b.bounds(&a, by, c.Args[2], c.Args[3])
	return b, a.Err()
}

func countIn(c *Call, by rangeKind) error {
	b, err := c.zsetBounds(by)
	if err != nil {
		return err
	}
	z, err := c.Tx.ZSet(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	start, end := b.in(z, by, false)
	c.Int(int64(end - start))
	return nil
}

func zremrange(c *Call, by rangeKind) error {
	b, err := c.zsetBounds(by)
	if err != nil {
		return err
	}
	key := c.Args[1]
	z, err := c.Tx.ZSet(key, store.Write)
	if err != nil {
		return err
	}
	start, end := b.in(z, by, false)
	if end > start {
		z.RemoveRange(start, end)
		c.Tx.Settle(key, z, end-start)
		c.NotifyTaken(store.OnZSet, c.Spec.full, key, z.Len())
	}
	c.Int(int64(end - start))
	return nil
}
