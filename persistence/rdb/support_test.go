package rdb

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/streampulse/pulse/store/codec"
	"github.com/streampulse/pulse/store/hash"
	"github.com/streampulse/pulse/store/list"
	"github.com/streampulse/pulse/store/set"
	"github.com/streampulse/pulse/store/stream"
	"github.com/streampulse/pulse/store/zset"
)

var usual = usualLimits

// tight limits make everything large at once.
var tight = codec.Limits{List: 2, Hash: hash.Limits{Entries: 1, Value: 4}, Set: set.Limits{Ints: 1, Entries: 1, Value: 4},
	ZSet: zset.Limits{Entries: 1, Value: 4}}

// describe writes out what v holds, in an order that does not depend on its representation.
func describe(v codec.Value) string {
	var parts []string
	kind := "string"
	var scratch [20]byte
	switch o := v.Object.(type) {
	case nil:
		parts = append(parts, fmt.Sprintf("%q", v.Text))
	case *list.List:
		kind = "list"
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
	default:
		kind = o.Encoding()
		parts = append(parts, fmt.Sprintf("%x", codec.AppendDump(nil, v, false)))
	}
	return kind + " " + strings.Join(parts, " ")
}

// contents is what a load brings, as texts: of each key "db/name" its value, deadline and use.
type contents struct {
	mu        sync.Mutex
	keys      map[string]string
	aux       []string
	functions []string
}

// options returns Options that fill c.
func (c *contents) options(workers int, lim codec.Limits) Options {
	c.keys = map[string]string{}
	return Options{
		Workers: workers,
		Limits:  lim,
		Put: func(worker, db int, key []byte, v codec.Value, at int64, m Meta) error {
			if worker < 0 || worker >= max(workers, 1) {
				return fmt.Errorf("worker %d", worker)
			}
			name := fmt.Sprintf("%d/%s", db, key)
			text := entry(v, at, m)
			c.mu.Lock()
			defer c.mu.Unlock()
			if _, twice := c.keys[name]; twice {
				return fmt.Errorf("%s comes twice", name)
			}
			c.keys[name] = text
			return nil
		},
		Aux: func(name, value []byte) error {
			c.aux = append(c.aux, fmt.Sprintf("%s=%s", name, value))
			return nil
		},
		Function: func(code []byte) error {
			c.functions = append(c.functions, string(code))
			return nil
		},
	}
}

// entry describes a key.
func entry(v codec.Value, at int64, m Meta) string {
	text := describe(v)
	if at != Forever {
		text += fmt.Sprintf(" until %d", at)
	}
	if m.Access != Unrecorded {
		text += fmt.Sprintf(" access %d %d", m.Access, m.Used)
	}
	return text
}

// load reads a file at once, and again by workers with little at a time, which must agree.
func load(t testing.TB, file []byte) (*contents, Result, error) {
	t.Helper()
	var c, d contents
	res, err := Load(bytes.NewReader(file), c.options(0, usual))
	r := NewReader(&dribble{b: file, n: 1000})
	r.size, r.longest = 3000, 100_000
	other, otherErr := r.all(d.options(2, tight))
	if fmt.Sprint(err) != fmt.Sprint(otherErr) {
		t.Fatalf("%v, with workers %v", err, otherErr)
	}
	if err == nil && (res != other || !maps.Equal(c.keys, d.keys)) {
		t.Fatalf("%+v %d keys, with workers %+v %d keys", res, len(c.keys), other, len(d.keys))
	}
	return &c, res, err
}

// dribble gives at most n bytes at a time.
type dribble struct {
	b []byte
	n int
}

func (d *dribble) Read(p []byte) (int, error) {
	n, err := bytes.NewReader(d.b).Read(p[:min(len(p), d.n)])
	d.b = d.b[n:]
	return n, err
}

// key is a key to be written.
type key struct {
	db   int
	name string
	v    codec.Value
	at   int64
	m    Meta
}

func (k *key) id() string { return fmt.Sprintf("%d/%s", k.db, k.name) }

// text makes a string that compresses, is an integer, or neither.
func text(r *rand.Rand) []byte {
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

// value makes a value of about n elements. Kind 6 is a hash whose fields have deadlines.
func value(r *rand.Rand, kind, n int) codec.Value {
	lim := &usual
	switch kind {
	case 0:
		return codec.Value{Text: bytes.Repeat(text(r), 1+r.IntN(max(n/5, 1)))}
	case 1:
		l := list.New()
		for range n {
			l.PushOne(text(r), r.IntN(2) == 0, lim.List)
		}
		return codec.Value{Object: l}
	case 2:
		s := set.New()
		ints := r.IntN(2) == 0
		for range n {
			m := text(r)
			if ints {
				m = fmt.Append(nil, r.Int64()>>r.IntN(64))
			}
			s.Add(lim.Set, m)
		}
		return codec.Value{Object: s}
	case 3:
		z := zset.New()
		for range n {
			z.Add(text(r), r.NormFloat64(), 0, lim.ZSet)
		}
		return codec.Value{Object: z}
	case 5:
		s := stream.New()
		for i := range n {
			s.Append(stream.ID{Ms: uint64(i/3 + 1), Seq: uint64(i)}, [][]byte{[]byte("field"), text(r), text(r), text(r)}, stream.Limits{NodeEntries: 50})
		}
		for i := range r.IntN(3) {
			g, _ := s.CreateGroup(fmt.Append(nil, "group", i), s.Last(), r.Int64N(5)-1)
			for j := range 3 {
				c, _ := g.CreateConsumer(fmt.Append(nil, "consumer", j), r.Int64N(1<<40))
				for it := s.Range(stream.MinID, stream.MaxID, false); it.Next(); {
					if r.IntN(4) == 0 {
						g.Assign(it.ID(), c, r.Int64N(1<<40), r.Uint64N(20))
					}
				}
			}
		}
		for i := range n / 4 {
			s.Delete(stream.ID{Ms: uint64(i + 1), Seq: uint64(i * 3)})
		}
		return codec.Value{Object: s}
	}
	h := hash.New()
	for range n {
		h.Set(lim.Hash, text(r), text(r))
	}
	if kind == 6 {
		for range n {
			h.SetAt(lim.Hash, text(r), text(r), 1_900_000_000_000+r.Int64N(1<<r.IntN(40)))
		}
	}
	return codec.Value{Object: h}
}

// sample makes n keys of a few databases; kinds is up to which kind values go.
func sample(r *rand.Rand, n, kinds, dbs int) []key {
	keys := make([]key, n)
	for i := range keys {
		size := 1 + r.IntN(20)
		if r.IntN(10) == 0 {
			size = 300
		}
		k := key{db: r.IntN(dbs), name: fmt.Sprintf("key:%d", i), v: value(r, r.IntN(kinds), size), at: Forever}
		if i%7 == 0 {
			k.name = fmt.Sprint(i)
		}
		if i%11 == 0 {
			k.name += strings.Repeat(" long", i%40)
		}
		if r.IntN(3) == 0 {
			k.at = 1_900_000_000_000 + r.Int64N(1e12)
		}
		switch r.IntN(4) {
		case 0:
			k.m = Meta{Access: Idle, Used: r.Uint64N(1 << r.IntN(40))}
		case 1:
			k.m = Meta{Access: Frequency, Used: r.Uint64N(256)}
		}
		keys[i] = k
	}
	return keys
}

// write makes a file of keys.
func write(t testing.TB, c Config, keys []key, functions ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out, c)
	for _, f := range functions {
		w.Function([]byte(f))
	}
	for i := range keys {
		k := &keys[i]
		w.Key(k.db, []byte(k.name), k.v, k.at, k.m)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if w.Written() != int64(out.Len()) {
		t.Fatalf("%d bytes written, %d counted", out.Len(), w.Written())
	}
	return out.Bytes()
}

// compare fails the test unless c has keys and nothing else.
func compare(t testing.TB, c *contents, keys []key) {
	t.Helper()
	for i := range keys {
		k := &keys[i]
		if got, want := c.keys[k.id()], entry(k.v, k.at, k.m); got != want {
			t.Fatalf("%s is\n%.300s\nwant\n%.300s", k.id(), got, want)
		}
	}
	if len(c.keys) != len(keys) {
		t.Fatalf("%d keys, want %d", len(c.keys), len(keys))
	}
}
