package commands

import (
	"math"

	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/list"
)

// listEnd takes LEFT or RIGHT; head reports which.
func listEnd(a *Args) (head bool) {
	if a.Is("LEFT") {
		return true
	}
	if !a.Is("RIGHT") {
		a.Fail(ErrSyntax)
	}
	return false
}

// timeout takes the next argument as a time to wait in seconds and returns it in milliseconds, 0 for ever.
func (c *Call) timeout(a *Args) int64 {
	b := a.Next()
	if a.Err() != nil {
		return 0
	}
	f, ok := num.ParseFloat(b)
	ms := math.Ceil(f * 1000)
	switch {
	case !ok:
		a.Fail(ErrTimeoutFloat)
	case ms < 0:
		a.Fail(ErrTimeoutNegative)
	case ms >= math.MaxInt64 || int64(ms) > math.MaxInt64-c.Tx.Now():
		a.Fail(ErrTimeoutRange)
	default:
		return int64(ms)
	}
	return 0
}

func lmove(c *Call) error {
	a := c.From(3)
	from, to := listEnd(&a), listEnd(&a)
	if a.Err() != nil {
		return a.Err()
	}
	return moveElement(c, from, to)
}

func blmove(c *Call) error {
	a := c.From(3)
	from, to, timeout := listEnd(&a), listEnd(&a), c.timeout(&a)
	if a.Err() != nil {
		return a.Err()
	}
	return blockingMove(c, from, to, timeout)
}

func brpoplpush(c *Call) error {
	a := c.From(3)
	timeout := c.timeout(&a)
	if a.Err() != nil {
		return a.Err()
	}
	return blockingMove(c, false, true, timeout)
}

func blockingMove(c *Call, from, to bool, timeout int64) error {
	src, err := c.Tx.List(c.Args[1], store.Write)
	switch {
	case err != nil:
		return err
	case src != nil:
		return moveWaited(c, from, to)
	case c.atomic: // a bulk null here, an array null after a time-out: so does the real server
		c.Null()
		return nil
	}
	return c.Block(Wait{Keys: c.Args[1:2], Timeout: timeout, OnTimeout: NullArrayReply})
}

// moveWaited moves an element for a client that waited, or might have.
func moveWaited(c *Call, from, to bool) error {
	changes := c.Tx.Changes()
	err := moveElement(c, from, to)
	if c.Tx.Changes() != changes {
		c.Effect(wordLMove, c.Args[1], c.Args[2], endWord(from), endWord(to))
	}
	return err
}

func endWord(head bool) []byte {
	if head {
		return wordLeft
	}
	return wordRight
}

// moveElement moves an element between the ends of two lists, which may be one.
func moveElement(c *Call, from, to bool) error {
	key, dstKey := c.Args[1], c.Args[2]
	src, err := c.Tx.List(key, store.Write)
	if err != nil {
		return err
	}
	if src == nil {
		c.Null()
		return nil
	}
	if _, err := c.Tx.List(dstKey, store.Write); err != nil {
		return err
	}
	dst, _ := c.Tx.List(dstKey, store.Create)
	it := src.End(from)
	c.writeElement(&it)
	limit := c.listLimit()
	if dst == src {
		src.Rotate(from, to, limit)
		c.Tx.Settle(key, src, 1)
		c.notifyMoved(from, to, 1)
		return nil
	}
	var scratch [num.MaxIntLen]byte
	dst.PushOne(it.Text(scratch[:0]), to, limit)
	src.Drop(1, from, limit)
	c.Tx.Settle(dstKey, dst, 1)
	c.Tx.Settle(key, src, 0)
	c.notifyMoved(from, to, src.Len())
	return nil
}

// notifyMoved tells that an element went from one list, where so many are left, to another.
func (c *Call) notifyMoved(from, to bool, left int) {
	c.Notify(store.OnList, eitherEvent(to, "lpush", "rpush"), c.Args[2])
	c.NotifyTaken(store.OnList, eitherEvent(from, "lpop", "rpop"), c.Args[1], left)
}

func bpop(c *Call, head bool) error {
	keys := c.Args[1 : len(c.Args)-1]
	a := c.From(len(c.Args) - 1)
	timeout := c.timeout(&a)
	if a.Err() != nil {
		return a.Err()
	}
	key, l, err := c.firstList(keys)
	if err != nil {
		return err
	}
	if l == nil {
		return c.Block(Wait{Keys: keys, Timeout: timeout, OnTimeout: NullArrayReply})
	}
	c.Array(2)
	c.Bulk(key)
	c.takeOne(key, l, head)
	if head {
		c.Effect(wordLPop, key)
	} else {
		c.Effect(wordRPop, key)
	}
	return nil
}

// firstList returns the first of the keys at which there is something, which must be a list; nil if there is nothing.
func (c *Call) firstList(keys [][]byte) (key []byte, l *list.List, err error) {
	for _, key := range keys {
		if l, err := c.Tx.List(key, store.Write); l != nil || err != nil {
			return key, l, err
		}
	}
	return nil, nil, nil
}

func lmpop(c *Call) error { return c.multiPop("LEFT", "RIGHT", (*Call).popFromLists) }

func blmpop(c *Call) error { return c.blockingMultiPop("LEFT", "RIGHT", (*Call).popFromLists) }

// popFromLists replies with the name and elements of the first list that has any; done is false if there is none.
func (c *Call) popFromLists(o *multiPopArgs) (done bool, err error) {
	key, l, err := c.firstList(o.keys)
	if l == nil || err != nil {
		return false, err
	}
	c.Array(2)
	c.Bulk(key)
	c.take(key, l, o.first, o.count)
	c.popEffect(key, o, wordLPop, wordRPop)
	return true, nil
}
