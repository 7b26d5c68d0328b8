// Package pieces moves many bytes a piece at a time.
//
// The runtime stops a goroutine at its calls and between its instructions, but not inside the one routine that moves or
// clears memory. A collection stops all goroutines for an instant, twice: if one of them is moving half a gigabyte into fresh
// memory, the others stand still until it is done, which was measured to take seconds. So whatever moves as much as a
// client has sent does it with the functions of this package: they do what the built-in ones do, with a call between any
// two pieces. What fits one piece costs a comparison more than the built-in.
//
// The functions keep no state and may be called concurrently.
package pieces

// piece is how many bytes are moved at a time: some 20 microseconds, or 200 if every page is a new one.
const piece = 256 << 10

// Copy is the built-in copy.
func Copy(dst, src []byte) int {
	if len(src) <= piece {
		return copy(dst, src)
	}
	return long(dst, src)
}

func long(dst, src []byte) (n int) {
	src = src[:min(len(src), len(dst))]
	if len(src) > 0 && overlap(dst[:len(src)], src) {
		return copy(dst, src) // the order of the pieces would matter
	}
	for n < len(src) {
		n += one(dst[n:], src[n:min(n+piece, len(src))])
	}
	return n
}

func overlap(a, b []byte) bool { return &a[0] == &b[0] || inside(a, b) || inside(b, a) }

// inside reports whether b begins within a.
func inside(a, b []byte) bool {
	x, y := address(a), address(b)
	return x <= y && y-x < uintptr(len(a))
}

// one is a call, at whose beginning the runtime may stop the goroutine.
//
//go:noinline
func one(dst, src []byte) int { return copy(dst, src) }

// Clear is the built-in clear.
func Clear(b []byte) {
	for len(b) > piece {
		clearOne(b[:piece])
		b = b[piece:]
	}
	clear(b)
}

//go:noinline
func clearOne(b []byte) { clear(b) }

// Append is the built-in append.
func Append(dst, src []byte) []byte {
	if len(src) <= piece && len(src) <= cap(dst)-len(dst) {
		return append(dst, src...)
	}
	return appendLong(dst, src)
}

func appendLong(dst, src []byte) []byte {
	n := len(dst) + len(src)
	if n <= piece {
		return append(dst, src...)
	}
	dst = Grow(dst, len(src))
	Copy(dst[len(dst):n], src)
	return dst[:n]
}

// Grow returns b with room for n more bytes, if the built-in append would move more than a piece to make it; otherwise b
// as it is.
func Grow(b []byte, n int) []byte {
	if n += len(b); n <= cap(b) || n <= piece {
		return b
	}
	longer := make([]byte, len(b), max(n, cap(b)+cap(b)/4))
	Copy(longer, b)
	return longer
}
