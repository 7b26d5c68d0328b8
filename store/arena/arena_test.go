package arena

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// model owns blocks of an arena and knows what each must hold. A block is
//
//	flags u8 | units of 8 bytes u24 | id u32 | the id's pattern
type model struct {
	t    *testing.T
	a    Arena
	refs map[uint32]Ref
	size map[uint32]int // bytes asked for
	ids  []uint32
	next uint32
	held []heldSlice
}

// heldSlice is a block as Bytes gave it once. It must stay as it was, whatever became of the block.
type heldSlice struct {
	id uint32
	b  []byte
}

func (m *model) BlockSize(b []byte) int {
	return int(binary.LittleEndian.Uint32(b[:4])>>8) << 3
}

func (m *model) BlockMoved(from, to Ref, b []byte) {
	id := binary.LittleEndian.Uint32(b[4:])
	if m.refs[id] != from {
		m.t.Fatalf("block %d moved from %d, but it was at %d", id, from, m.refs[id])
	}
	m.refs[id] = to
}

func pattern(id uint32, i int) byte { return byte(id*31 + uint32(i)*7) }

func (m *model) alloc(n int) {
	n = max(n, 8)
	id := m.next
	m.next++
	ref, b := m.a.Alloc(n)
	if ref == None {
		m.t.Fatalf("a block of %d bytes is at None", n)
	}
	if len(b) < Size(n) {
		m.t.Fatalf("Alloc(%d) gave %d bytes", n, len(b))
	}
	binary.LittleEndian.PutUint32(b, uint32(Size(n)>>3)<<8)
	binary.LittleEndian.PutUint32(b[4:], id)
	for i := 8; i < n; i++ {
		b[i] = pattern(id, i)
	}
	m.refs[id], m.size[id] = ref, n
	m.ids = append(m.ids, id)
}

func (m *model) free(k int) {
	id := m.ids[k]
	m.ids[k] = m.ids[len(m.ids)-1]
	m.ids = m.ids[:len(m.ids)-1]
	m.a.Free(m.refs[id], m.size[id])
	delete(m.refs, id)
}

func (m *model) verify(id uint32, b []byte) {
	m.t.Helper()
	if got := binary.LittleEndian.Uint32(b[4:]); got != id {
		m.t.Fatalf("block %d holds block %d", id, got)
	}
	for i := 8; i < m.size[id]; i++ {
		if b[i] != pattern(id, i) {
			m.t.Fatalf("byte %d of block %d is %#x", i, id, b[i])
		}
	}
}

// check looks at every block, and at the arena's books.
func (m *model) check() {
	m.t.Helper()
	live := 0
	for _, id := range m.ids {
		b := m.a.Bytes(m.refs[id])
		if b[0]&deadBit != 0 {
			m.t.Fatalf("block %d is marked dead", id)
		}
		m.verify(id, b)
		live += Size(m.size[id])
	}
	for _, h := range m.held {
		m.verify(h.id, h.b)
	}
	if m.a.Live() != live {
		m.t.Fatalf("Live = %d, want %d", m.a.Live(), live)
	}
	chunkLive, space := 0, 0
	for i, c := range m.a.chunks {
		if c.live < 0 || c.live > c.used || c.used > len(c.b) {
			m.t.Fatalf("chunk %d: %d bytes live, %d used of %d", i, c.live, c.used, len(c.b))
		}
		chunkLive += c.live
		space += len(c.b)
	}
	if chunkLive != live || m.a.Space() != space {
		m.t.Fatalf("chunks hold %d live bytes of %d, the books say %d of %d", chunkLive, space, live, m.a.Space())
	}
	seen := map[uint32]bool{}
	m.a.Walk(m, func(r Ref, b []byte) bool {
		id := binary.LittleEndian.Uint32(b[4:])
		if seen[id] || m.refs[id] != r {
			m.t.Fatalf("Walk shows block %d at %d (seen: %v), want it once at %d", id, r, seen[id], m.refs[id])
		}
		seen[id] = true
		return true
	})
	if len(seen) != len(m.ids) {
		m.t.Fatalf("Walk shows %d blocks of %d", len(seen), len(m.ids))
	}
}

func newModel(t *testing.T) *model {
	return &model{t: t, refs: map[uint32]Ref{}, size: map[uint32]int{}}
}

func TestAgainstModel(t *testing.T) {
	for _, tc := range []struct {
		name  string
		first int // size of the very first block
		sizes func(r *rand.Rand) int
		live  int // blocks kept alive, about
		steps int
	}{
		{"small", 8, func(r *rand.Rand) int { return 8 + r.IntN(100) }, 4000, 25_000},
		{"mixed", 100, func(r *rand.Rand) int {
			switch r.IntN(20) {
			case 0:
				return dedicated - 16 + r.IntN(32)
			case 1:
				return 1000 + r.IntN(5000)
			}
			return 8 + r.IntN(300)
		}, 800, 8000},
		{"large first", 20_000, func(r *rand.Rand) int { return 8 + r.IntN(2000) }, 300, 5000},
		{"chunk first", chunkSize, func(r *rand.Rand) int { return 8 + r.IntN(2000) }, 300, 5000},
		{"just below dedicated", dedicated - 8, func(r *rand.Rand) int { return dedicated - 8 - r.IntN(100) }, 40, 1000},
		{"dedicated only", dedicated, func(r *rand.Rand) int { return dedicated + r.IntN(100_000) }, 10, 100},
		{"empties again and again", 8, func(r *rand.Rand) int { return 8 + r.IntN(100) }, 3, 20_000},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newModel(t)
			r := rand.New(rand.NewPCG(1, 2))
			m.alloc(tc.first)
			for step := range tc.steps {
				switch n := r.IntN(2 * tc.live); {
				case n >= len(m.ids) || len(m.ids) == 0:
					m.alloc(tc.sizes(r))
				case r.IntN(50) == 0:
					id := m.ids[r.IntN(len(m.ids))]
					m.held = append(m.held[max(0, len(m.held)-20):], heldSlice{id, m.a.Bytes(m.refs[id])})
				default:
					m.free(r.IntN(len(m.ids)))
				}
				if m.a.Wasteful() {
					m.a.Compact(m, 1+r.IntN(2000))
				}
				if step%(tc.steps/20) == 0 {
					m.check()
				}
			}
			m.check()
			for len(m.ids) > 0 {
				m.free(r.IntN(len(m.ids)))
				m.a.Compact(m, 1024)
			}
			m.check()
			if m.a.Space() > 5*chunkSize {
				t.Errorf("an empty arena holds %d bytes", m.a.Space())
			}
		})
	}
}

// TestCompactKeepsUp overwrites blocks at random, with the budget that the store gives per change.
func TestCompactKeepsUp(t *testing.T) {
	m := newModel(t)
	r := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		m.alloc(40 + r.IntN(60))
	}
	for range 100_000 {
		m.free(r.IntN(len(m.ids)))
		m.alloc(40 + r.IntN(60))
		if m.a.Wasteful() {
			m.a.Compact(m, 1024)
		}
		if sp, live := m.a.Space(), m.a.Live(); sp > live*14/10+5*chunkSize {
			t.Fatalf("%d bytes are held for %d", sp, live)
		}
	}
	m.check()
}

// TestCompactReleases frees most blocks: what is left fits into little more than its size.
func TestCompactReleases(t *testing.T) {
	m := newModel(t)
	r := rand.New(rand.NewPCG(5, 6))
	for range 40_000 {
		m.alloc(40 + r.IntN(60))
	}
	for len(m.ids) > 2000 {
		m.free(r.IntN(len(m.ids)))
	}
	for m.a.Wasteful() {
		m.a.Compact(m, 1<<20)
	}
	m.check()
	if sp, live := m.a.Space(), m.a.Live(); sp > live*5/4+4*chunkSize {
		t.Errorf("%d bytes are held for %d", sp, live)
	}
}

func TestSmallArenaIsSmall(t *testing.T) {
	m := newModel(t)
	m.alloc(100)
	if m.a.Space() > firstSize {
		t.Errorf("one block of 100 bytes takes %d", m.a.Space())
	}
	for range 9 {
		m.alloc(100)
	}
	m.check()
	if m.a.Space() > 2<<10 {
		t.Errorf("ten blocks of 100 bytes take %d", m.a.Space())
	}
}

// TestSmallArenaUnderChurn: there may be many small arenas, so even their waste counts.
func TestSmallArenaUnderChurn(t *testing.T) {
	m := newModel(t)
	r := rand.New(rand.NewPCG(7, 8))
	for range 500 {
		m.alloc(60 + r.IntN(80))
	}
	most := 0
	for range 20_000 {
		m.free(r.IntN(len(m.ids)))
		m.alloc(60 + r.IntN(80))
		if m.a.Wasteful() {
			m.a.Compact(m, 1024)
		}
		most = max(most, m.a.Space())
	}
	m.check()
	if most > 3*chunkSize {
		t.Errorf("%d bytes were held for %d", most, m.a.Live())
	}
}

func TestWalkStops(t *testing.T) {
	m := newModel(t)
	for range 10 {
		m.alloc(50)
	}
	n := 0
	m.a.Walk(m, func(Ref, []byte) bool { n++; return n < 3 })
	if n != 3 {
		t.Errorf("Walk went on to block %d", n)
	}
}

// TestFullArena: references do not wrap around.
func TestFullArena(t *testing.T) {
	a := Arena{chunks: make([]chunk, maxChunks)}
	defer func() {
		if recover() == nil {
			t.Error("a chunk too many was made")
		}
	}()
	a.Alloc(dedicated)
}
