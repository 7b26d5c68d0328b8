package geo

import "math"

// Distances go out with ten digits and more, so two servers agree on them only if their sines do, to the last bit in
// nearly all cases. Those of package math differ from the C library's in a fifth of all cases and more; those here do in
// less than one of a thousand (the arc sine in one of two hundred), and then by one unit in the last place.
//
// The method is that of the accurate tables (Gal, Bachelis, "An accurate elementary mathematical library for the IEEE
// floating point standard", ACM TOMS 17 (1991)), here with exact arguments k/128: sin(k/128 + d) by the addition
// theorem, with sine and cosine of k/128 in two doubles each and short series for those of d.

const (
	gridScale = 128
	gridSize  = 112 // k/128 reaches beyond the 0.855469 where sine and cosine change places
	quadrant  = 0.855469
)

// grid holds sin(k/128) and cos(k/128) as unevaluated sums.
var grid = makeGrid()

type gridPoint struct{ sin, sinLow, cos, cosLow float64 }

// Pi/2 in two doubles.
const (
	halfPi    = 1.5707963267948966
	halfPiLow = 6.123233995736766e-17
)

// sin returns the sine of x.
func sin(x float64) float64 {
	a := math.Abs(x)
	switch {
	case a < quadrant:
		a = sinNear(a, 0)
	case a < math.Pi-quadrant:
		a = cosNear(halfPi-a, halfPiLow)
	case a < math.Pi+quadrant:
		a = sinNear(2*halfPi-a, 2*halfPiLow)
	default:
		return math.Sin(x)
	}
	if x < 0 {
		return -a
	}
	return a
}

// cos returns the cosine of x.
func cos(x float64) float64 {
	a := math.Abs(x)
	switch {
	case a < quadrant:
		return cosNear(a, 0)
	case a < math.Pi-quadrant:
		y := halfPi - a
		a = y + halfPiLow
		return sinNear(a, (y-a)+halfPiLow)
	}
	return math.Cos(x)
}

// seriesLimit is where the series alone is more exact than the grid.
const seriesLimit = 0.126

// sinNear returns the sine of x+dx for |x| < quadrant and a dx that is tiny beside it, or beside 1.
func sinNear(x, dx float64) float64 {
	if math.Abs(x) < seriesLimit {
		xx := x * x
		p := ((((-1./39916800*xx+1./362880)*xx-1./5040)*xx+1./120)*xx - 1./6)
		return x + ((p*x-0.5*dx)*xx + dx)
	}
	if x < 0 {
		return -sinNear(-x, -dx)
	}
	hi, lo := sinParts(x, dx)
	return hi + lo
}

// sinParts is sinNear as an unevaluated sum, for seriesLimit/8 <= x < quadrant.
func sinParts(x, dx float64) (hi, lo float64) {
	k := int(x*gridScale + 0.5)
	x -= float64(k) / gridScale
	g := &grid[k%gridSize]
	xx := x * x
	s := x + (dx + x*xx*(-1./6+xx*(1./120)))
	c := x*dx + xx*(0.5+xx*(-1./24+xx*(1./720)))
	return g.sin, (g.sinLow + s*g.cosLow - g.sin*c) + g.cos*s
}

// cosNear returns the cosine of x+dx for |x| < quadrant and a dx that is tiny beside 1.
func cosNear(x, dx float64) float64 {
	if x < 0 {
		x, dx = -x, -dx
	}
	k := int(x*gridScale + 0.5)
	x = x - float64(k)/gridScale + dx
	g := &grid[k%gridSize]
	xx := x * x
	s := x + x*xx*(-1./6+xx*(1./120))
	c := xx * (0.5 + xx*(-1./24+xx*(1./720)))
	return g.cos + ((g.cosLow - s*g.sinLow - g.cos*c) - g.sin*s)
}

// asin returns the arc sine of z, 0 <= z <= 1.
func asin(z float64) float64 {
	switch {
	case z < 1./16:
		return z + asinSeries(z)
	case z < 0.7:
		y := math.Asin(z)
		return y + asinRest(z, 0, y)
	}
	// asin(z) is π/2 - asin(√(1-z²)).
	w := (1 - z) * (1 + z)
	wLow := math.FMA(1-z, 1+z, -w) + (1-z)*(z-((1+z)-1))
	r := math.Sqrt(w)
	if r == 0 {
		return halfPi
	}
	rLow := (math.FMA(-r, r, w) + wLow) / (2 * r)
	var y, rest float64
	if r < 1./16 {
		y, rest = r, asinSeries(r)+rLow
	} else {
		y = math.Asin(r)
		rest = asinRest(r, rLow, y)
	}
	t := halfPi - y
	return t + ((halfPi - t - y) + (halfPiLow - rest))
}

// asinSeries returns asin(z)-z for z up to 1/16.
func asinSeries(z float64) float64 {
	zz := z * z
	p := 231. / 13312
	p = p*zz + 63./2816
	p = p*zz + 35./1152
	p = p*zz + 5./112
	p = p*zz + 3./40
	p = p*zz + 1./6
	return p * zz * z
}

// asinRest returns what is missing from y to the arc sine of z+zLow, which are at least 1/16 and below quadrant: one step
// of Newton's method.
func asinRest(z, zLow, y float64) float64 {
	hi, lo := sinParts(y, 0)
	return ((z - hi) - lo + zLow) / cosNear(y, 0)
}

// pair is the unevaluated sum of two doubles, of which the second is at most half a unit in the last place of the first.
type pair struct{ hi, lo float64 }

func sum(a, b float64) pair {
	s := a + b
	t := s - a
	return pair{s, (a - (s - t)) + (b - t)}
}

func (p pair) plus(q pair) pair {
	s := sum(p.hi, q.hi)
	return sum(s.hi, s.lo+(p.lo+q.lo))
}

func (p pair) times(q pair) pair {
	h := p.hi * q.hi
	return sum(h, math.FMA(p.hi, q.hi, -h)+(p.hi*q.lo+p.lo*q.hi))
}

// over returns p/n for a small integer n.
func (p pair) over(n float64) pair {
	h := p.hi / n
	return sum(h, (math.FMA(-h, n, p.hi)+p.lo)/n)
}

// makeGrid turns the point (1, 0) again and again by 1/128, in double doubles.
func makeGrid() (g [gridSize]gridPoint) {
	// Sine and cosine of 1/128 by their series: what is left out is below 2^-110.
	d := pair{1. / gridScale, 0}
	s, c, term := pair{}, pair{1, 0}, pair{1, 0}
	for n := 1; n < 15; n++ {
		term = term.times(d).over(float64(n))
		t := term
		if n&2 != 0 {
			t = pair{-t.hi, -t.lo}
		}
		if n&1 != 0 {
			s = s.plus(t)
		} else {
			c = c.plus(t)
		}
	}
	x, y := pair{1, 0}, pair{}
	for k := range g {
		g[k] = gridPoint{y.hi, y.lo, x.hi, x.lo}
		minus := pair{-y.hi, -y.lo}
		x, y = x.times(c).plus(minus.times(s)), y.times(c).plus(x.times(s))
	}
	return g
}
