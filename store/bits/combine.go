package bits

// Op is a bitwise operation on any number of byte strings, of which the shorter ones are taken to go on with zeros.
type Op uint8

const (
	And   Op = iota // set in all
	Or              // set in at least one
	Xor             // set in an odd number
	Not             // not set in the only one
	Diff            // set in the first and in none of the others
	Diff1           // set in at least one of the others, but not in the first
	AndOr           // set in the first and in at least one of the others
	One             // set in exactly one
)

// chunk is how many bytes are made at a time from all sources: little enough to stay in the nearest cache.
const chunk = 4 << 10

// Combine fills dst, which shares no memory with srcs, with op of srcs, of which there is at least one and for Diff,
// Diff1 and AndOr at least two; dst is as long as the longest.
func Combine(dst []byte, op Op, srcs [][]byte) {
	for at := 0; at < len(dst); at += chunk {
		d := dst[at:min(at+chunk, len(dst))]
		if op == One {
			combineOne(d, at, srcs)
		} else {
			combineChunk(d, at, op, srcs)
		}
	}
}

// part returns what s has of the n bytes from position at on.
func part(s []byte, at, n int) []byte {
	if at >= len(s) {
		return nil
	}
	return s[at:min(at+n, len(s))]
}

// combineChunk makes the bytes d that stand at position at.
func combineChunk(d []byte, at int, op Op, srcs [][]byte) {
	first := part(srcs[0], at, len(d))
	if op == Not {
		not(d, first)
		return
	}
	step, last := op, Op(0)
	switch op {
	case Diff1:
		step, last, srcs = Or, Diff, srcs[1:]
	case AndOr:
		step, last, srcs = Or, And, srcs[1:]
	}
	// The first two are joined on their way into d, the others are added to it.
	acc := part(srcs[0], at, len(d))
	for _, src := range srcs[1:] {
		acc = join(d, step, acc, part(src, at, len(d)))
	}
	if step != op {
		acc = join(d, last, acc, first)
	}
	clear(d[copy(d, acc):])
}

// join makes d what op, one of And, Or, Xor and Diff, makes of a, which may be the beginning of d, and b. It returns the
// part of d that was written; zeros are meant to follow.
func join(d []byte, op Op, a, b []byte) []byte {
	n := min(len(a), len(b))
	switch op {
	case And:
		and(d, a, b)
		return d[:n]
	case Diff:
		andNot(d, a, b)
		b = nil
	case Or:
		or(d, a, b)
	case Xor:
		xor(d, a, b)
	}
	if len(b) > n {
		a = b
	}
	copy(d[n:], a[n:])
	return d[:len(a)]
}

// combineOne is combineChunk for One: a bit is out for good once it was seen twice.
func combineOne(d []byte, at int, srcs [][]byte) {
	var twice [chunk]byte
	clear(d[copy(d, part(srcs[0], at, len(d))):])
	for _, src := range srcs[1:] {
		see(d, twice[:], part(src, at, len(d)))
	}
	andNot(d, d, twice[:])
}
