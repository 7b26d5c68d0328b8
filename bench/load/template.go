package load

import (
	"math/bits"
	"strconv"
	"strings"
)

// digits is the width of a number in a key or member: "key:" and twelve digits make a key of 16 bytes.
const digits = 12

// rng is a splitmix64 generator: a few cycles a number, and good enough to spread keys.
type rng uint64

func (r *rng) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below returns a number under n, which is not zero.
func (r *rng) below(n uint64) uint64 {
	hi, _ := bits.Mul64(r.next(), n)
	return hi
}

// slot is a place in an encoded batch where a random number stands as decimal digits, zeros in front.
type slot struct {
	off, width int
	low, bound uint64 // the number lies in [low, low+bound)
	ahead      uint64 // when not zero: the number of the slot before plus this much
}

// template is a Source that sends one batch over and over, with new numbers in its slots.
type template struct {
	batch []byte
	slots []slot
	n     int
	rng   rng
}

// newTemplate encodes pipeline copies of a command given as words. Within a word, %K is a key number below keys, %C a
// collection number below collections, %M a member number below members, and %V a value of valueSize bytes. %R is a rank
// with 99 more behind it and no leading zero, because ranks with one are no integers to Redis, and %E the last of
// these; %1 and %6 are as many digits, and %G is the radius of a circle around about nearbyPoints points.
func newTemplate(command string, pipeline int, seed uint64, s Shape) *template {
	t := &template{n: pipeline, rng: rng(seed)}
	words := strings.Fields(command)
	for range pipeline {
		t.batch = append(t.batch, '*')
		t.batch = strconv.AppendInt(t.batch, int64(len(words)), 10)
		t.batch = append(t.batch, "\r\n"...)
		for _, w := range words {
			t.word(w, s)
		}
	}
	return t
}

func (t *template) word(w string, s Shape) {
	var body []byte
	var slots []slot
	for i := 0; i < len(w); i++ {
		if w[i] != '%' || i+1 == len(w) {
			body = append(body, w[i])
			continue
		}
		i++
		sl := slot{off: len(body), width: digits}
		switch w[i] {
		case 'K':
			sl.bound = s.Keys
		case 'C':
			sl.bound = s.Collections
		case 'M':
			sl.bound = s.Members
		case 'R':
			sl.low, sl.bound, sl.width = pageRanks(s.Keys)
		case 'E':
			_, _, sl.width = pageRanks(s.Keys)
			sl.ahead = page - 1
		case '1':
			sl.bound, sl.width = 10, 1
		case '6':
			sl.bound, sl.width = 1_000_000, 6
		case 'V':
			body = append(body, valueBytes(&t.rng, s.ValueSize)...)
			continue
		case 'G':
			body = strconv.AppendFloat(body, nearby(s.Keys), 'f', 3, 64)
			continue
		}
		sl.bound = max(1, sl.bound)
		slots = append(slots, sl)
		body = append(body, strings.Repeat("0", sl.width)...)
	}
	t.batch = append(t.batch, '$')
	t.batch = strconv.AppendInt(t.batch, int64(len(body)), 10)
	t.batch = append(t.batch, "\r\n"...)
	for _, sl := range slots {
		sl.off += len(t.batch)
		t.slots = append(t.slots, sl)
	}
	t.batch = append(t.batch, body...)
	t.batch = append(t.batch, "\r\n"...)
}

// page is how many elements one range request reads.
const page = 100

// pageRanks returns where pages of n ordered elements, at least minElements of them, may begin, so that first and last
// ranks are equally wide decimal numbers: at bound ranks from low on.
func pageRanks(n uint64) (low, bound uint64, width int) {
	n = max(n, minElements)
	low, width = minElements/10, 3
	for low*10+page <= n {
		low *= 10
		width++
	}
	return low, min(n, low*10) - low - page + 1, width
}

// Next puts new numbers into the batch.
func (t *template) Next() ([]byte, int) {
	var v uint64
	for i := range t.slots {
		s := &t.slots[i]
		if s.ahead > 0 {
			v += s.ahead
		} else {
			v = s.low + t.rng.below(s.bound)
		}
		putDigits(t.batch[s.off:s.off+s.width], v)
	}
	return t.batch, t.n
}

// putDigits writes v right-aligned into dst, which holds zeros or an earlier number of the same width.
func putDigits(dst []byte, v uint64) {
	for i := len(dst) - 1; i >= 0; i-- {
		q := v / 10
		dst[i] = '0' + byte(v-q*10)
		v = q
	}
}

// alphabet has a letter for each value of six bits.
const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-0123456789"

// valueBytes returns n bytes that neither compress to nothing nor look like a number.
func valueBytes(r *rng, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.next()&63]
	}
	if n > 0 {
		b[0] = 'v'
	}
	return b
}

// fill is a Source that encodes the requests of the index range [pos, end), each once.
type fill struct {
	pos, end uint64
	batch    int
	each     int                               // requests an index stands for
	encode   func(dst []byte, i uint64) []byte // appends what index i stands for
	buf      []byte
}

// Next encodes the next batch.
func (f *fill) Next() ([]byte, int) {
	f.buf = f.buf[:0]
	n := 0
	for ; n < f.batch && f.pos < f.end; n += f.each {
		f.buf = f.encode(f.buf, f.pos)
		f.pos++
	}
	return f.buf, n
}

// fills splits requests 0..n-1 over conns sources; encode must be safe for concurrent use.
func fills(n uint64, conns, batch int, encode func(dst []byte, i uint64) []byte) []Source {
	parts := uint64(conns)
	srcs := make([]Source, conns)
	for c := range parts {
		srcs[c] = &fill{pos: n * c / parts, end: n * (c + 1) / parts, batch: batch, each: 1, encode: encode}
	}
	return srcs
}

// appendNumbered appends prefix and v, as wide as in templates, as one bulk string. Prefixes are short.
func appendNumbered(dst []byte, prefix string, v uint64) []byte {
	dst = append(dst, '$')
	dst = strconv.AppendInt(dst, int64(len(prefix)+digits), 10)
	dst = append(dst, "\r\n"...)
	dst = append(dst, prefix...)
	at := len(dst)
	dst = append(dst, "000000000000"...)
	putDigits(dst[at:], v)
	return append(dst, "\r\n"...)
}

// appendBulk appends b as one bulk string.
func appendBulk(dst, b []byte) []byte {
	dst = append(dst, '$')
	dst = strconv.AppendInt(dst, int64(len(b)), 10)
	dst = append(dst, "\r\n"...)
	dst = append(dst, b...)
	return append(dst, "\r\n"...)
}
