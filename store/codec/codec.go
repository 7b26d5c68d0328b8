// Package codec turns values into the bytes that Redis's RDB format has for them, and back. DUMP and RESTORE use it, and
// everything else that speaks RDB: files, the preamble of an append-only file, a full synchronization.
//
// # Contract
//
// A Writer appends to a buffer or writes to an io.Writer; a Reader reads from a slice or from an io.Reader through a
// bounded buffer. Both latch their first error. Each serves one goroutine at a time.
//
// Nothing that a Reader reads is trusted:
//
//   - A length is never the size of an allocation unless as many bytes are known to be there. A compressed string is
//     measured before it is expanded; the number of elements of a collection only ends a loop.
//   - Packed encodings (listpack, ziplist, zipmap, intset) are checked byte for byte before anything else looks at
//     them.
//   - What the types forbid is refused: a field or member that comes twice, a score that is not a number, a field
//     without a value, an intset out of order, an empty collection, an entry of a stream that two consumers have.
//
// What comes back is a value of its own that shares no memory with what was read, in the representation that the limits
// of this server ask for, whatever the representation was where it comes from; but the nodes of a stream stay as they are.
//
// # Reading order
//
// codec.go (types and versions), writer.go and encode.go, reader.go and decode.go, decode_pairs.go, build.go, then
// encode_stream.go and decode_stream.go, the legacy encodings ziplist.go and zipmap.go, and dump.go (the frame of DUMP).
package codec

import (
	"errors"

	"github.com/streampulse/pulse/store/hash"
	"github.com/streampulse/pulse/store/list"
	"github.com/streampulse/pulse/store/set"
	"github.com/streampulse/pulse/store/zset"
)

// Versions of the RDB format.
const (
	Version70 = 10 // Redis 7.0
	Version72 = 11 // Redis 7.2
	Version74 = 12 // Redis 7.4
	// MaxVersion is the newest that a Reader understands.
	MaxVersion = Version74
)

// Type is the byte in front of a value that says how it is written.
type Type byte

const (
	typeString   Type = 0
	typeList     Type = 1 // elements
	typeSet      Type = 2 // members
	typeZSet     Type = 3 // members with scores as texts
	typeHash     Type = 4 // fields with values
	typeZSet2    Type = 5 // members with scores as doubles
	typeZipmap   Type = 9
	typeListZip  Type = 10 // a ziplist
	typeIntset   Type = 11
	typeZSetZip  Type = 12
	typeHashZip  Type = 13
	typeQuick    Type = 14 // ziplists
	typeStream   Type = 15
	typeHashPack Type = 16 // a listpack
	typeZSetPack Type = 17
	typeQuick2   Type = 18 // listpacks and plain elements
	typeStream2  Type = 19 // since version 10
	typeSetPack  Type = 20 // since version 11
	typeStream3  Type = 21 // since version 11

	// Hashes whose fields have deadlines, since version 12. The first two are from before its release: they lack the
	// earliest deadline in front.
	typeHashTTL0     Type = 22
	typeHashTTLPack0 Type = 23
	typeHashTTL      Type = 24
	typeHashTTLPack  Type = 25
)

// Nodes of a typeQuick2.
const (
	nodePlain  = 1
	nodePacked = 2
)

// Special lengths, which say how a string is encoded.
const (
	stringInt8  = 0
	stringInt16 = 1
	stringInt32 = 2
	stringLZF   = 3
)

// maxString is the longest string that is read, in bytes: what a list can hold.
const maxString = list.MaxElement

// Value is a value of any type.
type Value struct {
	Text   []byte // of a string
	Object Object // *list.List, *set.Set, *zset.ZSet, *hash.Hash or *stream.Stream; nil for a string
}

// Object is what all values that are not strings have.
type Object interface {
	Len() int
	Encoding() string
	Bytes() int
}

// Limits decide which representation a value is given that is read.
type Limits struct {
	List list.Limit
	Hash hash.Limits
	Set  set.Limits
	ZSet zset.Limits
}

// ErrEmpty says that a collection has no elements. Redis could write such once; files may be loaded without them.
var ErrEmpty = errors.New("codec: a collection without elements")

// ErrUnknown says that a value is of a type that is not known here: those of modules are.
var ErrUnknown = errors.New("codec: a type of value that is not known")

// Corrupt is an error that says what is wrong with bytes that should have been a value.
type Corrupt string

func (c Corrupt) Error() string { return "codec: " + string(c) }
