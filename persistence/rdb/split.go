package rdb

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/streampulse/pulse/store/codec"
	"github.com/streampulse/pulse/store/codec/crc64"
)

const (
	// usualBatch is how many bytes are read and handed to a worker at a time.
	usualBatch = 256 << 10
	// usualLongest is the size of a key with its value up to which it is kept as it came and decoded beside others. A larger
	// one is decoded from the stream, and what follows waits.
	usualLongest = 8 << 20
	// progressEvery is how many bytes are read between two calls of Progress.
	progressEvery = 1 << 20
)

// batch is a piece of the stream and what was found in it.
type batch struct {
	buf  []byte
	base int64 // offset of buf in the stream
	keys []record
}

// record is a key in a batch.
type record struct {
	deadline      int64
	used          uint64
	key, val, end uint32 // buf[key:val] is its name, buf[val:end] its value; its type stands in front
	db            int32
	kind          codec.Type
	access        Access
}

// Reader reads a file, or the beginning of one, from a stream. It serves one goroutine at a time.
type Reader struct {
	src     io.Reader
	size    int // of a batch: usualBatch, and
	longest int // usualLongest, less in tests
	opt     *Options
	l       *loader

	b      *batch // what is being cut
	pos    int    // b.buf[:pos] has been
	sum    uint64 // of all up to b.buf[:summed]
	summed int
	told   int64 // offset at the last call of Progress

	parts   codec.Reader // of what is not a key
	res     Result
	next    record // what is known of the next key
	stopped bool
}

// NewReader returns a Reader of what src has from now on.
func NewReader(src io.Reader) *Reader {
	return &Reader{src: src, size: usualBatch, longest: usualLongest, b: new(batch)}
}

// Read reads what follows the data, once Load has come to their end.
func (r *Reader) Read(p []byte) (n int, err error) {
	if r.pos < len(r.b.buf) {
		n = copy(p, r.b.buf[r.pos:])
		r.pos += n
		return n, nil
	}
	return r.src.Read(p)
}

// offset returns the offset of what is next.
func (r *Reader) offset() int64 { return r.b.base + int64(r.pos) }

// account sums all up to b.buf[:to].
func (r *Reader) account(to int) {
	if !r.opt.NoChecksum {
		r.sum = crc64.Update(r.sum, r.b.buf[r.summed:to])
	}
	r.summed = to
}

// errStopped says that a worker has failed; its error is the one to report.
var errStopped = errors.New("rdb: stopped")

// fill makes sure that size bytes from b.buf[pos] on are there. What was cut goes to the workers when the buffer is full;
// the buffer grows with what has come, not with what was claimed.
func (r *Reader) fill(size int) error {
	for idle := 0; len(r.b.buf)-r.pos < size; {
		if room := cap(r.b.buf) - len(r.b.buf); room < min(size-(len(r.b.buf)-r.pos), r.size/4) || room == 0 {
			if err := r.makeRoom(); err != nil {
				return err
			}
		}
		b := r.b
		n, err := r.src.Read(b.buf[len(b.buf):cap(b.buf)])
		b.buf = b.buf[:len(b.buf)+n]
		if idle++; n > 0 {
			idle = 0
		}
		switch {
		case len(b.buf)-r.pos >= size:
		case err == io.EOF:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		case idle == 100:
			return io.ErrNoProgress
		}
	}
	return nil
}

func (r *Reader) makeRoom() error {
	r.account(r.pos)
	old := r.b
	rest := old.buf[r.pos:]
	base := r.offset()
	switch {
	case len(old.keys) > 0:
		if err := r.hand(rest); err != nil {
			return err
		}
	case r.pos > 0 || cap(old.buf) == 0:
		if cap(old.buf) == 0 {
			old.buf = make([]byte, 0, r.size)
		}
		old.buf = old.buf[:copy(old.buf[:cap(old.buf)], rest)]
	default:
		old.buf = append(make([]byte, 0, 2*cap(old.buf)), rest...)
	}
	r.b.base, r.pos, r.summed = base, 0, 0
	if r.opt.Progress != nil && base-r.told >= progressEvery {
		r.told = base
		return r.opt.Progress(base)
	}
	return nil
}

// hand gives the batch to a worker and goes on with another one, which begins with rest.
func (r *Reader) hand(rest []byte) error {
	if r.l.failed() {
		return errStopped
	}
	b := r.l.fresh()
	b.buf = append(b.buf[:0], rest...)
	r.l.batch(r.b)
	r.b = b
	return nil
}

// wrong makes an error of what went wrong rel bytes behind pos.
func (r *Reader) wrong(err error, rel int, doing string) error {
	if err == errStopped {
		return err
	}
	if e := (*Error)(nil); errors.As(err, &e) {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		rel = len(r.b.buf) - r.pos
	}
	return &Error{Offset: r.offset() + int64(rel), Doing: doing, Err: err}
}

// split cuts the stream to its end.
func (r *Reader) split() error {
	if err := r.header(); err != nil {
		return err
	}
	r.blank()
	for {
		if err := r.fill(1); err != nil {
			return r.wrong(err, 0, "what is next")
		}
		op := r.b.buf[r.pos]
		var err error
		switch {
		case shapes[op] == "":
			return r.wrong(codec.Corrupt(fmt.Sprintf("neither a type nor an opcode: %d", op)), 0, "what is next")
		case op == opEnd:
			return r.finish()
		case isType(op):
			err = r.key(op)
		default:
			err = r.opcode(op)
		}
		if err != nil {
			return err
		}
	}
}

// blank forgets what was known of a key that has come.
func (r *Reader) blank() {
	r.next.deadline, r.next.access, r.next.used = Forever, Unrecorded, 0
}

func (r *Reader) header() error {
	if err := r.fill(headSize); err != nil {
		if have := r.b.buf; err == io.ErrUnexpectedEOF && string(have[:min(len(have), len(magic))]) != magic[:min(len(have), len(magic))] {
			return r.wrong(ErrSignature, 0, "")
		}
		return r.wrong(err, 0, "the signature")
	}
	head := r.b.buf[:headSize]
	if string(head[:len(magic)]) != magic {
		return r.wrong(ErrSignature, 0, "")
	}
	version, err := strconv.ParseUint(string(head[len(magic):]), 10, 32)
	switch {
	case err != nil:
		return r.wrong(ErrSignature, len(magic), "")
	case version < MinVersion || version > MaxVersion:
		return r.wrong(VersionError(version), len(magic), "")
	}
	r.res.Version = int(version)
	r.pos = headSize
	return nil
}

// key cuts a key.
func (r *Reader) key(op byte) error {
	var m scanner
	m.reset("s")
	val, size, err := m.scan(r.b.buf[r.pos:], 1)
	at := val
	inName := true
	for {
		switch {
		case err != nil:
			return r.wrongIn(err, at, val, inName, op)
		case size > r.longest:
			return r.long(op)
		case size > 0:
			if err := r.fill(size); err != nil {
				return r.wrongIn(err, at, val, inName, op)
			}
		case inName:
			inName, val = false, at
			m.reset(shapes[op])
		default:
			return r.found(op, val, at)
		}
		at, size, err = m.scan(r.b.buf[r.pos:], at)
	}
}

// wrongIn makes an error of what went wrong at bytes behind pos, in a key whose value begins val bytes behind.
func (r *Reader) wrongIn(err error, at, val int, inName bool, op byte) error {
	doing := "the name of a key"
	if !inName {
		doing = doingValue(codec.Type(op))
	}
	err = r.wrong(err, at, doing)
	if e := (*Error)(nil); errors.As(err, &e) && !inName && e.Key == nil {
		r.parts.Reset(r.b.buf[r.pos+1 : r.pos+val])
		e.Key = r.parts.Blob()
	}
	return err
}

func doingValue(t codec.Type) string { return fmt.Sprintf("the value (type %d)", t) }

// found takes the key at pos, whose value is from val to end.
func (r *Reader) found(op byte, val, end int) error {
	if op == typeModule || op == typeModule2 {
		r.parts.Reset(r.b.buf[r.pos+val : r.pos+end])
		return r.wrongIn(ModuleError{Name: moduleName(r.parts.Length())}, val, val, false, op)
	}
	k := r.next
	k.key, k.val, k.end = uint32(r.pos+1), uint32(r.pos+val), uint32(r.pos+end)
	k.kind = codec.Type(op)
	r.b.keys = append(r.b.keys, k)
	r.pos += end
	r.blank()
	return nil
}

// tail is what c in stream reads from: what was read ahead, then the source.
type tail struct {
	ahead []byte
	src   io.Reader
	n     int64 // bytes read
}

func (t *tail) Read(p []byte) (n int, err error) {
	if len(t.ahead) > 0 {
		n = copy(p, t.ahead)
		t.ahead = t.ahead[n:]
	} else {
		n, err = t.src.Read(p)
	}
	t.n += int64(n)
	return n, err
}

// stream has f read what stands behind the opcode at pos, which is too long for a batch, and goes on behind that. An Error
// of f whose offset is negative is given the offset that f came to.
func (r *Reader) stream(f func(*codec.Reader) error) error {
	if len(r.b.keys) > 0 {
		r.account(r.pos)
		base := r.offset()
		if err := r.hand(r.b.buf[r.pos:]); err != nil {
			return err
		}
		r.b.base, r.pos, r.summed = base, 0, 0
	}
	r.pos++
	r.account(r.pos)
	t := &tail{ahead: r.b.buf[r.pos:], src: r.src}
	c := codec.NewReader(t)
	err := f(c)
	rest := c.Rest()
	size := t.n - int64(rest)
	if err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			size = t.n
		}
		e := (*Error)(nil)
		switch {
		case err == errStopped:
			return err
		case !errors.As(err, &e):
			return &Error{Offset: r.offset() + size, Err: err}
		case e.Offset < 0:
			e.Offset = r.offset() + size
		}
		return e
	}
	r.sum = crc64.Combine(r.sum, c.Sum(), size)
	ahead := slices.Concat(c.Take(rest), t.ahead)
	r.b.base = r.offset() + size
	r.b.buf = append(r.b.buf[:0], ahead...)
	r.pos, r.summed = 0, 0
	return nil
}

// long reads a key that is too long for a batch.
func (r *Reader) long(op byte) error {
	if op == typeModule || op == typeModule2 {
		return r.wrong(codec.Corrupt("a name too long for a key of a module"), 0, "the name of a key")
	}
	k := r.next
	k.kind = codec.Type(op)
	at := r.offset()
	r.blank()
	return r.stream(func(c *codec.Reader) (err error) {
		if r.l.failed() {
			return errStopped
		}
		r.l.alone(func(w *worker) { err = w.stream(c, &k, at) })
		return err
	})
}
