package store

import (
	"github.com/streampulse/pulse/store/arena"
	"github.com/streampulse/pulse/store/table"
)

// cursorBits is the precision of a scan cursor: a position in the order of the keys' hashes, cut to fit the integers
// that clients in every language can hold (2^53).
const cursorBits = 48

// Scan calls f for about count keys of the present database beginning at cursor (0: the start) and returns the cursor
// to go on from, 0 at the end. All shards are locked. Keys that are there from the first call to the last are
// reported exactly once; others may be. f must not change the store.
func (tx *Tx) Scan(cursor uint64, count int, f func(key []byte, k Kind)) (next uint64) {
	if cursor >= 1<<cursorBits {
		return 0
	}
	const cut = 64 - cursorBits
	pos := cursor << cut
	s := tx.s
	var buf [64]table.Entry
	done, last := 0, uint64(0)
	for i := s.shardIndex(pos); i < len(s.shards); i++ {
		ks := s.shards[i].dbs[tx.db].keys
		at := uint64(0)
		if i == s.shardIndex(pos) {
			at = pos << s.bits
		}
		for end := ks == nil; !end; {
			var entries []table.Entry
			entries, at, end = ks.idx.From(at, ks, buf[:0])
			for _, e := range entries {
				here := uint64(i)<<s.shift>>cut | e.Hash>>s.bits>>cut
				if done >= count && here != last {
					return here
				}
				b := ks.blocks.Bytes(arena.Ref(e.Ref))
				if deadlineOf(b) > tx.now {
					l := layoutOf(b)
					f(b[l.key:l.val:l.val], l.kind())
				}
				done++
				last = here
			}
		}
	}
	return 0
}
