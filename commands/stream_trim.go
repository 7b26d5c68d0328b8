package commands

import (
	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/stream"
)

// trimBy is what entries are trimmed by.
type trimBy uint8

const (
	trimNot trimBy = iota
	trimByLen
	trimByID
)

// refPolicy is what becomes of the groups' references to entries that go.
type refPolicy uint8

const (
	refsUnsaid refPolicy = iota
	refsKept             // KEEPREF: groups keep them
	refsGone             // DELREF: they go, too
	refsNone             // ACKED: only entries that no group needs may go
)

// parse takes the word for a policy. There may be one.
func (p *refPolicy) parse(a *Args) bool {
	had := *p
	switch {
	case a.Is("KEEPREF"):
		*p = refsKept
	case a.Is("DELREF"):
		*p = refsGone
	case a.Is("ACKED"):
		*p = refsNone
	default:
		return false
	}
	if had != refsUnsaid {
		a.Fail(ErrSyntax)
	}
	return true
}

// word returns the word that stands for p, nil if none need.
func (p refPolicy) word() []byte {
	switch p {
	case refsGone:
		return wordDelRef
	case refsNone:
		return wordAcked
	}
	return nil
}

// trimOptions is how far a stream is to be trimmed.
type trimOptions struct {
	by      trimBy
	approx  bool
	len     int64
	id      stream.ID
	limited bool
	limit   int64
	refs    refPolicy
}

// parse takes one option, if the next argument is one.
func (t *trimOptions) parse(a *Args) bool {
	switch {
	case a.IsWith("MAXLEN", 1):
		t.operator(a, trimByLen)
		if t.len = a.Int(); t.len < 0 {
			a.Fail(ErrTrimMaxLen)
		}
	case a.IsWith("MINID", 1):
		t.operator(a, trimByID)
		t.id = a.StreamID()
	case a.IsWith("LIMIT", 1):
		t.limited = true
		if t.limit = a.Int(); t.limit < 0 {
			a.Fail(ErrTrimLimit)
		}
	default:
		return t.refs.parse(a)
	}
	return true
}

func (t *trimOptions) operator(a *Args, by trimBy) {
	if t.by != trimNot {
		a.Fail(ErrTrimTwice)
	}
	t.by = by
	if t.approx = a.IsWith("~", 1); !t.approx {
		a.IsWith("=", 1)
	}
}

// check looks at the options together.
func (t *trimOptions) check(a *Args) {
	switch {
	case t.limit != 0 && t.by == trimNot:
		a.Fail(ErrTrimLimitAlone)
	case t.limited && !t.approx:
		a.Fail(ErrTrimLimitExact)
	}
}

// maxTrimLimit is the most entries that trimming removes if nobody says how many.
const maxTrimLimit = 1_000_000

// of returns what s is to do.
func (t *trimOptions) of(s *stream.Stream, l stream.Limits) stream.Trim {
	trim := stream.Trim{ByID: t.by == trimByID, MaxLen: uint64(t.len), MinID: t.id, Approx: t.approx, Limit: uint64(t.limit)}
	if t.approx && !t.limited {
		trim.Limit = maxTrimLimit
		switch n := l.NodeEntries; {
		case n <= 0:
			trim.Limit = 10_000
		case n < maxTrimLimit/100:
			trim.Limit = uint64(100 * n)
		}
	}
	if s.NumGroups() == 0 {
		return trim
	}
	switch t.refs {
	case refsGone:
		trim.Visit = func(id stream.ID) bool {
			s.Unreference(id)
			return true
		}
	case refsNone:
		trim.Visit = s.Acked
	}
	return trim
}

// exact returns the options that trim s to where it is now: how much ~ removes depends on how entries are stored. If only
// entries that no group needs may go, what matters is how many went.
func (t *trimOptions) exact(s *stream.Stream) [][]byte {
	if t.by == trimNot {
		return nil
	}
	how, threshold := wordMaxLen, decimal(t.len)
	switch {
	case t.by == trimByLen && !t.approx:
	case t.by == trimByLen || t.approx && t.refs == refsNone:
		threshold = decimal(int64(s.Len()))
	case !t.approx:
		how, threshold = wordMinID, idText(t.id)
	case s.Len() > 0:
		how, threshold = wordMinID, idText(s.First())
	default:
		how, threshold = wordMinID, idText(stream.MaxID)
	}
	args := [][]byte{how, wordEqual, threshold}
	if w := t.refs.word(); w != nil {
		args = append(args, w)
	}
	return args
}

func xtrim(c *Call) error {
	a := c.From(2)
	var t trimOptions
	for a.More() {
		if !t.parse(&a) {
			a.Fail(ErrSyntax)
		}
	}
	t.check(&a)
	if t.by == trimNot {
		a.Fail(ErrTrimNoStrategy)
	}
	if a.Err() != nil {
		return a.Err()
	}
	s, err := c.Tx.Stream(c.Args[1], store.Write)
	if err != nil {
		return err
	}
	n := 0
	if s != nil {
		n = s.Trim(t.of(s, c.streamLimits()))
	}
	if n > 0 {
		c.Tx.Settle(c.Args[1], s, n)
		c.Notify(store.OnStream, "xtrim", c.Args[1])
		if c.Feeding() {
			c.Effect(append([][]byte{wordXTrim, c.Args[1]}, t.exact(s)...)...)
		} else {
			c.NoEffect()
		}
	}
	c.Int(int64(n))
	return nil
}
