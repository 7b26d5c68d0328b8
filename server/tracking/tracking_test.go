package tracking

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

// inbox is a client that notes what it is told.
type inbox struct {
	mu  sync.Mutex
	got []string
}

func (in *inbox) Invalidate(m *Message, own bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	head, body := m.Push()
	s := strings.NewReplacer(">2\r\n$10\r\ninvalidate\r\n", "", "\r\n", " ").Replace(string(head) + string(body))
	if own {
		s = "own " + s
	}
	in.got = append(in.got, strings.TrimSpace(s))
}

func (in *inbox) take() string {
	in.mu.Lock()
	defer in.mu.Unlock()
	s := strings.Join(in.got, "|")
	in.got = nil
	return s
}

func newClient(id int64) (*Client, *inbox) {
	in := &inbox{}
	return &Client{ID: id, Sink: in}, in
}

func want(t *testing.T, in *inbox, s string) {
	t.Helper()
	if got := in.take(); got != s {
		t.Errorf("got %q, want %q", got, s)
	}
}

func TestDefault(t *testing.T) {
	var active []bool
	tab := New(func(on bool) { active = append(active, on) })
	a, as := newClient(1)
	b, bs := newClient(2)
	tab.Start(a, Mode{})
	tab.Start(b, Mode{NoLoop: true})
	for _, c := range []*Client{a, a, b} {
		tab.Remember(c, []byte("k"))
	}
	tab.Remember(a, []byte("l"))
	if c, k, i, p := tab.Stats(); c != 2 || k != 2 || i != 3 || p != 0 {
		t.Error(c, k, i, p)
	}
	tab.Changed([]byte("other"), 9)
	tab.Changed([]byte("k"), 2)
	want(t, as, "*1 $1 k")
	want(t, bs, "")
	tab.Changed([]byte("k"), 9)
	want(t, as, "")
	tab.Remember(b, []byte("k"))
	tab.Remember(a, []byte("k"))
	tab.Changed([]byte("k"), 1)
	want(t, as, "own *1 $1 k")
	want(t, bs, "*1 $1 k")
	tab.Flushed(2)
	want(t, as, "_")
	want(t, bs, "own _")
	if c, k, i, _ := tab.Stats(); c != 2 || k != 0 || i != 0 {
		t.Error(c, k, i)
	}
	tab.Remember(a, []byte("k"))
	tab.Stop(a)
	tab.Changed([]byte("k"), 0)
	want(t, as, "")
	tab.Stop(a)
	tab.Remember(b, []byte("k"))
	tab.Stop(b)
	if c, k, i, _ := tab.Stats(); c != 0 || k != 0 || i != 0 {
		t.Error(c, k, i)
	}
	if !slices.Equal(active, []bool{true, false}) {
		t.Error(active)
	}
}

func TestBroadcast(t *testing.T) {
	tab := New(func(bool) {})
	a, as := newClient(1)
	b, bs := newClient(2)
	tab.Start(a, Mode{Broadcast: true, Prefixes: []string{"user:", "item:"}})
	tab.Start(b, Mode{Broadcast: true, NoLoop: true})
	for _, k := range []string{"user:2", "item:1", "user:1", "user:2", "x"} {
		tab.Changed([]byte(k), 1)
	}
	want(t, as, "")
	tab.Broadcast()
	want(t, as, "*1 $6 item:1|*2 $6 user:1 $6 user:2")
	want(t, bs, "*4 $6 item:1 $6 user:1 $6 user:2 $1 x")
	tab.Broadcast()
	tab.Changed([]byte("user:1"), 2)
	tab.Changed([]byte("user:2"), 2)
	tab.Changed([]byte("user:2"), 3)
	tab.Broadcast()
	want(t, as, "*2 $6 user:1 $6 user:2")
	want(t, bs, "*1 $6 user:2") // somebody else has changed it, too
	tab.Changed([]byte("user:2"), 2)
	tab.Broadcast()
	want(t, as, "*1 $6 user:2")
	want(t, bs, "")
	if got := tab.Prefixes(a); len(got) != 2 {
		t.Error(got)
	}
	if _, _, _, p := tab.Stats(); p != 3 {
		t.Errorf("%d prefixes", p)
	}
	tab.Changed([]byte("user:2"), 3)
	tab.Stop(a)
	tab.Broadcast()
	want(t, as, "")
	want(t, bs, "*1 $6 user:2")
	if _, _, _, p := tab.Stats(); p != 1 {
		t.Errorf("%d prefixes", p)
	}
}

func TestLimit(t *testing.T) {
	tab := New(func(bool) {})
	a, as := newClient(1)
	tab.Start(a, Mode{})
	tab.SetLimit(3)
	held := map[string]bool{}
	for i := range 100 {
		k := fmt.Sprint("k", i)
		held[k] = true
		tab.Remember(a, []byte(k))
		for _, m := range strings.Split(as.take(), "|") {
			if f := strings.Fields(m); len(f) == 3 {
				if !held[f[2]] {
					t.Fatalf("told of %s, which it does not hold", f[2])
				}
				delete(held, f[2])
			}
		}
	}
	if _, k, i, _ := tab.Stats(); k != 3 || i != 3 || len(held) != 3 {
		t.Errorf("%d keys, %d items, %d held", k, i, len(held))
	}
	tab.SetLimit(1) // at once, not with the next read
	if _, k, _, _ := tab.Stats(); k != 1 || len(strings.Split(as.take(), "|")) != 2 {
		t.Errorf("%d keys are remembered", k)
	}
	tab.SetLimit(0)
	for i := range 100 {
		tab.Remember(a, []byte(fmt.Sprint("n", i)))
	}
	want(t, as, "")
}

// TestModel compares long runs of random operations with plain maps.
func TestModel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	tab := New(func(bool) {})
	const n = 12
	var cs [n]*Client
	var in [n]*inbox
	modes := map[int]Mode{}
	reads := map[string]map[int]bool{}
	for i := range cs {
		cs[i], in[i] = newClient(int64(i + 1))
	}
	for step := range 20000 {
		i, key := rnd.IntN(n), fmt.Sprint("k", rnd.IntN(6))
		expect := map[int]string{}
		switch rnd.IntN(8) {
		case 0:
			tab.Stop(cs[i])
			delete(modes, i)
			if len(modes) == 0 {
				clear(reads)
			}
		case 1:
			if _, on := modes[i]; !on {
				m := Mode{NoLoop: rnd.IntN(2) == 0, Broadcast: rnd.IntN(2) == 0}
				if m.Broadcast && rnd.IntN(2) == 0 {
					m.Prefixes = []string{fmt.Sprint("k", rnd.IntN(6)), "q"}
				}
				tab.Start(cs[i], m)
				modes[i] = m
			}
		case 2:
			if rnd.IntN(20) == 0 {
				tab.Flushed(int64(i + 1))
				clear(reads)
				for j := range modes {
					if expect[j] = "_"; j == i {
						expect[j] = "own _"
					}
				}
			}
		case 3, 4, 5:
			if m, on := modes[i]; on && !m.Broadcast {
				tab.Remember(cs[i], []byte(key))
				if reads[key] == nil {
					reads[key] = map[int]bool{}
				}
				reads[key][i] = true
			}
		default:
			tab.Changed([]byte(key), int64(i+1))
			tab.Broadcast()
			for j, m := range modes {
				switch {
				case m.NoLoop && i == j:
				case m.Broadcast && (m.Prefixes == nil || slices.Contains(m.Prefixes, key)):
					expect[j] = "*1 $2 " + key
				case !m.Broadcast && reads[key][j]:
					if expect[j] = "*1 $2 " + key; i == j {
						expect[j] = "own " + expect[j]
					}
				}
			}
			delete(reads, key)
		}
		for j := range in {
			if got := in[j].take(); got != expect[j] {
				t.Fatalf("step %d: client %d got %q, want %q", step, j, got, expect[j])
			}
		}
		items := 0
		for h := range maps.Values(reads) {
			items += len(h)
		}
		if c, k, it, _ := tab.Stats(); c != len(modes) || int(k) != len(reads) || int(it) != items {
			t.Fatalf("step %d: %d clients, %d keys, %d items; want %d, %d, %d", step, c, k, it, len(modes), len(reads), items)
		}
	}
}

func BenchmarkChangedOfNobody(b *testing.B) {
	tab := New(func(bool) {})
	c, _ := newClient(1)
	tab.Start(c, Mode{})
	key := []byte("some key that nobody has read")
	b.ReportAllocs()
	for b.Loop() {
		tab.Changed(key, 7)
	}
}

func BenchmarkRememberAndChange(b *testing.B) {
	tab := New(func(bool) {})
	c := &Client{ID: 1, Sink: nowhere{}}
	tab.Start(c, Mode{})
	key := []byte("some key that somebody has read")
	b.ReportAllocs()
	for b.Loop() {
		tab.Remember(c, key)
		tab.Changed(key, 7)
	}
}

type nowhere struct{}

func (nowhere) Invalidate(*Message, bool) {}
