package commands

import (
	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/stream"
)

// described returns the stream XINFO is asked about.
func (c *Call) described() (*stream.Stream, error) {
	s, err := c.Tx.Stream(c.Args[2], store.Read)
	if err == nil && s == nil {
		err = ErrNoSuchKey
	}
	return s, err
}

func (c *Call) intField(name string, n int64) {
	c.BulkString(name)
	c.Int(n)
}

func (c *Call) streamIDField(name string, id stream.ID) {
	c.BulkString(name)
	c.StreamID(id)
}

func xinfoConsumers(c *Call) error {
	s, err := c.described()
	if err != nil {
		return err
	}
	g := s.Group(c.Args[3])
	if g == nil {
		return errNoGroup(c.Args[2], c.Args[3])
	}
	now := c.Tx.Wall()
	c.Array(g.NumConsumers())
	for consumer := range g.Consumers() {
		inactive := int64(-1)
		if consumer.Active != -1 {
			inactive = max(since(now, consumer.Active), 0)
		}
		c.Map(4)
		c.BulkString("name")
		c.Bulk(consumer.Name())
		c.intField("pending", int64(consumer.NumPending()))
		c.intField("idle", max(since(now, consumer.Seen), 0))
		c.intField("inactive", inactive)
	}
	return nil
}

func xinfoGroups(c *Call) error {
	s, err := c.described()
	if err != nil {
		return err
	}
	c.Array(s.NumGroups())
	for g := range s.Groups() {
		c.Map(6)
		c.BulkString("name")
		c.Bulk(g.Name())
		c.intField("consumers", int64(g.NumConsumers()))
		c.intField("pending", int64(g.NumPending()))
		c.streamIDField("last-delivered-id", g.Last)
		c.groupProgress(s, g)
	}
	return nil
}

// groupProgress writes the fields that tell how much of the stream the group has read, and how much it has not.
func (c *Call) groupProgress(s *stream.Stream, g *stream.Group) {
	c.BulkString("entries-read")
	if g.Read == stream.Unknown {
		c.Null()
	} else {
		c.Int(g.Read)
	}
	c.BulkString("lag")
	if lag, ok := s.Lag(g); ok {
		c.Int(lag)
	} else {
		c.Null()
	}
}

// fullCount is how many entries XINFO STREAM FULL shows of each kind unless COUNT is given.
const fullCount = 10

// xinfoStream looks at its options last, as Redis does.
func xinfoStream(c *Call) error {
	s, err := c.described()
	if err != nil {
		return err
	}
	if len(c.Args) == 3 {
		c.streamOutline(s)
		return nil
	}
	count := int64(fullCount)
	switch a := c.From(3); {
	case !a.Is("FULL"), a.Left() != 0 && (a.Left() != 2 || !a.Is("COUNT")):
		return errSubcommandArity("XINFO", c.Args[1])
	case a.More():
		if count = a.Int(); a.Err() != nil {
			return a.Err()
		}
		if count < 0 {
			count = fullCount
		}
	}
	c.streamInFull(s, count)
	return nil
}

// streamFacts writes the seven fields that both forms of XINFO STREAM begin with.
func (c *Call) streamFacts(s *stream.Stream) {
	c.intField("length", int64(s.Len()))
	c.intField("radix-tree-keys", int64(s.Nodes()))
	c.intField("radix-tree-nodes", int64(s.RadixNodes()))
	c.streamIDField("last-generated-id", s.Last())
	c.streamIDField("max-deleted-entry-id", s.MaxDeleted())
	c.intField("entries-added", int64(s.Added()))
	c.streamIDField("recorded-first-entry-id", s.First())
}

func (c *Call) streamOutline(s *stream.Stream) {
	c.Map(10)
	c.streamFacts(s)
	c.intField("groups", int64(s.NumGroups()))
	for _, end := range [...]struct {
		name    string
		reverse bool
	}{{"first-entry", false}, {"last-entry", true}} {
		c.BulkString(end.name)
		if it := s.Range(stream.MinID, stream.MaxID, end.reverse); it.Next() {
			c.writeEntry(&it)
		} else {
			c.Null()
		}
	}
}

// streamInFull shows at most count entries and pending entries each, all if that is 0.
func (c *Call) streamInFull(s *stream.Stream, count int64) {
	c.Map(9)
	c.streamFacts(s)
	c.BulkString("entries")
	c.writeEntries(s.Range(stream.MinID, stream.MaxID, false), count)
	c.BulkString("groups")
	c.Array(s.NumGroups())
	for g := range s.Groups() {
		c.Map(7)
		c.BulkString("name")
		c.Bulk(g.Name())
		c.streamIDField("last-delivered-id", g.Last)
		c.groupProgress(s, g)
		c.intField("pel-count", int64(g.NumPending()))
		c.pendingList(g.PendingRange(stream.MinID, stream.MaxID), count, true)
		c.BulkString("consumers")
		c.Array(g.NumConsumers())
		for consumer := range g.Consumers() {
			c.Map(5)
			c.BulkString("name")
			c.Bulk(consumer.Name())
			c.intField("seen-time", consumer.Seen)
			c.intField("active-time", consumer.Active)
			c.intField("pel-count", int64(consumer.NumPending()))
			c.pendingList(consumer.PendingRange(stream.MinID, stream.MaxID), count, false)
		}
	}
}

// pendingList writes the field with the pending entries, each with its consumer if owned is set.
func (c *Call) pendingList(it stream.PendingIter, count int64, owned bool) {
	c.BulkString("pending")
	m, n := c.Defer(), 0
	for ; (count == 0 || int64(n) < count) && it.Next(); n++ {
		p := it.At()
		if owned {
			c.Array(4)
		} else {
			c.Array(3)
		}
		c.StreamID(p.ID)
		if owned {
			c.Bulk(p.Consumer.Name())
		}
		c.Int(p.Delivered)
		c.Int(int64(p.Count))
	}
	c.EndArray(m, n)
}
