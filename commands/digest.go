package commands

import (
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"

	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/codec"
	"github.com/streampulse/pulse/store/hash"
	"github.com/streampulse/pulse/store/list"
	"github.com/streampulse/pulse/store/set"
	"github.com/streampulse/pulse/store/stream"
	"github.com/streampulse/pulse/store/zset"
)

// fingerprint is that of data that DEBUG DIGEST shows, the same as that of a Redis with the same data: what has no
// order is added with add, what has with mix. It does not depend on encodings, but for
// a score of -0, whose sign only a skip list keeps.
type fingerprint [sha1.Size]byte

// add adds b; the order in which things are added does not matter.
func (d *fingerprint) add(b []byte) {
	for i, c := range sha1.Sum(b) {
		d[i] ^= c
	}
}

// mix adds b behind all that was added before.
func (d *fingerprint) mix(b []byte) {
	d.add(b)
	*d = sha1.Sum(d[:])
}

func (d *fingerprint) number(n uint32) { d.mix(binary.BigEndian.AppendUint32(nil, n)) }

func (d *fingerprint) String() string { return hex.EncodeToString(d[:]) }

// Marks of what has a deadline; when it is does not show.
var (
	markExpire  = []byte("!!expire!!")
	markHexpire = []byte("!!hexpire!!")
)

// value adds a value with its deadline.
func (d *fingerprint) value(v codec.Value, at int64) {
	var scratch [num.MaxIntLen]byte
	switch o := v.Object.(type) {
	case nil:
		d.number(0)
		d.mix(v.Text)
	case *list.List:
		d.number(1)
		for it := o.End(true); it.Valid(); it.Next() {
			d.mix(it.Text(scratch[:]))
		}
	case *set.Set:
		d.number(2)
		o.Each(func(member []byte) bool {
			d.add(member)
			return true
		})
	case *zset.ZSet:
		d.number(3)
		o.Each(0, o.Len(), false, func(member []byte, score float64) bool {
			var e fingerprint
			e.mix(member)
			e.mix(scoreDigits(score))
			d.add(e[:])
			return true
		})
	case *hash.Hash:
		d.number(4)
		o.EachAt(func(field, value []byte, at int64) bool {
			var e fingerprint
			e.mix(field)
			e.mix(value)
			if at != hash.Forever {
				e.add(markHexpire)
			}
			d.add(e[:])
			return true
		})
	case *stream.Stream:
		d.number(6)
		for it := o.Range(stream.ID{}, o.Last(), false); it.Next(); {
			id := it.ID()
			d.mix(strconv.AppendUint(append(strconv.AppendUint(nil, id.Ms, 10), '.'), id.Seq, 10))
			for range it.NumFields() {
				field, value := it.Field()
				d.mix(field)
				d.mix(value)
			}
		}
	}
	if at != store.Forever {
		d.add(markExpire)
	}
}

// scoreDigits writes a score with up to 17 digits, as C's %.17g does.
func scoreDigits(score float64) []byte {
	switch {
	case math.IsInf(score, 1):
		return []byte("inf")
	case math.IsInf(score, -1):
		return []byte("-inf")
	}
	return strconv.AppendFloat(nil, score, 'g', 17, 64)
}

// debugDigest fingerprints all databases. Keys that are due and not deleted yet do not count.
func debugDigest(c *Call) error {
	var all fingerprint
	was := c.Tx.DB()
	for db := range c.Env.Store().Databases() {
		c.Tx.Select(db)
		if keys := c.everyKey(); keys.n > 0 {
			all.number(uint32(db))
			keys.each(func(key []byte) {
				var d fingerprint
				d.mix(key)
				if c.digestKey(&d, key) {
					all.add(d[:])
				}
			})
		}
	}
	c.Tx.Select(was)
	c.Simple(all.String())
	return nil
}

// debugDigestValue fingerprints single values; that of a key that does not exist is zero.
func debugDigestValue(c *Call) error {
	keys := c.Args[2:]
	c.Array(len(keys))
	for _, key := range keys {
		var d fingerprint
		c.digestKey(&d, key)
		c.Simple(d.String())
	}
	return nil
}

// digestKey adds the value of key, without counting or noting that it was looked at.
func (c *Call) digestKey(d *fingerprint, key []byte) bool {
	tx := c.Tx
	noTouch, hits, misses := tx.NoTouch, tx.Hits, tx.Misses
	tx.NoTouch = true
	v, ok := tx.Value(key)
	if ok {
		at, _ := tx.Deadline(key)
		d.value(v, at)
	}
	tx.NoTouch, tx.Hits, tx.Misses = noTouch, hits, misses
	return ok
}

// keyList is names of keys, one behind the other.
type keyList struct {
	b []byte
	n int
}

func (l *keyList) each(f func(key []byte)) {
	for b := l.b; len(b) > 0; {
		n, k := binary.Uvarint(b)
		f(b[k : k+int(n)])
		b = b[k+int(n):]
	}
}

// everyKey lists the keys of the present database; all shards are locked. Looking at a key may delete fields that are
// due, which nobody may do while walking over the keys.
func (c *Call) everyKey() (l keyList) {
	c.Tx.EachKey(func(key []byte, _ store.Kind) bool {
		l.b = append(binary.AppendUvarint(l.b, uint64(len(key))), key...)
		l.n++
		return true
	})
	return l
}
