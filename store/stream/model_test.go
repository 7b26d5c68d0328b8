package stream

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/streampulse/pulse/store/listpack"
)

// modelEntry is an entry of the naive model.
type modelEntry struct {
	id      ID
	pairs   [][]byte
	deleted bool
	node    ID
}

// modelPending is a pending entry of the naive model.
type modelPending struct {
	delivered int64
	count     uint64
	consumer  string
}

type modelGroup struct {
	last      ID
	pending   map[ID]modelPending
	consumers map[string]bool
}

// model is a stream as a list and maps. It takes over where nodes begin, and does everything else by itself.
type model struct {
	entries []modelEntry // of nodes that are there, deleted ones included
	last    ID
	deleted ID
	added   uint64
	groups  map[string]*modelGroup
}

func (m *model) live() (n int) {
	for _, e := range m.entries {
		if !e.deleted {
			n++
		}
	}
	return n
}

func (m *model) index(id ID) int {
	return slices.IndexFunc(m.entries, func(e modelEntry) bool { return e.id == id && !e.deleted })
}

// dropEmpty removes a node without live entries.
func (m *model) dropEmpty(node ID) {
	for _, e := range m.entries {
		if e.node == node && !e.deleted {
			return
		}
	}
	m.entries = slices.DeleteFunc(m.entries, func(e modelEntry) bool { return e.node == node })
}

func (m *model) trim(t Trim) (removed int) {
	for len(m.entries) > 0 {
		live := m.live()
		if !t.ByID && uint64(live) <= t.MaxLen {
			break
		}
		node := m.entries[0].node
		n, in := 0, 0
		for _, e := range m.entries {
			if e.node == node {
				n++
				if !e.deleted {
					in++
				}
			}
		}
		if t.Limit > 0 && uint64(removed+in) > t.Limit {
			break
		}
		if t.ByID && m.entries[n-1].id.Less(t.MinID) || !t.ByID && uint64(live-in) >= t.MaxLen {
			m.entries = m.entries[n:]
			removed += in
			continue
		}
		if !t.Approx {
			for i := range m.entries[:n] {
				e := &m.entries[i]
				if t.ByID && !e.id.Less(t.MinID) || !t.ByID && uint64(live) <= t.MaxLen {
					break
				}
				if !e.deleted {
					e.deleted = true
					live--
					removed++
				}
			}
		}
		break
	}
	return removed
}

// same compares all that there is.
func (m *model) same(s *Stream) error {
	if err := s.Check(); err != nil {
		return err
	}
	var live []modelEntry
	for _, e := range m.entries {
		if !e.deleted {
			live = append(live, e)
		}
	}
	var first, last ID
	if len(live) > 0 {
		first, last = live[0].id, live[len(live)-1].id
	}
	if s.Len() != len(live) || s.First() != first || s.LastEntry() != last {
		return fmt.Errorf("%d entries %v..%v, want %d, %v..%v", s.Len(), s.First(), s.LastEntry(), len(live), first, last)
	}
	if s.Last() != m.last || s.MaxDeleted() != m.deleted || s.Added() != m.added {
		return fmt.Errorf("last %v, deleted %v, added %d; want %v, %v, %d", s.Last(), s.MaxDeleted(), s.Added(), m.last, m.deleted, m.added)
	}
	var bases []ID
	for _, e := range m.entries {
		if len(bases) == 0 || bases[len(bases)-1] != e.node {
			bases = append(bases, e.node)
		}
	}
	var got []ID
	s.EachNode(func(base ID, _ listpack.Listpack) bool {
		got = append(got, base)
		return true
	})
	if !slices.Equal(got, bases) || s.Nodes() != len(bases) {
		return fmt.Errorf("nodes %v, want %v", got, bases)
	}
	if err := sameRange(s.Range(MinID, MaxID, false), live); err != nil {
		return err
	}
	for name, mg := range m.groups {
		if err := mg.same(s.Group([]byte(name))); err != nil {
			return fmt.Errorf("group %s: %w", name, err)
		}
	}
	if s.NumGroups() != len(m.groups) {
		return fmt.Errorf("%d groups, want %d", s.NumGroups(), len(m.groups))
	}
	return nil
}

func (mg *modelGroup) same(g *Group) error {
	if g == nil || g.NumPending() != len(mg.pending) || g.NumConsumers() != len(mg.consumers) || g.Last != mg.last {
		return fmt.Errorf("is %+v", g)
	}
	n := 0
	for it := g.PendingRange(MinID, MaxID); it.Next(); n++ {
		p := it.At()
		if want := mg.pending[p.ID]; p.Consumer == nil || want != (modelPending{p.Delivered, p.Count, string(p.Consumer.Name())}) {
			return fmt.Errorf("pending %+v, want %+v", p, want)
		}
	}
	if n != len(mg.pending) {
		return fmt.Errorf("walked %d pending of %d", n, len(mg.pending))
	}
	for name := range mg.consumers {
		if g.Consumer([]byte(name)) == nil {
			return fmt.Errorf("no consumer %s", name)
		}
	}
	return nil
}

func sameRange(it Iter, want []modelEntry) error {
	for i, e := range want {
		if !it.Next() || it.ID() != e.id || it.NumFields() != len(e.pairs)/2 {
			return fmt.Errorf("entry %d: id %v with %d, want %v with %d", i, it.ID(), it.NumFields(), e.id, len(e.pairs)/2)
		}
		for j := 0; j < len(e.pairs); j += 2 {
			f, v := it.Field()
			if !bytes.Equal(f, e.pairs[j]) || !bytes.Equal(v, e.pairs[j+1]) {
				return fmt.Errorf("entry %v: pair %q %q, want %q %q", e.id, f, v, e.pairs[j], e.pairs[j+1])
			}
		}
	}
	if it.Next() {
		return fmt.Errorf("entry %v after the last", it.ID())
	}
	return nil
}

var fieldSets = [][]string{{"a", "b", "c"}, {"a", "b", "x"}, {"a"}, {"1", "2"}, {}}

// randomPairs makes pairs, most of the time of the same fields.
func randomPairs(r *rand.Rand) (pairs [][]byte) {
	set := fieldSets[0]
	if r.IntN(4) == 0 {
		set = fieldSets[r.IntN(len(fieldSets))]
	}
	for _, f := range set {
		v := fmt.Append(nil, r.Int64()>>r.IntN(64))
		switch r.IntN(10) {
		case 0:
			v = bytes.Repeat([]byte("v"), r.IntN(150))
		case 1, 2:
			v = append(v, 'x')
		}
		pairs = append(pairs, []byte(f), v)
	}
	return pairs
}

// someID returns an id near those of the model.
func (m *model) someID(r *rand.Rand) ID {
	if len(m.entries) == 0 || r.IntN(10) == 0 {
		return ID{uint64(r.IntN(50)), uint64(r.IntN(3))}
	}
	id := m.entries[r.IntN(len(m.entries))].id
	switch r.IntN(6) {
	case 0:
		id, _ = id.Next()
	case 1:
		id, _ = id.Prev()
	}
	return id
}

var limitSets = []Limits{{0, 1}, {0, 3}, {4096, 100}, {60, 0}, {200, 100}, {0, 0}}

// TestModel does random things to a Stream and to the model.
func TestModel(t *testing.T) {
	defer func(n int) { longNodes = n }(longNodes)
	for i, l := range limitSets {
		t.Run(fmt.Sprint(l), func(t *testing.T) {
			longNodes = 2 // so that nodes are cut out of pieces
			for seed := range uint64(3) {
				modelRun(t, rand.New(rand.NewPCG(seed, uint64(i))), l, 300)
			}
		})
	}
}

func modelRun(t *testing.T, r *rand.Rand, l Limits, steps int) {
	s, m := New(), &model{groups: map[string]*modelGroup{}}
	now := uint64(r.IntN(3))
	if r.IntN(3) == 0 {
		now = math.MaxUint64 - uint64(steps)*20
	}
	consumers := []string{"", "ann", "bob", "zoe"}
	for step := range steps {
		op := r.IntN(20)
		switch {
		case op < 8:
			id, ok := s.NextID(int64(now))
			if now += uint64(r.IntN(3)); r.IntN(3) == 0 {
				id, ok = s.NextInMs(now)
			} else if r.IntN(5) == 0 {
				id, ok = ID{now, r.Uint64()}, true
			}
			if !ok || !s.Last().Less(id) {
				continue
			}
			pairs := randomPairs(r)
			s.Append(id, pairs, l)
			e := modelEntry{id: id, pairs: pairs, node: id}
			base, _ := s.nodes.last()
			if b := s.nodes.key(base); b != id {
				if len(m.entries) == 0 || m.entries[len(m.entries)-1].node != b {
					t.Fatalf("step %d: entry %v joins node %v", step, id, b)
				}
				e.node = b
			}
			m.entries = append(m.entries, e)
			m.last = id
			m.added++
		case op < 11:
			id := m.someID(r)
			i := m.index(id)
			if s.Has(id) != (i >= 0) || s.Delete(id) != (i >= 0) {
				t.Fatalf("step %d: entry %v, want %v", step, id, i >= 0)
			}
			if i >= 0 {
				m.entries[i].deleted = true
				if m.deleted.Less(id) {
					m.deleted = id
				}
				m.dropEmpty(m.entries[i].node)
			}
		case op == 11 && r.IntN(3) == 0:
			tr := Trim{ByID: r.IntN(2) == 0, Approx: r.IntN(2) == 0, MinID: m.someID(r), MaxLen: uint64(max(m.live()-r.IntN(20), 0))}
			if r.IntN(3) == 0 {
				tr.Limit = uint64(r.IntN(20))
			}
			if got, want := s.Trim(tr), m.trim(tr); got != want {
				t.Fatalf("step %d: %+v removed %d, want %d", step, tr, got, want)
			}
		case op == 12:
			from, to := m.someID(r), m.someID(r)
			var want []modelEntry
			for _, e := range m.entries {
				if !e.deleted && !e.id.Less(from) && !to.Less(e.id) {
					want = append(want, e)
				}
			}
			if err := sameRange(s.Range(from, to, false), want); err != nil {
				t.Fatalf("step %d: range %v %v: %v", step, from, to, err)
			}
			slices.Reverse(want)
			if err := sameRange(s.Range(from, to, true), want); err != nil {
				t.Fatalf("step %d: reverse range %v %v: %v", step, from, to, err)
			}
		case op == 13 && r.IntN(10) == 0:
			c := s.Clone()
			if err := m.same(c); err != nil {
				t.Fatalf("step %d: clone: %v", step, err)
			}
			// What happens to the one does not happen to the other.
			s.Trim(Trim{MaxLen: 1})
			for name := range m.groups {
				g := s.Group([]byte(name))
				g.CreateConsumer([]byte("new"), 1)
				g.DeleteConsumer([]byte("ann"))
				s.DestroyGroup([]byte(name))
			}
			s = c
		default:
			m.groupStep(t, r, s, consumers)
		}
		if err := m.same(s); err != nil {
			t.Fatalf("step %d, op %d: %v", step, op, err)
		}
	}
}

func (m *model) groupStep(t *testing.T, r *rand.Rand, s *Stream, consumers []string) {
	name := []string{"g", "h", ""}[r.IntN(3)]
	mg, g := m.groups[name], s.Group([]byte(name))
	if (mg == nil) != (g == nil) {
		t.Fatalf("group %q: %v", name, g)
	}
	if g == nil {
		last := m.someID(r)
		if _, ok := s.CreateGroup([]byte(name), last, Unknown); !ok {
			t.Fatal("a new group exists")
		}
		m.groups[name] = &modelGroup{last, map[ID]modelPending{}, map[string]bool{}}
		return
	}
	who := consumers[r.IntN(len(consumers))]
	id := m.someID(r)
	switch op := r.IntN(12); {
	case op == 0 && r.IntN(8) == 0:
		s.DestroyGroup([]byte(name))
		delete(m.groups, name)
	case op == 1 && r.IntN(4) == 0:
		n, ok := g.DeleteConsumer([]byte(who))
		want := 0
		for id, p := range mg.pending {
			if p.consumer == who {
				delete(mg.pending, id)
				want++
			}
		}
		if n != want || ok != mg.consumers[who] {
			t.Fatalf("consumer %q with %d pending deleted, %v; want %d", who, n, ok, want)
		}
		delete(mg.consumers, who)
	case op == 2:
		g.Last, mg.last = id, id
	case op == 3:
		_, had := mg.pending[id]
		if g.Ack(id) != had {
			t.Fatalf("Ack(%v), want %v", id, had)
		}
		delete(mg.pending, id)
	case op == 4:
		want, acked := 0, true
		for _, mg := range m.groups {
			_, has := mg.pending[id]
			acked = acked && !has && !mg.last.Less(id)
			if has {
				want++
			}
			delete(mg.pending, id)
		}
		if s.Referenced(id) != (want > 0) || s.Acked(id) != acked || s.Unreference(id) != want {
			t.Fatalf("%v is pending in %d groups, acked %v", id, want, acked)
		}
	case op == 5:
		from, to := m.someID(r), m.someID(r)
		want := 0
		for id, p := range mg.pending {
			if p.consumer == who && !id.Less(from) && !to.Less(id) {
				want++
			}
		}
		c := g.Consumer([]byte(who))
		if c == nil {
			return
		}
		for it := c.PendingRange(from, to); it.Next(); want-- {
			// Some are acknowledged on the way, some are taken by another.
			p := it.At()
			if p.Consumer != c {
				t.Fatalf("pending %+v among those of %q", p, who)
			}
			switch r.IntN(3) {
			case 0:
				g.Ack(p.ID)
				delete(mg.pending, p.ID)
			case 1:
				other, _ := g.CreateConsumer([]byte("other"), 5)
				mg.consumers["other"] = true
				g.Assign(p.ID, other, 7, p.Count+1)
				mg.pending[p.ID] = modelPending{7, p.Count + 1, "other"}
			}
		}
		if want != 0 {
			t.Fatalf("%d pending entries too few of %q", want, who)
		}
	default:
		c, created := g.CreateConsumer([]byte(who), 3)
		if created == mg.consumers[who] {
			t.Fatalf("consumer %q created: %v", who, created)
		}
		mg.consumers[who] = true
		p := modelPending{r.Int64N(1000), r.Uint64N(5), who}
		g.Assign(id, c, p.delivered, p.count)
		mg.pending[id] = p
		if got, ok := g.Pending(id); !ok || got != (Pending{id, p.delivered, p.count, c}) {
			t.Fatalf("Pending(%v) = %+v", id, got)
		}
	}
}

// TestClonePieces: nodes of a stream and of its copy, both growing, do not share memory.
func TestClonePieces(t *testing.T) {
	defer func(n int) { longNodes = n }(longNodes)
	longNodes = 0
	a := New()
	add := func(s *Stream, from int, text string) {
		for i := range 10 {
			s.Append(ID{uint64(from + i), 0}, [][]byte{[]byte("f"), []byte(text)}, Limits{NodeEntries: 2})
		}
	}
	add(a, 1, "both")
	b := a.Clone()
	add(a, 11, "aaaa")
	add(b, 11, "bbbb")
	for s, text := range map[*Stream]string{a: "aaaa", b: "bbbb"} {
		it := s.Range(ID{11, 0}, MaxID, false)
		for n := 0; it.Next(); n++ {
			if _, v := it.Field(); string(v) != text {
				t.Errorf("entry %v holds %q, want %q", it.ID(), v, text)
			}
		}
		if err := s.Check(); err != nil {
			t.Error(err)
		}
	}
}
