package resp

import "github.com/streampulse/pulse/internal/pieces"

// Refs are bytes of others that belong into what a Writer writes, where it would be a waste to copy them. The zero value is
// empty; it is used by one Writer at a time.
type Refs struct {
	list  []ref
	bytes int
}

// ref is bytes that come after the first at bytes of the Writer's own. They must not change until Loan is told.
type ref struct {
	at    int
	bytes []byte
	loan  Loan
}

// Loan is told, once, when borrowed bytes are not looked at any more.
type Loan interface{ Return() }

// Bytes is the number of bytes in r.
func (r *Refs) Bytes() int { return r.bytes }

// Any reports whether there is anything in r.
func (r *Refs) Any() bool { return len(r.list) > 0 }

// keepRefs is for how many ref a Refs keeps memory.
const keepRefs = 64

// cut takes back what lies behind the first n bytes of the Writer's own. What ends there stays: a reply that refers to
// bytes has an end of its own behind them.
func (r *Refs) cut(n int) {
	i := len(r.list)
	for i > 0 && r.list[i-1].at > n {
		i--
		r.bytes -= len(r.list[i].bytes)
		r.list[i].loan.Return()
		r.list[i] = ref{}
	}
	r.list = r.list[:i]
}

// shift follows the insertion of n bytes behind the first at bytes.
func (r *Refs) shift(at, n int) {
	for i := len(r.list) - 1; i >= 0 && r.list[i].at > at; i-- {
		r.list[i].at += n
	}
}

// Lends reports whether BulkRef may be used.
func (w *Writer) Lends() bool { return w.refs != nil }

// BulkRef writes a string of any bytes without a copy of them: they are in the Refs that ResetLending named.
func (w *Writer) BulkRef(b []byte, l Loan) {
	buf := appendHeader(w.buf, '$', int64(len(b)))
	w.refs.list = append(w.refs.list, ref{len(buf), b, l})
	w.refs.bytes += len(b)
	w.buf = append(buf, '\r', '\n')
}

// ResetLending is Reset for a Writer that may refer to bytes of others, in refs, which is empty.
func (w *Writer) ResetLending(buf []byte, refs *Refs) { w.buf, w.refs = buf, refs }

// Size is the number of bytes written since Reset, those of others included.
func (w *Writer) Size() int {
	if w.refs == nil {
		return len(w.buf)
	}
	return len(w.buf) + w.refs.bytes
}

// Each empties r and calls f for what was written in order: the Writer's own bytes, which are given, and those of others. A nil
// Loan tells which is which. f returns the loans.
func (r *Refs) Each(own []byte, f func(b []byte, l Loan)) {
	at := 0
	for i := range r.list {
		ref := &r.list[i]
		if ref.at > at {
			f(own[at:ref.at:ref.at], nil)
			at = ref.at
		}
		f(ref.bytes, ref.loan)
	}
	if at < len(own) {
		f(own[at:], nil)
	}
	r.empty()
}

// Flatten empties r and returns copies of all that was written, own being the Writer's own bytes; own itself if r has none.
func (r *Refs) Flatten(own []byte) []byte {
	if len(r.list) == 0 {
		return own
	}
	all := make([]byte, 0, len(own)+r.bytes)
	r.Each(own, func(b []byte, l Loan) {
		all = pieces.Append(all, b)
		if l != nil {
			l.Return()
		}
	})
	return all
}

// Drop empties r: nobody will look at what was in it.
func (r *Refs) Drop() {
	for i := range r.list {
		r.list[i].loan.Return()
	}
	r.empty()
}

func (r *Refs) empty() {
	clear(r.list)
	r.list, r.bytes = r.list[:0], 0
	if cap(r.list) > keepRefs {
		r.list = nil
	}
}
