package codec

import "encoding/binary"

// A zipmap is what came before the ziplist: the small form of hashes up to Redis 2.4. It is only read.
//
//	pairs u8 | length, field | length, free u8, value, free bytes | ... | FF
//
//	length   one byte up to FD, or FE and four bytes, lowest first
const (
	zipmapLong    = 0xfe
	zipmapEnd     = 0xff
	zipmapUnknown = 0xfe // and above: pairs are not counted
)

var errZipmap = Corrupt("a zipmap that contradicts itself")

// eachZipmap calls f for every pair of b, which comes from outside, until f returns an error. f may have been called for
// some pairs before b is found to be wrong. Field and value are valid during the call.
func eachZipmap(b []byte, f func(field, value []byte) error) error {
	if len(b) < 2 || b[len(b)-1] != zipmapEnd {
		return errZipmap
	}
	count, n := b[0], 0
	rest := b[1 : len(b)-1]
	for ; len(rest) > 0; n++ {
		var field, value []byte
		ok := false
		if field, rest, ok = zipmapItem(rest, 0); !ok {
			return errZipmap
		}
		if value, rest, ok = zipmapItem(rest, 1); !ok {
			return errZipmap
		}
		if err := f(field, value); err != nil {
			return err
		}
	}
	if count < zipmapUnknown && int(count) != n {
		return errZipmap
	}
	return nil
}

// zipmapItem takes a length and a text from the start of b. Of a value, free is 1: a byte between them says how many
// bytes behind it are not used.
func zipmapItem(b []byte, free int) (text, rest []byte, ok bool) {
	if len(b) == 0 || b[0] == zipmapEnd {
		return nil, nil, false
	}
	head, n := 1, uint64(b[0])
	if b[0] == zipmapLong {
		if len(b) < 5 {
			return nil, nil, false
		}
		head, n = 5, uint64(binary.LittleEndian.Uint32(b[1:]))
	}
	head += free
	if len(b) < head || n > uint64(len(b)-head) {
		return nil, nil, false
	}
	end := head + int(n)
	text = b[head:end]
	if free > 0 {
		if end += int(b[head-1]); end > len(b) {
			return nil, nil, false
		}
	}
	return text, b[end:], true
}
