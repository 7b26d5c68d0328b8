package commands

import "iter"

// names finds rows by name, whatever the case of its letters. It is looked into for every request that does not repeat the name of
// the one before, so it hashes and compares the bytes as they came, without making the lower-case string that a map would need. The
// zero value is empty. Lookups may be concurrent, changes not.
type names struct {
	slots []named // open addressing with linear probing, at most a quarter full
	n     int
}

type named struct {
	name string // in lower case; empty: the slot is free
	spec *Spec
}

// foldHash is a multiplicative hash of the length, the first eight bytes and the last eight, with the bit of letter case set. Names that
// agree in all of that are told apart by comparing.
func foldHash[S ~string | ~[]byte](name S) uint32 {
	const fold, mix = 0x2020202020202020, 0x9e3779b97f4a7c15
	var first, last uint64
	switch n := len(name); {
	case n >= 8:
		first, last = word(name, 0), word(name, n-8)
	default:
		for i := range n {
			first = first<<8 | uint64(name[i])
		}
	}
	h := ((first|fold)*mix ^ (last | fold) + uint64(len(name))) * mix
	return uint32(h >> 32)
}

// word is eight bytes of name, from the one at i.
func word[S ~string | ~[]byte](name S, i int) uint64 {
	b := name[i : i+8]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 | uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

// sameName reports whether name is lower but for the case of its letters; they are as long as each other.
func sameName(lower string, name []byte) bool {
	for i, c := range name {
		if c-'A' <= 'Z'-'A' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// lower is name with the letters of ASCII in lower case, and no other: what else there is in a name has no case.
func lower(name string) string {
	b := []byte(name)
	for i, c := range b {
		if c-'A' <= 'Z'-'A' {
			b[i] |= 0x20
		}
	}
	return string(b)
}

// find returns the row of a name, nil if there is none.
func (m *names) find(name []byte) *Spec {
	if m.n == 0 || len(name) > maxRename {
		return nil
	}
	mask := uint32(len(m.slots) - 1)
	for i := foldHash(name) & mask; ; i = (i + 1) & mask {
		s := &m.slots[i]
		if s.name == "" {
			return nil
		}
		if len(s.name) == len(name) && sameName(s.name, name) {
			return s.spec
		}
	}
}

// add adds a row under a name that has none.
func (m *names) add(name string, s *Spec) {
	if 4*(m.n+1) > len(m.slots) {
		old := *m
		*m = names{slots: make([]named, max(8, 2*len(old.slots)))}
		for name, s := range old.all() {
			m.add(name, s)
		}
	}
	name = lower(name)
	mask := uint32(len(m.slots) - 1)
	i := foldHash(name) & mask
	for m.slots[i].name != "" {
		i = (i + 1) & mask
	}
	m.slots[i] = named{name, s}
	m.n++
}

// without returns what m has but for one name.
func (m *names) without(name string) (rest names) {
	for other, s := range m.all() {
		if other != lower(name) {
			rest.add(other, s)
		}
	}
	return rest
}

// all yields the names in lower case with their rows, in no order.
func (m *names) all() iter.Seq2[string, *Spec] {
	return func(yield func(string, *Spec) bool) {
		for _, s := range m.slots {
			if s.name != "" && !yield(s.name, s.spec) {
				return
			}
		}
	}
}
