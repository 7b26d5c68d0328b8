package store

import "github.com/streampulse/pulse/store/arena"

// named finds the key with the full hash h. Should two keys share it, either will do for those who ask.
func (ks *keyspace) named(h uint64) (e entry) {
	e.ks, e.h = ks, h
	e.cur = ks.idx.Seek(h << ks.s.bits)
	for {
		ref, ok := e.cur.Next()
		if !ok {
			return
		}
		b := ks.blocks.Bytes(arena.Ref(ref))
		if ks.s.hash(keyOf(b)) == h {
			e.ref, e.b, e.layout = arena.Ref(ref), b, layoutOf(b)
			return
		}
	}
}

// drawTries is how often a key without a deadline is drawn in vain before the deadlines are walked instead.
const drawTries = 4

// draw returns the blocks of up to n keys of ks, which may be nil, that the policy allows to go; none if there are none.
// The result is valid until the next call.
func (tx *Tx) draw(ks *keyspace, p Policy, n int) []uint32 {
	if ks == nil || ks.idx.Len() == 0 {
		return nil
	}
	refs := tx.drawn[:0]
	n = min(n, maxSamples)
	if !p.volatile() {
		return ks.idx.Sample(tx.rand, n, refs)
	}
	with := ks.volatile()
	if with == 0 {
		return nil
	}
	if with >= ks.idx.Len()/drawTries {
		for range drawTries {
			for _, ref := range ks.idx.Sample(tx.rand, n, refs) {
				if ks.blocks.Bytes(arena.Ref(ref))[0]&fDeadline != 0 {
					refs = append(refs, ref)
				}
			}
			if len(refs) > 0 {
				return refs
			}
		}
	}
	for range min(n, with) {
		if e := ks.drawVolatile(); e.b != nil {
			refs = append(refs, uint32(e.ref))
		}
	}
	return refs
}

// maxSamples is the most maxmemory-samples can be.
const maxSamples = 64

// drawVolatile returns the key behind the one it returned last, in the order of the deadlines. A tree of deadlines cannot
// be asked for its n-th item, and a deadline drawn at random would find those in sparse times again and again; walking
// round meets every key once per lap.
func (ks *keyspace) drawVolatile() (e entry) {
	for range 2 {
		ks.deadlines.AscendGreaterOrEqual(ks.lap, func(d deadline) bool {
			ks.lap = deadline{d.at, d.hash + 1}
			e = ks.named(d.hash)
			return e.b == nil
		})
		if e.b != nil {
			return e
		}
		ks.lap = deadline{}
	}
	return e
}

// pool holds the best candidates for eviction, the worst of them first. It survives from one eviction to the next, which
// makes a few samples do the work of many.
type pool struct {
	round uint32
	n     int
	best  [poolSize]candidate
}

const poolSize = 16

type candidate struct {
	hash  uint64 // of the name
	score uint32
	db    int
}

// offer takes c in unless it is in already, or all in a full pool are better.
func (p *pool) offer(c candidate) {
	at := 0 // where c belongs
	for i := range p.best[:p.n] {
		b := &p.best[i]
		if b.hash == c.hash && b.db == c.db {
			return
		}
		if b.score < c.score {
			at = i + 1
		}
	}
	switch {
	case p.n < poolSize:
		copy(p.best[at+1:p.n+1], p.best[at:p.n])
		p.n++
	case at == 0:
		return
	default:
		at--
		copy(p.best[:at], p.best[1:at+1])
	}
	p.best[at] = c
}

// wants reports whether a candidate with that score would be taken in.
func (p *pool) wants(score uint32) bool { return p.n < poolSize || score > p.best[0].score }

// take removes and returns the best.
func (p *pool) take() candidate {
	p.n--
	return p.best[p.n]
}
