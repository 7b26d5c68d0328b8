package server

import (
	"syscall"

	"github.com/streampulse/pulse/internal/pieces"
	"github.com/streampulse/pulse/internal/resp"
)

// output is what is to be sent to a client, in order: bytes of its own, and bytes that are borrowed from the store
// (docs/design/0011). Whoever takes a part out, or throws it away, returns its loan.
type output struct {
	parts []part
	bytes int // of all parts
	lent  int // of bytes, those borrowed
}

type part struct {
	bytes []byte
	loan  resp.Loan // nil: own
}

// owned is an output of bytes that nobody else will use.
func owned(b []byte) (o output) {
	if len(b) > 0 {
		o.parts, o.bytes = []part{{bytes: b}}, len(b)
	}
	return o
}

// append adds a copy of b.
func (o *output) append(b []byte) {
	if len(b) == 0 {
		return
	}
	o.bytes += len(b)
	if n := len(o.parts); n > 0 && o.parts[n-1].loan == nil {
		p := &o.parts[n-1]
		p.bytes = pieces.Append(p.bytes, b)
		return
	}
	o.parts = append(o.parts, part{bytes: pieces.Append(nil, b)})
}

// add adds what a session has written: out, of which copies are made, and refs, which are o's from now on. A nil refs has none.
func (o *output) add(out []byte, refs *resp.Refs) {
	if refs == nil || !refs.Any() {
		o.append(out)
		return
	}
	refs.Each(out, func(b []byte, l resp.Loan) {
		if l == nil {
			o.append(b)
			return
		}
		o.parts = append(o.parts, part{b, l})
		o.bytes += len(b)
		o.lent += len(b)
	})
}

// borrowed is what a session has written, without copies: out stays the lane's (own makes it o's), refs are o's.
func borrowed(out []byte, refs *resp.Refs) (o output) {
	refs.Each(out, func(b []byte, l resp.Loan) {
		o.parts = append(o.parts, part{b, l})
		o.bytes += len(b)
		if l != nil {
			o.lent += len(b)
		}
	})
	return o
}

// own makes copies of what is neither o's nor borrowed from the store.
func (o *output) own() {
	for i := range o.parts {
		if p := &o.parts[i]; p.loan == nil {
			p.bytes = pieces.Append(nil, p.bytes)
		}
	}
}

// next puts the first bytes of o into vec, at most limit of them, and returns what of vec was used.
func (o *output) next(vec [][]byte, limit int) [][]byte {
	n := 0
	for ; n < len(o.parts) && n < len(vec) && limit > 0; n++ {
		b := o.parts[n].bytes
		vec[n] = b[:min(len(b), limit)]
		limit -= len(vec[n])
	}
	return vec[:n]
}

// sent takes the first n bytes out.
func (o *output) sent(n int) {
	o.bytes -= n
	for n > 0 {
		p := &o.parts[0]
		k := min(n, len(p.bytes))
		p.bytes = p.bytes[k:]
		n -= k
		if p.loan != nil {
			o.lent -= k
		}
		if len(p.bytes) > 0 {
			return
		}
		if p.loan != nil {
			p.loan.Return()
		}
		*p = part{}
		o.parts = o.parts[1:]
	}
}

// drop throws everything away.
func (o *output) drop() {
	for _, p := range o.parts {
		if p.loan != nil {
			p.loan.Return()
		}
	}
	*o = output{}
}

// loopShare is how many bytes a loop writes to a socket at one go when a large value is asked for. The rest is for a stream: the system
// takes some 100 microseconds to copy as much, and clients that ask for that much should not be what others wait for.
const loopShare = 1 << 20

// writeLent writes what a session has written, up to loopShare, and returns what is left, which is nobody else's; ok is false
// if the socket is broken.
func (p *place) writeLent(out []byte, refs *resp.Refs) (rest output, ok bool) {
	o := borrowed(out, refs)
	var vec [maxVec][]byte
	for left := loopShare; o.bytes > 0 && left > 0; {
		n, err := writeSocketParts(p.gc.Fd(), o.next(vec[:], left))
		switch err {
		case nil:
			o.sent(n)
			left -= n
		case syscall.EINTR:
		case syscall.EAGAIN:
			left = 0
		default:
			o.drop()
			return o, false
		}
	}
	if o.bytes > 0 && cap(out) <= keepOut {
		o.own()
	}
	return o, true
}
