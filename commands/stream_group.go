package commands

import (
	"math"

	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/stream"
)

// streamGroupCommands are the rows about consumer groups of streams, but for those that read with them.
var streamGroupCommands = []Spec{
	{Name: "XGROUP", Arity: -2, Group: GroupStream, Since: "5.0.0", Complexity: "Depends on the subcommand.",
		Summary: "Commands about consumer groups.", Sub: []Spec{
			{Name: "CREATE", Syntax: "key groupname <id | $> [MKSTREAM] [ENTRIESREAD entries-read]", Arity: -5,
				Keys: []KeySpec{At(2, RW|Insert)}, Flags: Write | DenyOOM, Since: "5.0.0", Complexity: "O(1)",
				Summary: "Creates a consumer group.", History: [][2]string{{"7.0.0", "ENTRIESREAD."}}, Run: xgroupCreate},
			{Name: "SETID", Syntax: "key groupname <id | $> [ENTRIESREAD entries-read]", Arity: -5,
				Keys: []KeySpec{At(2, RW|Update)}, Flags: Write, Since: "5.0.0", Complexity: "O(1)",
				Summary: "Sets the entry after which a group goes on.", History: [][2]string{{"7.0.0", "ENTRIESREAD."}}, Run: xgroupSetid},
			{Name: "DESTROY", Syntax: "key groupname", Arity: 4, Keys: []KeySpec{At(2, RW|Delete)}, Flags: Write,
				Since: "5.0.0", Complexity: "O(N) with the number of entries pending in the group.",
				Summary: "Deletes a consumer group.", Run: xgroupDestroy},
			{Name: "CREATECONSUMER", Syntax: "key groupname consumername", Arity: 5, Keys: []KeySpec{At(2, RW|Insert)},
				Flags: Write | DenyOOM, Since: "6.2.0", Complexity: "O(1)", Summary: "Creates a consumer in a group.", Run: xgroupCreateconsumer},
			{Name: "DELCONSUMER", Syntax: "key groupname consumername", Arity: 5, Keys: []KeySpec{At(2, RW|Delete)},
				Flags: Write, Since: "5.0.0", Complexity: "O(N) with the number of entries pending for the consumer.",
				Summary: "Deletes a consumer and forgets what is pending for it.", Run: xgroupDelconsumer},
			helpRow("5.0.0", 0),
		}},
	{Name: "XACK", Syntax: "key group id [id ...]", Arity: -4, Keys: First(RW | Update), Flags: Write | Fast, Group: GroupStream,
		Since: "5.0.0", Complexity: "O(N) with the number of ids.", Summary: "Marks entries as done with: they are pending no more.", Run: xack},
	{Name: "XPENDING", Syntax: "key group [[IDLE min-idle-time] start end count [consumer]]", Arity: -3, Keys: First(RO | Access),
		Flags: ReadOnly, Group: GroupStream, Since: "5.0.0",
		Complexity: "O(N) with the number of entries looked at; without a range, with the number of consumers.",
		Summary:    "Tells which entries were delivered and not acknowledged.", Tips: []string{"nondeterministic_output"},
		History: [][2]string{{"6.2.0", "IDLE and exclusive ids."}}, Run: xpending},
	{Name: "XCLAIM", Syntax: "key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID lastid]",
		Arity: -6, Keys: First(RW | Update), Flags: Write | Fast | Effects, Group: GroupStream, Since: "5.0.0",
		Complexity: "O(N*log(M)) with N ids and M entries pending in the group.", Summary: "Makes pending entries those of another consumer.",
		Tips: []string{"nondeterministic_output"}, Run: xclaim},
	{Name: "XAUTOCLAIM", Syntax: "key group consumer min-idle-time start [COUNT count] [JUSTID]", Arity: -6, Keys: First(RW | Delete),
		Flags: Write | Fast | Effects, Group: GroupStream, Since: "6.2.0", Complexity: "O(N) with COUNT.",
		Summary: "Makes entries that have been pending for long those of another consumer.", Tips: []string{"nondeterministic_output"},
		History: [][2]string{{"7.0.0", "The reply tells which entries were pending but are deleted."}}, Run: xautoclaim},
	{Name: "XINFO", Arity: -2, Group: GroupStream, Since: "5.0.0", Complexity: "Depends on the subcommand.",
		Summary: "Commands that describe streams.", Sub: []Spec{
			{Name: "CONSUMERS", Syntax: "key groupname", Arity: 4, Keys: []KeySpec{At(2, RO|Access)}, Flags: ReadOnly,
				Since: "5.0.0", Complexity: "O(N) with the number of consumers.", Summary: "Describes the consumers of a group.",
				Tips: []string{"nondeterministic_output"}, History: [][2]string{{"7.2.0", "The field `inactive`."}}, Run: xinfoConsumers},
			{Name: "GROUPS", Syntax: "key", Arity: 3, Keys: []KeySpec{At(2, RO|Access)}, Flags: ReadOnly,
				Since: "5.0.0", Complexity: "O(N) with the number of groups.", Summary: "Describes the consumer groups of a stream.",
				History: [][2]string{{"7.0.0", "The fields `entries-read` and `lag`."}}, Run: xinfoGroups},
			{Name: "STREAM", Syntax: "key [FULL [COUNT count]]", Arity: -3, Keys: []KeySpec{At(2, RO|Access)}, Flags: ReadOnly,
				Since: "5.0.0", Complexity: "O(1); O(N) with FULL and the number of all that is described.", Summary: "Describes a stream.",
				History: [][2]string{{"6.0.0", "FULL."},
					{"7.0.0", "The fields `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and `lag`."},
					{"7.2.0", "The field `active-time`."}}, Run: xinfoStream},
			helpRow("5.0.0", 0),
		}},
}

// groupOptions are the options of XGROUP CREATE and SETID.
type groupOptions struct {
	make bool  // MKSTREAM
	read int64 // ENTRIESREAD
}

func parseGroupOptions(c *Call, creates bool) (o groupOptions, err error) {
	o.read = stream.Unknown
	a := c.From(5)
	for a.More() {
		switch {
		case creates && a.Is("MKSTREAM"):
			o.make = true
		case a.IsWith("ENTRIESREAD", 1):
			if o.read = a.Int(); o.read < 0 && o.read != stream.Unknown {
				a.Fail(ErrEntriesRead)
			}
		default:
			a.Fail(errSubcommandArity("XGROUP", c.Args[1]))
		}
	}
	return o, a.Err()
}

// groupStart takes the id after which a group begins; $ is the last of the stream s, which may be nil.
func (a *Args) groupStart(s *stream.Stream) stream.ID {
	if a.Is("$") {
		return s.Last()
	}
	return a.StreamID()
}

func xgroupCreate(c *Call) error {
	o, err := parseGroupOptions(c, true)
	if err != nil {
		return err
	}
	key := c.Args[2]
	s, err := c.Tx.Stream(key, store.Write)
	switch {
	case err != nil:
		return err
	case s == nil && !o.make:
		return ErrGroupNoKey
	case len(c.Args) > 8:
		return errSubcommandArity("XGROUP", c.Args[1])
	}
	a := c.From(4)
	id := a.groupStart(s)
	if a.Err() != nil {
		return a.Err()
	}
	if s == nil {
		if s, err = c.Tx.Stream(key, store.Create); err != nil {
			return err
		}
		s.CreateGroup(c.Args[3], id, o.read)
		c.Tx.Settle(key, s, 1)
	} else if _, made := s.CreateGroup(c.Args[3], id, o.read); made {
		c.Tx.Amend(key, s, 1)
	} else {
		return ErrBusyGroup
	}
	c.Notify(store.OnStream, "xgroup-create", key)
	c.OK()
	return nil
}

// groupOf returns the stream at the second argument of an XGROUP subcommand, which must exist, and the group named by
// the third, nil if there is none.
func (c *Call) groupOf() (s *stream.Stream, g *stream.Group, err error) {
	s, err = c.Tx.Stream(c.Args[2], store.Write)
	switch {
	case err != nil:
		return nil, nil, err
	case s == nil:
		return nil, nil, ErrGroupNoKey
	}
	return s, s.Group(c.Args[3]), nil
}

// theGroup is groupOf for a group that must exist.
func (c *Call) theGroup() (s *stream.Stream, g *stream.Group, err error) {
	if s, g, err = c.groupOf(); err == nil && g == nil {
		err = errNoGroup(c.Args[2], c.Args[3])
	}
	return s, g, err
}

func xgroupSetid(c *Call) error {
	o, err := parseGroupOptions(c, false)
	if err != nil {
		return err
	}
	s, g, err := c.theGroup()
	if err != nil {
		return err
	}
	if len(c.Args) > 7 {
		return errSubcommandArity("XGROUP", c.Args[1])
	}
	a := c.From(4)
	id, edge := a.rangeEnd()
	if !edge {
		id = a.groupStart(s)
	}
	if a.Err() != nil {
		return a.Err()
	}
	g.Last, g.Read = id, o.read
	c.Tx.Amend(c.Args[2], s, 1)
	c.Notify(store.OnStream, "xgroup-setid", c.Args[2])
	c.OK()
	return nil
}

// xgroupDestroy wakes those who read with the group: they learn that it is gone.
func xgroupDestroy(c *Call) error {
	s, g, err := c.groupOf()
	if err != nil {
		return err
	}
	if g == nil {
		c.Int(0)
		return nil
	}
	s.DestroyGroup(c.Args[3])
	c.Tx.Amend(c.Args[2], s, 1)
	c.Notify(store.OnStream, "xgroup-destroy", c.Args[2])
	c.Tx.Wake(c.Args[2])
	c.Int(1)
	return nil
}

func xgroupCreateconsumer(c *Call) error {
	s, g, err := c.theGroup()
	if err != nil {
		return err
	}
	if _, made := g.CreateConsumer(c.Args[4], c.Tx.Wall()); !made {
		c.Int(0)
		return nil
	}
	c.Tx.Amend(c.Args[2], s, 1)
	c.Notify(store.OnStream, "xgroup-createconsumer", c.Args[2])
	c.Int(1)
	return nil
}

func xgroupDelconsumer(c *Call) error {
	s, g, err := c.theGroup()
	if err != nil {
		return err
	}
	n, was := g.DeleteConsumer(c.Args[4])
	if was {
		c.Tx.Amend(c.Args[2], s, 1)
		c.Notify(store.OnStream, "xgroup-delconsumer", c.Args[2])
	}
	c.Int(int64(n))
	return nil
}

func xack(c *Call) error {
	s, err := c.Tx.Stream(c.Args[1], store.Write)
	if err != nil {
		return err
	}
	if s == nil {
		c.Tx.Exists(c.Args[1]) // which counts the miss: in Redis this is a read
	}
	g := s.Group(c.Args[2])
	if g == nil {
		c.Int(0)
		return nil
	}
	a := c.From(3)
	for a.More() {
		a.StreamID()
	}
	if a.Err() != nil {
		return a.Err()
	}
	n := 0
	for a = c.From(3); a.More(); {
		if g.Ack(a.StreamID()) {
			n++
		}
	}
	if n > 0 {
		c.Tx.Amend(c.Args[1], s, n)
	}
	c.Int(int64(n))
	return nil
}

// pendingQuery is the long form of XPENDING.
type pendingQuery struct {
	from, to    stream.ID
	idle, count int64
	consumer    []byte // nil: all
}

// parsePendingQuery takes the number before the ids, and ignores what follows a consumer, as Redis does.
func parsePendingQuery(c *Call) (q pendingQuery, err error) {
	if len(c.Args) < 6 || len(c.Args) > 9 {
		return q, ErrSyntax
	}
	at := 3
	if is(c.Args[3], "IDLE") {
		a := c.From(4)
		q.idle = a.Int()
		if len(c.Args) < 8 {
			a.Fail(ErrSyntax)
		}
		if a.Err() != nil {
			return q, a.Err()
		}
		at = 5
	}
	a := c.From(at + 2)
	q.count = a.Int()
	if a.More() {
		q.consumer = a.Next()
	}
	if a.Err() != nil {
		return q, a.Err()
	}
	a = c.From(at)
	q.from, q.to = a.RangeStart(), a.RangeEnd()
	return q, a.Err()
}

func xpending(c *Call) error {
	var q pendingQuery
	long := len(c.Args) > 3
	if long {
		var err error
		if q, err = parsePendingQuery(c); err != nil {
			return err
		}
	}
	s, err := c.Tx.Stream(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	g := s.Group(c.Args[2])
	switch {
	case g == nil:
		return errNoKeyOrGroup(c.Args[1], c.Args[2])
	case long:
		c.pendingEntries(g, &q)
	default:
		c.pendingSummary(g)
	}
	return nil
}

func (c *Call) pendingSummary(g *stream.Group) {
	c.Array(4)
	c.Int(int64(g.NumPending()))
	if g.NumPending() == 0 {
		c.Null()
		c.Null()
		c.NullArray()
		return
	}
	first, last := g.PendingEnds()
	c.StreamID(first)
	c.StreamID(last)
	m, n := c.Defer(), 0
	for consumer := range g.Consumers() {
		if k := consumer.NumPending(); k > 0 {
			c.Array(2)
			c.Bulk(consumer.Name())
			c.BulkInt(int64(k))
			n++
		}
	}
	c.EndArray(m, n)
}

func (c *Call) pendingEntries(g *stream.Group, q *pendingQuery) {
	it := g.PendingRange(q.from, q.to)
	if q.consumer != nil {
		consumer := g.Consumer(q.consumer)
		if consumer == nil {
			c.Array(0)
			return
		}
		it = consumer.PendingRange(q.from, q.to)
	}
	m, n := c.Defer(), int64(0)
	for n < q.count && it.Next() {
		p := it.At()
		idle := since(c.Tx.Wall(), p.Delivered)
		if q.idle != 0 && idle < q.idle {
			continue
		}
		c.Array(4)
		c.StreamID(p.ID)
		c.Bulk(p.Consumer.Name())
		c.Int(max(idle, 0))
		c.Int(int64(p.Count))
		n++
	}
	c.EndArray(m, int(n))
}

// since returns the milliseconds from then to now, which are negative if then is to come. Times that were restored may be
// any number.
func since(now, then int64) int64 {
	if d := now - then; then >= 0 || d >= now {
		return d
	}
	return math.MaxInt64
}
