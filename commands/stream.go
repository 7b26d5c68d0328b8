package commands

import (
	"bytes"

	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/stream"
)

var (
	xreadKeys      = []KeySpec{{Flags: RO | Access, Keyword: "STREAMS", From: 1, Last: -1, Step: 1, Limit: 2}}
	xreadgroupKeys = []KeySpec{{Flags: RO | Access, Keyword: "STREAMS", From: 4, Last: -1, Step: 1, Limit: 2}}
)

// streamCommands are those that need no group, and those that read. Commands on groups are streamGroupCommands.
var streamCommands = []Spec{
	{Name: "XADD", Syntax: "key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] [<MAXLEN | MINID> [= | ~] threshold [LIMIT count]] <* | id> field value [field value ...]",
		Arity: -5, Keys: First(RW | Update), Flags: Write | DenyOOM | Fast | Effects, Group: GroupStream, Tips: []string{"nondeterministic_output"},
		Since: "5.0.0", Complexity: "O(1), and O(N) with the number of entries trimmed.", Summary: "Appends an entry to a stream.",
		History: [][2]string{{"6.2.0", "Added the `NOMKSTREAM` option, `MINID` trimming strategy and the `LIMIT` option."}, {"7.0.0", "Added support for the `<ms>-*` explicit ID form."}}, Run: xadd},
	{Name: "XTRIM", Syntax: "key <MAXLEN | MINID> [= | ~] threshold [LIMIT count] [KEEPREF | DELREF | ACKED]",
		Arity: -4, Keys: First(RW | Delete), Flags: Write | Effects, Group: GroupStream, Tips: []string{"nondeterministic_output"},
		Since: "5.0.0", Complexity: "O(N) with the number of entries removed; whole nodes of them go at once.", Summary: "Removes the oldest entries of a stream.",
		History: [][2]string{{"6.2.0", "Added the `MINID` trimming strategy and the `LIMIT` option."}}, Run: xtrim},
	{Name: "XDEL", Syntax: "key id [id ...]", Arity: -3, Keys: First(RW | Delete), Flags: Write | Fast, Group: GroupStream,
		Since: "5.0.0", Complexity: "O(log(N)) per entry with the number of nodes.", Summary: "Removes entries from a stream.", Run: xdel},
	{Name: "XDELEX", Syntax: "key [KEEPREF | DELREF | ACKED] IDS numids id [id ...]", Arity: -5, Keys: First(RW | Delete), Flags: Write | Fast, Group: GroupStream,
		Since: "8.2.0", Complexity: "O(log(N)) per entry with the number of nodes, for each group.", Summary: "Removes entries from a stream, and says what becomes of groups that know them.", Run: xdelex},
	{Name: "XACKDEL", Syntax: "key group [KEEPREF | DELREF | ACKED] IDS numids id [id ...]", Arity: -6, Keys: First(RW | Update | Delete), Flags: Write | Fast, Group: GroupStream,
		Since: "8.2.0", Complexity: "O(log(N)) per entry with the number of nodes, for each group.", Summary: "Acknowledges entries and removes them from the stream.", Run: xackdel},
	{Name: "XLEN", Syntax: "key", Arity: 2, Keys: First(RO), Flags: ReadOnly | Fast, Group: GroupStream,
		Since: "5.0.0", Complexity: "O(1)", Summary: "Returns the number of entries in a stream.", Run: xlen},
	{Name: "XRANGE", Syntax: "key start end [COUNT count]", Arity: -4, Keys: First(RO | Access), Flags: ReadOnly, Group: GroupStream,
		Since: "5.0.0", Complexity: "O(log(N)+M) with the number of nodes and of entries returned.", Summary: "Returns the entries between two ids.",
		History: [][2]string{{"6.2.0", "Added exclusive ranges."}}, Run: func(c *Call) error { return streamRange(c, false) }},
	{Name: "XREVRANGE", Syntax: "key end start [COUNT count]", Arity: -4, Keys: First(RO | Access), Flags: ReadOnly, Group: GroupStream,
		Since: "5.0.0", Complexity: "O(log(N)+M) with the number of nodes and of entries returned.", Summary: "Returns the entries between two ids, the last one first.",
		History: [][2]string{{"6.2.0", "Added exclusive ranges."}}, Run: func(c *Call) error { return streamRange(c, true) }},
	{Name: "XSETID", Syntax: "key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]", Arity: -3, Keys: First(RW | Update), Flags: Write | DenyOOM | Fast, Group: GroupStream,
		Since: "5.0.0", Complexity: "O(1)", Summary: "Sets the last id of a stream and its counters, for replication.",
		History: [][2]string{{"7.0.0", "Added the `entries_added` and `max_deleted_entry_id` arguments."}}, Run: xsetid},
	{Name: "XREAD", Syntax: "[COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]", Arity: -4, Keys: xreadKeys, Flags: ReadOnly | Blocking, Group: GroupStream,
		Since: "5.0.0", Complexity: "O(log(N)+M) for each stream with its number of nodes and of entries returned.", Summary: "Returns the entries of streams behind given ids; waits for some if there are none.",
		Run: func(c *Call) error { return readStreams(c, false) }},
	{Name: "XREADGROUP", Syntax: "GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]", Arity: -7, Keys: xreadgroupKeys, MoreKeys: xreadgroupMoreKeys,
		Flags: Write | Blocking | Effects, Group: GroupStream,
		Since: "5.0.0", Complexity: "O(log(N)+M) for each stream with its number of nodes and of entries returned.", Summary: "Returns the next entries of streams for a group's consumer, or those it has not acknowledged; waits for some if there are none.",
		Run: func(c *Call) error { return readStreams(c, true) }},
}

// StreamID takes the next argument as the id of an entry, with the sequence number 0 if it has none.
func (a *Args) StreamID() stream.ID { return a.streamID(0) }

func (a *Args) streamID(seq uint64) stream.ID {
	b := a.Next()
	if a.err != nil {
		return stream.ID{}
	}
	id, ok := stream.ParseID(b, seq)
	if !ok {
		a.Fail(ErrStreamID)
	}
	return id
}

// RangeStart takes the next argument as the first id of a range: an id, "(" and the id before it, or "-" or "+" for the
// lowest and highest of all.
func (a *Args) RangeStart() stream.ID {
	if id, ok := a.rangeEnd(); ok {
		return id
	}
	exclusive := a.exclusive()
	id, ok := a.bound(0, exclusive)
	if ok && exclusive {
		if id, ok = id.Next(); !ok {
			a.Fail(ErrRangeStart)
		}
	}
	return id
}

// RangeEnd takes the next argument as the last id of a range: an id, without a sequence number the last one of its
// millisecond, and otherwise as RangeStart.
func (a *Args) RangeEnd() stream.ID {
	if id, ok := a.rangeEnd(); ok {
		return id
	}
	exclusive := a.exclusive()
	id, ok := a.bound(stream.MaxID.Seq, exclusive)
	if ok && exclusive {
		if id, ok = id.Prev(); !ok {
			a.Fail(ErrRangeEnd)
		}
	}
	return id
}

// rangeEnd takes "-" and "+".
func (a *Args) rangeEnd() (id stream.ID, ok bool) {
	switch {
	case a.Is("-"):
		return stream.MinID, true
	case a.Is("+"):
		return stream.MaxID, true
	}
	return id, false
}

// exclusive reports whether the next argument is a bracket with something behind.
func (a *Args) exclusive() bool { return a.More() && len(a.Peek()) > 1 && a.Peek()[0] == '(' }

func (a *Args) bound(seq uint64, exclusive bool) (id stream.ID, ok bool) {
	b := a.Next()
	if a.err != nil {
		return id, false
	}
	if exclusive {
		b = b[1:]
	}
	if id, ok = stream.ParseID(b, seq); !ok {
		a.Fail(ErrStreamID)
	}
	return id, ok
}

// StreamID writes an id.
func (c *Call) StreamID(id stream.ID) {
	var scratch [stream.MaxIDLen]byte
	c.Bulk(id.Append(scratch[:0]))
}

// idText returns the text of id, as an argument of an effect.
func idText(id stream.ID) []byte { return id.Append(make([]byte, 0, stream.MaxIDLen)) }

// writeEntry replies with the present entry of it: its id, and its fields and values.
func (c *Call) writeEntry(it *stream.Iter) {
	c.Array(2)
	c.StreamID(it.ID())
	n := it.NumFields()
	c.Array(2 * n)
	for range n {
		field, value := it.Field()
		c.Bulk(field)
		c.Bulk(value)
	}
}

// writeEntries replies with the entries of it, up to count of them unless that is 0, and returns how many there are.
func (c *Call) writeEntries(it stream.Iter, count int64) int {
	n, mark := 0, c.Defer()
	for (count == 0 || int64(n) < count) && it.Next() {
		c.writeEntry(&it)
		n++
	}
	c.EndArray(mark, n)
	return n
}

func (c *Call) streamLimits() stream.Limits { return c.Tx.Limits().Stream() }

func xlen(c *Call) error {
	s, err := c.Tx.Stream(c.Args[1], store.Read)
	if err != nil {
		return err
	}
	c.Int(int64(s.Len()))
	return nil
}

func streamRange(c *Call, reverse bool) error {
	a := c.From(2)
	var from, to stream.ID
	if reverse {
		// The start is looked at first, wherever it stands.
		a.i = 3
		from = a.RangeStart()
		a.i = 2
		to = a.RangeEnd()
		a.i = 4
	} else {
		from, to = a.RangeStart(), a.RangeEnd()
	}
	count := int64(-1)
	for a.More() {
		if !a.IsWith("COUNT", 1) {
			return ErrSyntax
		}
		count = max(a.Int(), 0)
	}
	if a.Err() != nil {
		return a.Err()
	}
	s, err := c.Tx.Stream(c.Args[1], store.Read)
	switch {
	case err != nil:
		return err
	case s == nil:
		c.Array(0)
	case count == 0:
		c.NullArray()
	default:
		c.writeEntries(s.Range(from, to, reverse), max(count, 0))
	}
	return nil
}

// xaddOptions is what XADD is told.
type xaddOptions struct {
	trim     trimOptions
	noCreate bool
	id       stream.ID
	idAt     int  // the position of the id, 0 if there is none
	auto     bool // the server chooses the id
	autoSeq  bool // the server chooses the sequence number
}

func parseXadd(a *Args) (o xaddOptions) {
	for a.More() && o.idAt == 0 {
		switch {
		case a.Is("*"):
			o.auto, o.idAt = true, a.Pos()-1
		case o.trim.parse(a):
		case a.Is("NOMKSTREAM"):
			o.noCreate = true
		default:
			o.idAt = a.Pos()
			if b := a.Peek(); bytes.HasSuffix(b, []byte("-*")) && bytes.IndexByte(b, '-') == len(b)-2 {
				o.autoSeq = true
				ms, ok := stream.ParseID(b[:len(b)-2], 0)
				if o.id = ms; !ok {
					a.Fail(ErrStreamID)
				}
				a.Next()
				continue
			}
			o.id = a.StreamID()
		}
	}
	o.trim.check(a)
	return o
}

// next returns the id the entry gets in s.
func (o *xaddOptions) next(s *stream.Stream, now int64) (stream.ID, error) {
	id, ok := o.id, true
	switch {
	case s.Last() == stream.MaxID:
		return id, ErrStreamExhausted
	case o.auto:
		id, ok = s.NextID(now)
	case o.autoSeq:
		id, ok = s.NextInMs(o.id.Ms)
	default:
		ok = s.Last().Less(id)
	}
	if !ok {
		return id, ErrStreamOrder
	}
	return id, nil
}

func xadd(c *Call) error {
	a := c.From(2)
	o := parseXadd(&a)
	if a.Err() != nil {
		return a.Err()
	}
	fields := a.Rest()
	if o.idAt == 0 || len(fields) < 2 || len(fields)%2 != 0 {
		return errArity(c.Spec)
	}
	if !o.auto && !o.autoSeq && o.id.Zero() {
		return ErrStreamZero
	}
	key := c.Args[1]
	s, err := c.Tx.Stream(key, store.Write)
	if err != nil {
		return err
	}
	if s == nil && o.noCreate {
		c.Null()
		return nil
	}
	id, err := o.next(s, c.Tx.Wall())
	if err != nil {
		return err
	}
	if !fitsEntry(fields) {
		return ErrStreamTooLarge
	}
	if s == nil {
		s, _ = c.Tx.Stream(key, store.Create)
	}
	s.Append(id, fields, c.streamLimits())
	trimmed := 0
	if o.trim.by != trimNot {
		trimmed = s.Trim(o.trim.of(s, c.streamLimits()))
	}
	c.Tx.Settle(key, s, 1)
	c.Notify(store.OnStream, "xadd", key)
	if trimmed > 0 {
		c.Notify(store.OnStream, "xtrim", key)
	}
	c.StreamID(id)
	c.xaddEffect(&o, id, fields, s)
	return nil
}

// fitsEntry reports whether fields and values are small enough for one entry.
func fitsEntry(fields [][]byte) bool {
	n := 0
	for _, f := range fields {
		if len(f) > stream.MaxEntry-n {
			return false
		}
		n += len(f)
	}
	return true
}

// xaddEffect tells the id that was made, and where trimming ended.
func (c *Call) xaddEffect(o *xaddOptions, id stream.ID, fields [][]byte, s *stream.Stream) {
	switch {
	case !c.Feeding():
		c.NoEffect()
	case !o.auto && !o.autoSeq && !o.trim.approx:
		c.AsCame()
	default:
		args := append([][]byte{wordXAdd, c.Args[1]}, o.trim.exact(s)...)
		args = append(args, idText(id))
		c.Effect(append(args, fields...)...)
	}
}

func xsetid(c *Call) error {
	a := c.From(2)
	id, added, deleted := a.StreamID(), int64(-1), stream.ID{}
	for a.More() {
		switch {
		case a.IsWith("ENTRIESADDED", 1):
			if added = a.Int(); added < 0 {
				a.Fail(ErrEntriesAdded)
			}
		case a.IsWith("MAXDELETEDID", 1):
			if deleted = a.StreamID(); id.Less(deleted) {
				a.Fail(ErrSetIDDeleted)
			}
		default:
			a.Fail(ErrSyntax)
		}
	}
	if a.Err() != nil {
		return a.Err()
	}
	s, err := c.Tx.Stream(c.Args[1], store.Write)
	switch {
	case err != nil:
		return err
	case s == nil:
		return ErrNoSuchKey
	case id.Less(s.MaxDeleted()):
		return ErrSetIDWasDeleted
	case s.Len() > 0 && id.Less(s.LastEntry()):
		return ErrSetIDTop
	case s.Len() > 0 && added >= 0 && int64(s.Len()) > added:
		return ErrSetIDLength
	}
	s.SetLast(id)
	if added >= 0 {
		s.SetAdded(uint64(added))
	}
	if !deleted.Zero() {
		s.SetMaxDeleted(deleted)
	}
	c.Tx.Amend(c.Args[1], s, 1)
	c.Notify(store.OnStream, "xsetid", c.Args[1])
	c.OK()
	return nil
}
