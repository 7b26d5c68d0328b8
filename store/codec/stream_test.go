package codec

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/streampulse/pulse/store/stream"
)

func idText(id stream.ID) string { return string(id.Append(nil)) }

// describeStream writes out all but when consumers were active, which the oldest types do not know.
func describeStream(s *stream.Stream) (parts []string) {
	for it := s.Range(stream.MinID, stream.MaxID, false); it.Next(); {
		var pairs []string
		for range it.NumFields() {
			f, v := it.Field()
			pairs = append(pairs, fmt.Sprintf("%q=%q", f, v))
		}
		parts = append(parts, fmt.Sprintf("%s{%s}", idText(it.ID()), strings.Join(pairs, " ")))
	}
	parts = append(parts, fmt.Sprintf("last %s deleted %s added %d", idText(s.Last()), idText(s.MaxDeleted()), s.Added()))
	for g := range s.Groups() {
		parts = append(parts, fmt.Sprintf("group %q last %s read %d", g.Name(), idText(g.Last), g.Read))
		pending := 0
		for c := range g.Consumers() {
			parts = append(parts, fmt.Sprintf("consumer %q seen %d", c.Name(), c.Seen))
			first := true
			for it := c.PendingRange(stream.MinID, stream.MaxID); it.Next(); {
				if first {
					parts = append(parts, "pending")
					first = false
				}
				p := it.At()
				parts = append(parts, fmt.Sprintf("%s@%d*%d", idText(p.ID), p.Delivered, p.Count))
				pending++
			}
		}
		if pending != g.NumPending() {
			parts = append(parts, fmt.Sprintf("%d pending in all", g.NumPending()))
		}
	}
	return parts
}

// sampleStream makes a stream of about n entries, some of them deleted, with groups that have read part of it.
func sampleStream(r *rand.Rand, n int, text func() []byte) *stream.Stream {
	s := stream.New()
	lim := stream.Limits{NodeEntries: []int{1, 3, 20, 0}[r.IntN(4)], NodeBytes: []int{0, 100, 4096}[r.IntN(3)]}
	var shape [][]byte
	var ids []stream.ID
	id := stream.ID{Ms: r.Uint64() >> (1 + r.IntN(63)), Seq: r.Uint64() >> r.IntN(64)}
	for range n {
		if shape == nil || r.IntN(10) == 0 {
			shape = make([][]byte, 2*(1+r.IntN(4)))
			for i := range shape {
				shape[i] = text()
			}
		}
		for i := 1; i < len(shape); i += 2 {
			shape[i] = text()
		}
		switch {
		case r.IntN(4) > 0 || id.Ms > 1<<63:
			next, ok := id.Next()
			if !ok {
				return s
			}
			id = next
		default:
			id = stream.ID{Ms: id.Ms + 1 + r.Uint64N(1000), Seq: r.Uint64() >> r.IntN(64)}
		}
		s.Append(id, shape, lim)
		ids = append(ids, id)
	}
	for range r.IntN(n + 1) {
		s.Delete(ids[r.IntN(len(ids))])
	}
	for range r.IntN(4) {
		g, added := s.CreateGroup(text(), ids[r.IntN(len(ids))], r.Int64N(int64(n))-1)
		if !added {
			continue
		}
		for range r.IntN(4) {
			c, _ := g.CreateConsumer(text(), r.Int64N(1e9))
			for range r.IntN(n) {
				g.Assign(ids[r.IntN(len(ids))], c, r.Int64N(1e9), r.Uint64()>>r.IntN(64))
			}
		}
	}
	return s
}

func rawID(ms, seq uint64) string {
	return string(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, ms), seq))
}

// streamNode is a node of a stream as it stands in a payload: two entries, of which the second follows at once.
func streamNode(ms, seq uint64) string {
	return str(rawID(ms, seq)) + blob(lp("\x02", "\x00", "\x01", lstr("f"), "\x00", "\x02", "\x00", "\x00", lstr("v"), "\x04", "\x02", "\x00", "\x01", lstr("w"), "\x04"))
}

// TestActive writes when consumers were active for those that read it, and takes the time they were seen otherwise.
func TestActive(t *testing.T) {
	s := stream.New()
	g, _ := s.CreateGroup([]byte("g"), stream.ID{}, 0)
	c, _ := g.CreateConsumer([]byte("c"), 1000)
	for _, active := range []int64{-1, 500, 1000} {
		c.Active = active
		for version, want := range map[int]int64{0: 1000, Version70: 1000, Version72: active, Version74: active} {
			w := NewWriter(nil)
			w.Version = version
			kind := w.Type(Value{Object: s})
			w.Value(Value{Object: s})
			v, err := Restore(seal(kind, w.Bytes()), &usual)
			if err != nil {
				t.Fatal(version, err)
			}
			back := v.Object.(*stream.Stream).Group([]byte("g")).Consumer([]byte("c"))
			if back.Seen != 1000 || back.Active != want {
				t.Errorf("version %d: seen %d, active %d, want %d", version, back.Seen, back.Active, want)
			}
		}
	}
}

// TestHostileStreams are streams that must not be.
func TestHostileStreams(t *testing.T) {
	const (
		huge  = "\x81\x10\x00\x00\x00\x00\x00\x00\x00"
		minus = "\x81\xff\xff\xff\xff\xff\xff\xff\xfe" // -2
		half  = "\x81\x80\x00\x00\x00\x00\x00\x00\x00" // 2^63
	)
	node := streamNode(1, 1)
	two := "\x01" + node
	head := "\x02\x01\x02\x01\x01\x00\x00\x02" // entries, last, first, deleted, added
	pel := func(ids ...uint64) string {
		b := string(rune(len(ids)))
		for _, id := range ids {
			b += rawID(1, id) + double(1000) + "\x01"
		}
		return b
	}
	owned := func(name string, ids ...uint64) string {
		b := str(name) + double(1000) + string(rune(len(ids)))
		for _, id := range ids {
			b += rawID(1, id)
		}
		return b
	}
	group := str("g") + "\x01\x01\x01"
	whole := two + head + "\x01" + group + pel(1, 2) + "\x02" + owned("c", 2) + owned("d", 1)
	if v, err := Restore(seal(typeStream2, []byte(whole)), &usual); err != nil || check(v) != nil {
		t.Fatalf("the stream that the others are made of: %v", err)
	}
	for _, c := range []struct{ name, body string }{
		{"2^60 nodes", huge + node + head + "\x00"},
		{"a node that is not there", "\x02" + node + head + "\x00"},
		{"an id of 15 bytes", "\x01" + str(rawID(1, 1)[1:]) + node[17:] + head + "\x00"},
		{"an integer for an id", "\x01\xc0\x05" + node[17:] + head + "\x00"},
		{"a node that is no listpack", "\x01" + str(rawID(1, 1)) + str("abc") + head + "\x00"},
		{"an empty node", "\x01" + str(rawID(1, 1)) + blob(lp()) + "\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
		{"an integer for a node", "\x01" + str(rawID(1, 1)) + "\xc0\x05" + head + "\x00"},
		{"a node of 4 GB out of 3 bytes", "\x01" + str(rawID(1, 1)) + "\xc3\x03\x80\xff\xff\xff\xff\x00a\x20" + head + "\x00"},
		{"a node of hashes", "\x01" + str(rawID(1, 1)) + blob(lp(lstr("f"), lstr("v"))) + head + "\x00"},
		{"a node that counts wrong", "\x01" + strings.Replace(node, "\x02\x01\x00\x01\x01\x01", "\x03\x01\x00\x01\x01\x01", 1) + "\x03" + head[1:] + "\x00"},
		{"a node with an unknown flag", "\x01" + strings.Replace(node, "\x00\x01\x02\x01\x00\x01", "\x00\x01\x06\x01\x00\x01", 1) + head + "\x00"},
		{"a node twice", "\x02" + node + node + "\x04\x01\x02\x01\x01\x00\x00\x04\x00"},
		{"nodes out of order", "\x02" + streamNode(2, 1) + node + "\x04\x02\x02\x02\x01\x00\x00\x04\x00"},
		{"nodes that overlap", "\x02" + node + streamNode(1, 2) + "\x04\x01\x03\x01\x01\x00\x00\x04\x00"},
		{"an id that overflows", "\x01" + streamNode(1, 1<<64-1) + "\x02\x01\x02\x01\x01\x00\x00\x02\x00"},
		{"an entry too many", two + "\x03\x01\x02\x01\x01\x00\x00\x03\x00"},
		{"an entry too few", two + "\x01\x01\x02\x01\x01\x00\x00\x02\x00"},
		{"entries without nodes", "\x00" + head + "\x00"},
		{"2^64-1 entries", two + "\x81\xff\xff\xff\xff\xff\xff\xff\xff" + head[1:] + "\x00"},
		{"a last id before the last entry", two + "\x02\x01\x01\x01\x01\x00\x00\x02\x00"},
		{"a first id before the first entry", two + "\x02\x01\x02\x01\x00\x00\x00\x02\x00"},
		{"a first id behind the first entry", two + "\x02\x01\x02\x01\x02\x00\x00\x02\x00"},
		{"fewer added than there are", two + "\x02\x01\x02\x01\x01\x00\x00\x01\x00"},
		{"2^63 added", two + "\x02\x01\x02\x01\x01\x00\x00" + half + "\x00"},
		{"an encoding for an id", two + "\x02\xc0\x02\x01\x01\x00\x00\x02\x00"},
		{"2^60 groups", two + head + huge + group + pel(1) + "\x00"},
		{"a group that is not there", two + head + "\x02" + group + "\x00\x00"},
		{"a group twice", two + head + "\x02" + group + "\x00\x00" + group + "\x00\x00"},
		{"a group twice, once as an integer", two + head + "\x02" + str("5") + group[2:] + "\x00\x00\xc0\x05" + group[2:] + "\x00\x00"},
		{"-2 read", two + head + "\x01" + str("g") + "\x01\x01" + minus + "\x00\x00"},
		{"2^63 read", two + head + "\x01" + str("g") + "\x01\x01" + half + "\x00\x00"},
		{"2^60 pending entries", two + head + "\x01" + group + huge + pel(1)[1:] + "\x00"},
		{"a pending entry that is not there", two + head + "\x01" + group + "\x02" + pel(1)[1:] + "\x01" + owned("c", 1)},
		{"a pending entry twice", two + head + "\x01" + group + pel(1, 1) + "\x01" + owned("c", 1)},
		{"a pending entry from before time", two + head + "\x01" + group + "\x01" + rawID(1, 1) + double(1<<63) + "\x01\x01" + owned("c", 1)},
		{"a pending entry without a consumer", two + head + "\x01" + group + pel(1, 2) + "\x01" + owned("c", 1)},
		{"a pending entry with two consumers", two + head + "\x01" + group + pel(1, 2) + "\x02" + owned("c", 1, 2) + owned("d", 1)},
		{"a pending entry twice with a consumer", two + head + "\x01" + group + pel(1, 2) + "\x01" + owned("c", 1, 2, 1)},
		{"a pending entry the group does not know", two + head + "\x01" + group + pel(1) + "\x01" + owned("c", 1, 2)},
		{"a pending entry of another group", two + head + "\x02" + group + pel(1) + "\x01" + owned("c", 1) + str("h") + group[2:] + "\x00\x01" + owned("c", 1)},
		{"2^60 consumers", two + head + "\x01" + group + pel(1) + huge + owned("c", 1)},
		{"a consumer twice", two + head + "\x01" + group + pel(1, 2) + "\x02" + owned("c", 1) + owned("c", 2)},
		{"a consumer from before time", two + head + "\x01" + group + pel() + "\x01" + str("c") + double(1<<64-1) + "\x00"},
		{"2^60 pending entries of a consumer", two + head + "\x01" + group + pel(1) + "\x01" + str("c") + double(1000) + huge + rawID(1, 1)},
	} {
		if v, err := Restore(seal(typeStream2, []byte(c.body)), &usual); err == nil {
			t.Errorf("%s passes as %s", c.name, describe(v))
		} else if err == ErrPayload {
			t.Fatal("the frame is wrong")
		}
		r := NewReader(strings.NewReader(c.body))
		if _, err := r.Value(typeStream2, &usual); err == nil {
			t.Errorf("%s passes from a source", c.name)
		}
	}
	for n := range len(whole) {
		if _, err := Restore(seal(typeStream2, []byte(whole[:n])), &usual); err == nil {
			t.Errorf("a stream passes cut off at %d of %d", n, len(whole))
		}
	}
}

// TestStreamsAreStreamed writes and reads a stream of 16 MiB with 20,000 pending entries: neither side holds a second one.
func TestStreamsAreStreamed(t *testing.T) {
	s := stream.New()
	value := bytes.Repeat([]byte("0123456789abcdef"), 64)
	g, _ := s.CreateGroup([]byte("g"), stream.ID{}, 0)
	c, _ := g.CreateConsumer([]byte("c"), 1)
	for i := range uint64(16 << 10) {
		binary.LittleEndian.PutUint64(value, i*0x9e3779b97f4a7c15)
		id := stream.ID{Ms: i + 1}
		s.Append(id, [][]byte{[]byte("f"), value}, stream.Limits{NodeBytes: 4096, NodeEntries: 100})
		g.Assign(id, c, 1, 1)
	}
	sink := new(counter)
	w := NewWriter(sink)
	allocated(t, "writing", 8*flushAt, func() {
		w.Value(Value{Object: s})
		w.Flush()
	})
	if sink.total < 16<<20 || sink.longest > 2*flushAt {
		t.Errorf("%d bytes were written, up to %d at once", sink.total, sink.longest)
	}
	var b bytes.Buffer
	w = NewWriter(&b)
	w.Value(Value{Object: s})
	w.Flush()
	size := uint64(b.Len())
	r := NewReader(&b)
	allocated(t, "reading", size*3/2, func() {
		v, err := r.Value(typeStream2, &usual)
		if err != nil || v.Object.Len() != s.Len() || len(r.texts[0]) > idSize {
			t.Errorf("%v: %d entries", err, v.Object.Len())
		}
	})
}

// counter is a sink that counts.
type counter struct{ total, longest int }

func (c *counter) Write(b []byte) (int, error) {
	c.total += len(b)
	c.longest = max(c.longest, len(b))
	return len(b), nil
}

// allocated fails the test if f allocates more than limit bytes.
func allocated(t *testing.T, what string, limit uint64, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > limit {
		t.Errorf("%s: %d bytes allocated, want at most %d", what, used, limit)
	}
}

// TestStreamedStreamClaims reads claims from a source that ends soon after them.
func TestStreamedStreamClaims(t *testing.T) {
	const huge = "\x81\x10\x00\x00\x00\x00\x00\x00\x00"
	head := "\x02\x01\x02\x01\x01\x00\x00\x02"
	for name, b := range map[string]string{
		"nodes":                         huge + streamNode(1, 1),
		"groups":                        "\x01" + streamNode(1, 1) + head + huge,
		"pending entries":               "\x01" + streamNode(1, 1) + head + "\x01" + str("g") + "\x01\x01\x01" + huge + rawID(1, 1),
		"consumers":                     "\x01" + streamNode(1, 1) + head + "\x01" + str("g") + "\x01\x01\x01\x00" + huge + str("c"),
		"pending entries of a consumer": "\x01" + streamNode(1, 1) + head + "\x01" + str("g") + "\x01\x01\x01\x00\x01" + str("c") + double(1) + huge,
	} {
		r := NewReader(strings.NewReader(b))
		allocated(t, name, 8*readAhead, func() {
			if _, err := r.Value(typeStream2, &usual); err != io.ErrUnexpectedEOF {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// TestExchangeStreams sends streams to a real server and takes them back: not a byte may differ.
func TestExchangeStreams(t *testing.T) {
	c := dial(t, "--sanitize-dump-payload", "yes", "--rdbcompression", "no")
	r := rand.New(rand.NewPCG(15, 19))
	for i := range 200 {
		v := sample(r, 6, 1+r.IntN(80), &usual)
		b := AppendDump(nil, v, false)
		c.must("RESTORE", "k", "0", string(AppendDump(nil, v, i%2 == 0)), "REPLACE")
		if back := c.must("DUMP", "k").Str; !bytes.Equal(back, b) {
			t.Fatalf("%d: %x comes back as %x", i, b, back)
		}
	}
}

// BenchmarkStream writes and reads a stream of 10,000 entries of three fields.
func BenchmarkStream(b *testing.B) {
	s := stream.New()
	for i := range uint64(10_000) {
		s.Append(stream.ID{Ms: i + 1}, [][]byte{[]byte("user"), fmt.Append(nil, i%977), []byte("action"), []byte("view"), []byte("item"), fmt.Append(nil, "item-", i*31%7919)},
			stream.Limits{NodeBytes: 4096, NodeEntries: 100})
	}
	payload := AppendDump(nil, Value{Object: s}, false)
	b.Run("write", func(b *testing.B) {
		b.SetBytes(int64(len(payload)))
		for b.Loop() {
			payload = AppendDump(payload[:0], Value{Object: s}, false)
		}
	})
	b.Run("read", func(b *testing.B) {
		b.SetBytes(int64(len(payload)))
		for b.Loop() {
			if _, err := Restore(payload, &usual); err != nil {
				b.Fatal(err)
			}
		}
	})
}
