package commands

import (
	"bytes"
	"math"
	"strconv"

	"github.com/streampulse/pulse/internal/glob"
	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store"
)

var scanCommands = []Spec{
	{Name: "RANDOMKEY", Arity: 1, Flags: ReadOnly | AllKeys, Group: GroupGeneric,
		Since: "1.0.0", Complexity: "O(1)", Summary: "Returns a key chosen at random.",
		Tips: []string{"request_policy:all_shards", "response_policy:special", "nondeterministic_output"}, Run: randomkey},
	{Name: "KEYS", Syntax: "pattern", Arity: 2, Flags: ReadOnly | AllKeys | Dangerous, Group: GroupGeneric,
		Since: "1.0.0", Complexity: "O(N) with the number of keys in the database.", Summary: "Returns the keys that match a pattern.",
		Tips: []string{"request_policy:all_shards", "nondeterministic_output_order"}, Run: keys},
	{Name: "SCAN", Syntax: "cursor [MATCH pattern] [COUNT count] [TYPE type]", Arity: -2, Flags: ReadOnly | AllKeys, Group: GroupGeneric,
		Since: "2.8.0", Complexity: "O(1) per call, O(N) for a walk over all keys.", Summary: "Walks over the keys in steps.",
		Tips:    []string{"nondeterministic_output", "request_policy:special", "response_policy:special"},
		History: [][2]string{{"6.0.0", "Added the `TYPE` subcommand."}}, Run: scan},
	{Name: "DBSIZE", Arity: 1, Flags: ReadOnly | Fast, Group: GroupServer, Category: "@keyspace",
		Since: "1.0.0", Complexity: "O(1)", Summary: "Counts the keys of the database.",
		Tips: []string{"request_policy:all_shards", "response_policy:agg_sum"}, Run: dbsize},
	{Name: "FLUSHDB", Syntax: "[ASYNC | SYNC]", Arity: -1, Flags: Write | Exclusive | Dangerous, Group: GroupServer, Category: "@keyspace",
		Since: "1.0.0", Complexity: "O(1)", Summary: "Deletes all keys of the database.",
		Tips: []string{"request_policy:all_shards", "response_policy:all_succeeded"}, History: flushHistory, Run: flushdb},
	{Name: "FLUSHALL", Syntax: "[ASYNC | SYNC]", Arity: -1, Flags: Write | Exclusive | Dangerous, Group: GroupServer, Category: "@keyspace",
		Since: "1.0.0", Complexity: "O(1)", Summary: "Deletes all keys of all databases.",
		Tips: []string{"request_policy:all_shards", "response_policy:all_succeeded"}, History: flushHistory, Run: flushall},
	{Name: "SWAPDB", Syntax: "index1 index2", Arity: 3, Flags: Write | Fast | Exclusive | Dangerous, Group: GroupServer, Category: "@keyspace",
		Since: "4.0.0", Complexity: "O(1)", Summary: "Exchanges the contents of two databases.", Run: swapdb},
}

var flushHistory = [][2]string{
	{"4.0.0", "Added the `ASYNC` flushing mode modifier."},
	{"6.2.0", "Added the `SYNC` flushing mode modifier."},
}

func randomkey(c *Call) error {
	if key := c.Tx.RandomKey(); key != nil {
		c.Bulk(key)
	} else {
		c.Null()
	}
	return nil
}

func keys(c *Call) error {
	pattern := c.Args[1]
	all := string(pattern) == "*"
	m, n := c.Defer(), 0
	c.Tx.EachKey(func(key []byte, _ store.Kind) bool {
		if all || glob.Match(pattern, key, false) {
			c.Bulk(key)
			n++
		}
		return true
	})
	c.EndArray(m, n)
	return nil
}

// scanOptions is what SCAN and its relatives for values are asked for.
type scanOptions struct {
	cursor  uint64
	count   int
	pattern []byte // nil matches all
	kind    []byte // name of a type, nil for all; SCAN only
}

func parseScan(a *Args) (o scanOptions) {
	o.cursor, o.count = scanCursor(a), 10
	for a.More() {
		switch {
		case o.common(a):
		case a.IsWith("TYPE", 1):
			o.kind = a.Next()
		default:
			a.Fail(ErrSyntax)
		}
	}
	return o
}

// common takes COUNT or MATCH, which all of them have; false if it is neither.
func (o *scanOptions) common(a *Args) bool {
	switch {
	case a.IsWith("COUNT", 1):
		n := a.Int()
		if n < 1 {
			a.Fail(ErrSyntax)
		}
		o.count = int(min(n, math.MaxInt32))
	case a.IsWith("MATCH", 1):
		if o.pattern = a.Next(); string(o.pattern) == "*" {
			o.pattern = nil
		}
	default:
		return false
	}
	return true
}

// scanCursor takes a cursor: a number of 64 bits without a sign, where zeros may lead.
func scanCursor(a *Args) uint64 {
	b := a.Next()
	if len(b) > 1 {
		if b = bytes.TrimLeft(b, "0"); len(b) == 0 {
			return 0
		}
	}
	n, ok := num.ParseUint(b)
	if !ok {
		a.Fail(ErrInvalidCursor)
	}
	return n
}

// wants reports whether a key is asked for. A type that does not exist is no error: no key has it.
func (o *scanOptions) wants(key []byte, k store.Kind) bool {
	return (o.kind == nil || bytes.EqualFold(o.kind, []byte(k.String()))) && o.matches(key)
}

// matches reports whether the pattern matches a key or element.
func (o *scanOptions) matches(b []byte) bool {
	return o.pattern == nil || glob.Match(o.pattern, b, false)
}

func scan(c *Call) error {
	a := c.From(1)
	o := parseScan(&a)
	if err := a.Err(); err != nil {
		return err
	}
	// The cursor to go on from is known last and comes first.
	var found [][]byte
	next := c.Tx.Scan(o.cursor, o.count, func(key []byte, k store.Kind) {
		if o.wants(key, k) {
			found = append(found, key)
		}
	})
	c.Array(2)
	replyCursor(c, next)
	c.Array(len(found))
	for _, key := range found {
		c.Bulk(key)
	}
	return nil
}

// replyCursor writes a cursor as the string SCAN and its relatives make of it.
func replyCursor(c *Call, cursor uint64) {
	var buf [num.MaxIntLen]byte
	c.Bulk(strconv.AppendUint(buf[:0], cursor, 10))
}

func dbsize(c *Call) error {
	c.Int(c.Tx.Store().Keys(c.Tx.DB()))
	return nil
}

// checkFlush checks the options of FLUSHDB and FLUSHALL. Both modes do the same: dropping is instant, and the
// collector frees the memory while others work.
func checkFlush(c *Call) error {
	if n := len(c.Args); n > 2 || n == 2 && !is(c.Args[1], "SYNC") && !is(c.Args[1], "ASYNC") {
		return ErrSyntax
	}
	return nil
}

func flushdb(c *Call) error {
	if err := checkFlush(c); err != nil {
		return err
	}
	c.Tx.Flush(c.Tx.DB())
	c.Tx.Flushed()
	c.OK()
	return nil
}

func flushall(c *Call) error {
	if err := checkFlush(c); err != nil {
		return err
	}
	for db := range c.Tx.Store().Databases() {
		c.Tx.Flush(db)
	}
	c.Tx.Flushed()
	if !c.Tx.Replaying {
		c.Env.Flushed()
	}
	c.OK()
	return nil
}

func swapdb(c *Call) error {
	a := c.From(1)
	x, y := int32Or(&a, ErrFirstDB), int32Or(&a, ErrSecondDB)
	n := int64(c.Tx.Store().Databases())
	if x < 0 || x >= n || y < 0 || y >= n {
		a.Fail(ErrDBRange)
	}
	if err := a.Err(); err != nil {
		return err
	}
	if x != y {
		c.Tx.SwapDB(int(x), int(y))
	}
	c.OK()
	return nil
}

// int32Or takes the next argument as an integer of 32 bits and fails with err if it is none.
func int32Or(a *Args, err error) int64 {
	n := a.IntErr(err)
	if n < math.MinInt32 || n > math.MaxInt32 {
		a.Fail(err)
	}
	return n
}
