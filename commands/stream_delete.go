package commands

import (
	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/stream"
)

// checkIDs reports whether all of texts are ids.
func checkIDs(texts [][]byte) error {
	for _, b := range texts {
		if _, ok := stream.ParseID(b, 0); !ok {
			return ErrStreamID
		}
	}
	return nil
}

func xdel(c *Call) error {
	s, err := c.Tx.Stream(c.Args[1], store.Write)
	if err != nil {
		return err
	}
	if s == nil {
		c.Int(0)
		return nil
	}
	if err := checkIDs(c.Args[2:]); err != nil {
		return err
	}
	n := 0
	for _, b := range c.Args[2:] {
		if id, _ := stream.ParseID(b, 0); s.Delete(id) {
			n++
		}
	}
	if n > 0 {
		c.Tx.Settle(c.Args[1], s, n)
		c.Notify(store.OnStream, "xdel", c.Args[1])
	}
	c.Int(int64(n))
	return nil
}

// parseDelete reads what XDELEX and XACKDEL share.
func parseDelete(a *Args) (refs refPolicy, ids [][]byte) {
	for a.More() {
		switch {
		case refs.parse(a):
		case a.IsWith("IDS", 1):
			n, ok := num.ParseInt(a.Next())
			switch {
			case !ok || n <= 0:
				a.Fail(ErrNumIDs)
			case n > int64(a.Left()):
				a.Fail(ErrIDsCount)
			default:
				ids = a.v[a.i : a.i+int(n)]
				a.i += int(n)
			}
		default:
			a.Fail(ErrSyntax)
		}
	}
	if ids == nil {
		a.Fail(ErrIDsMissing)
	}
	return refs, ids
}

// What became of an entry that was to be deleted.
const (
	entryMissing = -1
	entryDeleted = 1
	entryKept    = 2 // some group needs it
)

// deleteEntry removes an entry as refs allows; n is how many things have changed.
func deleteEntry(s *stream.Stream, id stream.ID, refs refPolicy) (outcome int64, n int) {
	switch refs {
	case refsNone:
		if s.Referenced(id) || s.Has(id) && !s.Acked(id) {
			return entryKept, 0
		}
	case refsGone:
		n = s.Unreference(id)
	}
	if !s.Delete(id) {
		return entryMissing, n
	}
	return entryDeleted, n + 1
}

// missing replies that none of n entries is there.
func (c *Call) missing(n int) {
	c.Array(n)
	for range n {
		c.Int(entryMissing)
	}
}

func xdelex(c *Call) error {
	s, err := c.Tx.Stream(c.Args[1], store.Write)
	if err != nil {
		return err
	}
	a := c.From(2)
	refs, ids := parseDelete(&a)
	switch {
	case a.Err() != nil:
		return a.Err()
	case s == nil:
		c.missing(len(ids))
		return nil
	}
	if err := checkIDs(ids); err != nil {
		return err
	}
	c.Array(len(ids))
	changes := 0
	for _, b := range ids {
		id, _ := stream.ParseID(b, 0)
		outcome, n := deleteEntry(s, id, refs)
		changes += n
		c.Int(outcome)
	}
	if changes > 0 {
		c.Tx.Settle(c.Args[1], s, changes)
		c.Notify(store.OnStream, c.Spec.full, c.Args[1])
	}
	return nil
}

func xackdel(c *Call) error {
	s, err := c.Tx.Stream(c.Args[1], store.Write)
	if err != nil {
		return err
	}
	a := c.From(3)
	refs, ids := parseDelete(&a)
	if a.Err() != nil {
		return a.Err()
	}
	g := s.Group(c.Args[2])
	if g == nil {
		c.missing(len(ids))
		return nil
	}
	if err := checkIDs(ids); err != nil {
		return err
	}
	c.Array(len(ids))
	changes := 0
	for _, b := range ids {
		id, _ := stream.ParseID(b, 0)
		if !g.Ack(id) {
			c.Int(entryMissing)
			continue
		}
		outcome, n := deleteEntry(s, id, refs)
		if outcome == entryMissing {
			outcome = entryDeleted // it went before
		}
		changes += n + 1
		c.Int(outcome)
	}
	if changes > 0 {
		c.Tx.Settle(c.Args[1], s, changes)
		c.Notify(store.OnStream, c.Spec.full, c.Args[1])
	}
	return nil
}
