package aof

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// Damage says that a file does not hold what it should from some place on.
type Damage struct {
	File   string
	Offset int64 // of the first byte that is not understood
	What   string

	cut    int64 // where what was understood ends; no transaction is open there
	torn   bool  // the file ends too early
	framed bool  // where a frame was expected, or within one
	moved  bool  // it is whole, and elsewhere than it was written
}

func (d *Damage) Error() string {
	return fmt.Sprintf("%s is damaged at offset %d: %s", d.File, d.Offset, d.What)
}

// batch is commands on their way from the reader to whoever replays them. Its memory is its own.
type batch struct {
	mem  []byte
	args []span
	ends []int // indexes into args
	upTo int64 // bytes of the file it brings us to
}

type span struct{ from, to int }

func (b *batch) reset() { b.mem, b.args, b.ends = b.mem[:0], b.args[:0], b.ends[:0] }

// mark and rollback take commands back that turn out not to have been finished.
func (b *batch) mark() [3]int { return [3]int{len(b.mem), len(b.args), len(b.ends)} }

func (b *batch) rollback(m [3]int) {
	b.mem, b.args, b.ends = b.mem[:m[0]], b.args[:m[1]], b.ends[:m[2]]
}

// each calls f for every command; args are valid until it returns.
func (b *batch) each(f func(args [][]byte) error) error {
	var args [][]byte
	i := 0
	for _, end := range b.ends {
		args = args[:0]
		for ; i < end; i++ {
			s := b.args[i]
			args = append(args, b.mem[s.from:s.to:s.to])
		}
		if err := f(args); err != nil {
			return err
		}
	}
	return nil
}

// arg returns an argument by its index.
func (b *batch) arg(i int) []byte { return b.mem[b.args[i].from:b.args[i].to] }

// batchBytes is how much a batch holds, about.
const batchBytes = 256 << 10

// reader takes a file apart. It keeps a window of it, which grows only as far as there are bytes.
type reader struct {
	name   string
	src    io.Reader
	win    []byte // what was read and not used
	size   int64  // of the file, about: memory is not taken for more
	off    int64  // of the first byte of win
	end    bool
	framed bool // the last thing read was a frame of ours
	said   bool // and one that called all of the file durable
	// foreign tells that the file did not begin with a line of its own: it is from Redis, which passes over any line that
	// begins with #. ours tells that there was a frame: what is not in one comes from another server. fresh tells that there
	// was nothing since: the other server begins with a SELECT, in a transaction or not.
	foreign, ours, fresh bool

	out   *batch
	multi struct {
		open  bool
		mark  [3]int // of out
		count int
	}
	// good is up to where everything was understood and no transaction is open.
	good int64
}

var errShort = errors.New("the file ends")

// need makes the window at least n bytes, or returns errShort or an error of the file.
func (r *reader) need(n int) error {
	for len(r.win) < n {
		if r.end {
			return errShort
		}
		// At most as much again as there is, so that a length in the file is not what memory is taken for.
		chunk := max(int(min(64<<10, r.size+1)), min(n-len(r.win), len(r.win)))
		if cap(r.win)-len(r.win) < chunk {
			grown := make([]byte, len(r.win), max(int(min(1<<20, r.size)), len(r.win)+chunk))
			copy(grown, r.win)
			r.win = grown
		}
		k, err := r.src.Read(r.win[len(r.win) : len(r.win)+chunk])
		r.win = r.win[:len(r.win)+k]
		switch {
		case err == io.EOF:
			r.end = true
		case err != nil:
			return err
		}
	}
	return nil
}

// skip uses n bytes up.
func (r *reader) skip(n int) {
	r.off += int64(n)
	r.win = r.win[n:]
}

func (r *reader) damage(what string) *Damage {
	return &Damage{File: r.name, Offset: r.off, What: what, cut: r.good, framed: r.framed}
}

// short is err, or the damage that the file ends here.
func (r *reader) short(err error, what string) error {
	if err != errShort {
		return err
	}
	d := r.damage(what)
	d.torn = true
	return d
}

// next adds the next frame, command or transaction to out. It returns io.EOF at a good end.
func (r *reader) next() error {
	err := r.need(1)
	switch {
	case err == errShort && r.multi.open:
		return r.short(err, fmt.Sprintf("a transaction of %d commands is not finished", r.multi.count))
	case err == errShort:
		return io.EOF
	case err != nil:
		return err
	}
	switch r.win[0] {
	case '#':
		err = r.annotation()
	case '*':
		err = r.plain()
	default:
		return r.damage(fmt.Sprintf("a command begins with *, not with %q", r.win[0]))
	}
	if err == nil && !r.multi.open {
		r.good = r.off
		r.out.upTo = r.off
	}
	return err
}

// maxLine is the longest annotation that Redis passes over, with its end.
const maxLine = 128

// annotation reads a frame, or passes over a line that means nothing here.
func (r *reader) annotation() error {
	n := len(headerStart)
	if err := r.need(n); err != nil && err != errShort {
		return err
	}
	if bytes.HasPrefix([]byte(headerStart), r.win[:min(len(r.win), n)]) {
		return r.frame()
	}
	if err := r.need(maxLine); err != nil && err != errShort {
		return err
	}
	switch i := bytes.IndexByte(r.win[:min(len(r.win), maxLine)], '\n'); {
	case i >= 0 && !isStamp(r.win[:i+1]) && (r.ours || !r.foreign):
		// It may have been the header of a frame.
		d := r.damage("an annotation is neither a frame nor a time")
		d.framed = true
		return d
	case i >= 0:
		r.skip(i + 1)
		r.said = false
		return nil
	case len(r.win) < maxLine:
		return r.short(errShort, "an annotation is cut off")
	}
	return r.damage("an annotation is too long")
}

// isStamp reports whether a line is an annotation of Redis: #TS: and a number.
func isStamp(line []byte) bool {
	digits, ok := bytes.CutPrefix(line, []byte("#TS:"))
	digits, end := bytes.CutSuffix(digits, []byte("\r\n"))
	if !ok || !end || len(digits) == 0 {
		return false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func (r *reader) frame() error {
	r.framed = true
	if err := r.need(headerLen); err != nil {
		return r.short(err, "the header of a frame is cut off")
	}
	h, ok := parseHeader(r.win, r.off)
	if !ok {
		d := r.damage("the header of a frame does not agree with its checksum")
		// A frame in which nothing is wrong but its place is nothing that a crash leaves.
		if h, _, ok := parseFields(r.win); ok && r.need(headerLen+int(h.length)) == nil &&
			crc32.Checksum(r.win[headerLen:headerLen+int(h.length)], castagnoli) == h.sum {
			d.moved, d.What = true, "a frame was written for another place"
		}
		return d
	}
	if r.multi.open {
		return r.damage("a transaction is not finished before a frame")
	}
	whole := headerLen + int(h.length)
	if err := r.need(whole); err != nil {
		return r.short(err, fmt.Sprintf("a frame of %d bytes is cut off", h.length))
	}
	payload := r.win[headerLen:whole]
	if crc32.Checksum(payload, castagnoli) != h.sum {
		return r.damage(fmt.Sprintf("a frame of %d bytes does not agree with its checksum", h.length))
	}
	for at := 0; at < len(payload); {
		n, err := r.one(payload[at:])
		if err != nil {
			return r.damage("a frame holds what is no command, although it agrees with its checksum")
		}
		at += n
	}
	if r.multi.open {
		return r.damage("a frame holds a transaction that is not finished")
	}
	r.ours, r.fresh, r.said = true, true, h.length == 0 && h.durable == r.off
	r.skip(whole)
	return nil
}

// plain reads a command outside of frames.
func (r *reader) plain() error {
	for {
		mark := len(r.out.args)
		n, err := r.one(r.win)
		switch {
		case err == nil && r.fresh && !(r.multi.open && len(r.out.args) == mark) && !(len(r.out.args)-mark == 2 && isWord(r.out.arg(mark), "select")):
			d := r.damage("a command without a frame follows one")
			d.framed = true
			return d
		case err == nil:
			r.fresh = r.fresh && len(r.out.args) == mark
			r.skip(n)
			r.framed, r.said = false, false
			return nil
		case err != errShort:
			return r.damage(err.Error())
		}
		// As many as it is known to have, and so many that a long command is not looked at too often.
		have := len(r.win)
		if err := r.need(max(n, 2*have)); err != nil && (err != errShort || len(r.win) == have) {
			return r.short(err, "a command is cut off")
		}
	}
}

// one adds the command, or passes over the annotation, that b begins with and returns its length; with errShort, how
// many bytes it has at least.
func (r *reader) one(b []byte) (n int, err error) {
	if b[0] == '#' {
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			return i + 1, nil
		}
		return 0, errShort
	}
	o := r.out
	mark := o.mark()
	n, err = splitCommand(b, o)
	if err != nil {
		o.rollback(mark)
		return n, err
	}
	switch first := o.args[mark[1]]; {
	case len(o.args)-mark[1] != 1:
	case isWord(o.mem[first.from:first.to], "multi"):
		if r.multi.open {
			return 0, errors.New("a transaction begins within another")
		}
		o.rollback(mark)
		r.multi.open, r.multi.mark, r.multi.count = true, mark, 0
		return n, nil
	case isWord(o.mem[first.from:first.to], "exec"):
		if !r.multi.open {
			return 0, errors.New("a transaction ends that did not begin")
		}
		o.rollback(mark)
		r.multi.open = false
		return n, nil
	}
	if r.multi.open {
		r.multi.count++
	}
	return n, nil
}

func isWord(b []byte, lower string) bool {
	return len(b) == len(lower) && bytes.EqualFold(b, []byte(lower))
}

const (
	maxArgs = 1 << 30
	maxBulk = 1 << 40 // far more than a key can hold; the file's own end is the limit
)

// splitCommand adds the command that b begins with to o and returns its length; with errShort, how many bytes it has at
// least.
func splitCommand(b []byte, o *batch) (n int, err error) {
	argc, at, err := length(b, '*', maxArgs)
	if err != nil {
		return len(b) + 1, err
	}
	if argc < 1 {
		return 0, errors.New("a command without a name")
	}
	for range argc {
		if at == len(b) {
			return at + 1, errShort
		}
		size, k, err := length(b[at:], '$', maxBulk)
		if err != nil {
			return len(b) + 1, err
		}
		at += k
		if int64(len(b)-at) < size+2 {
			return at + int(size) + 2, errShort
		}
		from := len(o.mem)
		o.mem = append(o.mem, b[at:at+int(size)]...)
		o.args = append(o.args, span{from, len(o.mem)})
		at += int(size)
		if b[at] != '\r' || b[at+1] != '\n' {
			return 0, errors.New("an argument is not as long as it says")
		}
		at += 2
	}
	o.ends = append(o.ends, len(o.args))
	return at, nil
}

// length reads a line of a kind and a number, which must be within 0 and most.
func length(b []byte, kind byte, most int64) (v int64, n int, err error) {
	if b[0] != kind {
		return 0, 0, fmt.Errorf("a length begins with %c, not with %q", kind, b[0])
	}
	for n = 1; n < len(b); n++ {
		c := b[n]
		switch {
		case c >= '0' && c <= '9' && n < 16:
			if v = v*10 + int64(c-'0'); v > most {
				return 0, 0, errors.New("a length is too large")
			}
		case c == '\r' && n > 1:
			if n+1 == len(b) {
				return 0, n, errShort
			}
			if b[n+1] != '\n' {
				return 0, 0, errors.New("a length does not end with CR and LF")
			}
			return v, n + 2, nil
		default:
			return 0, 0, errors.New("a length is not a number")
		}
	}
	return 0, n, errShort
}
