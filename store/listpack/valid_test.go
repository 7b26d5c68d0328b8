package listpack

import (
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"
)

// frame puts header and end mark around raw entries.
func frame(count int, entries ...byte) []byte {
	b := make([]byte, headerSize, headerSize+len(entries)+1)
	b = append(append(b, entries...), endMark)
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	binary.LittleEndian.PutUint16(b[4:], uint16(count))
	return b
}

func TestValid(t *testing.T) {
	long := append(append([]byte{str32, 200, 0, 0, 0}, strings.Repeat("z", 200)...), 1, 0x80|205&0x7F)
	for _, c := range []struct {
		name string
		b    []byte
		ok   bool
	}{
		{"empty", frame(0), true},
		{"no bytes", nil, false},
		{"no end mark", frame(0)[:6], false},
		{"wrong end mark", append(frame(0)[:6], 0), false},
		{"total too large", append(frame(0), 0), false},
		{"one integer", frame(1, 5, 1), true},
		{"count unknown", frame(countUnknown, 5, 1), true},
		{"count too large", frame(2, 5, 1), false},
		{"count too small", frame(0, 5, 1), false},
		{"wrong back length", frame(1, 5, 2), false},
		{"no back length", frame(1, 5), false},
		{"end mark inside", frame(1, endMark, 1), false},
		{"unknown encoding", frame(1, 0xF5, 1), false},
		{"string past the end", frame(1, str6|5, 'a', 2), false},
		{"string to the end", frame(1, str6|2, 'a', 2), false},
		{"header cut, 12 bits", frame(1, str12), false},
		{"header cut, 32 bits", frame(1, str32, 0, 0), false},
		{"integer cut", frame(1, int64b, 0, 0, 0, 9), false},
		{"length near the limit", frame(1, str32, 0xFF, 0xFF, 0xFF, 0xFF, 5), false},
		{"wide string encoding", frame(1, long...), true},
		{"wide integer encoding", frame(1, int64b, 7, 0, 0, 0, 0, 0, 0, 0, 9), true},
		{"back length with padding", frame(1, 5, 0, 0x81), false},
	} {
		if err := Valid(c.b); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestForeignEncodings checks that what is valid but not as Redis would write
// it is found all the same, and tidied when replaced.
func TestForeignEncodings(t *testing.T) {
	l := Listpack(frame(3,
		str6|2, '4', '2', 3, // an integer kept as text
		int64b, 7, 0, 0, 0, 0, 0, 0, 0, 9, // wider than need be
		str12|0, 1, 'x', 3)) // so is this
	if err := Valid(l); err != nil {
		t.Fatal(err)
	}
	for i, e := range []string{"42", "7", "x"} {
		p := l.At(i)
		if l.Find(l.First(), []byte(e), 0) != p || !l.Equal(p, []byte(e)) {
			t.Errorf("%q is not found", e)
		}
	}
	if v, ok := l.Int(l.First()); !ok || v != 42 {
		t.Errorf("Int of the text: %d %v", v, ok)
	}
	for i, e := range []string{"42", "7", "x"} {
		l = l.Replace(l.At(i), []byte(e))
	}
	if want := build([]string{"42", "7", "x"}); string(l) != string(want) {
		t.Errorf("% x, want % x", []byte(l), []byte(want))
	}
}

// FuzzValid takes any bytes: when they are valid, every method must work on
// them and agree with the plain list of their texts.
func FuzzValid(f *testing.F) {
	r := rand.New(rand.NewPCG(9, 10))
	for range 20 {
		l := New(0)
		for range r.IntN(6) {
			l = l.Append([]byte(element(r)))
		}
		f.Add([]byte(l), "field:1", uint64(3))
	}
	f.Add(frame(countUnknown, 5, 1, str6|1, '9', 2), "9", uint64(1))
	f.Fuzz(func(t *testing.T, b []byte, elem string, choice uint64) {
		b = append([]byte(nil), b...) // the input is the fuzzer's
		// Lengths and counts that are wrong by luck alone would hide the rest.
		if len(b) >= emptySize && choice%4 != 0 {
			binary.LittleEndian.PutUint32(b, uint32(len(b)))
			b[len(b)-1] = endMark
			if choice%4 == 1 {
				binary.LittleEndian.PutUint16(b[4:], countUnknown)
			}
		}
		if Valid(b) != nil {
			return
		}
		l := Listpack(b)
		var m []string
		for p := l.First(); p != None; p = l.Next(p) {
			m = append(m, string(l.AppendValue(nil, p)))
		}
		if len(m) > 200 {
			return
		}
		same(t, l, m)
		got, want := l.Find(l.First(), []byte(elem), 1), None
		if i := findModel(m, 0, elem, 1); i >= 0 {
			want = l.At(i)
		}
		if got != want {
			t.Fatalf("Find(%q) = %d, want %d", elem, got, want)
		}
		l = l.Prepend([]byte(elem)).Append([]byte(elem))
		m = append(append([]string{elem}, m...), elem)
		same(t, l, m)
		i := int(choice % uint64(len(m)))
		l, m[i] = l.Replace(l.At(i), []byte(elem)), elem
		same(t, l, m)
		head, tail := l.Split(l.At(i))
		same(t, tail, m[i:])
		same(t, head, m[:i])
		l, err := Merge(head, tail)
		if err != nil {
			t.Fatal(err)
		}
		l = l.DeleteRange(i, 2)
		same(t, l, append(m[:i:i], m[min(i+2, len(m)):]...))
	})
}
