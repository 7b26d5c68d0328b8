package codec

import (
	"math"

	"github.com/streampulse/pulse/store/hash"
	"github.com/streampulse/pulse/store/list"
	"github.com/streampulse/pulse/store/listpack"
	"github.com/streampulse/pulse/store/set"
	"github.com/streampulse/pulse/store/stream"
	"github.com/streampulse/pulse/store/zset"
)

// VersionOf returns the oldest version of RDB that can say v.
func VersionOf(v Value) int {
	if h, ok := v.Object.(*hash.Hash); ok && h.Volatile() {
		return Version74
	}
	return Version70
}

// Type returns the type with which w writes v. A value is preceded by its type, but not always at once: in files the
// key comes between.
func (w *Writer) Type(v Value) Type {
	switch o := v.Object.(type) {
	case nil:
		return typeString
	case *list.List:
		return typeQuick2
	case *set.Set:
		if _, ok := o.Intset(); ok {
			return typeIntset
		}
		if _, ok := o.Listpack(); ok && w.Version >= Version72 {
			return typeSetPack
		}
		return typeSet
	case *zset.ZSet:
		if _, _, ok := o.Packed(); ok {
			return typeZSetPack
		}
		return typeZSet2
	case *hash.Hash:
		_, packed := o.Listpack()
		switch {
		case o.Volatile():
			return typeHashTTL
		case packed:
			return typeHashPack
		}
		return typeHash
	case *stream.Stream:
		if w.Version >= Version72 {
			return typeStream3
		}
		return typeStream2
	}
	panic("codec: a value of no known type")
}

// Value writes v, without its type, as Type says.
func (w *Writer) Value(v Value) {
	switch o := v.Object.(type) {
	case nil:
		w.Text(v.Text)
	case *list.List:
		w.list(o)
	case *set.Set:
		w.set(o)
	case *zset.ZSet:
		w.zset(o)
	case *hash.Hash:
		w.hash(o)
	case *stream.Stream:
		w.stream(o)
	default:
		panic("codec: a value of no known type")
	}
}

func (w *Writer) list(l *list.List) {
	n := uint64(0)
	for range l.Nodes() {
		n++
	}
	w.Length(n)
	for lp := range l.Nodes() {
		if b, ok := plain(lp); ok {
			w.Length(nodePlain)
			w.Text(b)
			continue
		}
		w.Length(nodePacked)
		w.Text(lp)
	}
}

// minPlain is the size in bytes from which on an element that is alone in its node is written without a listpack
// around it.
const minPlain = 8 << 10

// plain returns the only element of lp, if that is long.
func plain(lp listpack.Listpack) (b []byte, ok bool) {
	if len(lp) < minPlain || lp.Len() != 1 {
		return nil, false
	}
	b, _, isInt := lp.Get(lp.First())
	return b, !isInt
}

func (w *Writer) set(v *set.Set) {
	if s, ok := v.Intset(); ok {
		w.Text(s)
		return
	}
	if l, ok := v.Listpack(); ok && w.Version >= Version72 {
		w.Text(l)
		return
	}
	w.Length(uint64(v.Len()))
	v.Each(func(member []byte) bool {
		w.Text(member)
		return w.err == nil
	})
}

// zset writes the members of a large set from the last to the first, because that is the order in which Redis's skip
// list is filled fastest.
func (w *Writer) zset(z *zset.ZSet) {
	if _, l, ok := z.Packed(); ok {
		w.Text(l)
		return
	}
	n := z.Len()
	w.Length(uint64(n))
	z.Each(n-1, n, true, func(member []byte, score float64) bool {
		w.Text(member)
		w.Uint64(math.Float64bits(score))
		return w.err == nil
	})
}

func (w *Writer) hash(h *hash.Hash) {
	if h.Volatile() {
		w.timedHash(h)
		return
	}
	if l, ok := h.Listpack(); ok {
		w.Text(l)
		return
	}
	w.Length(uint64(h.Len()))
	h.Each(func(field, value []byte) bool {
		w.Text(field)
		w.Text(value)
		return w.err == nil
	})
}

// timedHash writes deadlines as distances from the earliest, which stands in front: 0 for none, 1 for that one itself.
func (w *Writer) timedHash(h *hash.Hash) {
	first := h.NextDeadline()
	w.Uint64(uint64(first))
	w.Length(uint64(h.Len()))
	h.EachAt(func(field, value []byte, at int64) bool {
		distance := uint64(0)
		if at != hash.Forever {
			distance = uint64(at-first) + 1
		}
		w.Length(distance)
		w.Text(field)
		w.Text(value)
		return w.err == nil
	})
}
