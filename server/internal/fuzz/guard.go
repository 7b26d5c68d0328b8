package fuzz

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/internal/num"
)

const (
	// minSeconds is the shortest time to live: long enough that nothing expires while a run lasts.
	minSeconds = 100_000
	// maxBlock is the longest time that a blocking command may wait, in seconds.
	maxBlock = 0.005
	// maxOffset bounds how far a string is extended, in bytes or bits.
	maxOffset = 100_000
	// maxDraws bounds how many members may be drawn with repetition.
	maxDraws = 500
)

// guard changes arguments that would make a request depend on the clock, wait for long, or need very much memory. It
// looks at all arguments alike, because mutations may have moved them.
func guard(s source, r *request, inMulti bool) {
	name := strings.ToUpper(r.args[0])
	for i := 1; i < len(r.args); i++ {
		n, err := strconv.ParseInt(r.args[i], 10, 64)
		if err != nil {
			n = 0
		}
		switch name {
		case "SCAN", "SSCAN", "HSCAN", "ZSCAN":
			// 7.0 reads cursors with strtoul, which wraps negative ones around, finds 0 in nothing and stops at a NUL.
			if (name == "SCAN") == (i == 1) && i <= 2 && (r.args[i] == "" || strings.ContainsAny(r.args[i], "-+\x00")) {
				r.args[i] = "0"
			}
		case "ZADD":
			// All scores of these keys are the same, see sameScoreKey.
			if i > 1 && i%2 == 0 && strings.HasPrefix(r.args[1], "y") {
				r.args[i] = "0"
			}
			// A listpack forgets the sign of zero. In 7.0 a new sorted set is one, however many members it will get.
			if f, err := strconv.ParseFloat(r.args[i], 64); err == nil && f == 0 && math.Signbit(f) && len(r.args) > 5 {
				r.args[i] = "0"
			}
		case "EXPIRE", "PEXPIRE", "SETEX", "PSETEX", "GETEX", "SET", "HEXPIRE", "HPEXPIRE", "HGETEX", "HSETEX", "MSETEX":
			if err == nil && i > 1 && n > 0 && n < minSeconds*1000 && isDeadline(r.args, i) {
				r.args[i] = s.soon()
			}
			// Newer than the oracle.
			if newer := []string{"IFEQ", "IFNE", "IFDEQ", "IFDNE"}; name == "SET" && i > 2 && containsFold(newer, r.args[i]) {
				r.args[i] = "GET"
			}
			// A string set with a deadline that has passed is still counted for a moment by the oracle.
			if past := int64(1e12); name == "SET" && err == nil && n > 0 {
				if strings.EqualFold(r.args[i-1], "PXAT") && n < 4*past {
					r.args[i] = strconv.FormatInt(4*past+n, 10)
				} else if strings.EqualFold(r.args[i-1], "EXAT") && n < 4*past/1000 {
					r.args[i] = strconv.FormatInt(4*past/1000+n%past, 10)
				}
			}
		case "BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP":
			first := name == "BLMPOP" || name == "BZMPOP"
			if !inMulti && first == (i == 1) && first != (i == len(r.args)-1) && waitsTooLong(r.args[i]) {
				r.args[i] = "0.001"
			}
		case "XREAD", "XREADGROUP":
			if strings.EqualFold(r.args[i-1], "BLOCK") && err == nil && (n == 0 && !inMulti || n > 5) {
				r.args[i] = "1"
			}
			if r.args[i] == "+" {
				r.args[i] = "$" // newer than the oracle
			}
		case "SETRANGE", "SETBIT", "BITFIELD", "BITFIELD_RO", "BITPOS", "BITCOUNT":
			digits := strings.TrimPrefix(r.args[i], "#")
			// 7.0 lets the product of # and a width wrap around, and saturates what is far too small to the maximum.
			if n, err := strconv.ParseInt(digits, 10, 64); err == nil && strings.HasPrefix(name, "BITFIELD") &&
				(n < math.MinInt64/2 || n > math.MaxInt64/64 && len(digits) < len(r.args[i])) {
				r.args[i] = "-1000"
			}
			if n, err := strconv.ParseInt(digits, 10, 64); err == nil && n > maxOffset && n < math.MaxInt64/64 {
				r.args[i] = "1000"
			}
		case "BITOP":
			// Newer than the oracle.
			if newer := []string{"DIFF", "DIFF1", "ANDOR", "ONE"}; i == 1 && containsFold(newer, r.args[i]) {
				r.args[i] = "XOR"
			}
		case "GEORADIUS", "GEORADIUSBYMEMBER", "GEOSEARCHSTORE":
			// One distance of some hundreds differs in its last bit.
			if strings.EqualFold(r.args[i], "STOREDIST") {
				r.args[i] = "STORE"
				if name == "GEOSEARCHSTORE" {
					r.args[i] = "ASC"
				}
			}
		case "SORT":
			// Elements that weigh the same are stored in whatever order they were found in.
			if strings.EqualFold(r.args[i], "BY") && containsFold(r.args, "STORE") {
				r.args[i] = "GET"
			}
		case "SRANDMEMBER", "HRANDFIELD", "ZRANDMEMBER":
			if err == nil && n < -maxDraws && n > math.MinInt64 {
				r.args[i] = "-7"
			}
		case "XADD", "XCLAIM", "XAUTOCLAIM", "XPENDING", "XSETID":
			guardStream(s, r.args, i, n, err == nil)
		}
	}
}

// soon is a time to live that is both far enough as milliseconds and in range as seconds.
func (s source) soon() string { return strconv.FormatInt(minSeconds*1000+s.Int64N(1e9), 10) }

// isDeadline: SET's value may be any number.
func isDeadline(args []string, i int) bool {
	switch strings.ToUpper(args[i-1]) {
	case "EX", "PX":
		return true
	}
	switch strings.ToUpper(args[0]) {
	case "SET", "GETEX", "HGETEX", "HSETEX", "MSETEX":
		return false
	}
	return i == 2
}

// endless makes a blocking request wait until it is served or woken up.
func endless(args []string) []string {
	switch args[0] {
	case "BLMPOP", "BZMPOP":
		args[1] = "0"
	case "XREAD", "XREADGROUP":
		return blockForEver(args)
	default:
		args[len(args)-1] = "0"
	}
	return args
}

func waitsTooLong(arg string) bool {
	f, ok := num.ParseFloat([]byte(arg))
	if !ok {
		return false
	}
	return f == 0 || f > maxBlock && f < math.MaxInt64/1000
}

// withFollowers adds the requests that make a random reply checkable: what SPOP left, what SRANDMEMBER drew from.
func withFollowers(r request) unit {
	if r.spec == nil || len(r.args) < 2 || r.spec.Group == commands.GroupGeneric {
		return unit{r}
	}
	key := r.args[1]
	switch r.rule {
	case rulePopped:
		return unit{r, {args: []string{"SMEMBERS", key}, rule: ruleRest}, plain("DEL", key)}
	case ruleDrawn:
		read := map[commands.Group][]string{
			commands.GroupSet:  {"SMEMBERS", key},
			commands.GroupHash: {"HGETALL", key},
			commands.GroupZSet: {"ZRANGE", key, "0", "-1", "WITHSCORES"},
		}[r.spec.Group]
		if read != nil {
			return unit{r, {args: read, rule: ruleDrawnFrom}}
		}
	}
	return unit{r}
}

func containsFold(words []string, w string) bool {
	return slices.ContainsFunc(words, func(x string) bool { return strings.EqualFold(x, w) })
}
