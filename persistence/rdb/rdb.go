// Package rdb writes and reads RDB files: all keys of all databases at one moment, in the format of Redis.
//
//	"REDIS0010"  what is known about the file  libraries of functions  { database  sizes  key ... key } ...  FF  checksum
//
//	key    [FC deadline] [F8 idle seconds | F9 frequency]  type  name  value
//
// # Contract
//
// Writing. An Encoder turns one key into bytes; it needs nothing but the key, so several goroutines encode while one
// writes. A Writer frames what they made: it selects databases, buffers, sums, counts and has the file
// synced as it grows. It serves one goroutine at a time and latches its first error. The version is the lowest that can
// say what the file holds: 10, which Redis 7.0 reads, or 12 if a hash has fields with deadlines.
//
// Reading. A Reader takes versions 1 to 12. It reads ahead, but stops exactly behind the end of the data, and what
// follows can be read from it: an RDB file may be the beginning of an append-only file. One goroutine, the caller's,
// cuts the stream into keys without looking into their values; workers decode values and hand them over, from several
// goroutines at once and in no order. Nothing that is read is trusted. Memory is bounded by a few batches of keys and by
// the values being decoded; no length from the file is ever the size of an allocation.
//
// Everything wrong in a file is an *Error, which says where, of which key, and what. A load that failed has handed over
// keys already: the checksum stands at the end. The caller drops them.
//
// # Reading order
//
// rdb.go (codes, errors), encoder.go and writer.go; shape.go (what values look like from outside), split.go (stream to
// batches of keys) and opcode.go, load.go (batches to values), check.go.
package rdb

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/streampulse/pulse/store/codec"
	"github.com/streampulse/pulse/store/hash"
)

// Versions that are read and written.
const (
	MinVersion = 1
	MaxVersion = codec.MaxVersion
	// sumVersion is the first whose files end with a checksum.
	sumVersion = 5
)

// Forever is the deadline of a key that has none.
const Forever = hash.Forever

// What stands where the type of a value could.
const (
	opSlotInfo    = 244
	opFunction    = 245
	opFunctionOld = 246 // of a release candidate of Redis 7.0
	opModuleAux   = 247
	opIdle        = 248
	opFreq        = 249
	opAux         = 250
	opResize      = 251
	opDeadlineMs  = 252
	opDeadline    = 253
	opSelect      = 254
	opEnd         = 255

	typeString  = 0
	typeModule  = 6
	typeModule2 = 7
)

// magic is followed by the version in four digits.
const (
	magic      = "REDIS"
	headSize   = len(magic) + 4
	footerSize = 8
)

// Access says which kind of use of a key is recorded.
type Access byte

const (
	Unrecorded Access = iota
	Idle              // seconds since it was used last
	Frequency         // the logarithmic counter of LFU
)

// Meta is what a file says about a key beside its value and its deadline.
type Meta struct {
	Access Access
	Used   uint64 // as Access says

	// Of a key that was read:
	Type   codec.Type
	Offset int64 // of its type, in bytes from the start of the file
}

// Error says what is wrong with a file, or what the receiver of its contents did not like.
type Error struct {
	Offset int64  // in bytes from the start of the file
	Key    []byte // of which it is about, nil if of none
	Doing  string // what was being read
	Err    error
}

// Error names everything that is known.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "rdb: at offset %d", e.Offset)
	if e.Doing != "" {
		fmt.Fprintf(&b, ", reading %s", e.Doing)
	}
	if e.Key != nil {
		fmt.Fprintf(&b, " of key %q", shortened(e.Key))
	}
	reason := "the file ends"
	if !errors.Is(e.Err, io.ErrUnexpectedEOF) {
		reason = strings.TrimPrefix(e.Err.Error(), "codec: ")
	}
	return b.String() + ": " + reason
}

// Unwrap returns the reason, io.ErrUnexpectedEOF for a file that is cut off.
func (e *Error) Unwrap() error { return e.Err }

// shortened keeps messages readable.
func shortened(key []byte) []byte {
	if len(key) > 128 {
		return append(key[:128:128], "..."...)
	}
	return key
}

// What is wrong with a file as a whole.
var (
	ErrSignature = errors.New("Wrong signature trying to load DB from file")
	ErrChecksum  = errors.New("Wrong RDB checksum")
	ErrTrailing  = errors.New("bytes behind the end of the data")
	// ErrNeedsVersion says that a value was to be written to a file of a version that has no words for it.
	ErrNeedsVersion = errors.New("rdb: a hash with deadlines of fields in a file of a version before 12")
)

// VersionError is the version of a file that is newer than MaxVersion, or none.
type VersionError int

func (v VersionError) Error() string {
	return fmt.Sprintf("Can't handle RDB format version %d", int(v))
}

// ModuleError says that a file has data of a module, by the module's name or that of its type.
type ModuleError struct {
	Name string
	Aux  bool // data of the module itself, not of a key
}

func (e ModuleError) Error() string {
	if e.Aux {
		return fmt.Sprintf("The RDB file contains AUX module data I can't load: no matching module '%s'", e.Name)
	}
	return fmt.Sprintf("The RDB file contains module data I can't load: no matching module type '%s'", e.Name)
}

// moduleName returns the name in the id of a module's type: nine characters of six bits each in front of its version.
func moduleName(id uint64) string {
	const charset = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	var b [9]byte
	for i := range b {
		b[i] = charset[id>>(58-6*i)&63]
	}
	return string(b[:])
}
