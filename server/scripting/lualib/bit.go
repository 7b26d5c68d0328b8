package lualib

import (
	"math"
	"math/bits"

	"github.com/streampulse/pulse/server/scripting/lua"
)

func openBit(s *lua.State) {
	lib := s.NewTable(0, 16)
	fold := func(f func(a, b uint32) uint32) lua.GoFunc {
		return func(t *lua.Thread) int {
			n := bitArg(t, 1)
			for i := 2; i <= t.NArgs(); i++ {
				n = f(n, bitArg(t, i))
			}
			return bitResult(t, n)
		}
	}
	shift := func(f func(a uint32, n uint) uint32) lua.GoFunc {
		return func(t *lua.Thread) int {
			a := bitArg(t, 1)
			return bitResult(t, f(a, uint(bitArg(t, 2)&31)))
		}
	}
	s.SetFuncs(lib, map[string]lua.GoFunc{
		"tobit":   func(t *lua.Thread) int { return bitResult(t, bitArg(t, 1)) },
		"bnot":    func(t *lua.Thread) int { return bitResult(t, ^bitArg(t, 1)) },
		"bswap":   func(t *lua.Thread) int { return bitResult(t, bits.ReverseBytes32(bitArg(t, 1))) },
		"band":    fold(func(a, b uint32) uint32 { return a & b }),
		"bor":     fold(func(a, b uint32) uint32 { return a | b }),
		"bxor":    fold(func(a, b uint32) uint32 { return a ^ b }),
		"lshift":  shift(func(a uint32, n uint) uint32 { return a << n }),
		"rshift":  shift(func(a uint32, n uint) uint32 { return a >> n }),
		"arshift": shift(func(a uint32, n uint) uint32 { return uint32(int32(a) >> n) }),
		"rol":     shift(func(a uint32, n uint) uint32 { return bits.RotateLeft32(a, int(n)) }),
		"ror":     shift(func(a uint32, n uint) uint32 { return bits.RotateLeft32(a, -int(n)) }),
		"tohex":   bitHex,
	})
	s.Globals().SetStr("bit", lua.Tab(lib))
}

// bitArg is the low 32 bits of a number rounded to an integer, by the addition that moves them to the end of the mantissa.
func bitArg(t *lua.Thread, n int) uint32 {
	return uint32(math.Float64bits(t.CheckNumber(n) + 6755399441055744.0))
}

func bitResult(t *lua.Thread, n uint32) int { return t.Return(lua.Num(float64(int32(n)))) }

func bitHex(t *lua.Thread) int {
	b := bitArg(t, 1)
	n, digits := int32(8), "0123456789abcdef"
	if t.NArgs() >= 2 {
		n = int32(bitArg(t, 2))
	}
	if n < 0 {
		n, digits = -n, "0123456789ABCDEF"
	}
	if n > 8 || n < 0 {
		n = 8
	}
	out := make([]byte, n)
	for i := len(out) - 1; i >= 0; i-- {
		out[i] = digits[b&15]
		b >>= 4
	}
	return t.Return(t.State().Bytes(out))
}
