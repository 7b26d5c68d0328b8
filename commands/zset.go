package commands

import (
	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/zset"
)

var zsetCommands = []Spec{
	{Name: "ZADD", Syntax: "key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]", Arity: -4, Keys: First(RW | Update),
		Flags: Write | DenyOOM | Fast, Group: GroupZSet, Since: "1.2.0", Complexity: "O(log(N)) per member added or changed.",
		Summary: "Gives members of a sorted set their scores, adding those that are not there.",
		History: [][2]string{{"2.4.0", "Accepts multiple elements."}, {"3.0.2", "Added the `XX`, `NX`, `CH` and `INCR` options."},
			{"6.2.0", "Added the `GT` and `LT` options."}}, Run: zadd},
	{Name: "ZINCRBY", Syntax: "key increment member", Arity: 4, Keys: First(RW | Access | Update), Flags: Write | DenyOOM | Fast,
		Group: GroupZSet, Since: "1.2.0", Complexity: "O(log(N))", Summary: "Adds to the score of a member, 0 if it is not there.", Run: zincrby},
	{Name: "ZREM", Syntax: "key member [member ...]", Arity: -3, Keys: First(RW | Delete), Flags: Write | Fast, Group: GroupZSet,
		Since: "1.2.0", Complexity: "O(log(N)) per member.", Summary: "Removes members of a sorted set.",
		History: [][2]string{{"2.4.0", "Accepts multiple elements."}}, Run: zrem},
	{Name: "ZSCORE", Syntax: "key member", Arity: 3, Keys: First(RO | Access), Flags: ReadOnly | Fast, Group: GroupZSet,
		Since: "1.2.0", Complexity: "O(1)", Summary: "Returns the score of a member.", Run: zscore},
	{Name: "ZMSCORE", Syntax: "key member [member ...]", Arity: -3, Keys: First(RO | Access), Flags: ReadOnly | Fast, Group: GroupZSet,
		Since: "6.2.0", Complexity: "O(1) per member.", Summary: "Returns the scores of members.", Run: zmscore},
	{Name: "ZCARD", Syntax: "key", Arity: 2, Keys: First(RO), Flags: ReadOnly | Fast, Group: GroupZSet,
		Since: "1.2.0", Complexity: "O(1)", Summary: "Counts the members of a sorted set.", Run: zcard},
	{Name: "ZCOUNT", Syntax: "key min max", Arity: 4, Keys: First(RO | Access), Flags: ReadOnly | Fast, Group: GroupZSet,
		Since: "2.0.0", Complexity: "O(log(N))", Summary: "Counts the members with scores in a range.", Run: zcount},
	{Name: "ZLEXCOUNT", Syntax: "key min max", Arity: 4, Keys: First(RO | Access), Flags: ReadOnly | Fast, Group: GroupZSet,
		Since: "2.8.9", Complexity: "O(log(N))", Summary: "Counts the members in a range of their bytes.", Run: zlexcount},
	{Name: "ZRANK", Syntax: "key member [WITHSCORE]", Arity: -3, Keys: First(RO | Access), Flags: ReadOnly | Fast, Group: GroupZSet,
		Since: "2.0.0", Complexity: "O(log(N))", Summary: "Returns how many members come before one.", History: rankHistory,
		Run: func(c *Call) error { return zrank(c, false) }},
	{Name: "ZREVRANK", Syntax: "key member [WITHSCORE]", Arity: -3, Keys: First(RO | Access), Flags: ReadOnly | Fast, Group: GroupZSet,
		Since: "2.0.0", Complexity: "O(log(N))", Summary: "Returns how many members come after one.", History: rankHistory,
		Run: func(c *Call) error { return zrank(c, true) }},

	{Name: "ZRANGE", Syntax: "key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]", Arity: -4,
		Keys: First(RO | Access), Flags: ReadOnly, Group: GroupZSet, Since: "1.2.0", Complexity: rangeCost,
		Summary: "Returns members in a range of ranks, scores or bytes.",
		History: [][2]string{{"6.2.0", "Added the `REV`, `BYSCORE`, `BYLEX` and `LIMIT` options."}},
		Run:     func(c *Call) error { return zrange(c, zrangeQuery{open: true}) }},
	{Name: "ZRANGESTORE", Syntax: "dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]", Arity: -5,
		Keys: []KeySpec{At(1, OW|Update), At(2, RO|Access)}, Flags: Write | DenyOOM, Group: GroupZSet, Since: "6.2.0",
		Complexity: rangeCost, Summary: "Stores members in a range of ranks, scores or bytes.", Run: zrangestore},
	{Name: "ZREVRANGE", Syntax: "key start stop [WITHSCORES]", Arity: -4, Keys: First(RO | Access), Flags: ReadOnly, Group: GroupZSet,
		Since: "1.2.0", Complexity: rangeCost, Summary: "Returns members in a range of ranks, downwards.",
		Deprecated: "6.2.0", ReplacedBy: "`ZRANGE` with the `REV` argument",
		Run: func(c *Call) error { return zrange(c, zrangeQuery{rev: true}) }},
	{Name: "ZRANGEBYSCORE", Syntax: "key min max [WITHSCORES] [LIMIT offset count]", Arity: -4, Keys: First(RO | Access), Flags: ReadOnly,
		Group: GroupZSet, Since: "1.0.5", Complexity: rangeCost, Summary: "Returns members in a range of scores.",
		Deprecated: "6.2.0", ReplacedBy: "`ZRANGE` with the `BYSCORE` argument",
		History: [][2]string{{"2.0.0", "Added the `WITHSCORES` modifier."}},
		Run:     func(c *Call) error { return zrange(c, zrangeQuery{by: byScore}) }},
	{Name: "ZREVRANGEBYSCORE", Syntax: "key max min [WITHSCORES] [LIMIT offset count]", Arity: -4, Keys: First(RO | Access), Flags: ReadOnly,
		Group: GroupZSet, Since: "2.2.0", Complexity: rangeCost, Summary: "Returns members in a range of scores, downwards.",
		Deprecated: "6.2.0", ReplacedBy: "`ZRANGE` with the `REV` and `BYSCORE` arguments",
		History: [][2]string{{"2.1.6", "`min` and `max` can be exclusive."}},
		Run:     func(c *Call) error { return zrange(c, zrangeQuery{by: byScore, rev: true}) }},
	{Name: "ZRANGEBYLEX", Syntax: "key min max [LIMIT offset count]", Arity: -4, Keys: First(RO | Access), Flags: ReadOnly,
		Group: GroupZSet, Since: "2.8.9", Complexity: rangeCost, Summary: "Returns members in a range of their bytes.",
		Deprecated: "6.2.0", ReplacedBy: "`ZRANGE` with the `BYLEX` argument",
		Run: func(c *Call) error { return zrange(c, zrangeQuery{by: byLex}) }},
	{Name: "ZREVRANGEBYLEX", Syntax: "key max min [LIMIT offset count]", Arity: -4, Keys: First(RO | Access), Flags: ReadOnly,
		Group: GroupZSet, Since: "2.8.9", Complexity: rangeCost, Summary: "Returns members in a range of their bytes, downwards.",
		Deprecated: "6.2.0", ReplacedBy: "`ZRANGE` with the `REV` and `BYLEX` arguments",
		Run: func(c *Call) error { return zrange(c, zrangeQuery{by: byLex, rev: true}) }},
	{Name: "ZREMRANGEBYRANK", Syntax: "key start stop", Arity: 4, Keys: First(RW | Delete), Flags: Write, Group: GroupZSet,
		Since: "2.0.0", Complexity: removeCost, Summary: "Removes the members in a range of ranks.",
		Run: func(c *Call) error { return zremrange(c, byRank) }},
	{Name: "ZREMRANGEBYSCORE", Syntax: "key min max", Arity: 4, Keys: First(RW | Delete), Flags: Write, Group: GroupZSet,
		Since: "1.2.0", Complexity: removeCost, Summary: "Removes the members in a range of scores.",
		Run: func(c *Call) error { return zremrange(c, byScore) }},
	{Name: "ZREMRANGEBYLEX", Syntax: "key min max", Arity: 4, Keys: First(RW | Delete), Flags: Write, Group: GroupZSet,
		Since: "2.8.9", Complexity: removeCost, Summary: "Removes the members in a range of their bytes.",
		Run: func(c *Call) error { return zremrange(c, byLex) }},

	{Name: "ZPOPMIN", Syntax: "key [count]", Arity: -2, Keys: First(RW | Access | Delete), Flags: Write | Fast, Group: GroupZSet,
		Since: "5.0.0", Complexity: popCost, Summary: "Removes and returns the members with the lowest scores.",
		Run: func(c *Call) error { return zpop(c, false) }},
	{Name: "ZPOPMAX", Syntax: "key [count]", Arity: -2, Keys: First(RW | Access | Delete), Flags: Write | Fast, Group: GroupZSet,
		Since: "5.0.0", Complexity: popCost, Summary: "Removes and returns the members with the highest scores.",
		Run: func(c *Call) error { return zpop(c, true) }},
	{Name: "BZPOPMIN", Syntax: "key [key ...] timeout", Arity: -3, Keys: []KeySpec{Range(1, -2, 1, RW|Access|Delete)},
		Flags: Write | Effects | Blocking | Fast, Group: GroupZSet, Since: "5.0.0", Complexity: "O(log(N))",
		Summary: "Removes and returns the member with the lowest score of the first sorted set that has any, or waits for one.",
		History: zblockHistory, Run: func(c *Call) error { return bzpop(c, false) }},
	{Name: "BZPOPMAX", Syntax: "key [key ...] timeout", Arity: -3, Keys: []KeySpec{Range(1, -2, 1, RW|Access|Delete)},
		Flags: Write | Effects | Blocking | Fast, Group: GroupZSet, Since: "5.0.0", Complexity: "O(log(N))",
		Summary: "Removes and returns the member with the highest score of the first sorted set that has any, or waits for one.",
		History: zblockHistory, Run: func(c *Call) error { return bzpop(c, true) }},
	{Name: "ZMPOP", Syntax: "numkeys key [key ...] MIN | MAX [COUNT count]", Arity: -4, Keys: []KeySpec{Counted(1, RW|Access|Delete)},
		Flags: Write, Group: GroupZSet, Since: "7.0.0", Complexity: "O(K) + " + popCost,
		Summary: "Removes and returns members of the first sorted set that has any.", Run: zmpop},
	{Name: "BZMPOP", Syntax: "timeout numkeys key [key ...] MIN | MAX [COUNT count]", Arity: -5,
		Keys: []KeySpec{Counted(2, RW|Access|Delete)}, Flags: Write | Effects | Blocking, Group: GroupZSet, Since: "7.0.0", Complexity: "O(K) + " + popCost,
		Summary: "Removes and returns members of the first sorted set that has any, or waits for some.", Run: bzmpop},
	{Name: "ZRANDMEMBER", Syntax: "key [count [WITHSCORES]]", Arity: -2, Keys: First(RO | Access), Flags: ReadOnly, Group: GroupZSet,
		Since: "6.2.0", Complexity: "O(log(N)) per member.", Summary: "Returns members chosen at random.",
		Tips: []string{"nondeterministic_output"}, Run: zrandmember},
	{Name: "ZSCAN", Syntax: "key cursor [MATCH pattern] [COUNT count]", Arity: -3, Keys: First(RO | Access), Flags: ReadOnly, Group: GroupZSet,
		Since: "2.8.0", Complexity: "O(1) per call, O(N) for a walk over all members.", Summary: "Walks over members and scores in steps.",
		Tips: []string{"nondeterministic_output"}, Run: zscan},

	{Name: "ZUNION", Syntax: "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM | MIN | MAX] [WITHSCORES]", Arity: -3,
		Keys: []KeySpec{Counted(1, RO|Access)}, Flags: ReadOnly, Group: GroupZSet, Since: "6.2.0", Complexity: unionCost,
		Summary: "Returns the members of any of several sets.", Run: func(c *Call) error { return zcombine(c, zunion) }},
	{Name: "ZINTER", Syntax: "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM | MIN | MAX] [WITHSCORES]", Arity: -3,
		Keys: []KeySpec{Counted(1, RO|Access)}, Flags: ReadOnly, Group: GroupZSet, Since: "6.2.0", Complexity: interCost,
		Summary: "Returns the members of all of several sets.", Run: func(c *Call) error { return zcombine(c, zinter) }},
	{Name: "ZDIFF", Syntax: "numkeys key [key ...] [WITHSCORES]", Arity: -3, Keys: []KeySpec{Counted(1, RO|Access)}, Flags: ReadOnly,
		Group: GroupZSet, Since: "6.2.0", Complexity: interCost, Summary: "Returns the members of the first of several sets only.",
		Run: func(c *Call) error { return zcombine(c, zdiff) }},
	{Name: "ZUNIONSTORE", Syntax: "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM | MIN | MAX]", Arity: -4,
		Keys: storeKeys, Flags: Write | DenyOOM, Group: GroupZSet, Since: "2.0.0", Complexity: unionCost,
		Summary: "Stores the members of any of several sets.", Run: func(c *Call) error { return zcombinestore(c, zunion) }},
	{Name: "ZINTERSTORE", Syntax: "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM | MIN | MAX]", Arity: -4,
		Keys: storeKeys, Flags: Write | DenyOOM, Group: GroupZSet, Since: "2.0.0", Complexity: interCost,
		Summary: "Stores the members of all of several sets.", Run: func(c *Call) error { return zcombinestore(c, zinter) }},
	{Name: "ZDIFFSTORE", Syntax: "destination numkeys key [key ...]", Arity: -4, Keys: storeKeys, Flags: Write | DenyOOM, Group: GroupZSet,
		Since: "6.2.0", Complexity: interCost, Summary: "Stores the members of the first of several sets only.",
		Run: func(c *Call) error { return zcombinestore(c, zdiff) }},
	{Name: "ZINTERCARD", Syntax: "numkeys key [key ...] [LIMIT limit]", Arity: -3, Keys: []KeySpec{Counted(1, RO|Access)}, Flags: ReadOnly,
		Group: GroupZSet, Since: "7.0.0", Complexity: "O(N*K) with the size N of the smallest of K sets.",
		Summary: "Counts the members of all of several sets.", Run: zintercard},
}

const (
	rangeCost  = "O(log(N)+M) with M members returned or stored."
	removeCost = "O(log(N)+M) with M members removed."
	popCost    = "O(log(N)+M) with M members returned."
	unionCost  = "O(N+M*log(M)) with N members in all sets and M in the result."
	interCost  = "O(N*K+M*log(M)) with K sets, N members in the one that is walked and M in the result."
)

var (
	rankHistory   = [][2]string{{"7.2.0", "Added the optional `WITHSCORE` argument."}}
	zblockHistory = [][2]string{{"6.0.0", "`timeout` is interpreted as a double instead of an integer."}}
	storeKeys     = []KeySpec{At(1, OW|Update), Counted(2, RO|Access)}
)

func (c *Call) zsetLimits() zset.Limits {
	l := c.Tx.Limits()
	return zset.Limits{Entries: l.ZSetMaxListpackEntries, Value: l.ZSetMaxListpackValue}
}

// zaddArgs are the arguments of ZADD.
type zaddArgs struct {
	mode   zset.Mode
	ch     bool
	scores []float64
	args   [][]byte // each score's arguments, the last of which is the member
}

// member returns the one of scores[i].
func (o *zaddArgs) member(i int) []byte {
	n := len(o.args) / len(o.scores)
	return o.args[n*i+n-1]
}

// keepScores is how many scores a client has room for between its commands.
const keepScores = 512

func parseZAdd(a *Args, scores []float64) (o zaddArgs) {
options:
	for {
		switch {
		case a.Is("NX"):
			o.mode |= zset.NX
		case a.Is("XX"):
			o.mode |= zset.XX
		case a.Is("GT"):
			o.mode |= zset.GT
		case a.Is("LT"):
			o.mode |= zset.LT
		case a.Is("INCR"):
			o.mode |= zset.Incr
		case a.Is("CH"):
			o.ch = true
		default:
			break options
		}
	}
	o.args = a.v[a.Pos():]
	const order = zset.NX | zset.GT | zset.LT
	switch n := a.Left(); {
	case n == 0 || n%2 != 0:
		a.Fail(ErrSyntax)
	case o.mode&(zset.NX|zset.XX) == zset.NX|zset.XX:
		a.Fail(ErrNXAndXX)
	case o.mode&order&(o.mode&order-1) != 0:
		a.Fail(ErrGTAndLT)
	case o.mode&zset.Incr != 0 && n > 2:
		a.Fail(ErrIncrPairs)
	}
	for o.scores = scores; a.More(); a.Next() {
		o.scores = append(o.scores, a.Float())
	}
	return o
}

func zadd(c *Call) error {
	a := c.From(2)
	o := parseZAdd(&a, c.Conn.scores[:0])
	if cap(o.scores) <= keepScores {
		c.Conn.scores = o.scores
	}
	if a.Err() != nil {
		return a.Err()
	}
	return c.addScores(&o)
}

// addScores does to the sorted set at the first argument what ZADD is asked for.
func (c *Call) addScores(o *zaddArgs) error {
	key, incr := c.Args[1], o.mode&zset.Incr != 0
	z, err := c.Tx.ZSet(key, store.Write)
	if err != nil {
		return err
	}
	if z == nil {
		if o.mode&zset.XX != 0 {
			if incr {
				c.Null()
			} else {
				c.Int(0)
			}
			return nil
		}
		z, _ = c.Tx.ZSet(key, store.Create)
	}
	lim := c.zsetLimits()
	z.Expect(len(o.scores), lim)
	added, updated := 0, 0
	for i, s := range o.scores {
		now, out := z.Add(o.member(i), s, o.mode, lim)
		switch out {
		case zset.Added:
			added++
		case zset.Updated:
			updated++
		case zset.NaN:
			return ErrScoreNaN
		}
		if incr {
			if out == zset.Refused {
				c.Null()
			} else {
				c.Double(now)
			}
		}
	}
	if added+updated > 0 {
		c.Tx.Settle(key, z, added+updated)
		c.Notify(store.OnZSet, eitherEvent(incr, "zincr", "zadd"), key)
	}
	if o.ch {
		added += updated
	}
	if !incr {
		c.Int(int64(added))
	}
	return nil
}

func zincrby(c *Call) error {
	a := c.From(2)
	by := a.Float()
	if a.Err() != nil {
		return a.Err()
	}
	key := c.Args[1]
	z, err := c.Tx.ZSet(key, store.Create) // a fresh one cannot refuse the member
	if err != nil {
		return err
	}
	score, out := z.Add(c.Args[3], by, zset.Incr, c.zsetLimits())
	switch out {
	case zset.NaN:
		return ErrScoreNaN
	case zset.Added, zset.Updated:
		c.Tx.Settle(key, z, 1)
		c.Notify(store.OnZSet, "zincr", key)
	}
	c.Double(score)
	return nil
}

func zrem(c *Call) error {
	key := c.Args[1]
	z, err := c.Tx.ZSet(key, store.Write)
	if err != nil {
		return err
	}
	n := 0
	if z != nil {
		for _, m := range c.Args[2:] {
			if z.Remove(m) {
				n++
			}
		}
		if n > 0 {
			c.Tx.Settle(key, z, n)
			c.NotifyTaken(store.OnZSet, "zrem", key, z.Len())
		}
	}
	c.Int(int64(n))
	return nil
}

func zscore(c *Call) error {
	z, err := c.Tx.ZSet(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	c.scoreOrNull(z.Score(c.Args[2]))
	return nil
}

func (c *Call) scoreOrNull(score float64, ok bool) {
	if ok {
		c.Double(score)
	} else {
		c.Null()
	}
}

func zmscore(c *Call) error {
	z, err := c.Tx.ZSet(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	c.Array(len(c.Args) - 2)
	for _, m := range c.Args[2:] {
		c.scoreOrNull(z.Score(m))
	}
	return nil
}

func zcard(c *Call) error {
	z, err := c.Tx.ZSet(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	c.Int(int64(z.Len()))
	return nil
}

// zrank counts from the other end if rev.
func zrank(c *Call, rev bool) error {
	withScore := len(c.Args) == 4
	if len(c.Args) > 4 {
		return errArity(c.Spec)
	}
	if withScore && !is(c.Args[3], "WITHSCORE") {
		return ErrSyntax
	}
	z, err := c.Tx.ZSet(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	rank, score, ok := z.Rank(c.Args[2])
	if rev {
		rank = z.Len() - 1 - rank
	}
	switch {
	case !ok && withScore:
		c.NullArray()
	case !ok:
		c.Null()
	case withScore:
		c.Array(2)
		c.Int(int64(rank))
		c.Double(score)
	default:
		c.Int(int64(rank))
	}
	return nil
}
