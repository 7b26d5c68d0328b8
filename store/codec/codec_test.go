package codec

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/streampulse/pulse/store/codec/crc64"
	"github.com/streampulse/pulse/store/hash"
	"github.com/streampulse/pulse/store/list"
	"github.com/streampulse/pulse/store/set"
	"github.com/streampulse/pulse/store/stream"
	"github.com/streampulse/pulse/store/zset"
)

// usual are the limits of a server without configuration, tight ones make everything large at once.
var (
	usual = Limits{List: -2, Hash: hash.Limits{Entries: 128, Value: 64}, Set: set.Limits{Ints: 512, Entries: 128, Value: 64},
		ZSet: zset.Limits{Entries: 128, Value: 64}}
	tight = Limits{List: 2, Hash: hash.Limits{Entries: 1, Value: 4}, Set: set.Limits{Ints: 1, Entries: 1, Value: 4},
		ZSet: zset.Limits{Entries: 1, Value: 4}}
	wide = Limits{List: -5, Hash: hash.Limits{Entries: 1 << 20, Value: 1 << 20},
		Set: set.Limits{Ints: 1 << 20, Entries: 1 << 20, Value: 1 << 20}, ZSet: zset.Limits{Entries: 1 << 20, Value: 1 << 20}}
)

// describe writes out what v holds, in an order that does not depend on its representation.
func describe(v Value) string {
	var parts []string
	kind := "string"
	switch o := v.Object.(type) {
	case nil:
		parts = append(parts, fmt.Sprintf("%q", v.Text))
	case *list.List:
		kind = "list"
		var scratch [20]byte
		for it := o.End(true); it.Valid(); it.Next() {
			parts = append(parts, fmt.Sprintf("%q", it.Text(scratch[:])))
		}
	case *set.Set:
		kind = "set"
		o.Each(func(m []byte) bool { parts = append(parts, fmt.Sprintf("%q", m)); return true })
		slices.Sort(parts)
	case *zset.ZSet:
		kind = "zset"
		o.Each(0, o.Len(), false, func(m []byte, s float64) bool {
			parts = append(parts, fmt.Sprintf("%q=%v", m, s))
			return true
		})
	case *hash.Hash:
		kind = "hash"
		o.EachAt(func(f, x []byte, at int64) bool {
			part := fmt.Sprintf("%q=%q", f, x)
			if at != hash.Forever {
				part += fmt.Sprintf("@%d", at)
			}
			parts = append(parts, part)
			return true
		})
		slices.Sort(parts)
	case *stream.Stream:
		kind = "stream"
		parts = describeStream(o)
	}
	return kind + " " + strings.Join(parts, " ")
}

// check verifies the invariants of a value.
func check(v Value) error {
	if o, ok := v.Object.(interface{ Check() error }); ok {
		return o.Check()
	}
	return nil
}

// seal makes a payload of a type and a value.
func seal(t Type, body []byte) []byte { return sealed(append([]byte{byte(t)}, body...), Version70) }

func sealed(b []byte, version int) []byte {
	b = binary.LittleEndian.AppendUint16(slices.Clip(b), uint16(version))
	return binary.LittleEndian.AppendUint64(b, crc64.Update(0, b))
}

// sample makes a value of random content, of about n elements. Kind 5 is a hash whose fields have deadlines, 6 a stream.
func sample(r *rand.Rand, kind, n int, lim *Limits) Value {
	text := func() []byte {
		switch r.IntN(6) {
		case 0:
			return fmt.Append(nil, r.Int64()>>r.IntN(64))
		case 1:
			return bytes.Repeat([]byte("ab"), r.IntN(40))
		case 2:
			return fmt.Appendf(nil, "%03d", r.IntN(1000))
		case 3:
			b := make([]byte, r.IntN(30))
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			return b
		}
		return fmt.Append(nil, "v", r.IntN(1000))
	}
	switch kind {
	case 0:
		return Value{Text: bytes.Repeat(text(), 1+r.IntN(max(n/5, 1)))}
	case 1:
		l := list.New()
		for range n {
			elem := text()
			if r.IntN(50) == 0 {
				elem = bytes.Repeat(append(elem, '.'), 3000)
			}
			l.PushOne(elem, r.IntN(2) == 0, lim.List)
		}
		return Value{Object: l}
	case 2:
		s := set.New()
		onlyInts := r.IntN(2) == 0
		for range n {
			m := text()
			if onlyInts {
				m = fmt.Append(nil, r.Int64()>>r.IntN(64))
			}
			s.Add(lim.Set, m)
		}
		return Value{Object: s}
	case 3:
		z := zset.New()
		scores := []float64{0, 1, -1, 1.5, math.Inf(1), math.Inf(-1), 1e300, 5e-324, 0.1, 1 << 53}
		for range n {
			s := scores[r.IntN(len(scores))]
			if r.IntN(2) == 0 {
				s = r.NormFloat64()
			}
			z.Add(text(), s, 0, lim.ZSet)
		}
		return Value{Object: z}
	}
	if kind == 6 {
		return Value{Object: sampleStream(r, n, text)}
	}
	h := hash.New()
	for range n {
		h.Set(lim.Hash, text(), text())
	}
	if kind == 5 {
		for range n {
			h.SetAt(lim.Hash, text(), text(), 1_700_000_000_000+r.Int64N(1<<r.IntN(40)))
		}
	}
	return Value{Object: h}
}

// TestRoundTrip writes random values and reads them with other limits than they were made with, from a slice and from a
// source that gives a byte at a time.
func TestRoundTrip(t *testing.T) {
	all := []*Limits{&usual, &tight, &wide}
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 400 {
		from, to := all[r.IntN(3)], all[r.IntN(3)]
		v := sample(r, i%7, 1+r.IntN(200), from)
		want := describe(v)
		b := AppendDump([]byte("before"), v, r.IntN(2) == 0)[len("before"):]
		back, err := Restore(b, to)
		if err != nil {
			t.Fatalf("%d: %v\n%.300s", i, err, want)
		}
		if got := describe(back); got != want {
			t.Fatalf("%d:\n%.300s\nwant\n%.300s", i, got, want)
		}
		if err := check(back); err != nil {
			t.Fatal(i, err)
		}
		s := NewReader(iotest.OneByteReader(bytes.NewReader(b)))
		streamed, err := s.Value(Type(s.Byte()), to)
		if err != nil || describe(streamed) != want || encoding(streamed) != encoding(back) {
			t.Fatalf("%d, streamed: %v", i, err)
		}
		if s.Take(footVersion); s.Sum() != s.Uint64() {
			t.Fatal("the sum of what was read differs from the one written")
		}
	}
}

func encoding(v Value) string {
	if v.Object == nil {
		return "string"
	}
	return v.Object.Encoding()
}

// TestVersions reads what is written for newer readers, into which sets go as listpacks.
func TestVersions(t *testing.T) {
	s := set.New()
	s.Add(usual.Set, []byte("a"))
	s.Add(usual.Set, []byte("7"))
	for version, want := range map[int]Type{0: typeSet, Version70: typeSet, Version72: typeSetPack, Version74: typeSetPack} {
		w := NewWriter(nil)
		w.Version = version
		v := Value{Object: s}
		if got := w.Type(v); got != want {
			t.Errorf("version %d: type %d, want %d", version, got, want)
		}
		w.Value(v)
		back, err := Restore(seal(want, w.Bytes()), &usual)
		if err != nil || describe(back) != describe(v) {
			t.Errorf("version %d: %v", version, err)
		}
	}
}

func TestVersionOfDeadlines(t *testing.T) {
	for _, lim := range []*Limits{&usual, &tight} {
		h := hash.New()
		h.Set(lim.Hash, []byte("a"), []byte("1"))
		h.Set(lim.Hash, []byte("b"), []byte("2"))
		for _, c := range []struct {
			at      int64
			version int
		}{{hash.Forever, Version70}, {5, Version74}, {hash.Forever, Version70}} {
			h.SetDeadline([]byte("a"), c.at)
			b := AppendDump(nil, Value{Object: h}, false)
			if got := int(b[len(b)-footSize]); got != c.version {
				t.Errorf("%s with deadline %d: version %d, want %d", h.Encoding(), c.at, got, c.version)
			}
			if back, err := Restore(b, &usual); err != nil || describe(back) != describe(Value{Object: h}) {
				t.Errorf("%v, %s", err, describe(back))
			}
		}
	}
}

// TestWriterToSink writes more than the buffer holds, and looks at the sum.
func TestWriterToSink(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	v := sample(r, 4, 20000, &usual)
	var sink bytes.Buffer
	w := NewWriter(&sink)
	w.Value(v)
	w.Text(bytes.Repeat([]byte("long"), flushAt))
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	plain := NewWriter(nil)
	plain.Value(v)
	plain.Text(bytes.Repeat([]byte("long"), flushAt))
	if !bytes.Equal(plain.Bytes(), sink.Bytes()) || w.Sum() != crc64.Update(0, sink.Bytes()) {
		t.Error("a writer with a sink writes other bytes than one without, or another sum")
	}
	if len(w.Bytes()) != 0 {
		t.Error("bytes are left behind")
	}
	failing := NewWriter(iotestWriter{})
	failing.Value(v)
	if failing.Flush() != errSink {
		t.Error("an error of the sink is lost")
	}
}

var errSink = fmt.Errorf("the sink is full")

type iotestWriter struct{}

func (iotestWriter) Write([]byte) (int, error) { return 0, errSink }

func TestFrame(t *testing.T) {
	good := AppendDump(nil, Value{Text: []byte("hello")}, false)
	for name, bad := range map[string][]byte{
		"nothing":         nil,
		"only a footer":   sealed(nil, Version70),
		"a byte short":    good[:len(good)-1],
		"a byte more":     append(slices.Clone(good), 0),
		"a newer version": sealed(good[:len(good)-footSize], MaxVersion+1),
		"another byte":    append([]byte{good[0] ^ 1}, good[1:]...),
	} {
		if _, err := Restore(bad, &usual); err != ErrPayload {
			t.Errorf("%s: %v", name, err)
		}
	}
	for version := range MaxVersion + 1 {
		if v, err := Restore(sealed(good[:len(good)-footSize], version), &usual); err != nil || string(v.Text) != "hello" {
			t.Errorf("version %d: %v", version, err)
		}
	}
	if got := good[len(good)-footSize]; got != Version70 {
		t.Errorf("a string is written in version %d", got)
	}
	for name, bad := range map[string][]byte{
		"bytes behind the value": append(slices.Clone(good[:len(good)-footSize]), 0),
		"a value cut off":        good[:len(good)-footSize-1],
	} {
		if _, err := Restore(sealed(bad, Version70), &usual); err == nil || err == ErrPayload {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestStreamedClaims reads from sources that end soon after a large claim: nothing is allocated on its word.
func TestStreamedClaims(t *testing.T) {
	for name, b := range map[string]string{
		"a string":                "\x00\x80\x1f\xff\xff\xffabc",
		"compressed bytes":        "\x00\xc3\x80\x1f\xff\xff\xff\x80\x1f\xff\xff\xff\x00a",
		"a listpack":              "\x10\x80\x1f\xff\xff\xff\xff\xff\xff\x1f",
		"fields":                  "\x04\x81\x10\x00\x00\x00\x00\x00\x00\x00\x01a\x01b",
		"a member of a large set": "\x02\x02\x01a\x80\x1f\xff\xff\xffb",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := NewReader(strings.NewReader(b))
		_, err := r.Value(Type(r.Byte()), &usual)
		runtime.ReadMemStats(&after)
		if err != io.ErrUnexpectedEOF {
			t.Errorf("%s: %v", name, err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 8*readAhead {
			t.Errorf("%s: %d bytes allocated for %d", name, used, len(b))
		}
	}
}

// TestSkipsEmpty goes on behind a collection without elements, as the loader of a file may.
func TestSkipsEmpty(t *testing.T) {
	for name, b := range map[string]string{
		"a list": "\x01\x00", "a set": "\x02\x00", "a hash": "\x04\x00", "a scored set": "\x05\x00", "a quicklist": "\x12\x00",
		"empty nodes": "\x12\x01\x02" + blob(lp()), "a listpack": "\x10" + blob(lp()), "an intset": "\x0b" + blob("\x02\x00\x00\x00\x00\x00\x00\x00"),
		"a ziplist": "\x0d" + blob(zl()), "a scored ziplist": "\x0c" + blob(zl()), "a zipmap": "\x09" + blob("\x00\xff"),
	} {
		var r Reader
		r.Reset([]byte(b + "\x00" + str("next")))
		if _, err := r.Value(Type(r.Byte()), &usual); err != ErrEmpty {
			t.Errorf("%s: %v", name, err)
		}
		if v, err := r.Value(Type(r.Byte()), &usual); err != nil || string(v.Text) != "next" {
			t.Errorf("behind %s: %v, %q", name, err, v.Text)
		}
	}
}
