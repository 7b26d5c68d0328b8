package intset

import (
	"encoding/hex"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/internal/oracle"
)

// same checks s against the model through every way of reading it.
func same(t *testing.T, s Intset, want map[int64]bool) {
	t.Helper()
	if err := Valid(s); err != nil {
		t.Fatalf("%v: % x", err, []byte(s))
	}
	sorted := make([]int64, 0, len(want))
	for v := range want {
		sorted = append(sorted, v)
	}
	slices.Sort(sorted)
	if got := slices.Collect(s.All()); !slices.Equal(got, sorted) || s.Len() != len(sorted) {
		t.Fatalf("members %v, Len %d, want %v", got, s.Len(), sorted)
	}
	lo, okLo := s.Min()
	hi, okHi := s.Max()
	if okLo != (len(sorted) > 0) || okHi != okLo {
		t.Fatalf("Min %v, Max %v of %d members", okLo, okHi, len(sorted))
	}
	if okLo && (lo != sorted[0] || hi != sorted[len(sorted)-1]) {
		t.Fatalf("Min %d, Max %d of %v", lo, hi, sorted)
	}
	for i, v := range sorted {
		if at, ok := s.Search(v); s.At(i) != v || at != i || !ok {
			t.Fatalf("At(%d)=%d, Search(%d)=%d %v", i, s.At(i), v, at, ok)
		}
	}
}

func value(r *rand.Rand) int64 {
	switch r.IntN(8) {
	case 0:
		return []int64{math.MinInt16, math.MaxInt16, math.MinInt16 - 1, math.MaxInt16 + 1, math.MinInt32, math.MaxInt32,
			math.MinInt32 - 1, math.MaxInt32 + 1, math.MinInt64, math.MaxInt64, 0, -1}[r.IntN(12)]
	case 1:
		return int64(r.Uint64() >> r.IntN(64))
	case 2:
		return -int64(r.Uint64() >> (1 + r.IntN(63)))
	default:
		return int64(r.IntN(40)) - 20
	}
}

func TestModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		s, m := New(0), map[int64]bool{}
		width := 2
		for step := range 150 {
			v := value(r)
			if step < 40 { // stay narrow for a while
				v = int64(int16(v))
			}
			var changed bool
			switch r.IntN(5) {
			case 0, 1, 2:
				if s, changed = s.Add(v); changed == m[v] {
					t.Fatalf("Add(%d) = %v", v, changed)
				}
				m[v] = true
				width = max(width, widthOf(v))
			case 3:
				if s, changed = s.Remove(v); changed != m[v] {
					t.Fatalf("Remove(%d) = %v", v, changed)
				}
				delete(m, v)
			case 4:
				if s.Contains(v) != m[v] {
					t.Fatalf("Contains(%d) = %v", v, !m[v])
				}
				if s.Len() > 0 {
					i := r.IntN(s.Len())
					delete(m, s.At(i))
					s = s.RemoveAt(i)
				}
			}
			if s.width() != width {
				t.Fatalf("width %d, want %d", s.width(), width)
			}
			same(t, s, m)
		}
		same(t, s.Clone(), m)
		for s.Len() > 0 {
			s = s.RemoveAt(0)
		}
		same(t, s, nil)
		if cap(s) > minShrink {
			t.Fatalf("empty set keeps %d bytes", cap(s))
		}
	}
}

func TestValid(t *testing.T) {
	for _, c := range []struct {
		hex string
		ok  bool
	}{
		{"0200000000000000", true},
		{"0400000000000000", true},
		{"020000000200000001000200", true},
		{"02000000020000000200feff", false},         // descending
		{"020000000200000001000100", false},         // twice the same
		{"0200000002000000010002", false},           // cut
		{"02000000020000000100020003", false},       // left over
		{"0300000001000000010203", false},           // no such width
		{"0000000000000000", false},                 // no such width
		{"0200000000000080", false},                 // count without bytes
		{"02000000ffffffff0100", false},             // count without bytes
		{"08000000000000200000000000000000", false}, // count*width passes 32 bits
		{"02000000000000", false},
		{"", false},
	} {
		b, err := hex.DecodeString(c.hex)
		if err != nil {
			t.Fatal(err)
		}
		if err := Valid(b); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.hex, err)
		}
	}
}

func FuzzValid(f *testing.F) {
	s := New(0)
	for i := range 5 {
		s, _ = s.Add(int64(i * i * 1000))
		f.Add([]byte(s.Clone()), int64(i)<<(i*12))
	}
	f.Fuzz(func(t *testing.T, b []byte, v int64) {
		if Valid(b) != nil || len(b) > 4096 {
			return
		}
		s, m := Intset(b).Clone(), map[int64]bool{} // the input is the fuzzer's
		for x := range s.All() {
			m[x] = true
		}
		same(t, s, m)
		s, added := s.Add(v)
		if added == m[v] {
			t.Fatalf("Add(%d) = %v", v, added)
		}
		m[v] = true
		same(t, s, m)
		s = s.RemoveAt(0)
		s, _ = s.Remove(v)
		if s.Contains(v) {
			t.Fatalf("%d survived its removal", v)
		}
		if err := Valid(s); err != nil {
			t.Fatal(err)
		}
	})
}

var rewrite = flag.Bool("rewrite", false, "record testdata/server.txt from a real server")

const goldenFile = "testdata/server.txt"

// steps are the histories whose bytes are recorded: + adds, - removes.
var steps = []string{
	"+1", "+3 +1 +2", "+-1 +1", "+32767 +-32768", "+1 +32768", "+1 +-32769", "+2147483647 +-2147483648", "+5 +2147483648",
	"+5 +-2147483649", "+9223372036854775807 +-9223372036854775808 +0", "+1 +2 +70000 -70000", "+1 +2 +3 -2", "+1 +1 -7",
}

func play(t *testing.T, history string, each func(op byte, v int64)) {
	t.Helper()
	for _, f := range strings.Fields(history) {
		var v int64
		if _, err := fmt.Sscan(f[1:], &v); err != nil {
			t.Fatal(err)
		}
		each(f[0], v)
	}
}

func TestGolden(t *testing.T) {
	if *rewrite {
		if err := os.WriteFile(goldenFile, []byte(record(t)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	if got := own(t); got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAgainstServer(t *testing.T) {
	if got, want := own(t), record(t); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// own plays the histories here, one line each.
func own(t *testing.T) string {
	var b strings.Builder
	for _, h := range steps {
		s := New(0)
		play(t, h, func(op byte, v int64) {
			if op == '+' {
				s, _ = s.Add(v)
			} else {
				s, _ = s.Remove(v)
			}
		})
		fmt.Fprintf(&b, "%s: %x\n", h, []byte(s))
	}
	return b.String()
}

// record plays them on a real server and takes the intset out of its DUMP.
func record(t *testing.T) string {
	srv := oracle.Start(t, "--rdbcompression", "no")
	c := redis.NewClient(&redis.Options{Addr: srv.Addr(), Protocol: 2, DisableIdentity: true, PoolSize: 1})
	defer c.Close()
	ctx := t.Context()
	var b strings.Builder
	for _, h := range steps {
		c.Del(ctx, "k")
		play(t, h, func(op byte, v int64) {
			if op == '+' {
				c.SAdd(ctx, "k", v)
			} else {
				c.SRem(ctx, "k", v)
			}
		})
		dump, err := c.Dump(ctx, "k").Bytes()
		if err != nil {
			t.Fatal(err)
		}
		// type 11, one byte of length, the intset, version and checksum
		if dump[0] != 11 || int(dump[1]) != len(dump)-12 {
			t.Fatalf("%s: DUMP is % x", h, dump)
		}
		fmt.Fprintf(&b, "%s: %x\n", h, dump[2:len(dump)-10])
	}
	return b.String()
}

func BenchmarkContains(b *testing.B) {
	s := New(512)
	for i := range 512 {
		s, _ = s.Add(int64(i * 3))
	}
	var v int64
	b.ReportAllocs()
	for b.Loop() {
		if v = (v + 77) % 1536; s.Contains(v) != (v%3 == 0) {
			b.Fatal("wrong")
		}
	}
}

func BenchmarkAdd(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	values := r.Perm(512)
	for b.Loop() {
		s := New(0)
		for _, v := range values {
			s, _ = s.Add(int64(v))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/512, "ns/elem")
}

func TestShrinksAndWidensInPlace(t *testing.T) {
	s := New(0)
	for i := range int64(2000) {
		s, _ = s.Add(i)
	}
	for s.Len() > 0 {
		s = s.RemoveAt(s.Len() - 1)
	}
	if cap(s) > minShrink {
		t.Errorf("a set that was large keeps %d bytes", cap(s))
	}
	for _, wide := range []int64{-1 << 40, 1 << 40} {
		s := In(make([]byte, 0, 256))
		for _, v := range []int64{-3, 5, 9} {
			s, _ = s.Add(v)
		}
		first := &s[0]
		s, _ = s.Add(wide)
		want := map[int64]bool{-3: true, 5: true, 9: true, wide: true}
		if same(t, s, want); first != &s[0] {
			t.Errorf("adding %d moved a set that had room", wide)
		}
	}
}
