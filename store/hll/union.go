package hll

import (
	"encoding/binary"
	"math/bits"
)

// Union is the registers of several values, each the largest of all. The zero value is that of none.
type Union struct {
	regs [registers]uint8
}

// Reset empties u.
func (u *Union) Reset() { clear(u.regs[:]) }

// Merge takes in a value, which is Valid.
func (u *Union) Merge(b []byte) error {
	if IsDense(b) {
		u.mergeDense(b)
		return nil
	}
	return u.mergeSparse(b)
}

func (u *Union) mergeSparse(b []byte) error {
	if len(b) > MaxSparse {
		return ErrCorrupt
	}
	first := 0
	for p := headerSize; p < len(b); {
		span, size := runAt(b, p)
		if span == 0 || first+span > registers {
			return ErrCorrupt
		}
		if isVal(b[p]) {
			run := valOf(b[p])
			for i, old := range u.regs[first : first+span] {
				u.regs[first+i] = max(old, run)
			}
		}
		first += span
		p += size
	}
	if first != registers {
		return ErrCorrupt
	}
	return nil
}

func (u *Union) mergeDense(b []byte) {
	regs, out := b[headerSize:DenseSize], u.regs[:]
	for len(regs) >= turnBytes && len(out) >= turnRegs {
		g := eights(regs)
		for i, x := range g {
			at := out[8*i : 8*i+8]
			binary.LittleEndian.PutUint64(at, maxBytes(binary.LittleEndian.Uint64(at), spread(x)))
		}
		regs, out = regs[turnBytes:], out[turnRegs:]
	}
}

// maxBytes returns the larger of each pair of bytes, all of which are below 128.
func maxBytes(x, y uint64) uint64 {
	const tops = 0x8080808080808080
	ge := ((x | tops) - y) & tops // the top bit of a byte stays where x is not less
	mask := ge - ge>>7 | ge       // and fills it
	return x&mask | y&^mask
}

// Count estimates the number of different elements added to any of the values.
func (u *Union) Count() uint64 {
	var h histogram
	var pairs pairs
	for regs := u.regs[:]; len(regs) >= 8; regs = regs[8:] {
		x := binary.LittleEndian.Uint64(regs)
		x = x&0x003f003f003f003f | x>>2&0x0fc00fc00fc00fc0
		pairs[x&pairMax]++
		pairs[x>>16&pairMax]++
		pairs[x>>32&pairMax]++
		pairs[x>>48&pairMax]++
	}
	h.addPairs(&pairs)
	return h.estimate()
}

// Write raises the registers of a value to those of u, in place if there is room in it. See Add for maxSparse and errors.
func (u *Union) Write(b []byte, maxSparse int) (out []byte, err error) {
	var h hint
	for at := 0; at < registers; at += 8 {
		// Of a sparse value most registers are zero.
		x := binary.LittleEndian.Uint64(u.regs[at:])
		for x != 0 {
			shift := bits.TrailingZeros64(x) &^ 7
			i, run := at+shift/8, uint8(x>>shift)
			x &^= 0xff << shift
			if IsDense(b) {
				raise(b, i, run)
				continue
			}
			if b, _, err = set(b, i, run, maxSparse, &h); err != nil {
				return b, err
			}
		}
	}
	return b, nil
}

// Register returns register i.
func (u *Union) Register(i int) uint8 { return u.regs[i] }

// Registers is the number of registers.
const Registers = registers
