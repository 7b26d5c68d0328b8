package hll

import "math"

// histogram counts the registers by what they hold.
type histogram [1 << regBits]uint32

// Count estimates the number of different elements added to a value, whatever it has cached.
func Count(b []byte) (uint64, error) {
	var h histogram
	if IsDense(b) {
		h.addDense(b)
	} else if err := h.addSparse(b); err != nil {
		return 0, err
	}
	return h.estimate(), nil
}

// alpha is 1/(2 ln 2).
const alpha = 0.721347520444481703680

// estimate is Otmar Ertl's improved raw estimator ("New cardinality estimation algorithms for HyperLogLog sketches",
// 2017), which needs no tables of corrections. Registers beyond what a hash can give are not counted; if nothing is left
// to divide by, the estimate is the largest there is.
func (h *histogram) estimate() uint64 {
	const m = registers
	z := m * tau((m-float64(h[hashBits+1]))/m)
	for i := hashBits; i >= 1; i-- {
		z = (z + float64(h[i])) * 0.5
	}
	z += m * sigma(float64(h[0])/m)
	e := math.Round(alpha * m * m / z)
	if !(e < math.MaxInt64) {
		return math.MaxInt64
	}
	return uint64(e)
}

// tau and sigma are series of the estimator, added up until another term changes nothing. The products are powers of two
// or rounded explicitly, so that machines that fuse a product with a sum get the same.

func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for {
		x = math.Sqrt(x)
		last := z
		y *= 0.5
		z -= float64(float64((1-x)*(1-x)) * y)
		if z == last {
			return z / 3
		}
	}
}

func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for {
		x *= x
		last := z
		z += float64(x * y)
		y += y
		if z == last {
			return z
		}
	}
}
