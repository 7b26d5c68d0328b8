package commands

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/streampulse/pulse/store"
)

// TestNames compares with a map, for the names there are and for random ones that differ in little.
func TestNames(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var m names
	want := map[string]*Spec{}
	random := func() string {
		b := make([]byte, 1+rng.IntN(4))
		for i := range b {
			b[i] = "aAbB@`[{\x00\xe9\xc9"[rng.IntN(11)]
		}
		return string(b)
	}
	for range 3000 {
		name := random()
		switch spec := m.find([]byte(name)); {
		case spec != want[lower(name)]:
			t.Fatalf("%q is %p, want %p", name, spec, want[lower(name)])
		case spec == nil:
			want[lower(name)] = &Spec{Name: name}
			m.add(name, want[lower(name)])
		case rng.IntN(4) == 0:
			delete(want, lower(name))
			m = m.without(name)
		}
	}
	got := 0
	for name, s := range m.all() {
		got++
		if want[name] != s {
			t.Errorf("%q is %p, want %p", name, s, want[name])
		}
	}
	if got != len(want) || len(m.slots) < 4*got {
		t.Errorf("%d names of %d in %d slots", got, len(want), len(m.slots))
	}
	if m.find(nil) != nil || m.find([]byte(strings.Repeat("a", maxRename+1))) != nil {
		t.Error("found what cannot be there")
	}
}

// BenchmarkNames looks for all commands in turn.
func BenchmarkNames(b *testing.B) {
	s := store.New(store.Options{})
	defer s.Close()
	t := New(s)
	for _, form := range []struct {
		name string
		of   func(string) string
	}{{"lower", strings.ToLower}, {"upper", strings.ToUpper}} {
		b.Run(form.name, func(b *testing.B) {
			var all [][]byte
			for _, s := range t.Commands() {
				all = append(all, []byte(form.of(s.Name)))
			}
			for i := 0; b.Loop(); i++ {
				if name := all[i%len(all)]; t.Lookup(name) == nil {
					b.Fatalf("no %q", name)
				}
			}
		})
	}
}
