// Package geo places points on the globe into sorted sets and finds them again: pure functions over scores, coordinates
// and cells, without a keyspace.
//
// # Contract
//
// Everything here is a function of its arguments (a Found belongs to one user at a time) and safe for concurrent use.
// Angles are in degrees, lengths in metres, unless a name says otherwise. Longitude comes before latitude. No argument
// makes a function panic: coordinates out of range are the caller's error to refuse, scores may be any double.
//
// # The curve
//
// The rectangle of the Mercator projection, ±180 by ±85.05112878 degrees, is halved 26 times in both directions. The
// 52 bits that say which halves a point is in, longitude before latitude, are the score of its member: a double holds
// them exactly, and all points of a cell, which is a prefix of the bits, are neighbours in the order of scores.
//
// Scores, cells, the order in which cells are searched and the formula of the distance are facts that clients can see,
// so they follow Redis to the last digit.
package geo

import "math"

// The ranges of coordinates.
const (
	LonMin, LonMax = -180.0, 180.0
	LatMin, LatMax = -85.05112878, 85.05112878
)

// maxStep is the number of halvings per direction in a score.
const maxStep = 26

// Valid reports whether a point can be stored.
func Valid(lon, lat float64) bool {
	return lon >= LonMin && lon <= LonMax && lat >= LatMin && lat <= LatMax
}

// cell is a rectangle of the curve: the first 2*step bits of the scores in it. The zero cell is no rectangle.
type cell struct {
	bits uint64
	step uint
}

// The bits of a cell by direction: longitude in the odd places, latitude in the even ones.
const (
	lonBits = 0xaaaaaaaaaaaaaaaa
	latBits = 0x5555555555555555
)

// spread puts the bits of x into the even places.
func spread(x uint32) uint64 {
	v := uint64(x)
	v = (v | v<<16) & 0x0000ffff0000ffff
	v = (v | v<<8) & 0x00ff00ff00ff00ff
	v = (v | v<<4) & 0x0f0f0f0f0f0f0f0f
	v = (v | v<<2) & 0x3333333333333333
	return (v | v<<1) & latBits
}

// gather takes the bits in the even places of v together.
func gather(v uint64) uint32 {
	v &= latBits
	v = (v | v>>1) & 0x3333333333333333
	v = (v | v>>2) & 0x0f0f0f0f0f0f0f0f
	v = (v | v>>4) & 0x00ff00ff00ff00ff
	v = (v | v>>8) & 0x0000ffff0000ffff
	return uint32(v | v>>16)
}

// cellAt returns the cell of the given step that holds a valid point of a rectangle that reaches to ±latMax.
func cellAt(lon, lat, latMax float64, step uint) cell {
	n := float64(uint64(1) << step)
	x := (lon - LonMin) / (LonMax - LonMin) * n
	y := (lat + latMax) / (latMax + latMax) * n
	return cell{spread(uint32(y)) | spread(uint32(x))<<1, step}
}

// span is an interval of degrees.
type span struct{ min, max float64 }

// area returns the sides of a cell. The sums wrap in 32 bits: of a score that is no point, more bits than 26 may be set.
func (c cell) area() (lon, lat span) {
	x, y := gather(c.bits>>1), gather(c.bits)
	one := 1 / float64(uint64(1)<<c.step) // exactly
	const width, height = LonMax - LonMin, LatMax - LatMin
	lon.min = LonMin + float64(float64(x)*one*width)
	lon.max = LonMin + float64(float64(x+1)*one*width)
	lat.min = LatMin + float64(float64(y)*one*height)
	lat.max = LatMin + float64(float64(y+1)*one*height)
	return lon, lat
}

// scores returns the scores of the points in c: from is one of them, to is not.
func (c cell) scores() (from, to float64) {
	shift := 2 * (maxStep - c.step)
	return float64(c.bits << shift), float64((c.bits + 1) << shift)
}

// moved returns the cell that many steps to the east (or west) and north (or south). At the borders of the rectangle it
// comes in again on the other side.
func (c cell) moved(east, north int) cell {
	all := uint64(1)<<(2*c.step) - 1
	x := stepBits(c.bits, lonBits&all, latBits&all, east)
	y := stepBits(c.bits, latBits&all, lonBits&all, north)
	return cell{x | y, c.step}
}

// stepBits adds d, one of -1, 0 and 1, to the number in the places mine of v. The other places let the carry through.
func stepBits(v, mine, others uint64, d int) uint64 {
	switch {
	case d > 0:
		return ((v & mine) + others + 1) & mine
	case d < 0:
		return ((v&mine | others) - (others + 1)) & mine
	}
	return v & mine
}

// Score returns the score of a valid point.
func Score(lon, lat float64) uint64 { return cellAt(lon, lat, LatMax, maxStep).bits }

// Position returns the middle of the smallest cell of a score, which may be any number.
func Position(score float64) (lon, lat float64) {
	x, y := cell{toBits(score), maxStep}.area()
	return clamp((x.min+x.max)/2, LonMax), clamp((y.min+y.max)/2, LatMax)
}

func clamp(v, limit float64) float64 {
	switch {
	case v > limit:
		return limit
	case v < -limit:
		return -limit
	}
	return v
}

// toBits makes an integer of a score. What fits none becomes what Redis on x86-64 makes of it, because the positions of
// members with scores of any kind are visible.
func toBits(score float64) uint64 {
	switch {
	case score >= 0 && score < 1<<63:
		return uint64(int64(score))
	case score > -1<<63 && score < 0:
		return uint64(int64(score))
	case score >= 1<<63 && score < 1<<64:
		return uint64(int64(score-1<<63)) ^ 1<<63
	case score >= 1<<64:
		return 0
	}
	return 1 << 63
}

const hashAlphabet = "0123456789bcdefghjkmnpqrstuvwxyz"

// HashLen is the length of a text of AppendHash.
const HashLen = 11

// AppendHash appends the geohash of a score in the notation of geohash.org, in which latitudes reach to the poles. The
// last letter is always 0: 52 bits fill ten.
func AppendHash(dst []byte, score float64) []byte {
	lon, lat := Position(score)
	bits := cellAt(lon, lat, 90, maxStep).bits
	for i := 1; i < HashLen; i++ {
		dst = append(dst, hashAlphabet[bits>>(2*maxStep-5*i)&31])
	}
	return append(dst, '0')
}

// degree is one degree in radians, rounded as the quotient of two doubles.
var degree = float64(math.Pi) / 180
