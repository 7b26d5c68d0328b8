package codec

import (
	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store/intset"
	"github.com/streampulse/pulse/store/list"
	"github.com/streampulse/pulse/store/listpack"
	"github.com/streampulse/pulse/store/set"
)

// Value reads a value of type t. An error is latched as well, except ErrEmpty: the value has been read then, and what
// follows can be.
func (r *Reader) Value(t Type, lim *Limits) (v Value, err error) {
	if r.err == nil {
		r.value(t, lim, &v)
		r.tidy()
	}
	switch err = r.err; err {
	case nil:
		return v, nil
	case ErrEmpty:
		r.err = nil
	}
	return Value{}, err
}

func (r *Reader) value(t Type, lim *Limits, v *Value) {
	switch t {
	case typeString:
		v.Text = r.Blob()
	case typeList:
		v.Object = r.list(lim.List)
	case typeListZip:
		v.Object = r.nodes(1, r.ziplistNode, lim.List)
	case typeQuick:
		v.Object = r.nodes(r.Count(), r.ziplistNode, lim.List)
	case typeQuick2:
		v.Object = r.nodes(r.Count(), r.node, lim.List)
	case typeSet:
		v.Object = r.set(lim.Set)
	case typeIntset:
		v.Object = r.intset(lim.Set)
	case typeSetPack:
		v.Object = r.setPack(lim.Set)
	case typeZSet, typeZSet2:
		v.Object = r.zset(t, lim.ZSet)
	case typeZSetZip:
		v.Object = r.zsetZip(lim.ZSet)
	case typeZSetPack:
		v.Object = r.zsetPack(lim.ZSet)
	case typeHash:
		v.Object = r.hash(lim.Hash)
	case typeZipmap:
		v.Object = r.hashOf(eachZipmap, lim.Hash)
	case typeHashZip:
		v.Object = r.hashOf(eachPairOfZiplist, lim.Hash)
	case typeHashPack:
		v.Object = r.hashPack(lim.Hash)
	case typeHashTTL0, typeHashTTL:
		v.Object = r.timedHash(t, lim.Hash)
	case typeHashTTLPack0, typeHashTTLPack:
		v.Object = r.timedPack(t, lim.Hash)
	case typeStream, typeStream2, typeStream3:
		v.Object = r.stream(t)
	default:
		r.Fail(ErrUnknown)
	}
}

// list reads a list as a row of elements.
func (r *Reader) list(lim list.Limit) *list.List {
	l := list.New()
	for n := r.Count(); n > 0; n-- {
		elem := r.text(0)
		if r.err != nil {
			return nil
		}
		l.PushOne(elem, false, lim)
	}
	return l
}

// nodes reads n nodes of a list.
func (r *Reader) nodes(n uint64, node func(*list.List, list.Limit), lim list.Limit) *list.List {
	l := list.New()
	for ; n > 0; n-- {
		node(l, lim)
		if r.err != nil {
			return nil
		}
	}
	if l.Len() == 0 {
		r.Fail(ErrEmpty)
	}
	l.Settle(lim)
	return l
}

func (r *Reader) node(l *list.List, lim list.Limit) {
	switch kind := r.Length(); kind {
	case nodePlain:
		elem := r.text(0)
		if r.err == nil {
			l.PushOne(elem, false, lim)
		}
	case nodePacked:
		lp := listpack.Listpack(r.Blob())
		if r.err != nil {
			return
		}
		if err := listpack.Valid(lp); err != nil {
			r.Fail(err)
			return
		}
		l.Absorb(lp, lim)
	default:
		r.Fail(Corrupt("a node of a list that is neither plain nor packed"))
	}
}

func (r *Reader) ziplistNode(l *list.List, lim list.Limit) {
	if b := r.text(0); r.err == nil {
		r.Fail(eachOfZiplist(b, func(elem []byte) error {
			l.PushOne(elem, false, lim)
			return nil
		}))
	}
}

func (r *Reader) set(lim set.Limits) *set.Set {
	n := r.Count()
	b := setBuilder{lim: lim, hopeless: n > uint64(max(lim.Ints, lim.Entries, 0))}
	for ; n > 0; n-- {
		member := r.text(0)
		if r.err != nil {
			return nil
		}
		if !b.add(member) {
			r.Fail(errTwice)
			return nil
		}
	}
	v, err := b.finish()
	r.Fail(err)
	return v
}

func (r *Reader) intset(lim set.Limits) *set.Set {
	s := intset.Intset(r.Blob())
	if r.err != nil {
		return nil
	}
	switch err := intset.Valid(s); {
	case err != nil:
		r.Fail(err)
		return nil
	case s.Len() == 0:
		r.Fail(ErrEmpty)
		return nil
	}
	return set.FromIntset(lim, s)
}

// pack reads a listpack of rows of step entries each.
func (r *Reader) pack(step int) listpack.Listpack {
	l := listpack.Listpack(r.Blob())
	if r.err != nil {
		return nil
	}
	if err := listpack.Valid(l); err != nil {
		r.Fail(err)
		return nil
	}
	switch {
	case l.Empty():
		r.Fail(ErrEmpty)
		return nil
	case step > 1 && l.Len()%step != 0:
		r.Fail(Corrupt("a listpack with a row that is not complete"))
		return nil
	}
	return l
}

func (r *Reader) setPack(lim set.Limits) *set.Set {
	l := r.pack(1)
	if r.err != nil {
		return nil
	}
	if l.Len() > lim.Entries {
		b := setBuilder{lim: lim, hopeless: true}
		var scratch [num.MaxIntLen]byte
		for p := l.First(); p != listpack.None; p = l.Next(p) {
			if !b.add(l.Text(p, scratch[:])) {
				r.Fail(errTwice)
				return nil
			}
		}
		v, err := b.finish()
		r.Fail(err)
		return v
	}
	if !distinct(l, 1) {
		r.Fail(errTwice)
		return nil
	}
	return set.FromListpack(lim, l)
}

// scoreText reads a score that is written as a text of up to 252 bytes, or as one of three that have none.
func (r *Reader) scoreText() (score float64, ok bool) {
	switch n := r.Byte(); n {
	case 253:
		return 0, false // not a number
	case 254:
		return inf, true
	case 255:
		return -inf, true
	default:
		return num.ParseFloat(r.Take(int(n)))
	}
}
