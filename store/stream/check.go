package stream

import (
	"fmt"

	"github.com/streampulse/pulse/store/listpack"
)

// Check verifies all that the package promises.
func (s *Stream) Check() error {
	if err := s.nodes.check(); err != nil {
		return fmt.Errorf("nodes: %w", err)
	}
	length, mem := 0, 0
	var first, last ID
	var err error
	s.EachNode(func(base ID, lp listpack.Listpack) bool {
		f, l, m, ok := validNode(base, lp)
		switch {
		case listpack.Valid(lp) != nil || !ok:
			err = fmt.Errorf("node %v is not valid", base)
		case length+len(lp) > 0 && !last.Less(base):
			err = fmt.Errorf("node %v after entry %v", base, last)
		}
		if length == 0 && m.live > 0 {
			first = f
		}
		last = l
		length += m.live
		mem += cap(lp)
		return err == nil
	})
	if err != nil {
		return err
	}
	for g := range s.Groups() {
		mem += g.bytes()
		if err := g.check(s); err != nil {
			return fmt.Errorf("group %s: %w", g.name, err)
		}
	}
	switch {
	case length != s.length:
		return fmt.Errorf("%d entries, counted %d", length, s.length)
	case first != s.first:
		return fmt.Errorf("first entry %v, noted %v", first, s.first)
	case s.last.Less(last):
		return fmt.Errorf("last entry %v, last id %v", last, s.last)
	case mem != s.mem:
		return fmt.Errorf("%d bytes, counted %d", mem, s.mem)
	}
	return nil
}

// check verifies a group of s.
func (g *Group) check(s *Stream) error {
	if err := g.pending.check(); err != nil {
		return fmt.Errorf("pending: %w", err)
	}
	n, consumers := 0, 0
	var last []byte
	for c := range g.Consumers() {
		if err := c.ids.check(); err != nil {
			return fmt.Errorf("consumer %s: %w", c.name, err)
		}
		if consumers > 0 && string(last) >= string(c.name) {
			return fmt.Errorf("consumer %s after %s", c.name, last)
		}
		if c.g != g || int(c.number) >= len(g.numbered) || g.numbered[c.number] != c {
			return fmt.Errorf("consumer %s is not number %d", c.name, c.number)
		}
		for it := c.PendingRange(MinID, MaxID); it.Next(); {
			if it.At().Consumer != c {
				return fmt.Errorf("consumer %s has %v, which is another's", c.name, it.At().ID)
			}
		}
		last = c.name
		n += c.ids.n
		consumers++
	}
	switch {
	case g.s != s:
		return fmt.Errorf("of another stream")
	case n != g.pending.n:
		return fmt.Errorf("%d pending entries, consumers have %d", g.pending.n, n)
	case consumers+len(g.free) != len(g.numbered):
		return fmt.Errorf("%d consumers, %d free, %d numbers", consumers, len(g.free), len(g.numbered))
	}
	return nil
}
