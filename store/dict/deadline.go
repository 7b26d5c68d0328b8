package dict

import (
	"math"

	"github.com/google/btree"

	"github.com/streampulse/pulse/store/arena"
)

// Forever is the deadline of a key that has none.
const Forever = math.MaxInt64

// moment is a deadline in the order of deadlines. It names its key by the hash, so that blocks may move, and holds no
// pointer. Two keys of one hash and one deadline would share a moment; with a seeded hash of 64 bits nobody can make
// such keys, and chance will not.
type moment struct {
	at   int64 // Unix milliseconds, or whatever the user of the Dict counts in
	hash uint64
}

func (m moment) less(n moment) bool {
	if m.at != n.at {
		return m.at < n.at
	}
	return m.hash < n.hash
}

// momentBytes is what a moment costs in the tree, whose nodes are about two thirds full.
const momentBytes = 24

// move takes the key of hash h from the deadline old to the deadline at; either may be Forever. The blocks are the
// caller's business.
func (d *Dict) move(h uint64, old, at int64) {
	if old == at {
		return
	}
	if old != Forever {
		d.due.Delete(moment{old, h})
	}
	if at == Forever {
		if d.due.Len() == 0 {
			d.due = nil
		}
		return
	}
	if d.due == nil {
		d.due = btree.NewG(32, moment.less)
	}
	d.due.ReplaceOrInsert(moment{at, h})
}

// SetAt makes val the value of key and at its deadline, Forever for none, and reports whether the key is new.
func (d *Dict) SetAt(key, val []byte, at int64) (added bool) {
	h := hash(key)
	p := d.find(h, key)
	if p.b == nil {
		d.insert(h, &p, key, val, at)
		d.move(h, Forever, at)
		return true
	}
	timed := p.flags&fDeadline != 0
	if timed == (at != Forever) && p.fits(len(val)) && !d.lent(&p) {
		if timed {
			d.move(h, p.deadline(p.b), at)
			p.setDeadline(p.b, at)
		}
		p.overwrite(p.b, val)
		return false
	}
	d.move(h, p.deadline(p.b), at)
	d.insert(h, &p, key, val, at)
	return false
}

// Update makes val the value of key, whose deadline stays, and reports whether the key is new.
func (d *Dict) Update(key, val []byte) (added bool) {
	h := hash(key)
	p := d.find(h, key)
	if p.b != nil && p.fits(len(val)) && !d.lent(&p) {
		p.overwrite(p.b, val)
		return false
	}
	at := int64(Forever)
	if p.b != nil {
		at = p.deadline(p.b)
	}
	d.insert(h, &p, key, val, at)
	return p.b == nil
}

// Deadline returns the deadline of key, Forever if it has none; ok is false if there is no such key.
func (d *Dict) Deadline(key []byte) (at int64, ok bool) {
	p := d.find(hash(key), key)
	if p.b == nil {
		return Forever, false
	}
	return p.deadline(p.b), true
}

// SetDeadline makes at the deadline of key, Forever for none, and reports whether there is such a key.
func (d *Dict) SetDeadline(key []byte, at int64) bool {
	h := hash(key)
	p := d.find(h, key)
	if p.b == nil {
		return false
	}
	old := p.deadline(p.b)
	d.move(h, old, at)
	switch {
	case old == at:
	case old != Forever && at != Forever:
		p.setDeadline(p.b, at)
	default:
		// The value stays readable where it is while the new block is filled, see package arena.
		d.insert(h, &p, key, p.value(p.b), at)
	}
	return true
}

// Timed returns the number of keys that have a deadline.
func (d *Dict) Timed() int {
	if d.due == nil {
		return 0
	}
	return d.due.Len()
}

// Earliest returns the earliest deadline, Forever if there is none.
func (d *Dict) Earliest() int64 {
	if d.due == nil {
		return Forever
	}
	m, _ := d.due.Min()
	return m.at
}

// Latest returns the latest deadline, Forever if not every key has one.
func (d *Dict) Latest() int64 {
	if d.due == nil || d.due.Len() != d.Len() {
		return Forever
	}
	m, _ := d.due.Max()
	return m.at
}

// Expire removes keys whose deadlines are at most now, in the order of their deadlines and at most limit of them, and
// returns how many it removed.
func (d *Dict) Expire(now int64, limit int) (n int) {
	if limit >= d.Len() && d.mostlyDue(now) {
		return d.renew(now)
	}
	for ; n < limit && d.due != nil; n++ {
		m, _ := d.due.Min()
		if m.at > now {
			break
		}
		p := d.timed(m)
		if d.due.DeleteMin(); d.due.Len() == 0 {
			d.due = nil
		}
		d.remove(&p)
	}
	return n
}

// EachDue calls f for the keys that Expire with the same arguments would remove.
func (d *Dict) EachDue(now int64, limit int, f func(key []byte)) {
	if d.due == nil {
		return
	}
	all := limit >= d.Len()
	d.due.Ascend(func(m moment) bool {
		if m.at > now || !all && limit == 0 {
			return false
		}
		limit--
		p := d.timed(m)
		f(p.b[p.key:p.val:p.val])
		return true
	})
}

// many is how many keys are worth a new table.
const many = 1000

// mostlyDue reports whether there are many keys, and the time of more than half of them has come.
func (d *Dict) mostlyDue(now int64) bool {
	n, half := 0, d.Len()/2
	if half < many || d.Timed() <= half {
		return false
	}
	d.due.Ascend(func(m moment) bool {
		if m.at > now {
			return false
		}
		n++
		return n <= half
	})
	return n > half
}

// renew is Expire without a limit. It copies what stays, which is cheaper than to take out most.
func (d *Dict) renew(now int64) int {
	c := new(Dict)
	d.EachAt(func(key, val []byte, at int64) bool {
		if at > now {
			c.SetAt(key, val, at)
		}
		return true
	})
	n := d.Len() - c.Len()
	d.Abandon()
	*d = *c
	return n
}

// timed finds the key that m stands for.
func (d *Dict) timed(m moment) (p place) {
	p.cur = d.idx.Seek(m.hash)
	for {
		ref, ok := p.cur.Next()
		if !ok {
			panic("dict: a deadline of no key")
		}
		b := d.blocks.Bytes(arena.Ref(ref))
		l := layoutOf(b)
		if l.deadline(b) == m.at && hash(b[l.key:l.val]) == m.hash {
			p.ref, p.b, p.layout = arena.Ref(ref), b, l
			return
		}
	}
}
