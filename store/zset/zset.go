// Package zset is the value of a sorted set: members with scores, ordered by score and then by the bytes of the member.
//
// # Contract
//
// A member appears once; no score is NaN. All reading methods may be called on nil, which is an empty sorted set.
// Mutators that can add take the limits in force. A member handed to a function is valid until the value is written or,
// if the caller was told so by Each, until the function returns. A ZSet is guarded by its shard's lock.
//
// # Representations
//
//	listpack   pack.go    member, score, member, score ... in order; searched from end to end
//	skiplist   large.go   store/skiplist for order and rank, store/table from the hash of a member to its node
//
// A listpack that outgrows its limits becomes a skip list and never goes back, as in Redis.
package zset

import (
	"math"
	"unsafe"

	"github.com/streampulse/pulse/store/listpack"
)

// Limits are the largest listpack: number of members, and bytes of the longest.
type Limits struct{ Entries, Value int }

// ZSet is a sorted set. Use New.
type ZSet struct {
	pack  listpack.Listpack // nil if large is not
	large *large
}

// New returns an empty sorted set.
func New() *ZSet { return &ZSet{pack: listpack.New(0)} }

// Len returns the number of members.
func (z *ZSet) Len() int {
	switch {
	case z == nil:
		return 0
	case z.large != nil:
		return z.large.list.Len()
	}
	return z.pack.Pairs()
}

// Encoding returns the name OBJECT ENCODING prints.
func (z *ZSet) Encoding() string {
	if z != nil && z.large != nil {
		return "skiplist"
	}
	return "listpack"
}

// Bytes returns the memory held, in bytes.
func (z *ZSet) Bytes() int {
	switch {
	case z == nil:
		return 0
	case z.large != nil:
		return int(unsafe.Sizeof(*z)) + z.large.bytes()
	}
	return int(unsafe.Sizeof(*z)) + cap(z.pack)
}

// Clone returns an independent copy.
func (z *ZSet) Clone() *ZSet {
	if z.large != nil {
		return &ZSet{large: z.large.clone()}
	}
	return &ZSet{pack: z.pack.Clone()}
}

// Expect prepares for n members more, as many as a request has: beyond the limits there is no use in a listpack.
func (z *ZSet) Expect(n int, lim Limits) {
	if z.large == nil && n > lim.Entries {
		z.grow()
	}
}

// grow changes the representation to a skip list.
func (z *ZSet) grow() {
	g := newLarge()
	a := g.list.Appender()
	z.Each(0, math.MaxInt, false, func(m []byte, s float64) bool {
		g.add(m, a.Append(s, m))
		return true
	})
	z.pack, z.large = nil, g
}

// Mode restricts what Add may do. NX excludes the others but Incr, GT excludes LT.
type Mode uint8

const (
	NX   Mode = 1 << iota // only add members
	XX                    // only change members that are there
	GT                    // change a score only to a greater one
	LT                    // change a score only to a lesser one
	Incr                  // the score is a difference
)

// Outcome is what Add did.
type Outcome uint8

const (
	Refused Outcome = iota // the mode forbade it
	Same                   // the member has that score already
	Added
	Updated
	NaN // the sum is not a number; nothing was changed
)

// Add gives member a score, which is not NaN, and returns the score it has now.
func (z *ZSet) Add(member []byte, score float64, m Mode, lim Limits) (float64, Outcome) {
	if z.large != nil {
		return z.large.put(member, score, m)
	}
	p, vp := z.pack.FindPair(member)
	if p == listpack.None {
		if m&XX != 0 {
			return 0, Refused
		}
		if z.pack.Pairs() >= lim.Entries || len(member) > lim.Value || !z.pack.Fits(len(member)+maxScoreText) {
			z.grow()
			z.large.insert(member, score)
		} else {
			z.pack = packInsert(z.pack, member, score)
		}
		return score, Added
	}
	old := packScore(z.pack, vp)
	score, out := decide(old, score, m)
	if out == Updated {
		z.pack = packMove(z.pack, p, vp, member, score)
	}
	return score, out
}

// decide applies the mode to a member that is there and returns its score from now on.
func decide(old, score float64, m Mode) (float64, Outcome) {
	if m&NX != 0 {
		return old, Refused
	}
	if m&Incr != 0 {
		score += old
		if score != score {
			return old, NaN
		}
	}
	if m&LT != 0 && score >= old || m&GT != 0 && score <= old {
		return old, Refused
	}
	if score == old {
		return old, Same
	}
	return score, Updated
}

// Score returns the score of member, false if it is not there.
func (z *ZSet) Score(member []byte) (float64, bool) {
	switch {
	case z == nil:
		return 0, false
	case z.large != nil:
		return z.large.score(member)
	}
	if p, vp := z.pack.FindPair(member); p != listpack.None {
		return packScore(z.pack, vp), true
	}
	return 0, false
}

// Rank returns the number of members before member and its score, false if it is not there.
func (z *ZSet) Rank(member []byte) (int, float64, bool) {
	switch {
	case z == nil:
		return 0, 0, false
	case z.large != nil:
		return z.large.rank(member)
	}
	return packRank(z.pack, member)
}

// Remove takes member out and reports whether it was there.
func (z *ZSet) Remove(member []byte) bool {
	if z.large != nil {
		return z.large.remove(member)
	}
	p, _ := z.pack.FindPair(member)
	if p != listpack.None {
		z.pack, _ = z.pack.DeletePair(p)
	}
	return p != listpack.None
}

// RemoveRange takes out the members of rank start to end-1; the ranks are those of Each.
func (z *ZSet) RemoveRange(start, end int) {
	if start >= end {
		return
	}
	if z.large != nil {
		z.large.removeRange(start, end-start)
		return
	}
	z.pack = z.pack.DeleteRange(2*start, 2*(end-start))
}

// Each calls f for up to n members from rank start on, upwards, or downwards if rev, until it returns false. The first
// member has rank 0 in both directions: start is a place in the order of the set. member is valid until f returns.
// f must not change the set.
func (z *ZSet) Each(start, n int, rev bool, f func(member []byte, score float64) bool) {
	switch {
	case z == nil || start < 0 || n <= 0:
	case z.large != nil:
		z.large.each(start, n, rev, f)
	default:
		packEach(z.pack, start, n, rev, f)
	}
}

// ScoreRange is an interval of scores; its ends belong to it unless said otherwise.
type ScoreRange struct {
	Min, Max     float64
	MinEx, MaxEx bool
}

// empty reports whether no score can be in the range.
func (r *ScoreRange) empty() bool {
	return r.Min > r.Max || r.Min == r.Max && (r.MinEx || r.MaxEx)
}

// ByScore returns the ranks of the members in r: start to end-1.
func (z *ZSet) ByScore(r ScoreRange) (start, end int) {
	switch {
	case z == nil || r.empty():
		return 0, 0
	case z.large != nil:
		l := z.large.list
		start = l.RankOfScore(r.Min, r.MinEx)
		if start == l.Len() {
			return start, start
		}
		return start, l.RankOfScore(r.Max, !r.MaxEx)
	}
	return packByScore(z.pack, r)
}

// Bound is an end of a range of members.
type Bound struct {
	Member []byte
	Ex     bool // Member itself is out
	Inf    int  // -1 or 1: before or after every member, whatever the other fields say
}

// LexRange is an interval of members. It means something where all scores are equal.
type LexRange struct{ Min, Max Bound }

// ByLex returns the ranks of the members in r: start to end-1.
func (z *ZSet) ByLex(r LexRange) (start, end int) {
	if z == nil || r.empty() {
		return 0, 0
	}
	start = z.lexRank(r.Min, r.Min.Ex)
	return start, max(start, z.lexRank(r.Max, !r.Max.Ex))
}

func (r *LexRange) empty() bool {
	a, b := &r.Min, &r.Max
	if a.Inf != 0 || b.Inf != 0 {
		return a.Inf > 0 || b.Inf < 0
	}
	switch x, y := string(a.Member), string(b.Member); {
	case x > y:
		return true
	case x == y:
		return a.Ex || b.Ex
	}
	return false
}

// lexRank counts the members before b, and b itself if orEqual.
func (z *ZSet) lexRank(b Bound, orEqual bool) int {
	switch {
	case b.Inf < 0:
		return 0
	case b.Inf > 0:
		return z.Len()
	case z.large != nil:
		return z.large.list.RankOfMember(b.Member, orEqual)
	}
	return packLexRank(z.pack, b.Member, orEqual)
}

// Scan calls f for about count members from cursor (0: the start) on and returns the cursor to go on from, 0 at the
// end. Members that are there from the first call to the last are reported at least once.
func (z *ZSet) Scan(cursor uint64, count int, f func(member []byte, score float64)) (next uint64) {
	if z != nil && z.large != nil {
		return z.large.scan(cursor, count, f)
	}
	z.Each(0, math.MaxInt, false, func(m []byte, s float64) bool {
		f(m, s)
		return true
	})
	return 0
}
