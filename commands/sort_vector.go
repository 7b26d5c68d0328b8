package commands

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"strconv"

	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/list"
	"github.com/streampulse/pulse/store/set"
	"github.com/streampulse/pulse/store/zset"
)

// sortSource is what SORT sorts: one of the three, or none.
type sortSource struct {
	list *list.List
	set  *set.Set
	zset *zset.ZSet
}

func sortSourceAt(tx *store.Tx, key []byte) (src sortSource, err error) {
	switch {
	case tx.Holds(key, store.List):
		src.list, err = tx.List(key, store.Read)
	case tx.Holds(key, store.Set):
		src.set, err = tx.Set(key, store.Read)
	case tx.Holds(key, store.ZSet):
		src.zset, err = tx.ZSet(key, store.Read)
	case tx.Exists(key):
		err = ErrWrongType
	}
	return src, err
}

func (src *sortSource) len() int { return src.list.Len() + src.set.Len() + src.zset.Len() }

// each calls f for all elements. An integer that is none in memory comes as text.
func (src *sortSource) each(f func(text []byte, n int64, isInt bool) bool) {
	for it := src.list.End(true); it.Valid(); it.Next() {
		if !f(it.Value()) {
			return
		}
	}
	src.set.Each(func(member []byte) bool { return f(member, 0, false) })
	src.zset.Each(0, src.zset.Len(), false, func(member []byte, _ float64) bool { return f(member, 0, false) })
}

// sortItem is an element with what it sorts by. Texts stand in the vector's memory: the element, and behind it the text
// it sorts by, if that is another.
type sortItem struct {
	key   uint64 // orders as the scores do, or as the first eight bytes of the texts
	at    int
	n     uint32 // bytes of the element
	by    uint32 // bytes of the text to sort by, or noText
	order uint32 // in which it came
}

// noText marks an element whose pattern leads to nothing. It sorts before all texts.
const noText = math.MaxUint32

// sortVector sorts elements. If only the first few are wanted it keeps no others: the items are a heap then, the last in
// order on top, once there are as many as wanted.
type sortVector struct {
	items  []sortItem
	text   []byte
	dead   int // bytes of text that no item uses
	desc   bool
	byText bool // equal keys are told apart by the texts to sort by, not by the elements
	most   int  // items wanted; negative: all
	count  uint32
}

func (v *sortVector) elem(it *sortItem) []byte { return v.text[it.at : it.at+int(it.n)] }

func (v *sortVector) byOf(it *sortItem) []byte {
	at := it.at + int(it.n)
	return v.text[at : at+it.bySize()]
}

func (it *sortItem) bySize() int {
	if it.by == noText {
		return 0
	}
	return int(it.by)
}

// compare orders items. What is equal stays in the order in which it came.
func (v *sortVector) compare(x, y *sortItem) int {
	c := cmp.Compare(x.key, y.key)
	switch {
	case c != 0:
	case !v.byText:
		c = bytes.Compare(v.elem(x), v.elem(y))
	case x.by == noText || y.by == noText:
		c = cmp.Compare(x.by+1, y.by+1) // noText is the least
	default:
		c = bytes.Compare(v.byOf(x), v.byOf(y))
	}
	if v.desc {
		c = -c
	}
	if c == 0 {
		c = cmp.Compare(x.order, y.order)
	}
	return c
}

// add takes an element; by is the text to sort by if byText.
func (v *sortVector) add(key uint64, elem, by []byte, found bool) {
	it := sortItem{key: key, at: len(v.text), n: uint32(len(elem)), order: v.count}
	v.count++
	if v.rejects(key) {
		return
	}
	full := v.most > 0 && len(v.items) == v.most
	v.text = append(v.text, elem...)
	if v.byText {
		v.text = append(v.text, by...)
		if it.by = uint32(len(by)); !found {
			it.by = noText
		}
	}
	switch {
	case !full:
		v.items = append(v.items, it)
		if len(v.items) == v.most {
			for i := len(v.items)/2 - 1; i >= 0; i-- {
				v.sink(i)
			}
		}
	case v.compare(&it, &v.items[0]) >= 0:
		v.text = v.text[:it.at]
	default:
		v.dead += int(v.items[0].n) + v.items[0].bySize()
		v.items[0] = it
		v.sink(0)
		v.tidy()
	}
}

// rejects reports whether an element of that key need not be added, because there are enough before it.
func (v *sortVector) rejects(key uint64) bool {
	if v.most <= 0 || len(v.items) < v.most {
		return v.most == 0
	}
	last := v.items[0].key
	return key != last && (key > last) != v.desc
}

// sink restores the heap below item i.
func (v *sortVector) sink(i int) {
	for {
		child := 2*i + 1
		if child >= len(v.items) {
			return
		}
		if right := child + 1; right < len(v.items) && v.compare(&v.items[right], &v.items[child]) > 0 {
			child = right
		}
		if v.compare(&v.items[i], &v.items[child]) >= 0 {
			return
		}
		v.items[i], v.items[child] = v.items[child], v.items[i]
		i = child
	}
}

// tidy gives dead text up when it is more than half.
func (v *sortVector) tidy() {
	if v.dead <= len(v.text)/2+4096 {
		return
	}
	text := make([]byte, 0, 2*(len(v.text)-v.dead)+4096)
	for i := range v.items {
		it := &v.items[i]
		at := len(text)
		text = append(text, v.text[it.at:it.at+int(it.n)+it.bySize()]...)
		it.at = at
	}
	v.text, v.dead = text, 0
}

func (v *sortVector) sort() {
	slices.SortFunc(v.items, func(x, y sortItem) int { return v.compare(&x, &y) })
}

// collect takes the elements from start up to end in the order they have, from the last one on if desc; sets have but
// one order.
func (v *sortVector) collect(src *sortSource, start, end int, desc bool) {
	v.most = -1
	if end <= start {
		return
	}
	from := start
	if desc {
		from = src.len() - 1 - start
	}
	var scratch [num.MaxIntLen]byte
	it := src.list.Iter(from, desc)
	for n := start; n < end && it.Valid(); n++ {
		v.add(0, it.Text(scratch[:]), nil, false)
		it.Next()
	}
	src.zset.Each(from, end-start, desc, func(member []byte, _ float64) bool {
		v.add(0, member, nil, false)
		return true
	})
	i := 0
	src.set.Each(func(member []byte) bool {
		if i >= start {
			v.add(0, member, nil, false)
		}
		i++
		return i < end
	})
}

// load takes all elements, or those that can be among the first end. It reports false if one has no score.
func (v *sortVector) load(src *sortSource, q *sortQuery, lookup *sortLookup, end int) (ok bool) {
	v.desc, v.byText = q.desc, q.alpha && q.by != nil
	n := src.len()
	if v.most = -1; end <= n/8 {
		v.most = end
	} else {
		v.items = make([]sortItem, 0, n)
	}
	var scratch [num.MaxIntLen]byte
	ok = true
	byNumber := q.by == nil && !q.alpha
	src.each(func(elem []byte, n int64, isInt bool) bool {
		if isInt {
			if byNumber && v.rejects(scoreKey(float64(n))) {
				return true // with a limit, nearly all
			}
			elem = strconv.AppendInt(scratch[:0], n, 10)
		}
		by, found := elem, true
		if q.by != nil {
			by, found = lookup.follow(q.by, elem)
		}
		switch {
		case q.alpha:
			v.add(prefixKey(by), elem, by, found)
		case isInt && byNumber:
			v.add(scoreKey(float64(n)), elem, nil, true)
		default:
			var score float64
			if found {
				if score, ok = sortScore(by); !ok {
					return false
				}
			}
			v.add(scoreKey(score), elem, nil, true)
		}
		return true
	})
	return ok
}

// prefixKey is a number that orders as the first eight bytes of b do.
func prefixKey(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.BigEndian.Uint64(b)
	}
	var p [8]byte
	copy(p[:], b)
	return binary.BigEndian.Uint64(p[:])
}

// scoreKey is a number that orders as f does.
func scoreKey(f float64) uint64 {
	if f == 0 {
		f = 0 // there are two zeros
	}
	u := math.Float64bits(f)
	if u>>63 != 0 {
		return ^u
	}
	return u | 1<<63
}

// smallestNormal is the smallest double that is held in full.
const smallestNormal = 0x1p-1022

// sortScore reads a score as C's strtod reads the whole of a string: white space may lead, and no text at all is 0. A
// number so small that digits are lost is refused, as what strtod calls out of range.
func sortScore(b []byte) (f float64, ok bool) {
	if f, ok = num.ParseFloat(b); !ok {
		if b = untilNUL(b); len(b) == 0 {
			return 0, true
		}
		f, ok = num.ParseFloat(bytes.TrimLeft(b, " \t\n\v\f\r"))
	}
	return f, ok && (f == 0 || math.Abs(f) >= smallestNormal)
}
