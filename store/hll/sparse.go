package hll

import (
	"bytes"
	"encoding/binary"
	"strconv"
)

// The sparse form is a row of runs of equal registers:
//
//	00xxxxxx            zero    x+1 registers that are 0
//	01xxxxxx yyyyyyyy   xzero   (x<<8|y)+1 registers that are 0
//	1vvvvvxx            val     x+1 registers that are v+1
const (
	maxZero   = 1 << 6  // registers of a zero
	maxVal    = 1 << 2  // registers of a val
	maxValRun = 1 << 5  // what a val can hold
	maxXZero  = 1 << 14 // registers of an xzero

	// maxEdit is how many bytes take the place of one run at most: xzero, val, xzero.
	maxEdit = 5
)

// spans are the lengths in registers of the runs that take one byte, by that byte; 0 for those that take two.
var spans = func() (t [256]uint8) {
	for b := range t {
		switch {
		case b&0x80 != 0:
			t[b] = uint8(b&3) + 1
		case b&0x40 == 0:
			t[b] = uint8(b) + 1
		}
	}
	return t
}()

func isVal(c byte) bool   { return c&0x80 != 0 }
func isXZero(c byte) bool { return c&0xc0 == 0x40 }

func valOf(c byte) uint8 { return c>>2&0x1f + 1 }

func val(run uint8, n int) byte { return 0x80 | (run-1)<<2 | byte(n-1) }

func appendZeros(dst []byte, n int) []byte {
	if n <= maxZero {
		return append(dst, byte(n-1))
	}
	n--
	return append(dst, 0x40|byte(n>>8), byte(n))
}

// runAt returns the number of registers and of bytes of the run at b[p]; 0 if it is cut off.
func runAt(b []byte, p int) (span, size int) {
	if n := spans[b[p]]; n != 0 {
		return int(n), 1
	}
	if p+1 >= len(b) {
		return 0, 0
	}
	return (int(b[p]&0x3f)<<8 | int(b[p+1])) + 1, 2
}

// skip returns the number of registers of the eight runs at b[p], 0 unless each of them takes one byte.
func skip(b []byte, p int) int {
	if len(b)-p < 8 {
		return 0
	}
	const ones = 0x0101010101010101
	x := binary.LittleEndian.Uint64(b[p:])
	if x&^(x>>1)&(0x40*ones) != 0 {
		return 0
	}
	// A val keeps two bits, a zero six; the sums of two bytes fit into two.
	vals := x >> 7 & ones
	x &= 0x3f*ones ^ vals*0x3c
	x = x&0x00ff00ff00ff00ff + x>>8&0x00ff00ff00ff00ff
	return int(x*0x0001000100010001>>48) + 8
}

// hint remembers for the next call of set where the run before the last changed one begins, so that registers that are
// set in ascending order cost one walk together.
type hint struct{ pos, first int }

// set makes register i of a sparse value at least run. It edits as Redis does, for equal bytes: the run is replaced by
// up to three, then neighbours from the run before on are joined. See Add for the rest.
func set(b []byte, i int, run uint8, maxSparse int, h *hint) (out []byte, raised bool, err error) {
	if len(b) > MaxSparse {
		return b, false, ErrCorrupt
	}
	if run > maxValRun {
		return promote(b, i, run)
	}
	p, first, prev, prevFirst := headerSize, 0, 0, 0
	hinted := h != nil && h.pos != 0
	if hinted {
		p, first = h.pos, h.first
	}
	span, size := 0, 0
	for p < len(b) {
		if n := skip(b, p); n > 0 && first+n <= i {
			prev = p + 7
			first += n
			prevFirst = first - int(spans[b[prev]])
			p += 8
			continue
		}
		if span, size = runAt(b, p); span == 0 {
			return b, false, ErrCorrupt
		}
		if i < first+span {
			break
		}
		prev, prevFirst = p, first
		first += span
		p += size
	}
	switch {
	case p >= len(b):
		return b, false, ErrCorrupt
	case hinted && prev == 0:
		// The run remembered is the one to change: the one before it, which may be joined with it, is not known.
		*h = hint{}
		return set(b, i, run, maxSparse, h)
	case h != nil:
		h.pos, h.first = prev, prevFirst
	}
	var seq [maxEdit]byte
	edit := seq[:0]
	old := b[p]
	before, after := i-first, first+span-1-i
	if isVal(old) {
		if valOf(old) >= run {
			return b, false, nil
		}
		if before > 0 {
			edit = append(edit, val(valOf(old), before))
		}
		edit = append(edit, val(run, 1))
		if after > 0 {
			edit = append(edit, val(valOf(old), after))
		}
	} else {
		if before > 0 {
			edit = appendZeros(edit, before)
		}
		edit = append(edit, val(run, 1))
		if after > 0 {
			edit = appendZeros(edit, after)
		}
	}
	if more := len(edit) - size; more > 0 && len(b)+more > maxSparse {
		return promote(b, i, run)
	}
	b = replace(b, p, size, edit)
	if prev == 0 {
		prev = headerSize
	}
	return join(b, prev), true, nil
}

// replace puts edit where n bytes at p are.
func replace(b []byte, p, n int, edit []byte) []byte {
	tail := len(b) - p - n
	if more := len(edit) - n; more > 0 {
		b = append(b, edit[:more]...) // any bytes
	}
	copy(b[p+len(edit):], b[p+n:p+n+tail])
	copy(b[p:], edit)
	return b[:p+len(edit)+tail]
}

// join makes one of neighbouring vals that are equal, as far as a val holds them, in the five runs from p on.
func join(b []byte, p int) []byte {
	for n := 5; p < len(b) && n > 0; n-- {
		switch {
		case isXZero(b[p]):
			p += 2
			continue
		case isVal(b[p]) && p+1 < len(b) && isVal(b[p+1]) && valOf(b[p]) == valOf(b[p+1]):
			if span := int(spans[b[p]]) + int(spans[b[p+1]]); span <= maxVal {
				b[p+1] = val(valOf(b[p]), span)
				b = b[:p+copy(b[p:], b[p+1:])]
				continue
			}
		}
		p++
	}
	return b
}

// promote makes a sparse value dense and then raises register i.
func promote(b []byte, i int, run uint8) (out []byte, raised bool, err error) {
	if b, err = ToDense(b); err != nil {
		return b, false, err
	}
	return b, raise(b, i, run), nil
}

// ToDense returns a value in dense form, in the memory of b if it fits.
func ToDense(b []byte) ([]byte, error) {
	if IsDense(b) {
		return b, nil
	}
	var u Union
	if err := u.mergeSparse(b); err != nil {
		return b, err
	}
	var regs [DenseSize]byte
	copy(regs[:], b[:headerSize])
	regs[encodingAt] = dense
	for i, run := range u.regs {
		if run > 0 {
			putDense(regs[:], i, run)
		}
	}
	return append(b[:0], regs[:]...), nil
}

// addSparse counts the registers of a sparse value: first the runs by their byte, then what these stand for.
func (h *histogram) addSparse(b []byte) error {
	if len(b) > MaxSparse {
		return ErrCorrupt
	}
	var runs [256]uint32
	sum := uint32(0)
	for p := headerSize; p < len(b); p++ {
		c := b[p]
		if isXZero(c) {
			span, size := runAt(b, p)
			if span == 0 {
				return ErrCorrupt
			}
			h[0] += uint32(span)
			sum += uint32(span)
			p += size - 1
			continue
		}
		runs[c]++
	}
	for c, n := range runs {
		n *= uint32(spans[c])
		sum += n
		if isVal(byte(c)) {
			h[valOf(byte(c))] += n
		} else {
			h[0] += n
		}
	}
	if sum != registers {
		return ErrCorrupt
	}
	return nil
}

// AppendRuns appends the runs of a sparse value in the notation of PFDEBUG DECODE, up to one that is cut off: "z:" and
// "Z:" with a length for zero and xzero, "v:" with value and length for val.
func AppendRuns(dst, b []byte) []byte {
	for p := headerSize; p < len(b); {
		span, size := runAt(b, p)
		if span == 0 {
			break
		}
		switch {
		case isVal(b[p]):
			dst = append(dst, "v:"...)
			dst = strconv.AppendInt(dst, int64(valOf(b[p])), 10)
			dst = append(dst, ',')
		case isXZero(b[p]):
			dst = append(dst, "Z:"...)
		default:
			dst = append(dst, "z:"...)
		}
		dst = strconv.AppendInt(dst, int64(span), 10)
		dst = append(dst, ' ')
		p += size
	}
	return bytes.TrimRight(dst, " ")
}
