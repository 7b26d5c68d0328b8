// Package dict is a table of byte strings, each with a value of bytes that may be empty: the large form of hashes and
// sets.
//
// An extendible index (package table) refers to blocks without pointers (package arena), one block a key. So a table of
// millions of keys is a few thousand objects for the garbage collector, and growing or shrinking never stops to rehash
// the whole. A key may have a deadline (deadline.go).
//
// # Contract
//
//   - Keys are hashed with a seed drawn when the process starts.
//   - A Dict is not safe for concurrent use. Readers may share it; a writer needs it alone.
//   - Slices that methods return or hand to callbacks must not be written to. They stay readable until the value of the
//     same key is overwritten, even when the key is deleted: the arena never writes into the space of the dead.
//   - Callbacks must not change the table.
//   - Writes of a value that fits the space of the old one, and all reads, do not allocate.
package dict

import (
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"slices"

	"github.com/google/btree"

	"github.com/streampulse/pulse/store/arena"
	"github.com/streampulse/pulse/store/table"
)

var seed = maphash.MakeSeed()

// Dict is the table. The zero value is empty and ready.
type Dict struct {
	idx    table.Index
	blocks arena.Arena
	due    *btree.BTreeG[moment] // one for each key that has a deadline, in order; nil until there is one
}

// evacuationBudget is how many bytes of live blocks one change may move while the arena is wasteful: a multiple of
// what a change wastes, so that cleaning keeps up.
const evacuationBudget = 1024

// Len returns the number of keys.
func (d *Dict) Len() int { return d.idx.Len() }

// Bytes returns the memory held, in bytes, in constant time.
func (d *Dict) Bytes() int { return d.blocks.Space() + d.idx.Bytes() + d.Timed()*momentBytes }

func hash(key []byte) uint64 { return maphash.Bytes(seed, key) }

// HashOf implements table.Hasher.
func (d *Dict) HashOf(ref uint32) uint64 {
	b := d.blocks.Bytes(arena.Ref(ref))
	l := layoutOf(b)
	return hash(b[l.key:l.val])
}

// BlockSize implements arena.Owner.
func (d *Dict) BlockSize(b []byte) int { return layoutOf(b).size }

// BlockMoved implements arena.Owner.
func (d *Dict) BlockMoved(from, to arena.Ref, b []byte) {
	l := layoutOf(b)
	c := d.idx.Seek(hash(b[l.key:l.val]))
	for {
		ref, ok := c.Next()
		if !ok {
			panic("dict: a moved block is not in the index")
		}
		if ref == uint32(from) {
			c.Replace(uint32(to))
			return
		}
	}
}

// place is a key as find saw it, valid until the table changes.
type place struct {
	cur table.Cursor
	ref arena.Ref
	b   []byte // the block; nil if there is no such key
	layout
}

func (d *Dict) find(h uint64, key []byte) (p place) {
	p.cur = d.idx.Seek(h)
	for {
		ref, ok := p.cur.Next()
		if !ok {
			return
		}
		b := d.blocks.Bytes(arena.Ref(ref))
		if l := layoutOf(b); string(b[l.key:l.val]) == string(key) {
			p.ref, p.b, p.layout = arena.Ref(ref), b, l
			return
		}
	}
}

// Get returns the value of key, and false if there is no such key.
func (d *Dict) Get(key []byte) (val []byte, ok bool) {
	p := d.find(hash(key), key)
	if p.b == nil {
		return nil, false
	}
	return p.value(p.b), true
}

// Has reports whether there is such a key.
func (d *Dict) Has(key []byte) bool {
	p := d.find(hash(key), key)
	return p.b != nil
}

// Set makes val the value of key, without a deadline, and reports whether the key is new.
func (d *Dict) Set(key, val []byte) (added bool) { return d.SetAt(key, val, Forever) }

// Add adds key with an empty value unless it is there, and reports whether it is new.
func (d *Dict) Add(key []byte) (added bool) {
	h := hash(key)
	p := d.find(h, key)
	if p.b != nil {
		return false
	}
	d.insert(h, &p, key, nil, Forever)
	return true
}

// insert gives key a new block; the old one, if p has one, dies.
func (d *Dict) insert(h uint64, p *place, key, val []byte, at int64) {
	ref, b := d.blocks.Alloc(need(len(key), len(val), at))
	write(b, key, val, at)
	if p.b != nil {
		p.cur.Replace(uint32(ref))
		d.blocks.Free(p.ref, p.size)
		d.tidy()
		return
	}
	d.idx.Insert(h, uint32(ref), d)
}

// Delete removes key and reports whether there was such a key.
func (d *Dict) Delete(key []byte) bool {
	h := hash(key)
	p := d.find(h, key)
	if p.b == nil {
		return false
	}
	if p.flags&fDeadline != 0 {
		d.move(h, p.deadline(p.b), Forever)
	}
	d.remove(&p)
	return true
}

// remove takes the key of p away, whose deadline the caller sees to.
func (d *Dict) remove(p *place) {
	d.idx.Delete(&p.cur)
	d.blocks.Free(p.ref, p.size)
	d.tidy()
}

func (d *Dict) tidy() {
	if d.blocks.Wasteful() {
		d.blocks.Compact(d, evacuationBudget)
	}
}

// Each calls f for every key, in no order to rely on, until f returns false. It reads memory from front to back.
func (d *Dict) Each(f func(key, val []byte) bool) {
	d.blocks.Walk(d, func(_ arena.Ref, b []byte) bool {
		l := layoutOf(b)
		return f(b[l.key:l.val:l.val], l.value(b))
	})
}

// EachAt is Each with the deadline of every key.
func (d *Dict) EachAt(f func(key, val []byte, at int64) bool) {
	d.blocks.Walk(d, func(_ arena.Ref, b []byte) bool {
		l := layoutOf(b)
		return f(b[l.key:l.val:l.val], l.value(b), l.deadline(b))
	})
}

func (d *Dict) at(ref uint32) (key, val []byte) {
	b := d.blocks.Bytes(arena.Ref(ref))
	l := layoutOf(b)
	return b[l.key:l.val:l.val], l.value(b)
}

// Random returns a key chosen uniformly, with its value. The table must not be empty.
func (d *Dict) Random(r *rand.Rand) (key, val []byte) { return d.at(d.idx.Random(r)) }

// Sample calls f for n different keys, all of them if there are not as many; every choice is equally likely. A small
// share is drawn key by key, a large one in one pass over the table.
func (d *Dict) Sample(r *rand.Rand, n int, f func(key, val []byte)) {
	if n >= d.Len()/3 {
		left := d.Len()
		d.Each(func(key, val []byte) bool {
			if r.IntN(left) < n {
				f(key, val)
				n--
			}
			left--
			return n > 0
		})
		return
	}
	const few = 32
	var buf [few]uint32
	seen, more := buf[:0], map[uint32]struct{}(nil)
	if n > few {
		more = make(map[uint32]struct{}, n)
	}
	for n > 0 {
		ref := d.idx.Random(r)
		if more != nil {
			if _, dup := more[ref]; dup {
				continue
			}
			more[ref] = struct{}{}
		} else {
			if slices.Contains(seen, ref) {
				continue
			}
			seen = append(seen, ref)
		}
		f(d.at(ref))
		n--
	}
}

// cursorBits is the precision of a scan cursor, a position in the order of the hashes: integers of this size come
// through clients in every language.
const cursorBits = 48

// Scan calls f for about count keys beginning at cursor (0: the start) and returns the cursor to go on from, 0 at the
// end. Keys that are there from the first call to the last are reported exactly once; others may be.
func (d *Dict) Scan(cursor uint64, count int, f func(key, val []byte)) (next uint64) {
	if cursor >= 1<<cursorBits {
		return 0
	}
	const cut = 64 - cursorBits
	var buf [64]table.Entry
	done, last := 0, uint64(0)
	for at, end := cursor<<cut, false; !end; {
		var entries []table.Entry
		entries, at, end = d.idx.From(at, d, buf[:0])
		for _, e := range entries {
			here := e.Hash >> cut
			if done >= count && here != last {
				return here
			}
			f(d.at(e.Ref))
			done++
			last = here
		}
	}
	return 0
}

// Clone returns an independent copy without waste.
func (d *Dict) Clone() *Dict {
	c := new(Dict)
	d.EachAt(func(key, val []byte, at int64) bool {
		p, h := place{}, hash(key)
		c.insert(h, &p, key, val, at)
		c.move(h, Forever, at)
		return true
	})
	return c
}

// Check verifies that index and blocks agree; for tests.
func (d *Dict) Check() error {
	n, live, timed, err := 0, 0, 0, error(nil)
	d.blocks.Walk(d, func(ref arena.Ref, b []byte) bool {
		l := layoutOf(b)
		key := b[l.key:l.val]
		if p := d.find(hash(key), key); p.ref != ref || p.b == nil {
			err = fmt.Errorf("dict: key %q has block %d, the index says %d", key, ref, p.ref)
			return false
		}
		if at := l.deadline(b); at != Forever {
			timed++
			if d.due == nil || !d.due.Has(moment{at, hash(key)}) {
				err = fmt.Errorf("dict: key %q is not in the order of deadlines at %d", key, at)
				return false
			}
		}
		n++
		live += l.size
		return true
	})
	if err == nil && (n != d.Len() || live != d.blocks.Live()) {
		err = fmt.Errorf("dict: %d blocks of %d bytes, counted as %d of %d", n, live, d.Len(), d.blocks.Live())
	}
	if err == nil && timed != d.Timed() {
		err = fmt.Errorf("dict: %d keys have a deadline, %d are in order", timed, d.Timed())
	}
	return err
}
