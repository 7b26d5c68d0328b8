package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Log is the dataset of one stream of Keys entries. Their ids are numbered as members are in templates, with a 1 in
// front: milliseconds of a day in 2001.
const Log Dataset = "log"

const (
	manyStreams = 100 // that the workload on several streams spreads over
	logKey      = "stm:" + one
	logGroup    = "readers"
)

// entryFields are the fields of an entry: who, what, and a value.
const entryFields = " user %K action liked item %V"

// StreamWorkloads are single commands on streams.
var StreamWorkloads = []Workload{
	{Name: "XADD", Command: "XADD " + logKey + " *" + entryFields, Data: Empty, Fresh: true},
	{Name: "XADD_100_STREAMS", Command: "XADD stm:%C *" + entryFields, Data: Empty, Fresh: true},
	{Name: "XADD_MAXLEN_10k", Command: "XADD " + logKey + " MAXLEN ~ 10000 *" + entryFields, Data: Empty},
	{Name: "XRANGE_100", Command: "XRANGE " + logKey + " 1%M + COUNT 100", Data: Log, Slow: true},
}

// FindStream returns the workload of StreamWorkloads of that name, in any case.
func FindStream(name string) (Workload, bool) { return find(StreamWorkloads, name) }

// StreamShape is the size of what StreamWorkloads and Consume work on: a million entries at scale 1. Members are those
// that have a page from them on.
func StreamShape(scale float64, valueSize int) Shape {
	n := scaled(1_000_000, scale, minElements)
	return Shape{Keys: n, Collections: manyStreams, Members: n - page + 1, ValueSize: valueSize}
}

// layLog adds the entries over one connection, because ids must rise.
func layLog(ctx context.Context, addr string, s Shape) error {
	seed := rng(1)
	value := valueBytes(&seed, s.ValueSize)
	return put(ctx, addr, Log, fills(s.Keys, 1, 512, func(dst []byte, i uint64) []byte {
		dst = appendHead(dst, 9, "XADD")
		dst = append(dst, "$16\r\n"+logKey+"\r\n"...)
		dst = appendNumber(dst, 1_000_000_000_000+i)
		dst = append(dst, "$4\r\nuser\r\n"...)
		dst = appendNumbered(dst, "", scatter(i, s.Keys))
		dst = append(dst, "$6\r\naction\r\n$5\r\nliked\r\n$4\r\nitem\r\n"...)
		return appendBulk(dst, value)
	}))
}

// consumeBatch is how many entries one XREADGROUP of Consume asks for.
const consumeBatch = 10

// ConsumeCommands are those that a server must know for Consume.
var ConsumeCommands = []string{"XADD", "XGROUP CREATE", "XGROUP DESTROY", "XREADGROUP", "XACK"}

// Consume has a new group of so many consumers read the dataset Log, ten entries at a time, and acknowledge each of them,
// for d or until everything has been read. A consumer sends the XACK of what it has together with the XREADGROUP for
// more, as one that is in a hurry does. Requests counts entries that were acknowledged, and the latency is that of both
// commands together.
func Consume(ctx context.Context, addr string, consumers, threads int, d time.Duration) (*Result, error) {
	c, err := dialAdmin(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := errors.Join(c.rdb.XGroupDestroy(ctx, logKey, logGroup).Err(), c.rdb.XGroupCreate(ctx, logKey, logGroup, "0").Err()); err != nil {
		return nil, fmt.Errorf("consume: %w", err)
	}
	all := make([]*consumer, consumers)
	srcs := make([]Source, consumers)
	for i := range all {
		all[i] = newConsumer(logKey, logGroup, "consumer:"+strconv.Itoa(i), consumeBatch)
		srcs[i] = all[i]
	}
	r, err := Drive(ctx, addr, srcs, threads, d)
	if err != nil {
		return nil, fmt.Errorf("consume: %w", err)
	}
	if r.Errors > 0 {
		return nil, fmt.Errorf("consume: %d error replies, one of them %q", r.Errors, r.FirstErr)
	}
	r.Requests, r.Nulls = 0, 0 // a null is what says that there is no more
	for _, k := range all {
		k.read()
		if k.err != nil {
			return nil, fmt.Errorf("consume: %w", k.err)
		}
		r.Requests += k.acked
	}
	return r, nil
}

// consumer is a Source whose requests follow from the replies: it acknowledges what it was handed.
type consumer struct {
	key, group string
	more       []byte // the request for the next entries
	out        []byte
	in         []byte   // replies to the batch sent last
	ids        [][]byte // of entries to acknowledge; slices of in
	owed       int      // how many of them were in the batch sent last
	acked      int64
	begun      bool
	err        error
}

func newConsumer(key, group, name string, batch int) *consumer {
	c := &consumer{key: key, group: group}
	c.more = appendHead(nil, 9, "XREADGROUP")
	for _, word := range []string{"GROUP", group, name, "COUNT", strconv.Itoa(batch), "STREAMS", key, ">"} {
		c.more = appendBulk(c.more, []byte(word))
	}
	return c
}

// received keeps a part of the replies.
func (c *consumer) received(b []byte) { c.in = append(c.in, b...) }

// Next sends what follows from the replies to the last batch, which are all there.
func (c *consumer) Next() ([]byte, int) {
	if c.begun {
		c.read()
		if c.err != nil || len(c.ids) == 0 {
			return nil, 0
		}
	}
	c.begun = true
	c.out = c.out[:0]
	c.owed = len(c.ids)
	if c.owed > 0 {
		c.out = appendHead(c.out, 3+c.owed, "XACK")
		c.out = appendBulk(c.out, []byte(c.key))
		c.out = appendBulk(c.out, []byte(c.group))
		for _, id := range c.ids {
			c.out = appendBulk(c.out, id)
		}
	}
	c.out = append(c.out, c.more...)
	c.in, c.ids = c.in[:0], c.ids[:0]
	return c.out, 1 + min(1, c.owed)
}

// read takes the replies apart: the number of what was acknowledged, if anything was, and what was handed out.
func (c *consumer) read() {
	if len(c.in) == 0 {
		return
	}
	p := replyParser{b: c.in}
	if c.owed > 0 {
		n := p.number(':')
		c.acked += n
		if p.err == nil && n != int64(c.owed) {
			c.err = fmt.Errorf("XACK of %d entries acknowledged %d", c.owed, n)
			return
		}
		c.owed = 0
	}
	c.ids = c.ids[:0]
	if p.number('*') == 1 { // streams; -1 when there is nothing
		p.number('*')
		p.bulk()
		for range p.number('*') {
			p.number('*')
			c.ids = append(c.ids, p.bulk())
			for range p.number('*') {
				p.bulk()
			}
		}
	}
	if c.err = p.err; p.err == nil && len(p.b) > 0 {
		c.err = fmt.Errorf("%d bytes after the last reply", len(p.b))
	}
	c.in = c.in[:0] // ids still lie there, until the next batch has been made of them
}

// replyParser takes RESP2 replies apart that are there as a whole and have a known shape. After an error everything is
// zero.
type replyParser struct {
	b   []byte
	err error
}

// number takes a line of that kind: an integer, or the length of a bulk string or an array.
func (p *replyParser) number(kind byte) int64 {
	end := bytes.IndexByte(p.b, '\n')
	if p.err == nil && (end < 3 || p.b[0] != kind || p.b[end-1] != '\r') {
		p.err = fmt.Errorf("%w: want %q at %.40q", errReply, kind, p.b)
	}
	if p.err != nil {
		return 0
	}
	n, err := strconv.ParseInt(string(p.b[1:end-1]), 10, 64)
	if err != nil || n > maxAggregate {
		p.err = fmt.Errorf("%w: number %.40q", errReply, p.b)
		return 0
	}
	p.b = p.b[end+1:]
	return n
}

func (p *replyParser) bulk() []byte {
	n := p.number('$')
	if p.err == nil && (n < 0 || int64(len(p.b)) < n+2) {
		p.err = fmt.Errorf("%w: bulk string of %d bytes", errReply, n)
	}
	if p.err != nil {
		return nil
	}
	s := p.b[:n]
	p.b = p.b[n+2:]
	return s
}

// HandoffStream is Handoff from XADD to an XREADGROUP that waits. Every entry is acknowledged, off the clock.
func HandoffStream(ctx context.Context, addr string, d time.Duration) (*Result, error) {
	c, err := dialAdmin(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := errors.Join(c.rdb.Del(ctx, "handoff").Err(), c.rdb.XGroupCreateMkStream(ctx, "handoff", logGroup, "0").Err()); err != nil {
		return nil, fmt.Errorf("handoff: %w", err)
	}
	wait := request("XREADGROUP", "GROUP", logGroup, "worker", "BLOCK", "5000", "STREAMS", "handoff", ">")
	return handoff(ctx, addr, d, func(n int64) exchange {
		id := strconv.FormatInt(n, 10) + "-1"
		return exchange{
			wait: wait,
			send: request("XADD", "handoff", id, "user", "000000000042", "action", "liked", "item", "task"),
			done: request("XACK", "handoff", logGroup, id),
		}
	})
}

func request(command string, args ...string) string {
	b := appendHead(nil, 1+len(args), command)
	for _, a := range args {
		b = appendBulk(b, []byte(a))
	}
	return string(b)
}
