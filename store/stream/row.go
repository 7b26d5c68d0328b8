package stream

import (
	"fmt"
	"slices"
	"unsafe"
)

// A row is an ordered map from ids to values of V, made for what streams do: keys come at the end, go from the front,
// and are looked up near one of the two; the middle is served, too, but pays for it.
//
//	row -- block block block ...          an array, ordered: each says below which id nothing of it is
//	         |
//	         +-- keys  id id id ...       up to blockKeys
//	         +-- vals  V  V  V  ...
//
// Why no B-tree: one that is filled in order leaves its nodes half full, and needs a closure for every walk. Blocks are
// filled to the brim, a walk is an index, and the collector sees one or two arrays for each blockKeys values, which it
// need not scan if V has no pointers. A block that splits moves the array of blocks, 64 bytes for 128 keys; that is
// cheap up to tens of millions of keys that come in no order.
type row[V any] struct {
	blocks []block[V]
	n      int    // keys
	top    int    // blocks there is memory for, those before blocks[0] included
	mem    int    // bytes of all arrays
	ver    uint32 // changes with every key that comes or goes

	// spare has the arrays of a whole block that went while others stayed: a queue would ask for new ones soon.
	spare block[V]
}

// block is a run of keys: those from off on. Before and behind them may be room.
type block[V any] struct {
	low  ID // at most the first key, above all keys of the block before
	off  int
	keys []ID
	vals []V
}

// place is where a key is: block and index among the block's keys. The place behind the last key is {len(blocks), 0}.
type place struct{ b, i int }

const (
	blockKeys = 128

	// keepRoom is the number of keys for which a row that became empty keeps its memory.
	keepRoom = 16
)

func (b *block[V]) len() int { return len(b.keys) - b.off }

func (r *row[V]) slot() int {
	var v V
	return int(unsafe.Sizeof(ID{}) + unsafe.Sizeof(v))
}

// end is the place behind the last key.
func (r *row[V]) end() place {
	if r.n == 0 {
		return place{}
	}
	return place{len(r.blocks), 0}
}

// start is the place of the first key.
func (r *row[V]) start() place { return place{} }

// key returns the key at p.
func (r *row[V]) key(p place) ID {
	b := &r.blocks[p.b]
	return b.keys[b.off+p.i]
}

// val returns the value at p, which lives until a key comes or goes.
func (r *row[V]) val(p place) *V {
	b := &r.blocks[p.b]
	return &b.vals[b.off+p.i]
}

// next returns the place after p.
func (r *row[V]) next(p place) place {
	if p.i++; p.i >= r.blocks[p.b].len() {
		return place{p.b + 1, 0}
	}
	return p
}

// prev returns the place before p; false if there is none.
func (r *row[V]) prev(p place) (place, bool) {
	switch {
	case p.i > 0:
		return place{p.b, p.i - 1}, true
	case p.b == 0 || r.n == 0:
		return p, false
	}
	return place{p.b - 1, r.blocks[p.b-1].len() - 1}, true
}

// last returns the place of the last key; false if there is none.
func (r *row[V]) last() (place, bool) { return r.prev(r.end()) }

// blockOf returns the index of the block that id belongs to.
func (r *row[V]) blockOf(id ID) int {
	hi := len(r.blocks) - 1
	if hi <= 0 || !id.Less(r.blocks[hi].low) {
		return max(hi, 0)
	}
	// The block wanted is before hi; it is the last whose low is at most id, or the first of all.
	lo := 0
	for lo+1 < hi {
		if m := int(uint(lo+hi) / 2); id.Less(r.blocks[m].low) {
			hi = m
		} else {
			lo = m
		}
	}
	return lo
}

// search returns the index of the first of keys that is not below id.
func search(keys []ID, id ID) int {
	lo, hi := 0, len(keys)
	if hi > 0 && keys[hi-1].Less(id) {
		return hi
	}
	for lo < hi {
		if m := int(uint(lo+hi) / 2); keys[m].Less(id) {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// seek returns the place of the first key that is not below id; true if it is id.
func (r *row[V]) seek(id ID) (place, bool) {
	if r.n == 0 {
		return place{}, false
	}
	p := place{b: r.blockOf(id)}
	b := &r.blocks[p.b]
	keys := b.keys[b.off:]
	p.i = search(keys, id)
	if p.i == len(keys) {
		return place{p.b + 1, 0}, false
	}
	return p, keys[p.i] == id
}

// has reports whether id is a key.
func (r *row[V]) has(id ID) bool {
	_, ok := r.seek(id)
	return ok
}

// get returns the value of id, or nil.
func (r *row[V]) get(id ID) *V {
	p, ok := r.seek(id)
	if !ok {
		return nil
	}
	return r.val(p)
}

// insert adds id, which is no key yet.
func (r *row[V]) insert(id ID, v V) {
	r.ver++
	r.n++
	at := r.blockOf(id)
	if len(r.blocks) == 0 {
		r.addBlock(0, block[V]{low: id})
	}
	b := &r.blocks[at]
	i, n := search(b.keys[b.off:], id), b.len()
	switch {
	case i == n && at == len(r.blocks)-1 && len(b.keys) == blockKeys && n > blockKeys/2:
		// In order: what is full stays full, and what goes from the front is not moved to the front.
		at, i = at+1, 0
		fresh := block[V]{low: id, keys: r.spare.keys, vals: r.spare.vals}
		r.spare = block[V]{}
		r.addBlock(at, fresh)
	case n == blockKeys:
		const half = blockKeys / 2
		upper := block[V]{low: b.keys[b.off+half]}
		r.resize(&upper, blockKeys)
		upper.keys = append(upper.keys, b.keys[b.off+half:]...)
		upper.vals = append(upper.vals, b.vals[b.off+half:]...)
		clear(b.vals[b.off+half:])
		b.keys, b.vals = b.keys[:b.off+half], b.vals[:b.off+half]
		r.addBlock(at+1, upper)
		if i > half {
			at++
			i -= half
		}
	}
	b = &r.blocks[at]
	if b.len() == 0 || id.Less(b.low) {
		b.low = id
	}
	r.open(b, i)
	b.keys[b.off+i], b.vals[b.off+i] = id, v
}

// open makes room for a key before the i-th of b.
func (r *row[V]) open(b *block[V], i int) {
	n := b.len()
	switch full := len(b.keys) == cap(b.keys); {
	case b.off > 0 && i < n/2:
		b.off--
		copy(b.keys[b.off:], b.keys[b.off+1:b.off+1+i])
		copy(b.vals[b.off:], b.vals[b.off+1:b.off+1+i])
		return
	case full && b.off > 0 && (b.off >= n/2 || cap(b.keys) == blockKeys):
		copy(b.keys, b.keys[b.off:])
		copy(b.vals, b.vals[b.off:])
		clear(b.vals[n:])
		b.keys, b.vals, b.off = b.keys[:n], b.vals[:n], 0
	case full:
		r.resize(b, min(max(2*n, 1), blockKeys))
	}
	b.keys = b.keys[:len(b.keys)+1]
	b.vals = b.vals[:len(b.keys)]
	copy(b.keys[b.off+i+1:], b.keys[b.off+i:])
	copy(b.vals[b.off+i+1:], b.vals[b.off+i:])
}

// resize gives b memory for n keys, at least as many as it has.
func (r *row[V]) resize(b *block[V], n int) {
	r.mem += (n - cap(b.keys)) * r.slot()
	b.keys = append(make([]ID, 0, n), b.keys[b.off:]...)
	b.vals = append(make([]V, 0, n), b.vals[b.off:]...)
	b.off = 0
}

func (r *row[V]) addBlock(at int, b block[V]) {
	if len(r.blocks) == cap(r.blocks) {
		n := len(r.blocks)
		grown := make([]block[V], n, n+n/2+1)
		copy(grown, r.blocks)
		r.mem += (cap(grown) - r.top) * int(unsafe.Sizeof(b))
		r.blocks, r.top = grown, cap(grown)
	}
	r.blocks = slices.Insert(r.blocks, at, b)
}

// remove removes the key at p. The place of the key that followed it is returned.
func (r *row[V]) remove(p place) place {
	r.ver++
	r.n--
	b := &r.blocks[p.b]
	n, i := b.len(), b.off+p.i
	var none V
	switch {
	case n == 1:
		r.dropBlock(p.b)
		return p
	case p.i < n/2:
		copy(b.keys[b.off+1:], b.keys[b.off:i])
		copy(b.vals[b.off+1:], b.vals[b.off:i])
		b.vals[b.off] = none
		b.off++
	default:
		copy(b.keys[i:], b.keys[i+1:])
		copy(b.vals[i:], b.vals[i+1:])
		last := len(b.keys) - 1
		b.vals[last] = none
		b.keys, b.vals = b.keys[:last], b.vals[:last]
	}
	// The blocks at the ends of several are on their way to be dropped or filled.
	inner := p.b > 0 && p.b < len(r.blocks)-1 || len(r.blocks) == 1
	if c := cap(b.keys); inner && c > keepRoom && n-1 <= c/4 {
		r.resize(b, max(c/2, keepRoom))
	}
	if p.i == n-1 {
		return place{p.b + 1, 0}
	}
	return p
}

// dropBlock removes a block with its keys, which r.n counts no more.
func (r *row[V]) dropBlock(at int) {
	b := &r.blocks[at]
	if len(r.blocks) == 1 && max(cap(b.keys), r.top) <= keepRoom {
		clear(b.vals)
		b.off, b.keys, b.vals = 0, b.keys[:0], b.vals[:0]
		r.mem -= cap(r.spare.keys) * r.slot()
		r.spare = block[V]{}
		return
	}
	if cap(b.keys) == blockKeys && cap(r.spare.keys) == 0 {
		clear(b.vals)
		r.spare.keys, r.spare.vals = b.keys[:0], b.vals[:0]
	} else {
		r.mem -= cap(b.keys) * r.slot()
	}
	switch {
	case len(r.blocks) == 1:
		r.blocks, r.top, r.spare, r.mem = nil, 0, block[V]{}, 0
	case at == 0:
		*b = block[V]{}
		r.blocks = r.blocks[1:]
	default:
		r.blocks = slices.Delete(r.blocks, at, at+1)
	}
}

// delete removes id and reports whether it was a key.
func (r *row[V]) delete(id ID) bool {
	p, ok := r.seek(id)
	if ok {
		r.remove(p)
	}
	return ok
}

// clone returns a copy that shares the memory that values point to.
func (r *row[V]) clone() row[V] {
	c := row[V]{n: r.n}
	if r.n == 0 {
		return c
	}
	c.blocks = make([]block[V], len(r.blocks))
	c.top = len(r.blocks)
	c.mem = c.top * int(unsafe.Sizeof(block[V]{}))
	for i := range r.blocks {
		b := &r.blocks[i]
		nb := block[V]{low: b.low, off: 0, keys: make([]ID, b.len()), vals: make([]V, b.len())}
		copy(nb.keys, b.keys[b.off:])
		copy(nb.vals, b.vals[b.off:])
		c.mem += cap(nb.keys) * r.slot()
		c.blocks[i] = nb
	}
	return c
}

// check verifies order, counts and memory.
func (r *row[V]) check() error {
	n, mem := 0, r.top*int(unsafe.Sizeof(block[V]{}))+cap(r.spare.keys)*r.slot()
	var last ID
	for i := range r.blocks {
		b := &r.blocks[i]
		switch {
		case len(b.keys) != len(b.vals):
			return fmt.Errorf("block %d: %d keys, %d values", i, len(b.keys), len(b.vals))
		case b.len() > blockKeys || b.len() == 0 && len(r.blocks) > 1:
			return fmt.Errorf("block %d has %d keys", i, b.len())
		}
		if r.n > 0 && i > 0 && !last.Less(b.low) {
			return fmt.Errorf("block %d begins at %v, after key %v", i, b.low, last)
		}
		for j, k := range b.keys[b.off:] {
			if k.Less(b.low) || n+j > 0 && !last.Less(k) {
				return fmt.Errorf("block %d: key %v after %v, low %v", i, k, last, b.low)
			}
			last = k
		}
		n += b.len()
		mem += cap(b.keys) * r.slot()
	}
	if n != r.n || mem != r.mem {
		return fmt.Errorf("%d keys, counted %d; %d bytes, counted %d", n, r.n, mem, r.mem)
	}
	return nil
}
