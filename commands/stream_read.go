package commands

import (
	"math"

	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/stream"
)

// blockedReadCount is how many entries of a stream who waited for them gets, if it did not say how many it wants.
const blockedReadCount = 1000

// streamRead is what XREAD and XREADGROUP are told.
type streamRead struct {
	grouped         bool
	group, consumer []byte
	noAck           bool
	count           int64 // 0: all
	blocks          bool
	timeout         int64
	keys, ids       [][]byte
}

func (c *Call) parseStreamRead(grouped bool) (r streamRead, err error) {
	r.grouped = grouped
	a := c.From(1)
	for a.More() && r.keys == nil {
		switch {
		case a.IsWith("BLOCK", 1):
			r.blocks, r.timeout = true, c.timeoutMs(&a)
		case a.IsWith("COUNT", 1):
			r.count = max(a.Int(), 0)
		case a.IsWith("STREAMS", 1):
			rest := a.Rest()
			if len(rest)%2 != 0 {
				return r, ErrUnbalanced
			}
			r.keys, r.ids = rest[:len(rest)/2], rest[len(rest)/2:]
		case a.IsWith("GROUP", 2):
			if !grouped {
				return r, ErrXreadGroup
			}
			r.group, r.consumer = a.Next(), a.Next()
		case a.Is("NOACK"):
			if !grouped {
				return r, ErrXreadNoAck
			}
			r.noAck = true
		default:
			a.Fail(ErrSyntax)
		}
	}
	switch {
	case a.Err() != nil:
		return r, a.Err()
	case r.keys == nil:
		return r, ErrSyntax
	case grouped && r.group == nil:
		return r, ErrNoGroupOption
	}
	return r, nil
}

// timeoutMs takes the next argument as a time to wait in milliseconds, 0 for ever.
func (c *Call) timeoutMs(a *Args) int64 {
	ms := a.IntErr(ErrTimeoutInteger)
	switch {
	case ms < 0:
		a.Fail(ErrTimeoutNegative)
	case ms > math.MaxInt64-c.Tx.Now():
		a.Fail(ErrTimeoutRange)
	}
	return ms
}

// xreadgroupMoreKeys finds the keys if what looks like the word before them is the name of a group or consumer.
func xreadgroupMoreKeys(args [][]byte, dst []KeyPos) []KeyPos {
	a := Args{v: args, i: 1}
	for a.More() {
		switch {
		case a.IsWith("STREAMS", 1):
			for k := range a.Left() / 2 {
				if pos := a.Pos() + k; !hasPos(dst, pos) {
					dst = append(dst, KeyPos{pos, RO | Access})
				}
			}
			return dst
		case a.IsWith("GROUP", 2):
			a.i += 2
		case a.IsWith("BLOCK", 1), a.IsWith("COUNT", 1):
			a.i++
		case a.Is("NOACK"):
		default:
			return dst // a syntax error: no key will be touched
		}
	}
	return dst
}

func hasPos(keys []KeyPos, pos int) bool {
	for _, k := range keys {
		if k.Pos == pos {
			return true
		}
	}
	return false
}

// streamSource is one of the streams read.
type streamSource struct {
	s     *stream.Stream
	g     *stream.Group
	after stream.ID // what is returned comes after it; with a group, MaxID stands for what is new to the group
}

// idle reports whether there is nothing to return.
func (f *streamSource) idle() bool {
	switch {
	case f.s.Len() == 0:
		return f.g == nil || f.after == stream.MaxID
	case f.g == nil:
		return !f.after.Less(f.s.LastEntry())
	case f.after == stream.MaxID:
		return !f.g.Last.Less(f.s.LastEntry())
	}
	return false
}

// source finds the i-th stream of r and where to begin in it.
func (c *Call) source(r *streamRead, i int) (f streamSource, err error) {
	if r.grouped {
		return c.groupSource(r, i)
	}
	f.s, err = c.Tx.Stream(r.keys[i], store.Read)
	if err != nil && c.resumed {
		err = nil // as if it were not there
	}
	if err != nil {
		return f, err
	}
	switch id := r.ids[i]; {
	case isSign(id, '$'):
		f.after = f.s.Last()
	case isSign(id, '+'):
		if f.after = f.s.Last(); f.s.Len() > 0 {
			f.after, _ = f.s.LastEntry().Prev()
		}
	case isSign(id, '>'):
		return f, ErrXreadNew
	default:
		a := Args{v: r.ids, i: i}
		f.after = a.StreamID()
		err = a.Err()
	}
	return f, err
}

// groupSource is source for XREADGROUP. Who waited learns why it cannot go on.
func (c *Call) groupSource(r *streamRead, i int) (f streamSource, err error) {
	f.s, err = c.Tx.Stream(r.keys[i], store.Write)
	if c.resumed && f.s == nil {
		return f, ErrStreamGone
	}
	if err != nil {
		return f, err
	}
	switch f.g = f.s.Group(r.group); {
	case f.g != nil:
	case c.resumed:
		return f, ErrGroupGone
	default:
		return f, errReadNoGroup(r.keys[i], r.group)
	}
	switch id := r.ids[i]; {
	case isSign(id, '$'):
		return f, ErrGroupLast
	case isSign(id, '+'):
		return f, ErrGroupPlus
	case isSign(id, '>'):
		f.after = stream.MaxID
	default:
		a := Args{v: r.ids, i: i}
		f.after = a.StreamID()
		err = a.Err()
	}
	return f, err
}

// isSign reports whether an argument is just the one character.
func isSign(b []byte, sign byte) bool { return len(b) == 1 && b[0] == sign }

func readStreams(c *Call, grouped bool) error {
	r, err := c.parseStreamRead(grouped)
	if err != nil {
		return err
	}
	if c.resumed && r.count == 0 {
		r.count = blockedReadCount
	}
	var few [4]streamSource
	sources := few[:0]
	for i := range r.keys {
		f, err := c.source(&r, i)
		if err != nil {
			return err
		}
		sources = append(sources, f)
	}
	n, mark := 0, c.Defer()
	for i := range sources {
		if c.readSource(&r, r.keys[i], &sources[i]) {
			n++
		}
	}
	switch {
	case n > 0 && c.RESP3():
		c.EndMap(mark, n)
	case n > 0:
		c.EndArray(mark, n)
	case !r.blocks:
		c.NullArray()
	default:
		return c.Block(Wait{Keys: r.keys, Timeout: r.timeout, OnTimeout: NullArrayReply, Args: c.settledIDs(&r, sources)})
	}
	return nil
}

// settledIDs returns the arguments to go on with after the wait: what is new counts from now.
func (c *Call) settledIDs(r *streamRead, sources []streamSource) [][]byte {
	if r.grouped || c.resumed || c.atomic {
		return nil
	}
	args := append([][]byte(nil), c.Args...)
	for i := range sources {
		args[len(args)-len(sources)+i] = idText(sources[i].after)
	}
	return args
}

// readSource replies with the entries of f, unless there are none.
func (c *Call) readSource(r *streamRead, key []byte, f *streamSource) (any bool) {
	idle := f.idle()
	if !r.grouped {
		if !idle {
			c.sourceHeader(key)
			from, _ := f.after.Next()
			c.writeEntries(f.s.Range(from, stream.MaxID, false), r.count)
		}
		return !idle
	}
	now := c.Tx.Wall()
	consumer, created := f.g.CreateConsumer(r.consumer, now)
	consumer.Seen = now
	// By value: what an effect is made of goes to the heap, and r and f with all it points to.
	d := delivery{s: f.s, g: f.g, to: consumer, key: key, group: r.group, count: r.count, noAck: r.noAck}
	if created {
		d.changes++
		c.Notify(store.OnStream, "xgroup-createconsumer", key)
	}
	if !idle {
		c.sourceHeader(key)
		if f.after == stream.MaxID {
			c.deliver(&d)
		} else {
			c.redeliver(&d, f.after)
		}
	}
	if d.changes > 0 {
		c.Tx.Amend(key, f.s, d.changes)
		c.deliveryEffect(&d, created)
	}
	return !idle
}

// sourceHeader begins what is said of one stream.
func (c *Call) sourceHeader(key []byte) {
	if !c.RESP3() {
		c.Array(2)
	}
	c.Bulk(key)
}

// delivery is entries on their way to a consumer.
type delivery struct {
	s       *stream.Stream
	g       *stream.Group
	to      *stream.Consumer
	key     []byte
	group   []byte
	count   int64 // 0: all
	noAck   bool
	changes int
	fresh   bool      // the group went forward
	claimed []claimed // only if somebody wants to know
}

// claimed is an entry whose delivery was noted.
type claimed struct {
	id    stream.ID
	count uint64
}

// deliver replies with entries that are new to the group.
func (c *Call) deliver(d *delivery) {
	s, g, now := d.s, d.g, c.Tx.Wall()
	from, _ := g.Last.Next()
	it := s.Range(from, stream.MaxID, false)
	n, mark := 0, c.Defer()
	for (d.count == 0 || int64(n) < d.count) && it.Next() {
		id := it.ID()
		switch {
		case g.Read != stream.Unknown && !s.RangeHasTombstones(g.Last, stream.MaxID):
			g.Read++
		case s.Added() > 0:
			g.Read = s.EstimateRead(id)
		}
		g.Last = id
		c.writeEntry(&it)
		if !d.noAck {
			g.Assign(id, d.to, now, 1)
			d.claim(c, id, 1)
		}
		n++
	}
	c.EndArray(mark, n)
	if !d.noAck {
		d.to.Active = now
	}
	d.fresh = true
	d.changes++
}

// redeliver replies with entries that the consumer has not acknowledged; of those that are no more in the stream only the
// id is left.
func (c *Call) redeliver(d *delivery, after stream.ID) {
	now := c.Tx.Wall()
	from, ok := after.Next()
	pending := d.to.PendingRange(from, stream.MaxID)
	n, mark := 0, c.Defer()
	for ok && (d.count == 0 || int64(n) < d.count) && pending.Next() {
		p := pending.At()
		n++
		it := d.s.Range(p.ID, p.ID, false)
		if !it.Next() {
			c.Array(2)
			c.StreamID(p.ID)
			c.NullArray()
			continue
		}
		c.writeEntry(&it)
		count := min(p.Count, math.MaxInt64-1) + 1
		d.g.Assign(p.ID, d.to, now, count)
		d.claim(c, p.ID, count)
		d.changes = 1
	}
	c.EndArray(mark, n)
}

func (d *delivery) claim(c *Call, id stream.ID, count uint64) {
	if c.Feeding() {
		d.claimed = append(d.claimed, claimed{id, count})
	}
}

// deliveryEffect tells what was delivered: the entries as claimed, and how far the group got.
func (c *Call) deliveryEffect(d *delivery, created bool) {
	if !c.Feeding() {
		c.NoEffect()
		return
	}
	key, group, name := d.key, d.group, d.to.Name()
	if created {
		c.Effect(wordXGroup, wordCreateConsumer, key, group, name)
	}
	last := idText(d.g.Last)
	for rest := d.claimed; len(rest) > 0; {
		n := 1
		for n < len(rest) && n < maxEffectArgs && rest[n].count == rest[0].count {
			n++
		}
		args := [][]byte{wordXClaim, key, group, name, wordZero}
		for _, e := range rest[:n] {
			args = append(args, idText(e.id))
		}
		c.Effect(append(args, wordTime, decimal(c.Tx.Wall()), wordRetryCount, decimal(int64(rest[0].count)),
			wordForce, wordJustID, wordLastID, last)...)
		rest = rest[n:]
	}
	if d.fresh {
		c.Effect(wordXGroup, wordSetID, key, group, last, wordEntriesRead, decimal(d.g.Read))
	}
}
