package zset

import (
	"hash/maphash"
	"math"
	"math/rand/v2"
	"unsafe"

	"github.com/streampulse/pulse/store/skiplist"
	"github.com/streampulse/pulse/store/table"
)

// large is the representation without limits. A member is kept in its node only; the index leads there.
type large struct {
	list *skiplist.List
	idx  table.Index
}

// seed makes the order of hashes unknown outside of the process.
var seed = maphash.MakeSeed()

func newLarge() *large { return &large{list: skiplist.New(rand.Uint64())} }

// HashOf implements table.Hasher.
func (g *large) HashOf(ref uint32) uint64 {
	return maphash.Bytes(seed, g.list.Member(skiplist.Ref(ref)))
}

func (g *large) bytes() int { return int(unsafe.Sizeof(*g)) + g.list.Bytes() + g.idx.Bytes() }

// find looks member up; at is where the index has it.
func (g *large) find(member []byte) (at table.Cursor, r skiplist.Ref) {
	at = g.idx.Seek(maphash.Bytes(seed, member))
	for {
		ref, ok := at.Next()
		if !ok {
			return at, skiplist.None
		}
		if r = skiplist.Ref(ref); string(g.list.Member(r)) == string(member) {
			return at, r
		}
	}
}

// add enters the element r, whose member is m, into the index.
func (g *large) add(m []byte, r skiplist.Ref) {
	g.idx.Insert(maphash.Bytes(seed, m), uint32(r), g)
}

func (g *large) insert(member []byte, score float64) {
	g.add(member, g.list.Insert(score, member))
	g.tidy(1)
}

func (g *large) put(member []byte, score float64, m Mode) (float64, Outcome) {
	_, r := g.find(member)
	if r == skiplist.None {
		if m&XX != 0 {
			return 0, Refused
		}
		g.insert(member, score)
		return score, Added
	}
	score, out := decide(g.list.Score(r), score, m)
	if out == Updated {
		g.list.SetScore(r, score)
	}
	return score, out
}

func (g *large) score(member []byte) (float64, bool) {
	_, r := g.find(member)
	if r == skiplist.None {
		return 0, false
	}
	return g.list.Score(r), true
}

func (g *large) rank(member []byte) (int, float64, bool) {
	_, r := g.find(member)
	if r == skiplist.None {
		return 0, 0, false
	}
	return g.list.Rank(r), g.list.Score(r), true
}

func (g *large) remove(member []byte) bool {
	at, r := g.find(member)
	if r == skiplist.None {
		return false
	}
	g.idx.Delete(&at)
	g.list.Delete(r)
	g.tidy(1)
	return true
}

func (g *large) removeRange(start, n int) {
	g.list.DeleteRange(start, n, func(r skiplist.Ref) {
		at := g.at(r, r)
		g.idx.Delete(&at)
	})
	g.tidy(n)
}

// at returns the place in the index of r, whose member is now that of named.
func (g *large) at(r, named skiplist.Ref) table.Cursor {
	at := g.idx.Seek(g.HashOf(uint32(named)))
	for ref, ok := at.Next(); ok; ref, ok = at.Next() {
		if ref == uint32(r) {
			return at
		}
	}
	panic("zset: an element is not in the index")
}

// movesPerChange is how many elements find new places for each that was added or removed, while the list gives memory back.
const movesPerChange = 4

// tidy gives memory back after n changes, once most of it is unused.
func (g *large) tidy(n int) {
	g.list.Shed(n*movesPerChange, func(from, to skiplist.Ref) {
		at := g.at(from, to)
		at.Replace(uint32(to))
	})
}

func (g *large) clone() *large {
	c := &large{}
	var refs []skiplist.Ref
	refs = make([]skiplist.Ref, 0, g.list.Len())
	c.list = g.list.Clone(func(r skiplist.Ref, _ []byte) { refs = append(refs, r) })
	for _, r := range refs {
		c.idx.Insert(c.HashOf(uint32(r)), uint32(r), c)
	}
	return c
}

func (g *large) each(start, n int, rev bool, f func([]byte, float64) bool) {
	l := g.list
	for r := l.At(start); r != skiplist.None && n > 0; n-- {
		if !f(l.Member(r), l.Score(r)) {
			return
		}
		if rev {
			r = l.Prev(r)
		} else {
			r = l.Next(r)
		}
	}
}

// cursorBits is the precision of a scan cursor, a position in the order of hashes cut to what clients in every language
// can hold.
const cursorBits = 48

func (g *large) scan(cursor uint64, count int, f func([]byte, float64)) uint64 {
	if cursor >= 1<<cursorBits {
		return 0
	}
	const cut = 64 - cursorBits
	var buf [64]table.Entry
	done, last := 0, uint64(math.MaxUint64)
	for pos, end := cursor<<cut, false; !end; {
		var entries []table.Entry
		entries, pos, end = g.idx.From(pos, g, buf[:0])
		for _, e := range entries {
			// Members whose hashes agree in the bits of a cursor are reported in one call.
			here := e.Hash >> cut
			if done >= count && here != last {
				return here
			}
			r := skiplist.Ref(e.Ref)
			f(g.list.Member(r), g.list.Score(r))
			done++
			last = here
		}
	}
	return 0
}
