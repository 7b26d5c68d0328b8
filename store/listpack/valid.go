package listpack

import (
	"encoding/binary"
	"errors"
)

// ErrCorrupt is what [Valid] says of bytes that are no listpack.
var ErrCorrupt = errors.New("listpack: corrupt")

// Valid checks all of b as bytes from outside. When it returns nil, b may be
// used as a Listpack and no method panics on it.
func Valid(b []byte) error {
	if len(b) < emptySize || uint64(binary.LittleEndian.Uint32(b)) != uint64(len(b)) {
		return ErrCorrupt
	}
	l, end := Listpack(b), len(b)-1
	if l[end] != endMark {
		return ErrCorrupt
	}
	count := 0
	for p := headerSize; p < end; count++ {
		span, ok := validEntry(l[p:end])
		if !ok {
			return ErrCorrupt
		}
		p += span
	}
	if n := l.headerCount(); n != countUnknown && n != count {
		return ErrCorrupt
	}
	return nil
}

// ValidPairs is [Valid] for pairs: the number of entries must be even.
func ValidPairs(b []byte) error {
	if err := Valid(b); err != nil {
		return err
	}
	if Listpack(b).Len()%2 != 0 {
		return ErrCorrupt
	}
	return nil
}

// validEntry checks the entry at the start of b, which ends where the
// listpack's end mark is, and returns its span. It reads no byte before it
// knows that it is there.
func validEntry(b []byte) (span int, ok bool) {
	head := 1
	switch {
	case b[0] > int64b:
		return 0, false
	case b[0] >= str12 && b[0] < str32:
		head = 2
	case b[0] == str32:
		head = 5
	}
	if len(b) < head {
		return 0, false
	}
	body := Listpack(b).body(0)
	if body >= len(b) || backSize(body) > len(b)-body {
		return 0, false
	}
	var want [5]byte
	size := putBack(want[:], body)
	if string(b[body:body+size]) != string(want[:size]) {
		return 0, false
	}
	return body + size, true
}
