package bits

import "encoding/binary"

// A field is 1 to 64 bits at any position, the highest bit first. It touches nine bytes at most.

// window is the bytes of b around a field that begins at bit p, zeros beyond the end of b.
func window(b []byte, p int64) (w [9]byte) {
	if i := p >> 3; i < int64(len(b)) {
		copy(w[:], b[i:])
	}
	return w
}

// Field returns the width bits (1 to 64) of b from position p on; bits beyond the end of b are 0.
func Field(b []byte, p int64, width uint) uint64 {
	w := window(b, p)
	shift := uint(p & 7)
	v := binary.BigEndian.Uint64(w[:]) << shift
	v |= uint64(w[8]) >> (8 - shift)
	return v >> (64 - width)
}

// SignedField is Field for a number in two's complement.
func SignedField(b []byte, p int64, width uint) int64 {
	return int64(Field(b, p, width)<<(64-width)) >> (64 - width)
}

// PutField writes the lower width bits (1 to 64) of v into b at position p; the field lies within b.
func PutField(b []byte, p int64, width uint, v uint64) {
	w := window(b, p)
	shift := uint(p & 7)
	v <<= 64 - width
	mask := ^uint64(0) << (64 - width)
	head := binary.BigEndian.Uint64(w[:])
	binary.BigEndian.PutUint64(w[:], head&^(mask>>shift)|v>>shift)
	w[8] = w[8]&^byte(mask<<(8-shift)) | byte(v<<(8-shift))
	copy(b[p>>3:], w[:(shift+width+7)/8])
}
