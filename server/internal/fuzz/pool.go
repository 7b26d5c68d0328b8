package fuzz

import (
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/streampulse/pulse/commands"
)

// source draws values. Its pools are small, so that requests meet each other's keys, fields and members.
type source struct {
	*rand.Rand
	narrow bool     // draw from very few values, but for rare ones
	ids    *idClock // of streams; may be nil
}

func (s source) oneIn(n int) bool { return s.IntN(n) == 0 }

func pick[T any](s source, from []T) T { return from[s.IntN(len(from))] }

// keyLetters is what the keys of a group begin with; each group mostly keeps to its own.
var keyLetters = map[commands.Group]string{
	commands.GroupString: "s", commands.GroupList: "l", commands.GroupHash: "h", commands.GroupSet: "t",
	commands.GroupZSet: "z", commands.GroupStream: "x", "geo": "g", "bitmap": "b", "hyperloglog": "p",
}

const allLetters = "slhtzxgbp"

// keysPerLetter is small: two requests of the same group should often meet.
const keysPerLetter = 4

func (s source) key(g commands.Group) string {
	letter := keyLetters[g]
	if letter == "" || s.oneIn(25) {
		letter = string(allLetters[s.IntN(len(allLetters))])
	}
	if s.oneIn(150) {
		return pick(s, []string{"", "nokey", "\x00\r\n\xff", strings.Repeat("k", 80)})
	}
	keys := keysPerLetter
	if s.narrow {
		keys /= 2
	}
	return letter + strconv.Itoa(s.IntN(keys))
}

var edgeInts = []string{
	"0", "1", "-1", "2147483647", "2147483648", "-2147483648", "-2147483649", "4294967296", "9223372036854775807",
	"9223372036854775808", "-9223372036854775808", "-9223372036854775807", "-9223372036854775809", "18446744073709551615",
	"abc", "", " 1", "1 ", "01", "+1", "-0", "1.0", "1e1", "0x10", "٣", "1\x00",
}

var edgeFloats = []string{
	"inf", "-inf", "+inf", "nan", "infinity", "1e308", "-1e308", "1e-308", "5e-324", "1e400", "0.1", "-0", "1.", ".5",
	"1e3", "3.0", "abc", "", " 1", "1 ", "0x1p3", "9007199254740993", "1.7976931348623157e308", "123456789012345680000",
	"0.30000000000000004", "1e21", "1e-7", "100000000000000000000",
}

func (s source) integer() string {
	if s.narrow && !s.oneIn(15) {
		return strconv.Itoa(s.IntN(6) - 1)
	}
	if s.oneIn(8) {
		return pick(s, edgeInts)
	}
	return strconv.Itoa(s.IntN(31) - 10)
}

// index is for positions, counts and ranks.
func (s source) index() string {
	if s.oneIn(12) {
		return pick(s, edgeInts)
	}
	return strconv.Itoa(s.IntN(14) - 4)
}

func (s source) float() string {
	if s.narrow && !s.oneIn(15) {
		return pick(s, []string{"0", "1", "2", "3", "1.5", "-1"})
	}
	switch s.IntN(12) {
	case 0:
		return pick(s, edgeFloats)
	case 1, 2, 3:
		return strconv.FormatFloat(float64(s.IntN(2000)-1000)/8, 'f', -1, 64)
	case 4:
		return strconv.FormatFloat(s.NormFloat64()*1000, 'g', -1, 64)
	default:
		return strconv.Itoa(s.IntN(21) - 5)
	}
}

// scoreBound is an end of a range of scores.
func (s source) scoreBound() string {
	switch s.IntN(8) {
	case 0:
		return pick(s, []string{"-inf", "+inf", "inf", "(inf", "(-inf", "(", "-", "+", "[1", "nan", "", "(abc"})
	case 1, 2:
		return "(" + s.float()
	default:
		return s.float()
	}
}

// lexBound is an end of a range of members.
func (s source) lexBound() string {
	switch s.IntN(8) {
	case 0, 1:
		return "-"
	case 2, 3:
		return "+"
	case 4:
		return pick(s, []string{"", "a", "(", "[", "+a", "-a", "((", "[\x00", "(\xff"})
	default:
		return pick(s, []string{"[", "("}) + s.member()
	}
}

// member is a field, member, element or value out of few.
func (s source) member() string {
	if s.narrow && !s.oneIn(25) {
		return pick(s, []string{"a", "b", "c", "ab", "1", "2", "3"})
	}
	switch s.IntN(20) {
	case 0:
		return s.rareText()
	case 1, 2, 3, 4:
		return strconv.Itoa(s.IntN(24) - 4)
	case 5:
		return pick(s, edgeInts)
	case 6:
		return pick(s, edgeFloats)
	case 7, 8, 9:
		return string(rune('a'+s.IntN(4))) + string(rune('a'+s.IntN(26)))
	default:
		return string(rune('a' + s.IntN(8)))
	}
}

func (s source) rareText() string {
	switch s.IntN(10) {
	case 0:
		return ""
	case 1:
		return "\x00\x01\xff"
	case 2:
		return "a\r\nb"
	case 3:
		return strings.Repeat("v", 63+s.IntN(4)) // around the longest entry of a listpack
	case 4:
		return strings.Repeat("w", 43+s.IntN(4)) // around the longest embstr
	case 5:
		return strings.Repeat("0123456789", 10)
	case 6:
		b := make([]byte, 1+s.IntN(30))
		for i := range b {
			b[i] = byte(s.Uint32())
		}
		return string(b)
	case 7:
		return strings.Repeat("big", 1700)
	case 8:
		return "ключ-ü"
	default:
		return strconv.FormatInt(int64(s.Uint64()), 10)
	}
}

// seconds are far away, far apart, in the past, or out of range: see guard.go.
func (s source) seconds(perSecond int64) string {
	if s.oneIn(6) {
		return pick(s, edgeInts)
	}
	if s.oneIn(8) {
		return strconv.FormatInt(-s.Int64N(1000)*perSecond, 10)
	}
	return strconv.FormatInt((minSeconds+s.Int64N(1e7))*perSecond, 10)
}

func (s source) unixTime(perSecond int64) string {
	switch s.IntN(8) {
	case 0:
		return pick(s, edgeInts)
	case 1:
		return strconv.FormatInt((1+s.Int64N(1e6))*perSecond, 10)
	default:
		return strconv.FormatInt((4e9+int64(s.IntN(6)))*perSecond, 10)
	}
}

var patterns = []string{
	"*", "*", "h*", "?0", "[a-c]*", "[^a]*", "s[0-1]", "\\*", "", "a*b*", "**", "[", "[a", "\\", "*1", "x?", "[z-a]*",
	"*\x00*",
}

func (s source) timeout() string {
	if s.oneIn(10) {
		return pick(s, []string{"-1", "abc", "", "inf", "nan", "1e300", "-0.1", "0x1", "1 "})
	}
	return pick(s, []string{"0.001", "0.002", "0.003"})
}

// values draws an argument by its name. Names that are not here get a member.
var values = map[string]func(s source, g commands.Group) string{
	"seconds":                func(s source, _ commands.Group) string { return s.seconds(1) },
	"milliseconds":           func(s source, _ commands.Group) string { return s.seconds(1000) },
	"unix-time-seconds":      func(s source, _ commands.Group) string { return s.unixTime(1) },
	"unix-time-milliseconds": func(s source, _ commands.Group) string { return s.unixTime(1000) },
	"timeout":                func(s source, _ commands.Group) string { return s.timeout() },
	"pattern":                func(s source, _ commands.Group) string { return pick(s, patterns) },
	"min":                    func(s source, _ commands.Group) string { return s.scoreBound() },
	"max":                    func(s source, _ commands.Group) string { return s.scoreBound() },
	"db":                     func(s source, _ commands.Group) string { return s.database() },
	"destination-db":         func(s source, _ commands.Group) string { return s.database() },
	"index1":                 func(s source, _ commands.Group) string { return s.database() },
	"index2":                 func(s source, _ commands.Group) string { return s.database() },
	"decrement":              func(s source, _ commands.Group) string { return s.integer() },
	"cursor": func(s source, _ commands.Group) string {
		if s.oneIn(8) {
			return pick(s, edgeInts)
		}
		return "0"
	},
	"type": func(s source, _ commands.Group) string {
		return pick(s, []string{"string", "list", "hash", "set", "zset", "stream", "ZSET", "foo", ""})
	},
	"increment": func(s source, _ commands.Group) string {
		if s.oneIn(3) {
			return s.float()
		}
		return s.integer()
	},
	"start": bound, "end": bound, "stop": bound,
	"bit":      func(s source, _ commands.Group) string { return pick(s, []string{"0", "1", "0", "1", "2", "-1", ""}) },
	"offset":   offset,
	"encoding": func(s source, _ commands.Group) string { return bitType(s) },
	"longitude": func(s source, _ commands.Group) string {
		return geoCoordinate(s, 180)
	},
	"latitude": func(s source, _ commands.Group) string {
		return geoCoordinate(s, 85)
	},
}

func init() {
	for _, name := range []string{"score", "weight", "radius", "width", "height"} {
		values[name] = func(s source, _ commands.Group) string { return s.float() }
	}
	for _, name := range []string{"index", "count", "rank", "len", "limit", "num-matches"} {
		values[name] = func(s source, _ commands.Group) string { return s.index() }
	}
	for _, name := range []string{"key", "key1", "key2", "newkey", "source", "destination", "src", "dst", "sourcekey", "destkey"} {
		values[name] = func(s source, g commands.Group) string { return s.key(g) }
	}
}

func bound(s source, g commands.Group) string {
	if g == commands.GroupStream {
		return s.rangeID()
	}
	return s.index()
}

// offset counts bits in a bitmap, mostly few, fields if it begins with #.
func offset(s source, g commands.Group) string {
	if g != commands.GroupBitmap {
		return s.index()
	}
	if s.oneIn(20) {
		return "#" + s.integer()
	}
	if s.oneIn(12) {
		return pick(s, edgeInts)
	}
	return pick(s, []string{"", "", "#"}) + strconv.Itoa(s.IntN(1+s.IntN(150)))
}

func bitType(s source) string {
	if s.oneIn(12) {
		return pick(s, []string{"u64", "u0", "i65", "i0", "x8", "u", "", "u-1", "u08"})
	}
	return pick(s, []string{"u", "i"}) + strconv.Itoa(1+s.IntN(63))
}

func geoCoordinate(s source, limit int) string {
	if s.oneIn(12) {
		return pick(s, edgeFloats)
	}
	return strconv.FormatFloat(float64(s.IntN(2000*limit)-1000*limit)/1000, 'f', -1, 64)
}

func (s source) database() string {
	if s.oneIn(10) {
		return pick(s, edgeInts)
	}
	return pick(s, []string{"0", "0", "1", "2", "9", "15", "16"})
}
