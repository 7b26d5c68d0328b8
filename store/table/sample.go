package table

import "math/rand/v2"

// Sample appends to dst up to n references of one segment chosen at random, of neighbouring slots. Where a key stands
// depends on its hash alone, so for whoever wants keys without regard to their hash that is as good as n calls of Random,
// and it waits for the memory of one segment instead of n. It appends nothing only if the index is empty.
func (x *Index) Sample(r *rand.Rand, n int, dst []uint32) []uint32 {
	if x.n == 0 {
		return dst
	}
	d := r.IntN(len(x.dir))
	s := x.dir[d]
	// A segment that several entries of the directory name is accepted as often as one that has a single name.
	for range 64 {
		if d&(1<<(x.depth-s.depth)-1) == 0 && s.n > 0 {
			break
		}
		d = r.IntN(len(x.dir))
		s = x.dir[d]
	}
	for s.n == 0 {
		if d++; d == len(x.dir) {
			d = 0
		}
		s = x.dir[d]
	}
	at := r.IntN(slots)
	for range slots {
		if n <= 0 {
			break
		}
		if s.used(at) {
			dst = append(dst, s.ref[at])
			n--
		}
		at = (at + 1) & (slots - 1)
	}
	return dst
}
