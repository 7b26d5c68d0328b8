package crc64

// Combine returns the checksum of a followed by b from the checksums of both and the length of b in bytes: what is
// summed apart need not be kept until the sum before it is known.
func Combine(a, b uint64, length int64) uint64 {
	// Bits are reflected: the highest is the coefficient of 1, and x, by which a byte multiplies eight times, is the one
	// below.
	power := uint64(1) << (63 - 8) // of a byte: x to the 8th
	for ; length > 0; length >>= 1 {
		if length&1 != 0 {
			a = multiply(a, power)
		}
		power = multiply(power, power)
	}
	return a ^ b
}

// multiply multiplies two polynomials modulo that of the checksum.
func multiply(a, b uint64) (product uint64) {
	for ; a != 0; a <<= 1 {
		if a>>63 != 0 {
			product ^= b
		}
		b = b>>1 ^ poly&-(b&1)
	}
	return product
}
