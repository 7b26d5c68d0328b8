package lualib

import (
	"encoding/binary"
	"math"
	"strings"

	"github.com/streampulse/pulse/server/scripting/lua"
)

const (
	maxIntSize = 32
	maxAlign   = 8
)

func openStruct(s *lua.State) {
	lib := s.NewTable(0, 4)
	s.SetFuncs(lib, map[string]lua.GoFunc{"pack": structPack, "unpack": structUnpack, "size": structSize})
	s.Globals().SetStr("struct", lua.Tab(lib))
}

// layout reads a format.
type layout struct {
	t     *lua.Thread
	f     string
	at    int
	big   bool
	align int
}

func (l *layout) more() bool { return l.at < len(l.f) && l.f[l.at] != 0 }

func (l *layout) next() byte {
	l.at++
	return l.f[l.at-1]
}

func (l *layout) number(def int) int {
	if l.at >= len(l.f) || l.f[l.at] < '0' || l.f[l.at] > '9' {
		return def
	}
	n := 0
	for l.at < len(l.f) && l.f[l.at] >= '0' && l.f[l.at] <= '9' {
		d := int(l.f[l.at] - '0')
		if n > math.MaxInt32/10 || n*10 > math.MaxInt32-d {
			l.t.Errorf("integral size overflow")
		}
		n = n*10 + d
		l.at++
	}
	return n
}

// size is the size of an option, with the number that follows it.
func (l *layout) size(opt byte) int {
	switch opt {
	case 'B', 'b', 'x':
		return 1
	case 'H', 'h':
		return 2
	case 'L', 'l', 'T', 'd':
		return 8
	case 'f':
		return 4
	case 'c':
		return l.number(1)
	case 'i', 'I':
		n := l.number(4)
		if n > maxIntSize {
			l.t.Errorf("integral size %d is larger than limit of %d", n, maxIntSize)
		}
		return n
	}
	return 0
}

func (l *layout) padding(pos int, opt byte, size int) int {
	if size == 0 || opt == 'c' {
		return 0
	}
	size = min(size, l.align)
	return (size - pos&(size-1)) & (size - 1)
}

func (l *layout) control(opt byte) {
	switch opt {
	case ' ':
	case '>':
		l.big = true
	case '<':
		l.big = false
	case '!':
		a := l.number(maxAlign)
		if a <= 0 || a&(a-1) != 0 {
			l.t.Errorf("alignment %d is not a power of 2", a)
		}
		l.align = a
	default:
		l.t.ArgError(1, "invalid format option '"+string([]byte{opt})+"'")
	}
}

func structPack(t *lua.Thread) int {
	l := layout{t: t, f: t.CheckString(1), align: 1}
	var out []byte
	meter := t.State().Meter()
	arg := 2
	for l.more() {
		opt := l.next()
		size := l.size(opt)
		pad := l.padding(len(out), opt, size)
		t.State().Work(1)
		meter.Need(len(out) + pad + min(size, maxIntSize))
		out = append(out, make([]byte, pad)...)
		switch opt {
		case 'b', 'B', 'h', 'H', 'l', 'L', 'T', 'i', 'I':
			out = appendInteger(out, l.number64(arg), size, l.big)
			arg++
		case 'x':
			out = append(out, 0)
		case 'f':
			n := math.Float32bits(float32(l.number64(arg)))
			if l.big {
				out = binary.BigEndian.AppendUint32(out, n)
			} else {
				out = binary.LittleEndian.AppendUint32(out, n)
			}
			arg++
		case 'd':
			n := math.Float64bits(l.number64(arg))
			if l.big {
				out = binary.BigEndian.AppendUint64(out, n)
			} else {
				out = binary.LittleEndian.AppendUint64(out, n)
			}
			arg++
		case 'c', 's':
			s := l.text(arg)
			arg++
			if size == 0 {
				size = len(s)
			}
			if len(s) < size {
				t.ArgError(arg, "string too short")
			}
			meter.Need(len(out) + size)
			t.State().Work(size >> 6)
			out = append(out, s[:size]...)
			if opt == 's' {
				out = append(out, 0)
			}
		default:
			l.control(opt)
		}
	}
	return t.Return(t.State().Bytes(out))
}

// appendInteger writes an integer of any size; beyond eight bytes there are zeros.
func appendInteger(out []byte, f float64, size int, big bool) []byte {
	var n uint64
	if f < 0 {
		n = uint64(lua.ToInt(f))
	} else if f < 1<<63 {
		n = uint64(f)
	} else if f < 1<<64 {
		n = uint64(f)
	}
	from := len(out)
	for i := 0; i < size; i++ {
		out = append(out, byte(n))
		n >>= 8
	}
	if big {
		b := out[from:]
		for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
			b[i], b[j] = b[j], b[i]
		}
	}
	return out
}

// number and text are arguments to pack. Behind the last there is a nil.
func (l *layout) number64(n int) float64 {
	if n > l.t.NArgs() {
		l.t.ArgError(n, "number expected, got nil")
	}
	return l.t.CheckNumber(n)
}

func (l *layout) text(n int) string {
	if n > l.t.NArgs() {
		l.t.ArgError(n, "string expected, got nil")
	}
	return l.t.CheckString(n)
}

func structUnpack(t *lua.Thread) int {
	l := layout{t: t, f: t.CheckString(1), align: 1}
	data := t.CheckString(2)
	pos := t.OptInt(3, 1)
	if pos < 1 {
		t.ArgError(3, "offset must be 1 or greater")
	}
	pos--
	var results []lua.Value
	for l.more() {
		opt := l.next()
		size := l.size(opt)
		t.State().Work(1)
		if pos <= len(data) {
			pos += l.padding(pos, opt, size)
		}
		if size > len(data) || pos > len(data)-size {
			t.ArgError(2, "data string too short")
		}
		if len(results) >= 7990 {
			t.Errorf("stack overflow (too many results)")
		}
		switch opt {
		case 'b', 'B', 'h', 'H', 'l', 'L', 'T', 'i', 'I':
			results = append(results, lua.Num(readInteger(data[pos:pos+size], l.big, opt >= 'a')))
		case 'x':
		case 'f':
			b := []byte(data[pos : pos+4])
			n := binary.LittleEndian.Uint32(b)
			if l.big {
				n = binary.BigEndian.Uint32(b)
			}
			results = append(results, lua.Num(float64(math.Float32frombits(n))))
		case 'd':
			b := []byte(data[pos : pos+8])
			n := binary.LittleEndian.Uint64(b)
			if l.big {
				n = binary.BigEndian.Uint64(b)
			}
			results = append(results, lua.Num(math.Float64frombits(n)))
		case 'c':
			if size == 0 {
				f, ok := 0.0, false
				if len(results) > 0 {
					f, ok = results[len(results)-1].AsNumber()
				}
				if !ok {
					t.Errorf("format 'c0' needs a previous size")
				}
				results = results[:len(results)-1]
				if f < 0 || f > float64(len(data)) || pos > len(data)-int(f) {
					t.ArgError(2, "data string too short")
				}
				size = int(f)
			}
			results = append(results, t.State().Str(strings.Clone(data[pos:pos+size])))
		case 's':
			n := strings.IndexByte(data[pos:], 0)
			if n < 0 {
				t.Errorf("unfinished string in data")
			}
			results = append(results, t.State().Str(strings.Clone(data[pos:pos+n])))
			size = n + 1
		default:
			l.control(opt)
		}
		pos += size
	}
	for _, v := range results {
		t.Push(v)
	}
	t.Push(lua.Int(pos + 1))
	return len(results) + 1
}

func readInteger(b string, big, signed bool) float64 {
	n := uint64(0)
	for i := range len(b) {
		c := b[i]
		if !big {
			c = b[len(b)-1-i]
		}
		n = n<<8 | uint64(c)
	}
	if !signed {
		return float64(n)
	}
	mask := uint64(math.MaxUint64) << (uint(len(b)*8-1) & 63)
	if n&mask != 0 {
		n |= mask
	}
	return float64(int64(n))
}

func structSize(t *lua.Thread) int {
	l := layout{t: t, f: t.CheckString(1), align: 1}
	pos := 0
	for l.more() {
		opt := l.next()
		size := l.size(opt)
		pos += l.padding(pos, opt, size)
		switch {
		case opt == 's':
			t.ArgError(1, "option 's' has no fixed size")
		case opt == 'c' && size == 0:
			t.ArgError(1, "option 'c0' has no fixed size")
		case !(opt >= 'a' && opt <= 'z' || opt >= 'A' && opt <= 'Z' || opt >= '0' && opt <= '9'):
			l.control(opt)
		}
		if pos > math.MaxInt64-size {
			t.Errorf("integral size overflow")
		}
		pos += size
	}
	return t.Return(lua.Int(pos))
}
