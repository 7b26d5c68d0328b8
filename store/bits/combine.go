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

// Combine fills dst with op of srcs, of which there is at least one and for Diff, Diff1 and AndOr at least two; dst is
// as long as the longest. A source may begin where dst begins, but not otherwise share memory with it.
func Combine(dst []byte, op Op, srcs [][]byte) {
	if len(dst) == 0 {
		return
	}
	var own [chunk]byte
	c := combiner{dst: dst}
	for _, s := range srcs {
		if len(s) > 0 && &s[0] == &dst[0] {
			c.own = own[:]
		}
	}
	for ; c.at < len(dst); c.at += chunk {
		d := dst[c.at:min(c.at+chunk, len(dst))]
		copy(c.own, d)
		if op == One {
			c.one(d, srcs)
		} else {
			c.chunk(d, op, srcs)
		}
	}
}

// combiner makes a chunk after the other.
type combiner struct {
	dst []byte
	own []byte // what dst held in this chunk, if it is a source too
	at  int    // position of the chunk
}

// part returns what s has of the n bytes of the chunk.
func (c *combiner) part(s []byte, n int) []byte {
	if c.at >= len(s) {
		return nil
	}
	n = min(n, len(s)-c.at)
	if c.own != nil && &s[0] == &c.dst[0] {
		return c.own[:n]
	}
	return s[c.at : c.at+n]
}

// chunk makes the bytes d.
func (c *combiner) chunk(d []byte, op Op, srcs [][]byte) {
	first := c.part(srcs[0], len(d))
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
	acc := c.part(srcs[0], len(d))
	for _, src := range srcs[1:] {
		acc = join(d, step, acc, c.part(src, len(d)))
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

// one is chunk for One: a bit is out for good once it was seen twice.
func (c *combiner) one(d []byte, srcs [][]byte) {
	var twice [chunk]byte
	clear(d[copy(d, c.part(srcs[0], len(d))):])
	for _, src := range srcs[1:] {
		see(d, twice[:], c.part(src, len(d)))
	}
	andNot(d, d, twice[:])
}
