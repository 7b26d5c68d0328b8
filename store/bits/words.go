package bits

import (
	"crypto/subtle"
	"encoding/binary"
)

// The inner loops, over as many bytes as all slices have. d may be one of the operands. Each loop is written out because
// a call for every word would cost more than the word; a cache line at a time makes the bounds checks cheap.

var le = binary.LittleEndian

const line = 64

// and makes d the bits that are set in both a and b.
func and(d, a, b []byte) {
	n := min(len(d), len(a), len(b))
	i := 0
	for ; i <= n-line; i += line {
		z, x, y := (*[line]byte)(d[i:]), (*[line]byte)(a[i:]), (*[line]byte)(b[i:])
		le.PutUint64(z[:], le.Uint64(x[:])&le.Uint64(y[:]))
		le.PutUint64(z[8:], le.Uint64(x[8:])&le.Uint64(y[8:]))
		le.PutUint64(z[16:], le.Uint64(x[16:])&le.Uint64(y[16:]))
		le.PutUint64(z[24:], le.Uint64(x[24:])&le.Uint64(y[24:]))
		le.PutUint64(z[32:], le.Uint64(x[32:])&le.Uint64(y[32:]))
		le.PutUint64(z[40:], le.Uint64(x[40:])&le.Uint64(y[40:]))
		le.PutUint64(z[48:], le.Uint64(x[48:])&le.Uint64(y[48:]))
		le.PutUint64(z[56:], le.Uint64(x[56:])&le.Uint64(y[56:]))
	}
	for ; i < n; i++ {
		d[i] = a[i] & b[i]
	}
}

// or makes d the bits that are set in a or b.
func or(d, a, b []byte) {
	n := min(len(d), len(a), len(b))
	i := 0
	for ; i <= n-line; i += line {
		z, x, y := (*[line]byte)(d[i:]), (*[line]byte)(a[i:]), (*[line]byte)(b[i:])
		le.PutUint64(z[:], le.Uint64(x[:])|le.Uint64(y[:]))
		le.PutUint64(z[8:], le.Uint64(x[8:])|le.Uint64(y[8:]))
		le.PutUint64(z[16:], le.Uint64(x[16:])|le.Uint64(y[16:]))
		le.PutUint64(z[24:], le.Uint64(x[24:])|le.Uint64(y[24:]))
		le.PutUint64(z[32:], le.Uint64(x[32:])|le.Uint64(y[32:]))
		le.PutUint64(z[40:], le.Uint64(x[40:])|le.Uint64(y[40:]))
		le.PutUint64(z[48:], le.Uint64(x[48:])|le.Uint64(y[48:]))
		le.PutUint64(z[56:], le.Uint64(x[56:])|le.Uint64(y[56:]))
	}
	for ; i < n; i++ {
		d[i] = a[i] | b[i]
	}
}

// andNot makes d the bits that are set in a but not in b.
func andNot(d, a, b []byte) {
	n := min(len(d), len(a), len(b))
	i := 0
	for ; i <= n-line; i += line {
		z, x, y := (*[line]byte)(d[i:]), (*[line]byte)(a[i:]), (*[line]byte)(b[i:])
		le.PutUint64(z[:], le.Uint64(x[:])&^le.Uint64(y[:]))
		le.PutUint64(z[8:], le.Uint64(x[8:])&^le.Uint64(y[8:]))
		le.PutUint64(z[16:], le.Uint64(x[16:])&^le.Uint64(y[16:]))
		le.PutUint64(z[24:], le.Uint64(x[24:])&^le.Uint64(y[24:]))
		le.PutUint64(z[32:], le.Uint64(x[32:])&^le.Uint64(y[32:]))
		le.PutUint64(z[40:], le.Uint64(x[40:])&^le.Uint64(y[40:]))
		le.PutUint64(z[48:], le.Uint64(x[48:])&^le.Uint64(y[48:]))
		le.PutUint64(z[56:], le.Uint64(x[56:])&^le.Uint64(y[56:]))
	}
	for ; i < n; i++ {
		d[i] = a[i] &^ b[i]
	}
}

// xor makes d the bits that are set in either a or b; the standard library has it in assembly.
func xor(d, a, b []byte) {
	n := min(len(d), len(a), len(b))
	subtle.XORBytes(d[:n], a[:n], b[:n])
}

// not makes d the bits that are not set in a.
func not(d, a []byte) {
	n := min(len(d), len(a))
	i := 0
	for ; i <= n-line; i += line {
		z, x := (*[line]byte)(d[i:]), (*[line]byte)(a[i:])
		le.PutUint64(z[:], ^le.Uint64(x[:]))
		le.PutUint64(z[8:], ^le.Uint64(x[8:]))
		le.PutUint64(z[16:], ^le.Uint64(x[16:]))
		le.PutUint64(z[24:], ^le.Uint64(x[24:]))
		le.PutUint64(z[32:], ^le.Uint64(x[32:]))
		le.PutUint64(z[40:], ^le.Uint64(x[40:]))
		le.PutUint64(z[48:], ^le.Uint64(x[48:]))
		le.PutUint64(z[56:], ^le.Uint64(x[56:]))
	}
	for ; i < n; i++ {
		d[i] = ^a[i]
	}
}

// see notes in twice the bits of s that are in seen already, and adds s to seen.
func see(seen, twice, s []byte) {
	n := min(len(seen), len(twice), len(s))
	i := 0
	for ; i <= n-line/2; i += line / 2 {
		var x, y uint64
		a, b, c := (*[line / 2]byte)(seen[i:]), (*[line / 2]byte)(twice[i:]), (*[line / 2]byte)(s[i:])
		x, y = le.Uint64(a[:]), le.Uint64(c[:])
		le.PutUint64(b[:], le.Uint64(b[:])|x&y)
		le.PutUint64(a[:], x|y)
		x, y = le.Uint64(a[8:]), le.Uint64(c[8:])
		le.PutUint64(b[8:], le.Uint64(b[8:])|x&y)
		le.PutUint64(a[8:], x|y)
		x, y = le.Uint64(a[16:]), le.Uint64(c[16:])
		le.PutUint64(b[16:], le.Uint64(b[16:])|x&y)
		le.PutUint64(a[16:], x|y)
		x, y = le.Uint64(a[24:]), le.Uint64(c[24:])
		le.PutUint64(b[24:], le.Uint64(b[24:])|x&y)
		le.PutUint64(a[24:], x|y)
	}
	for ; i < n; i++ {
		twice[i] |= seen[i] & s[i]
		seen[i] |= s[i]
	}
}
