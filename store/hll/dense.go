package hll

import "encoding/binary"

// denseAt returns register i. 6 bits that begin in one byte end in it or in the next.
func denseAt(b []byte, i int) uint8 {
	at := i * regBits
	p, shift := headerSize+at/8, at%8
	v := uint16(b[p])
	if p+1 < len(b) {
		v |= uint16(b[p+1]) << 8
	}
	return uint8(v>>shift) & regMax
}

func putDense(b []byte, i int, run uint8) {
	at := i * regBits
	p, shift := headerSize+at/8, at%8
	v := uint16(run) << shift
	mask := uint16(regMax) << shift
	b[p] = b[p]&^byte(mask) | byte(v)
	if mask>>8 != 0 {
		b[p+1] = b[p+1]&^byte(mask>>8) | byte(v>>8)
	}
}

// raise makes register i at least run and reports whether it was less.
func raise(b []byte, i int, run uint8) bool {
	if denseAt(b, i) >= run {
		return false
	}
	putDense(b, i, run)
	return true
}

// Eight registers are 48 bits; four times eight are three words. The loops below take that much in a turn, so that no
// register needs a look at two words.
const (
	turnRegs  = 32
	turnBytes = turnRegs * regBits / 8
)

// eights cuts 24 bytes into four groups of eight registers.
func eights(b []byte) (g [4]uint64) {
	_ = b[turnBytes-1]
	x, y, z := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[16:])
	const low = 1<<48 - 1
	g[0] = x & low
	g[1] = (x>>48 | y<<16) & low
	g[2] = (y>>32 | z<<32) & low
	g[3] = z >> 16
	return g
}

// spread gives each of eight registers a byte of its own, the first the lowest.
func spread(g uint64) uint64 {
	g = g&0x0000000000ffffff | g<<8&0x00ffffff00000000
	g = g&0x00000fff00000fff | g<<4&0x0fff00000fff0000
	return g&0x003f003f003f003f | g<<2&0x3f003f003f003f00
}

// addDense counts the registers of a dense value.
func (h *histogram) addDense(b []byte) {
	var pairs pairs
	for regs := b[headerSize:DenseSize]; len(regs) >= turnBytes; regs = regs[turnBytes:] {
		for _, x := range eights(regs) {
			pairs[x&pairMax]++
			pairs[x>>12&pairMax]++
			pairs[x>>24&pairMax]++
			pairs[x>>36&pairMax]++
		}
	}
	h.addPairs(&pairs)
}

// pairs counts registers two at a time: half the additions, and neighbours that are equal, whose additions would have to
// wait for each other in memory, are rarer.
type pairs [1 << (2 * regBits)]uint16

const pairMax = 1<<(2*regBits) - 1

// addPairs counts both halves of all pairs, most of which do not occur.
func (h *histogram) addPairs(p *pairs) {
	for i := 0; i < len(p); i += 4 {
		if p[i]|p[i+1]|p[i+2]|p[i+3] == 0 {
			continue
		}
		for j, n := range p[i : i+4] {
			h[(i+j)&regMax] += uint32(n)
			h[i>>regBits] += uint32(n)
		}
	}
}
