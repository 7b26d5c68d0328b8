package stream

import (
	"bytes"
	"math"
	"strconv"

	"github.com/streampulse/pulse/internal/num"
)

// ID is an entry's id: milliseconds and a sequence number, ordered as a number of 128 bits.
type ID struct{ Ms, Seq uint64 }

// MinID and MaxID are the ends of all ids. No entry has MinID.
var (
	MinID = ID{}
	MaxID = ID{math.MaxUint64, math.MaxUint64}
)

// Compare returns -1, 0 or 1 as a is less than b, equal to it or greater.
func (a ID) Compare(b ID) int {
	switch {
	case a == b:
		return 0
	case a.Less(b):
		return -1
	}
	return 1
}

// Less reports whether a is below b.
func (a ID) Less(b ID) bool { return a.Ms < b.Ms || a.Ms == b.Ms && a.Seq < b.Seq }

// Zero reports whether a is 0-0.
func (a ID) Zero() bool { return a == ID{} }

// Next returns the id after a; false if there is none.
func (a ID) Next() (ID, bool) {
	switch {
	case a == MaxID:
		return a, false
	case a.Seq == math.MaxUint64:
		return ID{a.Ms + 1, 0}, true
	}
	return ID{a.Ms, a.Seq + 1}, true
}

// Prev returns the id before a; false if there is none.
func (a ID) Prev() (ID, bool) {
	switch {
	case a.Zero():
		return a, false
	case a.Seq == 0:
		return ID{a.Ms - 1, math.MaxUint64}, true
	}
	return ID{a.Ms, a.Seq - 1}, true
}

// MaxIDLen is the length of the longest text of an ID, in bytes.
const MaxIDLen = 2*num.MaxIntLen + 1

// Append appends the text of a, "ms-seq".
func (a ID) Append(dst []byte) []byte {
	dst = strconv.AppendUint(dst, a.Ms, 10)
	dst = append(dst, '-')
	return strconv.AppendUint(dst, a.Seq, 10)
}

// String returns the text of a.
func (a ID) String() string { return string(a.Append(make([]byte, 0, MaxIDLen))) }

// maxText is the most bytes that Redis takes for an id.
const maxText = 127

// ParseID reads "ms", which then has the sequence number seq, or "ms-seq". What stands for an id, as "-" and "$" do, is
// none.
func ParseID(b []byte, seq uint64) (id ID, ok bool) {
	if len(b) > maxText {
		return ID{}, false
	}
	ms, rest, both := bytes.Cut(b, []byte{'-'})
	if id.Ms, ok = parsePart(ms); !ok {
		return ID{}, false
	}
	if !both {
		id.Seq = seq
		return id, true
	}
	if id.Seq, ok = parsePart(rest); !ok {
		return ID{}, false
	}
	return id, true
}

// parsePart reads a number as Redis does: in its canonical text, or else as strtoull takes it, which allows white space
// and zeros before it and a sign, and has negative numbers wrap around.
func parsePart(b []byte) (uint64, bool) {
	if u, ok := num.ParseUint(b); ok {
		return u, true
	}
	if _, ok := num.ParseInt(b); ok {
		return 0, false // negative
	}
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return parsePart(b[:i]) // the end of a text in C
	}
	for len(b) > 0 && (b[0] == ' ' || b[0] >= '\t' && b[0] <= '\r') {
		b = b[1:]
	}
	negative := false
	if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
		negative = b[0] == '-'
		b = b[1:]
	}
	for len(b) > 1 && b[0] == '0' {
		b = b[1:]
	}
	u, ok := num.ParseUint(b)
	if negative {
		u = -u
	}
	return u, ok
}
