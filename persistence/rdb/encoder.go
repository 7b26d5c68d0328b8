package rdb

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/streampulse/pulse/store/codec"
	"github.com/streampulse/pulse/store/hash"
)

// Encoder turns keys into the bytes that a file has for them. It may be used by several goroutines at once.
type Encoder struct {
	version  int
	compress bool
	beyond   atomic.Bool // a value needs a later version
}

// NewEncoder returns an Encoder for files of a version; compress is what rdbcompression says.
func NewEncoder(version int, compress bool) *Encoder {
	return &Encoder{version: version, compress: compress}
}

// writers are kept for their tables.
var writers = sync.Pool{New: func() any { return new(codec.Writer) }}

// AppendKey appends a key to dst, for Writer.Raw: its deadline in Unix milliseconds or Forever, what m records about its
// use, and its value.
func (e *Encoder) AppendKey(dst, key []byte, v codec.Value, at int64, m Meta) []byte {
	if h, ok := v.Object.(*hash.Hash); ok && e.version < codec.Version74 && h.Volatile() {
		e.beyond.Store(true)
	}
	if at != Forever {
		dst = binary.LittleEndian.AppendUint64(append(dst, opDeadlineMs), uint64(at))
	}
	w := writers.Get().(*codec.Writer)
	w.Version, w.Compress = e.version, e.compress
	w.Into(dst)
	switch m.Access {
	case Idle:
		w.Byte(opIdle)
		w.Length(m.Used)
	case Frequency:
		w.Byte(opFreq)
		w.Byte(byte(min(m.Used, 255)))
	}
	w.Byte(byte(w.Type(v)))
	w.Text(key)
	w.Value(v)
	dst = w.Bytes()
	w.Into(nil)
	writers.Put(w)
	return dst
}

// Err returns ErrNeedsVersion if a value could not be said in the version of the file. It was written all the same: the
// file must not be used.
func (e *Encoder) Err() error {
	if e.beyond.Load() {
		return ErrNeedsVersion
	}
	return nil
}
