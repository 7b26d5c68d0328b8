package rdb

import (
	"fmt"
	"io"
	"strconv"

	"github.com/streampulse/pulse/store/codec"
	"github.com/streampulse/pulse/store/codec/crc64"
)

// Size is how many keys a database has, and how many of them have deadlines. Readers make room for as many beforehand.
type Size struct {
	DB            int
	Keys, Expires uint64
}

// Info is what a file says about itself.
type Info struct {
	Version    string // of the server; "" leaves out everything here
	Created    int64  // Unix seconds
	UsedMemory int64  // bytes
	Base       bool   // the file is the beginning of an append-only file
	// Of a replica, or of what has replicas; left out without ReplicationID.
	ReplicationID     string
	ReplicationOffset int64
	StreamDB          int // database selected in the replication stream
}

// Config says how a Writer writes.
type Config struct {
	Version    int  // of the format, 0 for the one of Redis 7.0; 12 if any hash has deadlines of fields
	Compress   bool // rdbcompression; of what Key and Function write
	NoChecksum bool // rdbchecksum no
	Info       Info
	Sizes      []Size // of the databases, for readers

	// Sync, if it is there, is called whenever SyncEvery bytes more were written, and not at the end.
	Sync      func() error
	SyncEvery int64 // 0: 4 MiB
	// Progress, if it is there, is called with the number of bytes written, for each that were handed over.
	Progress func(written int64)
}

const (
	writeAt      = 128 << 10 // bytes that are written at once
	writeMost    = 1 << 20
	usualSyncing = 4 << 20
)

// Writer writes a file. Keys come in any order; those of one database in a row take least space.
type Writer struct {
	dst     io.Writer
	opt     Config
	enc     *Encoder
	parts   codec.Writer // for what is not a key
	buf     []byte
	sum     uint64
	written int64 // bytes given to dst
	synced  int64 // of them when Sync was called last
	err     error
	db      int // selected, -1 for none
	sized   map[int]Size
}

// NewWriter returns a Writer that has begun with a file: its version, and what it says about itself.
func NewWriter(dst io.Writer, o Config) *Writer {
	if o.Version == 0 {
		o.Version = codec.Version70
	}
	if o.SyncEvery <= 0 {
		o.SyncEvery = usualSyncing
	}
	w := &Writer{dst: dst, opt: o, enc: NewEncoder(o.Version, o.Compress), db: -1, sized: map[int]Size{}}
	for _, s := range o.Sizes {
		w.sized[s.DB] = s
	}
	w.parts.Compress = o.Compress
	w.buf = fmt.Appendf(make([]byte, 0, writeAt+4<<10), "%s%04d", magic, o.Version)
	w.info(&o.Info)
	return w
}

func (w *Writer) info(i *Info) {
	if i.Version == "" {
		return
	}
	w.Aux("redis-ver", i.Version)
	w.Aux("redis-bits", strconv.Itoa(strconv.IntSize))
	w.Aux("ctime", strconv.FormatInt(i.Created, 10))
	w.Aux("used-mem", strconv.FormatInt(i.UsedMemory, 10))
	if i.ReplicationID != "" {
		w.Aux("repl-stream-db", strconv.Itoa(i.StreamDB))
		w.Aux("repl-id", i.ReplicationID)
		w.Aux("repl-offset", strconv.FormatInt(i.ReplicationOffset, 10))
	}
	base := "0"
	if i.Base {
		base = "1"
	}
	w.Aux("aof-base", base)
}

// Aux writes a fact about the file. Readers skip those that they do not know.
func (w *Writer) Aux(name, value string) {
	w.begin(opAux)
	w.parts.Text([]byte(name))
	w.parts.Text([]byte(value))
	w.end()
}

// Function writes the code of a library of functions. Libraries come before keys.
func (w *Writer) Function(code []byte) {
	w.begin(opFunction)
	w.parts.Text(code)
	w.end()
}

func (w *Writer) begin(op byte) { w.parts.Into(append(w.buf, op)) }

func (w *Writer) end() {
	w.buf = w.parts.Bytes()
	w.parts.Into(nil)
	w.full()
}

// Key writes a key of database db; at is its deadline in Unix milliseconds, or Forever.
func (w *Writer) Key(db int, key []byte, v codec.Value, at int64, m Meta) {
	w.choose(db)
	w.buf = w.enc.AppendKey(w.buf, key, v, at, m)
	if err := w.enc.Err(); err != nil {
		w.fail(err)
	}
	w.full()
}

// Raw writes keys of database db that an Encoder of the same version has encoded. It keeps nothing of b.
func (w *Writer) Raw(db int, b []byte) {
	if len(b) == 0 {
		return
	}
	w.choose(db)
	if len(b) < writeAt {
		w.buf = append(w.buf, b...)
		w.full()
		return
	}
	w.flush()
	w.push(b)
}

// choose makes db the database of the keys that follow.
func (w *Writer) choose(db int) {
	if db == w.db {
		return
	}
	w.db = db
	w.begin(opSelect)
	w.parts.Length(uint64(db))
	if s, ok := w.sized[db]; ok {
		delete(w.sized, db)
		w.parts.Byte(opResize)
		w.parts.Length(s.Keys)
		w.parts.Length(s.Expires)
	}
	w.end()
}

func (w *Writer) full() {
	if len(w.buf) >= writeAt {
		w.flush()
	}
}

func (w *Writer) flush() {
	w.push(w.buf)
	if w.buf = w.buf[:0]; cap(w.buf) > 8*writeAt {
		w.buf = make([]byte, 0, writeAt+4<<10)
	}
}

// push gives b to dst, in pieces so that progress is seen and syncs are not late.
func (w *Writer) push(b []byte) {
	for len(b) > 0 && w.err == nil {
		part := b[:min(len(b), writeMost)]
		b = b[len(part):]
		if !w.opt.NoChecksum {
			w.sum = crc64.Update(w.sum, part)
		}
		n, err := w.dst.Write(part)
		if err == nil && n != len(part) {
			err = io.ErrShortWrite
		}
		if err != nil {
			w.fail(err)
			return
		}
		w.written += int64(n)
		if w.opt.Sync != nil && w.written-w.synced >= w.opt.SyncEvery {
			w.synced = w.written
			if err := w.opt.Sync(); err != nil {
				w.fail(err)
				return
			}
		}
		if w.opt.Progress != nil {
			w.opt.Progress(w.written)
		}
	}
}

func (w *Writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// Err returns the first error of the destination, of Sync or of a value.
func (w *Writer) Err() error { return w.err }

// Written returns how many bytes the destination was given.
func (w *Writer) Written() int64 { return w.written }

// Close writes the end of the file, all that is still in the buffer, and the checksum. It closes and syncs nothing.
func (w *Writer) Close() error {
	w.buf = append(w.buf, opEnd)
	w.flush()
	var sum [footerSize]byte
	for i := range sum {
		sum[i] = byte(w.sum >> (8 * i))
	}
	w.push(sum[:])
	return w.err
}
