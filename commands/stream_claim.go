package commands

import (
	"math"

	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/stream"
)

// claim is what XCLAIM and XAUTOCLAIM have in hand.
type claim struct {
	stream   *stream.Stream
	group    *stream.Group
	consumer *stream.Consumer

	minIdle   int64 // milliseconds
	delivered int64 // Unix milliseconds: when the entries count as delivered
	retries   int64 // what the entries' number of deliveries becomes; negative: one is added, unless justID
	justID    bool

	changed int
}

// begin finds the consumer, which is created even if there is nothing to claim.
func (l *claim) begin(c *Call) {
	name, now := c.Args[3], c.Tx.Wall()
	l.consumer = l.group.Consumer(name)
	if l.consumer == nil {
		l.consumer, _ = l.group.CreateConsumer(name, now)
		l.changed++
		c.Notify(store.OnStream, "xgroup-createconsumer", c.Args[1])
		c.consumerEffect(c.Args[1], l.group, l.consumer)
	}
	l.consumer.Seen = now
}

// isFresh reports whether p has not been idle for long enough.
func (l *claim) isFresh(c *Call, p *stream.Pending) bool {
	return l.minIdle > 0 && since(c.Tx.Wall(), p.Delivered) < l.minIdle
}

// take makes p an entry of the consumer.
func (l *claim) take(c *Call, p *stream.Pending) {
	switch {
	case l.retries >= 0:
		p.Count = uint64(l.retries)
	case !l.justID && p.Count < math.MaxInt64:
		p.Count++
	}
	p.Delivered, p.Consumer = l.delivered, l.consumer
	l.group.Assign(p.ID, l.consumer, p.Delivered, p.Count)
	l.consumer.Active = c.Tx.Wall()
	l.changed++
	c.claimEffect(c.Args[1], l.group, p)
}

// drop forgets p, because the entry is deleted. To claim such an entry again forgets it elsewhere.
func (l *claim) drop(c *Call, p *stream.Pending) {
	l.group.Ack(p.ID)
	l.changed++
	c.claimEffect(c.Args[1], l.group, p)
}

// end makes the changes count.
func (l *claim) end(c *Call) {
	if l.changed > 0 {
		c.Tx.Amend(c.Args[1], l.stream, l.changed)
	}
}

// claimOptions are the options of XCLAIM.
type claimOptions struct {
	ids    [][]byte
	force  bool
	lastID stream.ID
}

// parseClaim reads the arguments of XCLAIM behind the consumer. A time of delivery that cannot be is now.
func parseClaim(c *Call, l *claim) (o claimOptions, err error) {
	a := c.From(4)
	l.minIdle = a.IntErr(ErrClaimMinIdle)
	l.retries = -1
	now := c.Tx.Wall()
	l.delivered = now
	from := a.Pos()
	for a.More() {
		if _, ok := stream.ParseID(a.Peek(), 0); !ok {
			break
		}
		a.Next()
	}
	o.ids = c.Args[from:a.Pos()]
	for a.More() {
		switch {
		case a.Is("FORCE"):
			o.force = true
		case a.Is("JUSTID"):
			l.justID = true
		case a.IsWith("IDLE", 1):
			if ms := a.IntErr(ErrClaimIdle); ms >= 0 {
				l.delivered = now - ms
			} else {
				l.delivered = now
			}
		case a.IsWith("TIME", 1):
			l.delivered = a.IntErr(ErrClaimTime)
		case a.IsWith("RETRYCOUNT", 1):
			l.retries = a.IntErr(ErrClaimRetries)
		case a.IsWith("LASTID", 1):
			o.lastID = a.StreamID()
		default:
			a.Fail(errClaimOption(a.Next()))
		}
	}
	if l.delivered < 0 || l.delivered > now {
		l.delivered = now
	}
	return o, a.Err()
}

func xclaim(c *Call) error {
	s, err := c.Tx.Stream(c.Args[1], store.Write)
	if err != nil {
		return err
	}
	l := claim{stream: s, group: s.Group(c.Args[2])}
	if l.group == nil {
		return errNoKeyOrGroup(c.Args[1], c.Args[2])
	}
	o, err := parseClaim(c, &l)
	if err != nil {
		return err
	}
	moved := l.group.Last.Less(o.lastID)
	if moved {
		l.group.Last = o.lastID
	}
	l.begin(c)
	effects := l.changed
	m, n := c.Defer(), 0
	for _, arg := range o.ids {
		id, _ := stream.ParseID(arg, 0)
		if c.claimOne(&l, id, o.force) {
			n++
		}
	}
	c.EndArray(m, n)
	if moved && l.changed == effects { // otherwise the other effects carry it
		c.groupEffect(c.Args[1], l.group)
		l.changed++
	}
	l.end(c)
	return nil
}

// claimOne claims the entry id and writes it into the reply; it reports false if it is not to be had.
func (c *Call) claimOne(l *claim, id stream.ID, force bool) bool {
	p, pending := l.group.Pending(id)
	entry := l.stream.Range(id, id, false)
	if !entry.Next() {
		if pending {
			l.drop(c, &p)
		}
		return false
	}
	switch {
	case !pending && !force, pending && l.isFresh(c, &p):
		return false
	case !pending:
		p = stream.Pending{ID: id, Count: 1}
	}
	l.take(c, &p)
	if l.justID {
		c.StreamID(id)
	} else {
		c.writeEntry(&entry)
	}
	return true
}

const (
	// claimCount is how many entries XAUTOCLAIM claims unless COUNT is given.
	claimCount = 100
	// claimFactor is how many entries XAUTOCLAIM looks at, at most, for each that it may claim.
	claimFactor = 10
	// maxClaimCount is the largest COUNT that can be: with claimFactor, or with 16 bytes an id, it fits 63 bits.
	maxClaimCount = math.MaxInt64 / 16
	// maxClaimMemory is the COUNT for which Redis finds no memory: ids for all of the address space.
	maxClaimMemory = 1 << 43
)

// parseAutoclaim reads the arguments of XAUTOCLAIM behind the consumer.
func parseAutoclaim(c *Call, l *claim) (start stream.ID, count int64, err error) {
	a := c.From(4)
	l.minIdle = a.IntErr(ErrAutoclaimMinIdle)
	start = a.RangeStart()
	for count = claimCount; a.More(); {
		switch {
		case a.IsWith("COUNT", 1):
			n, ok := num.ParseInt(a.Next())
			if !ok || n < 1 || n > maxClaimCount {
				a.Fail(ErrCountAboveZero)
			}
			count = n
		case a.Is("JUSTID"):
			l.justID = true
		default:
			a.Fail(ErrSyntax)
		}
	}
	return start, count, a.Err()
}

func xautoclaim(c *Call) error {
	l := claim{retries: -1, delivered: c.Tx.Wall()}
	start, count, err := parseAutoclaim(c, &l)
	if err != nil {
		return err
	}
	if l.stream, err = c.Tx.Stream(c.Args[1], store.Write); err != nil {
		return err
	}
	switch l.group = l.stream.Group(c.Args[2]); {
	case l.group == nil:
		return errNoKeyOrGroup(c.Args[1], c.Args[2])
	case count >= maxClaimMemory:
		return ErrClaimMemory
	}
	l.begin(c)
	var few, fewer [16]stream.ID
	claimed, deleted := few[:0], fewer[:0]
	it := l.group.PendingRange(start, stream.MaxID)
	more := true
	for tries := count * claimFactor; tries > 0 && count > 0; tries-- {
		if more = it.Next(); !more {
			break
		}
		switch p := it.At(); {
		case !l.stream.Has(p.ID):
			l.drop(c, &p)
			deleted = append(deleted, p.ID)
			count--
		case !l.isFresh(c, &p):
			l.take(c, &p)
			claimed = append(claimed, p.ID)
			count--
		}
	}
	var next stream.ID
	if more && it.Next() {
		next = it.At().ID
	}
	l.end(c)
	c.Array(3)
	c.StreamID(next)
	c.Array(len(claimed))
	for _, id := range claimed {
		if entry := l.stream.Range(id, id, false); l.justID || !entry.Next() {
			c.StreamID(id)
		} else {
			c.writeEntry(&entry)
		}
	}
	c.Array(len(deleted))
	for _, id := range deleted {
		c.StreamID(id)
	}
	return nil
}

// claimEffect tells that the entry p is pending as it says, and what the last entry of the group is.
func (c *Call) claimEffect(key []byte, g *stream.Group, p *stream.Pending) {
	c.told = true
	if !c.Feeding() {
		return
	}
	c.Effect(wordXClaim, key, g.Name(), p.Consumer.Name(), wordZero, idText(p.ID), wordTime, decimal(p.Delivered),
		wordRetryCount, decimal(int64(p.Count)), wordForce, wordJustID, wordLastID, idText(g.Last))
}

// groupEffect tells how far the group has come.
func (c *Call) groupEffect(key []byte, g *stream.Group) {
	c.told = true
	if !c.Feeding() {
		return
	}
	c.Effect(wordXGroup, wordSetID, key, g.Name(), idText(g.Last), wordEntriesRead, decimal(g.Read))
}

// consumerEffect tells that there is a consumer.
func (c *Call) consumerEffect(key []byte, g *stream.Group, consumer *stream.Consumer) {
	c.told = true
	if !c.Feeding() {
		return
	}
	c.Effect(wordXGroup, wordCreateConsumer, key, g.Name(), consumer.Name())
}
