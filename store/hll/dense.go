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

// addDense counts the registers of a dense value. Equal neighbours would wait for each other's addition in memory, so
// they are counted in different histograms.
func (h *histogram) addDense(b []byte) {
	var part [4]histogram
	for regs := b[headerSize:DenseSize]; len(regs) >= turnBytes; regs = regs[turnBytes:] {
		g := eights(regs)
		for i, x := range g {
			p := &part[i]
			p[x&regMax]++
			p[x>>6&regMax]++
			p[x>>12&regMax]++
			p[x>>18&regMax]++
			p[x>>24&regMax]++
			p[x>>30&regMax]++
			p[x>>36&regMax]++
			p[x>>42&regMax]++
		}
	}
	h.sum(&part)
}

// sum adds up parts of a histogram.
func (h *histogram) sum(part *[4]histogram) {
	for i := range h {
		h[i] += part[0][i] + part[1][i] + part[2][i] + part[3][i]
	}
}
