package listpack

// Hashes and sorted sets keep pairs: the field (or member) at even indexes,
// its value (or score) right after it.

// Pairs returns the number of pairs.
func (l Listpack) Pairs() int { return l.Len() / 2 }

// FindPair returns the positions of field and of its value, or None twice.
func (l Listpack) FindPair(field []byte) (fieldPos, valuePos int) {
	p := l.Find(l.First(), field, 1)
	if p == None {
		return None, None
	}
	return p, p + l.span(p)
}

// AppendPair adds a pair at the end, growing once.
func (l Listpack) AppendPair(field, value []byte) Listpack {
	return l.insertPair(len(l)-1, encode(field), encode(value))
}

// InsertPairBefore adds a pair before the pair whose field is at p, or at the
// end if p is None.
func (l Listpack) InsertPairBefore(p int, field, value []byte) Listpack {
	if p == None {
		p = len(l) - 1
	}
	return l.insertPair(p, encode(field), encode(value))
}

func (l Listpack) insertPair(p int, a, b encoded) Listpack {
	l = l.room(p, 0, a.span()+b.span())
	n := a.put(l[p:])
	b.put(l[p+n:])
	l.addCount(2)
	return l
}

// DeletePair removes the pair whose field is at p and returns the position of
// the field that followed it (p again), or None.
func (l Listpack) DeletePair(p int) (Listpack, int) {
	return l.DeleteFrom(p, 2)
}

// PairAt returns the positions of field and value of the pair with the given
// index, or None twice. Negative indexes count from the end.
func (l Listpack) PairAt(index int) (fieldPos, valuePos int) {
	const far = 1 << 30 // no listpack has as many
	if index >= far || index < -far {
		return None, None
	}
	p := l.At(index * 2)
	if p == None {
		return None, None
	}
	return p, p + l.span(p)
}
