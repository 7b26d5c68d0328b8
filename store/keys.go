package store

import (
	"github.com/streampulse/pulse/internal/pieces"
	"github.com/streampulse/pulse/store/arena"
)

// Kind returns the type of the value at key, None if there is no such key. It counts as a read, and the access time
// stays.
func (tx *Tx) Kind(key []byte) Kind {
	e := tx.look(key)
	if e.b == nil {
		return None
	}
	return e.kind()
}

// Exists reports whether there is such a key. It counts as a read, and the access time stays.
func (tx *Tx) Exists(key []byte) bool { e := tx.look(key); return e.b != nil }

// Touch is Exists, and renews the access time whatever NoTouch says.
func (tx *Tx) Touch(key []byte) bool {
	e := tx.look(key)
	if e.b != nil {
		tx.touch(&e)
	}
	return e.b != nil
}

// Has is Exists for a command that is about to write: neither hit nor miss, and the access time stays.
func (tx *Tx) Has(key []byte) bool { e := tx.find(key); return e.b != nil }

// Delete deletes key, calls Modified and reports whether there was such a key. What a value holds is freed by the
// garbage collector, so the cost does not depend on its size.
func (tx *Tx) Delete(key []byte) bool {
	e := tx.find(key)
	if e.b == nil {
		return false
	}
	tx.drop(&e)
	tx.Modified(key, 1)
	return true
}

// Facts are what OBJECT and DEBUG tell of a key.
type Facts struct {
	Kind     Kind
	Encoding string
	Len      int   // bytes of a string, else elements
	Idle     int64 // seconds since the last access, if recency is recorded
	Freq     int   // logarithm of the number of accesses, if frequency is recorded
	Bytes    int   // held by key and value, about
	Deadline int64
}

// Facts describes key without touching it; ok is false if there is no such key.
func (tx *Tx) Facts(key []byte) (f Facts, ok bool) {
	e := tx.find(key)
	if e.b == nil {
		return f, false
	}
	f = Facts{Kind: e.kind(), Len: e.vlen, Bytes: e.size, Deadline: e.deadline()}
	f.Idle, f.Freq = tx.idle(accessOf(e.b)), int(tx.frequency(accessOf(e.b)))
	switch e.kind() {
	case Integer:
		f.Encoding = "int"
	case String:
		f.Encoding = "embstr"
		if e.vlen > 44 || e.flags&fRaw != 0 {
			f.Encoding = "raw"
		}
	default:
		o := tx.view(&e)
		f.Encoding, f.Len = o.Encoding(), o.Len()
		if e.hasObject() {
			f.Bytes += o.Bytes()
		}
	}
	return f, true
}

// Rename moves the value and the deadline of from to to, whose old value goes, and calls Modified for both. from must
// exist and differ from to.
func (tx *Tx) Rename(from, to []byte) {
	tx.Modified(from, 1)
	tx.transfer(from, to, tx.db, true)
}

// Move moves key to database db, where it must not exist, and calls Modified for both names.
func (tx *Tx) Move(key []byte, db int) {
	tx.Modified(key, 1)
	tx.transfer(key, key, db, true)
}

// Copy copies from, which must exist, to the name to in database db, whose old value goes, and calls Modified for it.
func (tx *Tx) Copy(from, to []byte, db int) { tx.transfer(from, to, db, false) }

func (tx *Tx) transfer(from, to []byte, db int, move bool) {
	src := tx.find(from)
	kind, at := src.kind(), src.deadline()
	sh := shape{flags: src.flags & valueMask, key: to, vlen: src.vlen, deadline: at}
	var o Object
	// A slice of a block stays readable when the block dies, see package arena.
	val := src.value()
	if src.hasObject() {
		o = src.ks.objects.get(objectNumber(val))
		if !move {
			o = cloneObject(o)
		}
	}
	access := tx.access()
	if move {
		access = tx.used(&src)
		src.ks.giveObject(&src)
		tx.forget(kind, from)
		src.ks.moveDeadline(&src, noDeadline)
		src.ks.remove(&src)
		src.ks.tidy()
	}
	db0 := tx.db
	tx.db = db
	dst := tx.find(to)
	if dst.b != nil {
		tx.drop(&dst)
		dst = entry{h: dst.h, ks: dst.ks}
	}
	tx.tellNew(&dst, to)
	if o != nil {
		tx.putNumber(&dst, to, kind, o, at)
		dst = tx.find(to)
		dst.ks.objects.lent = dst.ks.objects.lent || src.ks.objects.lent
		setAccess(dst.b, access)
	} else {
		ks := tx.space(&dst)
		pieces.Copy(ks.put(&dst, &sh, access), val)
		ks.tidy()
	}
	tx.Modified(to, 1)
	tx.db = db0
}

// Size is what INFO tells of a database.
type Size struct {
	Keys     int
	Volatile int   // keys with a deadline
	Fields   int   // hashes with deadlines of fields
	AvgTTL   int64 // of these, in milliseconds
}

// Keys counts the keys of database db. It takes no lock: changes under way in several shards may be counted in part.
func (s *Store) Keys(db int) (n int64) {
	for i := range s.shards {
		n += s.shards[i].dbs[db].count.Load()
	}
	return n
}

// swap exchanges the contents of two databases of a shard.
func (d *database) swap(o *database) {
	d.keys, o.keys = o.keys, d.keys
	for _, x := range [2]*database{d, o} {
		x.count.Store(0)
		if x.keys != nil {
			x.keys.count = &x.count
			x.count.Store(int64(x.keys.idx.Len()))
		}
	}
}

// Size counts database db; all shards are locked.
func (tx *Tx) Size(db int) (z Size) {
	sum := 0.0
	for i := range tx.s.shards {
		if ks := tx.s.shards[i].dbs[db].keys; ks != nil {
			z.Keys += ks.idx.Len()
			z.Volatile += ks.volatile()
			z.Fields += ks.listed()
			sum += ks.sum
		}
	}
	z.AvgTTL = averageTTL(sum, z.Volatile, tx.now)
	return z
}

// Flush empties database db and returns how many keys it had; all shards are locked. Dropping the keyspaces is all
// there is to do: the collector frees them while others work.
func (tx *Tx) Flush(db int) (n int) {
	db0 := tx.db
	tx.db = db
	for i := range tx.s.shards {
		d := &tx.s.shards[i].dbs[db]
		if d.keys == nil {
			continue
		}
		for name := range d.watchedNames() {
			if e := d.keys.find(tx.s.hash([]byte(name)), []byte(name)); e.b != nil {
				tx.notify(d, name)
			}
		}
		tx.notifyWaiters(d)
		n += d.keys.idx.Len()
		d.keys.discharge()
		d.keys = nil
		d.count.Store(0)
	}
	tx.changes += n
	tx.db = db0
	return n
}

// SwapDB exchanges the contents of two databases; all shards are locked. Watched keys that exist in either are
// modified, and waiters of both databases are looked at.
func (tx *Tx) SwapDB(a, b int) {
	db0 := tx.db
	for i := range tx.s.shards {
		dbs := tx.s.shards[i].dbs
		for _, n := range [2]int{a, b} {
			d := &dbs[n]
			for name := range d.watchedNames() {
				for _, m := range [2]int{a, b} {
					tx.db = m
					if e := tx.find([]byte(name)); e.b != nil { // what is due goes now: it must not come, and touch later
						tx.db = n
						tx.notify(d, name)
					}
				}
			}
		}
		dbs[a].swap(&dbs[b])
		for _, n := range [2]int{a, b} {
			tx.db = n
			tx.notifyWaiters(&dbs[n])
		}
	}
	tx.db = db0
	tx.changes++
}

// RandomKey returns a key of the present database, uniformly chosen, or nil if it is empty; all shards are locked.
func (tx *Tx) RandomKey() []byte {
	for range 100 {
		n := tx.Size(tx.db).Keys
		if n == 0 {
			return nil
		}
		k := tx.rand.IntN(n)
		for i := range tx.s.shards {
			ks := tx.s.shards[i].dbs[tx.db].keys
			if ks == nil {
				continue
			}
			if k -= ks.idx.Len(); k < 0 {
				b := ks.blocks.Bytes(arena.Ref(ks.idx.Random(tx.rand)))
				if key := keyOf(b); tx.Has(key) {
					return key
				}
				break
			}
		}
	}
	// Nearly all keys are past their deadline: any other will do.
	var found []byte
	tx.EachKey(func(key []byte, _ Kind) bool { found = key; return false })
	return found
}

// EachKey calls f for every key of the present database, in no useful order, until f returns false; all shards are
// locked. f must not change the store.
func (tx *Tx) EachKey(f func(key []byte, k Kind) bool) {
	for i := range tx.s.shards {
		ks := tx.s.shards[i].dbs[tx.db].keys
		if ks == nil {
			continue
		}
		more := true
		ks.idx.All(func(ref uint32) bool {
			b := ks.blocks.Bytes(arena.Ref(ref))
			if deadlineOf(b) > tx.now {
				l := layoutOf(b)
				more = f(b[l.key:l.val:l.val], l.kind())
			}
			return more
		})
		if !more {
			return
		}
	}
}
