// Package lualib is the libraries that Redis adds to the language: cjson, cmsgpack, struct, bit, the sequence of math.random, and
// os.clock. Their output is byte for byte that of Redis.
//
// A Libs belongs to one lua.State and shares nothing. What scripts can change in it (the options of cjson, the place in the random
// sequence) goes back to its beginning with Reset.
package lualib

import (
	"math"
	"time"

	"github.com/streampulse/pulse/server/scripting/lua"
)

// Libs is what the libraries of one state keep.
type Libs struct {
	json   jsonConfig
	random uint64 // 48 bits
	seeded bool   // by math.randomseed
	began  time.Duration
	now    func() time.Duration
}

// Open adds the libraries to a state. now is the processor or wall time that os.clock tells.
func Open(s *lua.State, now func() time.Duration) *Libs {
	l := &Libs{now: now}
	l.openJSON(s)
	openMsgpack(s)
	openStruct(s)
	openBit(s)
	l.openRandom(s)
	os := s.NewTable(0, 1)
	s.SetFuncs(os, map[string]lua.GoFunc{"clock": l.clock})
	s.Globals().SetStr("os", lua.Tab(os))
	l.Reset()
	return l
}

// Reset makes the libraries as they were opened.
func (l *Libs) Reset() {
	l.json = defaultJSON
	l.random, l.seeded = FirstRandom, false
}

// FirstRandom is where the random sequence of a server begins.
const FirstRandom = 0x1234ABCD330E

// SetRandom puts the random sequence at a place that Random told.
func (l *Libs) SetRandom(at uint64) { l.random = at }

// Random is the place in the random sequence, and whether a script chose it.
func (l *Libs) Random() (at uint64, seeded bool) { return l.random, l.seeded }

func (l *Libs) clock(t *lua.Thread) int { return t.Return(lua.Num(l.now().Seconds())) }

// The random sequence is that of the 48-bit linear congruential generator of POSIX, with Redis's seeds.

func (l *Libs) seed(n int32) { l.random = uint64(uint32(n))<<16 | 0x330E }

func (l *Libs) draw() int32 {
	l.random = (l.random*0x5DEECE66D + 0xB) & (1<<48 - 1)
	return int32(l.random >> 17)
}

func (l *Libs) openRandom(s *lua.State) {
	m := s.Globals().GetStr("math").AsTable()
	s.SetFuncs(m, map[string]lua.GoFunc{
		"randomseed": func(t *lua.Thread) int {
			l.seed(int32(t.CheckInt(1)))
			l.seeded = true
			return 0
		},
		"random": func(t *lua.Thread) int {
			r := float64(l.draw()%math.MaxInt32) / math.MaxInt32
			low, high := 1, 0
			switch t.NArgs() {
			case 0:
				return t.Return(lua.Num(r))
			case 1:
				if high = int(int32(t.CheckInt(1))); high < 1 {
					t.ArgError(1, "interval is empty")
				}
			case 2:
				low, high = int(int32(t.CheckInt(1))), int(int32(t.CheckInt(2)))
				if low > high {
					t.ArgError(2, "interval is empty")
				}
			default:
				t.Errorf("wrong number of arguments")
			}
			// The width of the interval is a 32-bit integer there.
			width := float64(int32(high - low + 1))
			return t.Return(lua.Num(math.Floor(r*width) + float64(low)))
		},
	})
}
