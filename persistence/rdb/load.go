package rdb

import (
	"errors"
	"io"
	"math"
	"sync"
	"sync/atomic"

	"github.com/streampulse/pulse/store/codec"
)

// Options say what becomes of what is read. All functions but Put may be nil. Put, Ahead and Bad are called by workers,
// the others by the goroutine that called Load; all of these may happen at the same time.
type Options struct {
	// Workers is how many goroutines decode values beside the one that called Load; with 0 that one does everything, and
	// keys come in their order.
	Workers   int
	Limits    codec.Limits
	Databases int // numbers of databases are below; 0: any

	// Put takes a key. at is its deadline in Unix milliseconds, or Forever; it may have passed. key and the text of v are
	// valid during the call; what else v has is the receiver's. It must refuse a key that it has been given before. It is
	// called by several goroutines at once, by each with its own number below max(Workers, 1). An error ends the load.
	Put func(worker, db int, key []byte, v codec.Value, at int64, m Meta) error
	// Ahead announces a few keys of which Put is next.
	Ahead func(worker, db int, key []byte)
	// Bad takes the error of a value that cannot be decoded, although its end was found; if it returns nil, the key is
	// left out and the load goes on. Without it the load ends. It is called by one goroutine at a time.
	Bad func(*Error) error

	// Aux takes what the file says about itself, which is the receiver's.
	Aux func(name, value []byte) error
	// Resize takes the claim of the file about the number of keys of a database, and of those with deadlines.
	Resize func(db int, keys, expires uint64) error
	// Function takes the code of a library.
	Function func(code []byte) error
	// Progress is told how many bytes were read, about each MiB and at the end.
	Progress func(read int64) error

	NoChecksum bool // do not verify

	// trace is called behind each opcode that was obeyed, and behind the keys in front of it; without workers only.
	trace func(offset int64, op byte, db int)
}

// Result is what a load has found.
type Result struct {
	Version   int
	Size      int64 // bytes up to the end of the data
	Keys      int64 // that Put was given
	Expires   int64 // of them, with a deadline
	Empty     int64 // collections without elements, which old versions could write, left out
	Bad       int64 // that Bad was given
	Functions int64
	Verified  bool // there was a checksum, and it fits
}

// Load reads src, which holds a file and nothing behind it.
func Load(src io.Reader, o Options) (Result, error) {
	return NewReader(src).all(o)
}

// all is Load for a file with nothing behind it.
func (r *Reader) all(o Options) (Result, error) {
	res, err := r.Load(o)
	if err != nil {
		return res, err
	}
	var one [1]byte
	switch _, err := io.ReadFull(r, one[:]); err {
	case nil:
		return res, &Error{Offset: res.Size, Err: ErrTrailing}
	case io.EOF:
		return res, nil
	default:
		return res, &Error{Offset: res.Size, Doing: "the end", Err: err}
	}
}

// Load reads all up to the end of the data; what follows can be read from r then, not after an error. An error is an *Error,
// that with the lowest offset if there are several.
func (r *Reader) Load(o Options) (Result, error) {
	l := newLoader(&o, r.size)
	r.opt, r.l = &o, l
	r.res = Result{}
	if err := r.split(); err != nil {
		if err != errStopped {
			l.fail(r.wrong(err, 0, ""))
		}
		// What was in front of that is handed over, for whoever wants to save it.
		l.batch(r.b)
		r.b = new(batch)
	}
	l.wait()
	for _, w := range l.workers {
		r.res.Keys += w.keys
		r.res.Expires += w.expires
		r.res.Empty += w.empty
		r.res.Bad += w.bad
	}
	r.opt, r.l = nil, nil
	if l.err != nil {
		return r.res, l.err
	}
	return r.res, nil
}

// task is work for a worker: a batch, or a function.
type task struct {
	b    *batch
	f    func(*worker)
	done chan struct{} // closed behind f
}

type loader struct {
	opt     *Options
	size    int // of a batch
	workers []*worker
	tasks   chan task // nil without goroutines
	free    chan *batch
	made    int // batches
	wg      sync.WaitGroup

	firstWrong atomic.Int64 // offset of err

	mu  sync.Mutex
	err *Error
}

func newLoader(o *Options, size int) *loader {
	n := max(o.Workers, 0)
	l := &loader{opt: o, size: size, free: make(chan *batch, 2*n+2)}
	l.firstWrong.Store(math.MaxInt64)
	for i := range max(n, 1) {
		l.workers = append(l.workers, &worker{id: i, l: l, opt: o})
	}
	if n == 0 {
		return l
	}
	l.tasks = make(chan task, n)
	for _, w := range l.workers {
		l.wg.Go(func() {
			for t := range l.tasks {
				w.do(t)
			}
		})
	}
	return l
}

func (l *loader) wait() {
	if l.tasks != nil {
		close(l.tasks)
		l.wg.Wait()
	}
}

func (l *loader) failed() bool { return l.firstWrong.Load() != math.MaxInt64 }

// fail keeps the error with the lowest offset.
func (l *loader) fail(err error) {
	e := (*Error)(nil)
	if !errors.As(err, &e) {
		e = &Error{Err: err}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil || e.Offset < l.err.Offset {
		l.err = e
		l.firstWrong.Store(e.Offset)
	}
}

// fresh returns a batch that nobody uses, as soon as there is one.
func (l *loader) fresh() *batch {
	if l.made < cap(l.free) {
		select {
		case b := <-l.free:
			return b
		default:
			l.made++
			return &batch{buf: make([]byte, 0, l.size)}
		}
	}
	return <-l.free
}

// batch has a worker decode b.
func (l *loader) batch(b *batch) { l.give(task{b: b}) }

// alone has a worker call f and waits for it.
func (l *loader) alone(f func(*worker)) {
	done := make(chan struct{})
	l.give(task{f: f, done: done})
	<-done
}

func (l *loader) give(t task) {
	if l.tasks == nil {
		l.workers[0].do(t)
		return
	}
	l.tasks <- t
}

// worker decodes keys. Its counters are read when it has ended.
type worker struct {
	id  int
	l   *loader
	opt *Options

	name, value               codec.Reader
	names                     []byte // those of a group that are not in the batch as they are
	keys, expires, empty, bad int64
	group                     [groupSize][]byte
}

// groupSize is how many keys are announced before the first of them is handed over.
const groupSize = 16

func (w *worker) do(t task) {
	if t.f != nil {
		t.f(w)
		close(t.done)
		return
	}
	b := t.b
	// A batch in front of what is wrong elsewhere is looked at still: the error to report is the first.
	if b.base < w.l.firstWrong.Load() {
		if err := w.batch(b); err != nil {
			w.l.fail(err)
		}
	}
	b.keys = b.keys[:0]
	if cap(b.buf) > 4*w.l.size {
		b.buf = make([]byte, 0, w.l.size)
	}
	w.l.free <- b
}

func (w *worker) batch(b *batch) error {
	for keys := b.keys; len(keys) > 0; {
		n := min(len(keys), groupSize)
		if err := w.some(b, keys[:n]); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

func (w *worker) some(b *batch, keys []record) error {
	w.names = w.names[:0]
	for i := range keys {
		k := &keys[i]
		w.name.Reset(b.buf[k.key:k.val])
		name := w.name.Text()
		if err := w.name.Err(); err != nil {
			return &Error{Offset: b.base + int64(k.key), Doing: "the name of a key", Err: broken(err)}
		}
		if b.buf[k.key] >= 0xc0 {
			start := len(w.names)
			w.names = append(w.names, name...)
			name = w.names[start:len(w.names):len(w.names)]
		}
		if w.group[i] = name; w.opt.Ahead != nil {
			w.opt.Ahead(w.id, int(k.db), name)
		}
	}
	for i := range keys {
		if err := w.one(b, &keys[i], w.group[i]); err != nil {
			return err
		}
	}
	return nil
}

// broken makes an error of one that says that a slice ends: not the file does.
func broken(err error) error {
	if err == io.ErrUnexpectedEOF {
		return codec.Corrupt("it goes on behind its end")
	}
	return err
}

func (w *worker) one(b *batch, k *record, name []byte) error {
	var v codec.Value
	var err error
	w.value.Reset(b.buf[k.val:k.end])
	if k.kind == typeString {
		v.Text = w.value.Text()
		err = w.value.Err()
	} else {
		v, err = w.value.Value(k.kind, &w.opt.Limits)
	}
	rest := w.value.Rest()
	if rest > 0 && (err == nil || err == codec.ErrEmpty) {
		err = codec.Corrupt("bytes behind the value")
	}
	at := b.base + int64(k.key) - 1
	switch err {
	case nil:
		return w.put(k, name, v, at)
	case codec.ErrEmpty:
		w.empty++
		return nil
	}
	e := &Error{Offset: b.base + int64(k.end) - int64(rest), Key: append([]byte{}, name...), Doing: doingValue(k.kind), Err: broken(err)}
	return w.skip(e)
}

// skip asks whether a value that cannot be decoded may be left out.
func (w *worker) skip(e *Error) error {
	if w.opt.Bad == nil {
		return e
	}
	w.bad++
	w.l.mu.Lock()
	defer w.l.mu.Unlock()
	return w.opt.Bad(e)
}

func (w *worker) put(k *record, name []byte, v codec.Value, at int64) error {
	w.keys++
	if k.deadline != Forever {
		w.expires++
	}
	err := w.opt.Put(w.id, int(k.db), name, v, k.deadline, Meta{Access: k.access, Used: k.used, Type: k.kind, Offset: at})
	if err != nil {
		return &Error{Offset: at, Key: append([]byte{}, name...), Err: err}
	}
	return nil
}

// stream decodes a key whose type stood at offset at, and of which c has the rest. An error in what c has is without an
// offset.
func (w *worker) stream(c *codec.Reader, k *record, at int64) error {
	name := c.Blob()
	if err := c.Err(); err != nil {
		return &Error{Offset: -1, Doing: "the name of a key", Err: err}
	}
	v, err := c.Value(k.kind, &w.opt.Limits)
	switch err {
	case nil:
		return w.put(k, name, v, at)
	case codec.ErrEmpty:
		w.empty++
		return nil
	}
	return &Error{Offset: -1, Key: name, Doing: doingValue(k.kind), Err: err}
}
