package lua

import "math"

// OpenMath adds the mathematical library, all but its random numbers.
func (s *State) OpenMath() {
	lib := s.NewTable(0, 32)
	one := func(f func(float64) float64) GoFunc {
		return func(t *Thread) int { return t.Return(Num(f(t.CheckNumber(1)))) }
	}
	two := func(f func(a, b float64) float64) GoFunc {
		return func(t *Thread) int { return t.Return(Num(f(t.CheckNumber(1), t.CheckNumber(2)))) }
	}
	fmod := two(math.Mod)
	s.SetFuncs(lib, map[string]GoFunc{
		"abs": one(math.Abs), "acos": one(math.Acos), "asin": one(math.Asin), "atan": one(math.Atan), "atan2": two(math.Atan2),
		"ceil": one(math.Ceil), "cos": one(math.Cos), "cosh": one(math.Cosh), "exp": one(math.Exp), "floor": one(math.Floor),
		"fmod": fmod, "mod": fmod, "log": one(math.Log), "log10": one(math.Log10), "pow": two(power), "sin": one(math.Sin),
		"sinh": one(math.Sinh), "sqrt": one(math.Sqrt), "tan": one(math.Tan), "tanh": one(math.Tanh),
		"deg": one(func(f float64) float64 { return f / (math.Pi / 180) }), "rad": one(func(f float64) float64 { return f * (math.Pi / 180) }),
		"frexp": mathFrexp, "ldexp": mathLdexp, "max": mathMax, "min": mathMin, "modf": mathModf,
	})
	lib.SetStr("pi", Num(math.Pi))
	lib.SetStr("huge", Num(math.Inf(1)))
	s.globals.SetStr("math", Tab(lib))
}

func mathFrexp(t *Thread) int {
	f, e := math.Frexp(t.CheckNumber(1))
	t.Push(Num(f))
	t.Push(Int(e))
	return 2
}

func mathLdexp(t *Thread) int {
	f := t.CheckNumber(1)
	return t.Return(Num(math.Ldexp(f, int(int32(t.CheckInt(2))))))
}

func mathMax(t *Thread) int {
	m := t.CheckNumber(1)
	for i := 2; i <= t.NArgs(); i++ {
		if f := t.CheckNumber(i); f > m {
			m = f
		}
	}
	return t.Return(Num(m))
}

func mathMin(t *Thread) int {
	m := t.CheckNumber(1)
	for i := 2; i <= t.NArgs(); i++ {
		if f := t.CheckNumber(i); f < m {
			m = f
		}
	}
	return t.Return(Num(m))
}

func mathModf(t *Thread) int {
	f := t.CheckNumber(1)
	whole, frac := math.Trunc(f), 0.0
	if !math.IsInf(f, 0) {
		frac = math.Copysign(f-whole, f)
	}
	t.Push(Num(whole))
	t.Push(Num(frac))
	return 2
}
