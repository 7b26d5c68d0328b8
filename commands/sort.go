package commands

import (
	"bytes"

	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/list"
)

var (
	sortSyntax = "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]"
	sortCost   = "O(N+M*log(M)) for N elements of which M are returned, or O(N) if they are not sorted."

	sortCommands = []Spec{
		{Name: "SORT", Syntax: sortSyntax + " [STORE destination]", Arity: -2,
			Keys: []KeySpec{At(1, RO|Access), Unknown(RO | Access), Unknown(OW | Update)}, MoreKeys: sortStoreKey, Strays: sortStrays,
			Flags: Write | DenyOOM | Dangerous, Group: GroupGeneric, Category: "@set @sortedset @list",
			Since: "1.0.0", Complexity: sortCost, Summary: "Sorts the elements of a list, a set or a sorted set.",
			Run: func(c *Call) error { return sortElements(c, true) }},
		{Name: "SORT_RO", Syntax: sortSyntax, Arity: -2,
			Keys: []KeySpec{At(1, RO|Access), Unknown(RO | Access)}, Strays: sortStrays,
			Flags: ReadOnly | Dangerous, Group: GroupGeneric, Category: "@set @sortedset @list",
			Since: "7.0.0", Complexity: sortCost, Summary: "Sorts like SORT, but stores nothing.",
			Run: func(c *Call) error { return sortElements(c, false) }},
	}
)

// sortQuery is what SORT is asked for.
type sortQuery struct {
	by            *sortPattern // nil: the elements sort by themselves
	unsorted      bool         // BY a constant
	alpha, desc   bool
	offset, limit int64 // limit is negative for all
	gets          []sortPattern
	store         []byte // nil: the result is the reply
}

// sortWords walks over the options of SORT and calls f for each that has all its arguments, with the position of the
// first; f may stop the walk. It also calls f, with a position of 0, for ASC, DESC, ALPHA, and, with an empty word,
// for what is no option.
func sortWords(args [][]byte, store bool, f func(word string, at int) bool) {
	options := [...]struct {
		word  string
		takes int
	}{{"BY", 1}, {"LIMIT", 2}, {"GET", 1}, {"ASC", 0}, {"DESC", 0}, {"ALPHA", 0}, {"STORE", 1}}
next:
	for i := 2; i < len(args); i++ {
		for _, o := range options {
			if !is(args[i], o.word) || i+o.takes >= len(args) || o.word == "STORE" && !store {
				continue
			}
			at := 0
			if o.takes > 0 {
				at = i + 1
			}
			if !f(o.word, at) {
				return
			}
			i += o.takes
			continue next
		}
		if !f("", i) {
			return
		}
	}
}

// sortStoreKey finds the destination, the last if there are several. It reads arguments as parse does, so that what is
// locked and what is written are the same.
func sortStoreKey(args [][]byte, dst []KeyPos) []KeyPos {
	store := 0
	sortWords(args, true, func(word string, at int) bool {
		if word == "STORE" {
			store = at
		}
		return true
	})
	if store > 0 {
		dst = append(dst, KeyPos{store, OW | Update})
	}
	return dst
}

// sortStrays reports whether there is a pattern that makes names of keys out of elements.
func sortStrays(args [][]byte) (strays bool) {
	sortWords(args, true, func(word string, at int) bool {
		if word == "BY" || word == "GET" {
			p := newSortPattern(args[at])
			strays = strays || !p.constant && !p.self
		}
		return !strays
	})
	return strays
}

func (q *sortQuery) parse(args [][]byte, mayStore bool, readsAll func() bool) (err error) {
	q.limit = -1
	sortWords(args, mayStore, func(word string, at int) bool {
		switch word {
		case "BY":
			p := newSortPattern(args[at])
			if !p.constant && !p.self && !readsAll() {
				err = ErrSortBy
			}
			// Once sorting is off it stays off, as in Redis.
			q.by, q.unsorted = &p, q.unsorted || p.constant || p.self
		case "GET":
			if !readsAll() {
				err = ErrSortGet
			}
			q.gets = append(q.gets, newSortPattern(args[at]))
		case "LIMIT":
			a := Args{v: args, i: at}
			q.offset, q.limit = a.Int(), a.Int()
			err = a.Err()
		case "STORE":
			q.store = args[at]
		case "ALPHA":
			q.alpha = true
		case "ASC", "DESC":
			q.desc = word == "DESC"
		default:
			err = ErrSyntax
		}
		return err == nil
	})
	return err
}

// window returns which of n elements in order are wanted: start up to but without end.
func (q *sortQuery) window(n int) (start, end int) {
	start, end = int(min(max(q.offset, 0), int64(n))), n
	if q.limit >= 0 {
		end = start + int(min(q.limit, int64(n-start)))
	}
	return start, end
}

// sortPattern makes the name of a key, or a field of one, out of an element.
type sortPattern struct {
	self     bool // "#": the element itself
	constant bool // without "*": nothing
	prefix   []byte
	suffix   []byte
	field    []byte // nil: the key is a string
}

// newSortPattern reads a pattern. Marks are looked for up to a NUL, as Redis does.
func newSortPattern(p []byte) sortPattern {
	text := untilNUL(p)
	if string(text) == "#" {
		return sortPattern{self: true}
	}
	star := bytes.IndexByte(text, '*')
	if star < 0 {
		return sortPattern{constant: true}
	}
	sp := sortPattern{prefix: p[:star], suffix: p[star+1:]}
	if arrow := bytes.Index(text[star+1:], sortArrow); arrow >= 0 && star+1+arrow+len(sortArrow) < len(text) {
		sp.field = sp.suffix[arrow+len(sortArrow):]
		sp.suffix = sp.suffix[:arrow]
	}
	return sp
}

var sortArrow = []byte("->")

// sortLookup follows patterns. Its memory is used again for each.
type sortLookup struct {
	tx      *store.Tx
	key     []byte
	scratch [32]byte
}

// follow returns what p makes of elem; ok is false if there is nothing.
func (l *sortLookup) follow(p *sortPattern, elem []byte) (val []byte, ok bool) {
	switch {
	case p.self:
		return elem, true
	case p.constant:
		return nil, false
	}
	l.key = append(append(append(l.key[:0], p.prefix...), elem...), p.suffix...)
	if p.field != nil {
		return l.tx.Field(l.key, p.field, l.scratch[:])
	}
	val, ok, err := l.tx.TextOver(l.key, l.scratch[:])
	return val, ok && err == nil
}

func sortElements(c *Call, mayStore bool) error {
	var q sortQuery
	if err := q.parse(c.Args, mayStore, c.mayReadAll); err != nil {
		return err
	}
	src, err := sortSourceAt(c.Tx, c.Args[1])
	if err != nil {
		return err
	}
	if q.unsorted && src.set != nil && (q.store != nil || c.within != nil) {
		// What is stored, or known to a script, shall not depend on the order of a table.
		q.unsorted, q.alpha, q.by = false, true, nil
	}
	start, end := q.window(src.len())
	lookup := sortLookup{tx: c.Tx}
	var v sortVector
	if q.unsorted {
		v.collect(&src, start, end, q.desc)
	} else {
		if !v.load(&src, &q, &lookup, end) {
			return ErrSortScores
		}
		v.sort()
		v.items = v.items[min(start, end):end]
	}
	if q.store != nil {
		return c.sortStore(&q, &v, &lookup)
	}
	c.sortReply(&q, &v, &lookup)
	return nil
}

func (c *Call) sortReply(q *sortQuery, v *sortVector, lookup *sortLookup) {
	c.Array(len(v.items) * max(1, len(q.gets)))
	for i := range v.items {
		elem := v.elem(&v.items[i])
		if len(q.gets) == 0 {
			c.Bulk(elem)
		}
		for g := range q.gets {
			if val, ok := lookup.follow(&q.gets[g], elem); ok {
				c.Bulk(val)
			} else {
				c.Null()
			}
		}
	}
}

// sortStore makes the destination a list of the result, in which nothing is the empty string.
func (c *Call) sortStore(q *sortQuery, v *sortVector, lookup *sortLookup) error {
	l, limit := list.New(), c.listLimit()
	add := func(elem []byte) error {
		if len(elem) > list.MaxElement {
			return ErrStringTooLong
		}
		l.PushOne(elem, false, limit)
		return nil
	}
	for i := range v.items {
		elem := v.elem(&v.items[i])
		if len(q.gets) == 0 {
			if err := add(elem); err != nil {
				return err
			}
		}
		for g := range q.gets {
			val, _ := lookup.follow(&q.gets[g], elem)
			if err := add(val); err != nil {
				return err
			}
		}
	}
	n := l.Len()
	if n == 0 {
		c.deleteKey(q.store)
	} else {
		c.Tx.SetObject(q.store, store.List, l)
		c.Tx.Modified(q.store, n)
		c.Notify(store.OnList, "sortstore", q.store)
	}
	c.Int(int64(n))
	return nil
}
