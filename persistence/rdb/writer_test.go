package rdb

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/streampulse/pulse/store/codec"
	"github.com/streampulse/pulse/store/hash"
)

// TestBytes compares with what Redis 7.0 writes.
func TestBytes(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out, Config{
		Info:  Info{Version: "7.4.1", Created: 0x6b02a7fa, UsedMemory: 0x0f8750, ReplicationID: "id", ReplicationOffset: 300, StreamDB: 1, Base: true},
		Sizes: []Size{{DB: 0, Keys: 3, Expires: 1}, {DB: 3, Keys: 1}},
	})
	w.Function([]byte("code"))
	text := func(s string) codec.Value { return codec.Value{Text: []byte(s)} }
	w.Key(0, []byte("a"), text("1"), 0x1a208560a89, Meta{})
	w.Key(0, []byte("5"), text("b"), Forever, Meta{Access: Idle, Used: 100})
	w.Key(3, []byte("c"), text("d"), Forever, Meta{Access: Frequency, Used: 1000})
	w.Key(0, []byte("e"), text("f"), -1000, Meta{})
	w.Key(9, []byte("g"), text("h"), Forever, Meta{})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	want := string(file(10, "\xfa\x09redis-ver\x057.4.1\xfa\x0aredis-bits\xc0\x40\xfa\x05ctime\xc2\xfa\xa7\x02\x6b\xfa\x08used-mem\xc2\x50\x87\x0f\x00"+
		"\xfa\x0erepl-stream-db\xc0\x01\xfa\x07repl-id\x02id\xfa\x0brepl-offset\xc1\x2c\x01\xfa\x08aof-base\xc0\x01"+
		"\xf5\x04code"+
		"\xfe\x00\xfb\x03\x01\xfc\x89\x0a\x56\x08\xa2\x01\x00\x00\x00\x01a\xc0\x01\xf8\x40\x64\x00\xc0\x05\x01b"+
		"\xfe\x03\xfb\x01\x00\xf9\xff\x00\x01c\x01d"+
		"\xfe\x00\xfc\x18\xfc\xff\xff\xff\xff\xff\xff\x00\x01e\x01f"+
		"\xfe\x09\x00\x01g\x01h"))
	if got := out.String(); got != want {
		t.Errorf("%q\nwant\n%q", got, want)
	}
}

// TestEncoders has several goroutines encode for one that writes.
func TestEncoders(t *testing.T) {
	keys := sample(rand.New(rand.NewPCG(9, 9)), 400, 7, 3)
	type piece struct {
		db int
		b  []byte
	}
	pieces := make(chan piece)
	var wg sync.WaitGroup
	e := NewEncoder(12, true)
	for half := range slices.Chunk(keys, 200) {
		wg.Go(func() {
			for few := range slices.Chunk(half, 7) {
				byDB := make([][]byte, 3)
				for _, k := range few {
					byDB[k.db] = e.AppendKey(byDB[k.db], []byte(k.name), k.v, k.at, k.m)
				}
				for db, b := range byDB {
					pieces <- piece{db, b}
				}
			}
		})
	}
	go func() { wg.Wait(); close(pieces) }()
	var out bytes.Buffer
	w := NewWriter(&out, Config{Version: 12})
	for p := range pieces {
		w.Raw(p.db, p.b)
		clear(p.b)
	}
	if err := errors.Join(w.Close(), e.Err()); err != nil {
		t.Fatal(err)
	}
	c, _, err := load(t, out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	compare(t, c, keys)
}

// sink fails after so many bytes.
type sink struct {
	left  int
	err   error
	sizes []int
}

func (s *sink) Write(b []byte) (int, error) {
	s.sizes = append(s.sizes, len(b))
	if s.left -= len(b); s.left < 0 {
		return max(0, len(b)+s.left), s.err
	}
	return len(b), nil
}

func TestSync(t *testing.T) {
	var at, progress []int64
	var w *Writer
	s := &sink{left: 1 << 30}
	w = NewWriter(s, Config{SyncEvery: 1 << 20,
		Sync:     func() error { at = append(at, w.Written()); return nil },
		Progress: func(n int64) { progress = append(progress, n) }})
	for range 100 {
		w.Key(0, []byte("k"), codec.Value{Text: make([]byte, 50_000)}, Forever, Meta{})
	}
	w.Key(0, []byte("k"), codec.Value{Text: make([]byte, 3_500_000)}, Forever, Meta{})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if len(at) != 7 {
		t.Errorf("synced at %d", at)
	}
	for i := 1; i < len(at); i++ {
		if n := at[i] - at[i-1]; n < 1<<20 || n > 1<<21 {
			t.Errorf("%d bytes between two syncs", n)
		}
	}
	if !slices.IsSorted(progress) || progress[len(progress)-1] != w.Written() {
		t.Errorf("progress %d of %d", progress, w.Written())
	}
}

func TestFailures(t *testing.T) {
	full := errors.New("disk full")
	fill := func(w *Writer) error {
		for range 100 {
			w.Key(0, []byte("k"), codec.Value{Text: make([]byte, 50_000)}, Forever, Meta{})
		}
		return w.Close()
	}
	s := &sink{left: 1_000_000, err: full}
	w := NewWriter(s, Config{})
	if err := fill(w); err != full || w.Err() != full {
		t.Error(err)
	}
	if n := len(s.sizes); n > 12 {
		t.Errorf("%d writes, most of them behind the one that failed", n)
	}
	if err := fill(NewWriter(&sink{left: 1_000_000}, Config{})); err != io.ErrShortWrite {
		t.Error(err)
	}
	calls := 0
	if err := fill(NewWriter(io.Discard, Config{Sync: func() error { calls++; return full }})); err != full || calls != 1 {
		t.Error(err, calls)
	}
	if err := NewWriter(&sink{left: 12, err: full}, Config{}).Close(); err != full {
		t.Error(err)
	}

	h := hash.New()
	h.Set(usual.Hash, []byte("f"), []byte("v"))
	h.SetDeadline([]byte("f"), 5)
	w = NewWriter(io.Discard, Config{})
	w.Key(0, []byte("h"), codec.Value{Object: h}, Forever, Meta{})
	if err := w.Close(); err != ErrNeedsVersion {
		t.Error(err)
	}
	e := NewEncoder(11, false)
	if e.AppendKey(nil, []byte("h"), codec.Value{Object: h}, Forever, Meta{}); e.Err() != ErrNeedsVersion {
		t.Error(e.Err())
	}
}

// TestSource has sources that fail, and functions that refuse.
func TestSource(t *testing.T) {
	good := write(t, Config{Version: 12, Info: Info{Version: "7.4.1"}, Sizes: []Size{{Keys: 3}}}, sample(rand.New(rand.NewPCG(6, 6)), 300, 7, 1), functionSource)
	no := errors.New("no")
	for _, workers := range []int{0, 2} {
		for name, change := range map[string]func(*Options){
			"Put": func(o *Options) {
				n, mu := 0, sync.Mutex{}
				o.Put = func(worker, db int, key []byte, v codec.Value, at int64, m Meta) error {
					mu.Lock()
					defer mu.Unlock()
					if n++; n == 100 {
						return no
					}
					return nil
				}
			},
			"Aux":      func(o *Options) { o.Aux = func(name, value []byte) error { return no } },
			"Function": func(o *Options) { o.Function = func(code []byte) error { return no } },
			"Resize":   func(o *Options) { o.Resize = func(int, uint64, uint64) error { return no } },
			"Progress": func(o *Options) { o.Progress = func(int64) error { return no } },
		} {
			var c contents
			o := c.options(workers, usual)
			change(&o)
			r := NewReader(bytes.NewReader(good))
			r.size = 1000
			_, err := r.all(o)
			if e := (*Error)(nil); !errors.Is(err, no) || !errors.As(err, &e) || (e.Key != nil) != (name == "Put") {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, n := range []int{0, 5, 9, 100, len(good) - 1} {
			var c contents
			_, err := Load(io.MultiReader(bytes.NewReader(good[:n]), failing{no}), c.options(workers, usual))
			if !errors.Is(err, no) || errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("cut at %d: %v", n, err)
			}
		}
		var c contents
		if _, err := Load(io.MultiReader(bytes.NewReader(good), failing{no}), c.options(workers, usual)); !errors.Is(err, no) {
			t.Error(err)
		}
		if _, err := Load(failing{nil}, c.options(workers, usual)); !errors.Is(err, io.ErrNoProgress) {
			t.Error(err)
		}
	}
}

// failing is a source without content.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestAhead announces every key once, before it comes, with the same name.
func TestAhead(t *testing.T) {
	keys := sample(rand.New(rand.NewPCG(4, 4)), 300, 7, 3)
	good := write(t, Config{Version: 12, Compress: true}, keys)
	var c contents
	o := c.options(0, usual)
	put := o.Put
	var next []string
	o.Ahead = func(worker, db int, name []byte) {
		next = append(next, (&key{db: db, name: string(name)}).id())
	}
	o.Put = func(worker, db int, name []byte, v codec.Value, at int64, m Meta) error {
		if id := (&key{db: db, name: string(name)}).id(); len(next) == 0 || next[0] != id || len(next) > groupSize {
			t.Fatalf("%s comes, announced are %s", id, strings.Join(next, " "))
		}
		next = next[1:]
		return put(worker, db, name, v, at, m)
	}
	if _, err := Load(bytes.NewReader(good), o); err != nil || len(next) > 0 {
		t.Fatal(err, next)
	}
	compare(t, &c, keys)
}
