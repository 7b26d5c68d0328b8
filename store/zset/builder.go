package zset

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strings"
	"unsafe"

	"github.com/streampulse/pulse/store/listpack"
	"github.com/streampulse/pulse/store/table"
)

// Builder collects members in any order and makes a sorted set of them. It copies what it is given and holds no pointers
// to single members.
type Builder struct {
	text    []byte // of all members
	items   []item
	idx     table.Index
	longest int
	sorted  bool // as they came
}

type item struct {
	score   float64
	at, len int // the member, in text
}

// NewBuilder returns an empty builder.
func NewBuilder() *Builder { return &Builder{sorted: true} }

func (b *Builder) member(it *item) []byte { return b.text[it.at : it.at+it.len] }

func (b *Builder) string(it *item) string {
	m := b.member(it)
	return unsafe.String(unsafe.SliceData(m), len(m))
}

// HashOf implements table.Hasher.
func (b *Builder) HashOf(ref uint32) uint64 { return maphash.Bytes(seed, b.member(&b.items[ref])) }

// Len returns the number of members so far.
func (b *Builder) Len() int { return len(b.items) }

// find returns the score of a member for changing, nil if it is not there.
func (b *Builder) find(h uint64, member []byte) *float64 {
	for at := b.idx.Seek(h); ; {
		ref, ok := at.Next()
		if !ok {
			return nil
		}
		if it := &b.items[ref]; string(b.member(it)) == string(member) {
			return &it.score
		}
	}
}

// Add adds a member; it reports false, and changes nothing, if it is there already.
func (b *Builder) Add(member []byte, score float64) bool {
	h := maphash.Bytes(seed, member)
	if b.find(h, member) != nil {
		return false
	}
	b.append(h, member, score)
	return true
}

// AddNew adds a member that is not there, which the caller knows, because all come from one set. It is much cheaper than
// Add, and cannot be mixed with Add and Merge.
func (b *Builder) AddNew(member []byte, score float64) { b.push(member, score) }

// Merge adds a member, or gives it join(its score, score) if it is there.
func (b *Builder) Merge(member []byte, score float64, join func(x, y float64) float64) {
	h := maphash.Bytes(seed, member)
	if s := b.find(h, member); s != nil {
		score = join(*s, score)
		b.sorted = b.sorted && score == *s
		*s = score
		return
	}
	b.append(h, member, score)
}

func (b *Builder) append(h uint64, member []byte, score float64) {
	b.push(member, score)
	b.idx.Insert(h, uint32(len(b.items)-1), b)
}

func (b *Builder) push(member []byte, score float64) {
	it := item{score, len(b.text), len(member)}
	b.text = append(b.text, member...)
	b.items = append(b.items, it)
	b.longest = max(b.longest, len(member))
	if n := len(b.items); b.sorted && n > 1 {
		b.sorted = b.compare(b.items[n-2], it) < 0
	}
}

func (b *Builder) compare(x, y item) int {
	if c := cmp.Compare(x.score, y.score); c != 0 {
		return c
	}
	return strings.Compare(b.string(&x), b.string(&y))
}

// InOrder reports whether all members came in the order of the set.
func (b *Builder) InOrder() bool { return b.sorted }

// Fits reports whether the set will be a listpack.
func (b *Builder) Fits(lim Limits) bool {
	return len(b.items) <= lim.Entries && b.longest <= lim.Value && len(b.text) < listpack.MaxBytes/2
}

// Sort puts the members in order; Each follows it then. Nothing can be added any more.
func (b *Builder) Sort() {
	if !b.sorted {
		slices.SortFunc(b.items, b.compare)
		b.sorted = true
	}
	b.idx = table.Index{}
}

// Each calls f for all members until it returns false.
func (b *Builder) Each(f func(member []byte, score float64) bool) {
	for i := range b.items {
		if !f(b.member(&b.items[i]), b.items[i].score) {
			return
		}
	}
}

// Build makes the sorted set. The builder is used up.
func (b *Builder) Build(lim Limits) *ZSet {
	b.Sort()
	if b.Fits(lim) {
		z := New()
		var scratch [32]byte
		b.Each(func(m []byte, s float64) bool {
			z.pack = z.pack.AppendPair(m, scoreText(scratch[:0], s))
			return true
		})
		return z
	}
	g := newLarge()
	a := g.list.Appender()
	b.Each(func(m []byte, s float64) bool {
		g.add(m, a.Append(s, m))
		return true
	})
	return &ZSet{large: g}
}
