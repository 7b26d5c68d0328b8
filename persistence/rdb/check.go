package rdb

import (
	"errors"
	"fmt"
	"hash/maphash"
	"io"

	"github.com/streampulse/pulse/store/codec"
	"github.com/streampulse/pulse/store/hash"
	"github.com/streampulse/pulse/store/set"
	"github.com/streampulse/pulse/store/zset"
)

// usualLimits are those of a server without configuration.
var usualLimits = codec.Limits{List: -2, Hash: hash.Limits{Entries: 128, Value: 64}, Set: set.Limits{Ints: 512, Entries: 128, Value: 64},
	ZSet: zset.Limits{Entries: 128, Value: 64}}

// Summary is what Check has found.
type Summary struct {
	Result
	Expired   int64                // of the keys with deadlines, those that have passed
	Types     map[codec.Type]int64 // keys by their types in the file
	Databases map[int]int64        // keys by database
	Errors    []*Error             // what is wrong, in the order of the file, up to maxErrors
}

// maxErrors is how many errors a Summary lists. Result.Bad counts the values among them all.
const maxErrors = 1000

var errRepeated = errors.New("the key comes twice")

// Check reads all of a file as a server would, keeps nothing but a few bytes for each key, by which it knows a second
// one of the same name, and tells report what it comes to, by offset, as redis-check-rdb does; report may be nil. now is
// the time in Unix milliseconds. It goes on behind a value that is corrupt if it can tell where that ends. The error is
// the first of Summary.Errors, nil if the file is good.
func Check(src io.Reader, now int64, report func(offset int64, line string)) (Summary, error) {
	s := Summary{Types: map[codec.Type]int64{}, Databases: map[int]int64{}}
	say := func(offset int64, format string, args ...any) {
		if report != nil {
			report(offset, fmt.Sprintf(format, args...))
		}
	}
	wrong := func(e *Error) {
		if len(s.Errors) < maxErrors {
			s.Errors = append(s.Errors, e)
		}
		say(e.Offset, "%v", e)
	}
	seen := map[uint64]struct{}{}
	seed := maphash.MakeSeed()
	var fact string
	o := Options{
		Limits: usualLimits,
		Put: func(_, db int, key []byte, v codec.Value, at int64, m Meta) error {
			s.Types[m.Type]++
			s.Databases[db]++
			if at != Forever && at < now {
				s.Expired++
			}
			sum := maphash.Bytes(seed, key) + uint64(db)*0x9e3779b97f4a7c15
			if _, twice := seen[sum]; twice {
				wrong(&Error{Offset: m.Offset, Key: append([]byte{}, key...), Err: errRepeated})
			}
			seen[sum] = struct{}{}
			return nil
		},
		Bad: func(e *Error) error {
			wrong(e)
			return nil
		},
		Aux: func(name, value []byte) error {
			fact = fmt.Sprintf("AUX FIELD %s = '%s'", name, value)
			return nil
		},
		trace: func(offset int64, op byte, db int) {
			switch op {
			case opAux:
				say(offset, "%s", fact)
			case opSelect:
				say(offset, "Selecting DB ID %d", db)
			}
		},
	}
	var err error
	s.Result, err = Load(src, o)
	if e := (*Error)(nil); errors.As(err, &e) {
		wrong(e)
	}
	if len(s.Errors) > 0 {
		return s, s.Errors[0]
	}
	if s.Verified {
		say(s.Size, "Checksum OK")
	} else {
		say(s.Size, "RDB file was saved with checksum disabled: no check performed.")
	}
	return s, nil
}

// TypeName returns what TYPE says of a value of type t, or "unknown".
func TypeName(t codec.Type) string {
	switch t {
	case typeString:
		return "string"
	case 1, 10, 14, 18:
		return "list"
	case 2, 11, 20:
		return "set"
	case 3, 5, 12, 17:
		return "zset"
	case 4, 9, 13, 16, 22, 23, 24, 25:
		return "hash"
	case 15, 19, 21:
		return "stream"
	}
	return "unknown"
}
