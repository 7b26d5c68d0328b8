package listpack

import "encoding/binary"

// Append adds elem after the last entry.
func (l Listpack) Append(elem []byte) Listpack {
	return l.insert(len(l)-1, encode(elem))
}

// AppendInt adds v after the last entry.
func (l Listpack) AppendInt(v int64) Listpack {
	return l.insert(len(l)-1, encodeInt(v))
}

// Prepend adds elem before the first entry.
func (l Listpack) Prepend(elem []byte) Listpack {
	return l.insert(headerSize, encode(elem))
}

// InsertBefore adds elem before the entry at p. Afterwards p is the position
// of the new entry.
func (l Listpack) InsertBefore(p int, elem []byte) Listpack {
	return l.insert(p, encode(elem))
}

// InsertIntBefore adds v before the entry at p, which becomes its position.
func (l Listpack) InsertIntBefore(p int, v int64) Listpack {
	return l.insert(p, encodeInt(v))
}

// InsertAfter adds elem after the entry at p. Afterwards p is still the
// position of that entry.
func (l Listpack) InsertAfter(p int, elem []byte) Listpack {
	return l.insert(p+l.span(p), encode(elem))
}

func (l Listpack) insert(p int, e encoded) Listpack {
	l = l.room(p, 0, e.span())
	e.put(l[p:])
	l.addCount(1)
	return l
}

// Replace puts elem in the place of the entry at p, whose position it takes
// over. Nothing moves if the new entry is as long as the old one.
func (l Listpack) Replace(p int, elem []byte) Listpack {
	return l.replace(p, encode(elem))
}

// ReplaceInt puts v in the place of the entry at p, as [Listpack.Replace].
func (l Listpack) ReplaceInt(p int, v int64) Listpack {
	return l.replace(p, encodeInt(v))
}

func (l Listpack) replace(p int, e encoded) Listpack {
	old, size := l.span(p), e.span()
	if old != size {
		l = l.room(p, old, size)
	}
	e.put(l[p:])
	return l
}

// Delete removes the entry at p and returns the position of the one that
// followed it (p again), or None.
func (l Listpack) Delete(p int) (Listpack, int) {
	l = l.room(p, l.span(p), 0)
	l.dropCount(1)
	return l, l.check(p)
}

// DeleteFrom removes up to n entries beginning with the one at p and returns
// the position of the one that followed them (p again), or None.
func (l Listpack) DeleteFrom(p, n int) (Listpack, int) {
	end, gone := p, 0
	for ; gone < n && l[end] != endMark; gone++ {
		end += l.span(end)
	}
	if gone == 0 {
		return l, l.check(p)
	}
	l = l.room(p, end-p, 0)
	l.dropCount(gone)
	return l, l.check(p)
}

// DeleteRange removes up to n entries beginning with the one of the given
// index; negative indexes count from the end. An index without an entry, and
// n below 1, remove nothing.
func (l Listpack) DeleteRange(index, n int) Listpack {
	p := l.At(index)
	if p == None || n <= 0 {
		return l
	}
	l, _ = l.DeleteFrom(p, n)
	return l
}

// Merge returns the entries of a followed by those of b. It uses a's memory
// where it can; a must not be used afterwards. The error is ErrTooLarge, and
// then a is as it was.
func Merge(a, b Listpack) (Listpack, error) {
	extra := len(b) - emptySize
	if !a.Fits(extra) {
		return a, ErrTooLarge
	}
	na, nb := a.headerCount(), b.headerCount()
	end := len(a) - 1
	a = a.room(end, 0, extra)
	copy(a[end:], b[headerSize:len(b)-1])
	if na == countUnknown || nb == countUnknown {
		a.setHeaderCount(countUnknown)
	} else {
		a.setHeaderCount(na + nb)
	}
	return a, nil
}

// Split cuts l before the entry at p, and returns the entries before it and
// those from p on. Head uses l's memory; l must not be used afterwards.
func (l Listpack) Split(p int) (head, tail Listpack) {
	part := l[p : len(l)-1]
	tail = make(Listpack, emptySize+len(part))
	copy(tail[headerSize:], part)
	tail[len(tail)-1] = endMark
	binary.LittleEndian.PutUint32(tail, uint32(len(tail)))
	tail.setHeaderCount(tail.count(countUnknown))

	moved := tail.headerCount()
	known := l.headerCount()
	head = l.room(p, len(part), 0)
	if known == countUnknown || moved == countUnknown {
		head.setHeaderCount(head.count(countUnknown))
	} else {
		head.setHeaderCount(known - moved)
	}
	return head, tail
}
