package fuzz

import (
	"slices"
	"strconv"
	"strings"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/internal/resp"
)

// idClock hands out ids for new entries of streams. All streams of an epoch share it, so that an id which it hands out is
// above all that a stream has, whichever it goes to, but for rare exceptions. Requests are drawn before they are sent:
// the ids are fixed by then, and no reply depends on the time of day.
type idClock struct {
	ms, seq uint64
	issued  []string // the latest ones
}

// maxIssued is how many ids are kept to be used again: about as many entries as the streams of an epoch have.
const maxIssued = 40

func (c *idClock) next(s source) string {
	if s.oneIn(2) {
		c.ms, c.seq = c.ms+1, uint64(s.IntN(3))
	} else {
		c.seq++
	}
	id := strconv.FormatUint(c.ms, 10) + "-" + strconv.FormatUint(c.seq, 10)
	if len(c.issued) == maxIssued {
		c.issued = slices.Delete(c.issued, 0, 1)
	}
	c.issued = append(c.issued, id)
	return id
}

var edgeIDs = []string{
	"0", "0-0", "0-1", "-", "+", "$", ">", "*", "(1-1", "abc", "", "1-abc", "1-*", "18446744073709551615-18446744073709551615",
	"18446744073709551615", "18446744073709551615-*", "18446744073709551616", "1-1-1", "-1", "(-", "(+", "1-18446744073709551615",
}

// newID is an id to add an entry with.
func (s source) newID() string {
	if s.ids == nil {
		return "5-*"
	}
	switch {
	case s.oneIn(200):
		return pick(s, edgeIDs)
	case s.oneIn(15):
		return s.entryID()
	case s.oneIn(6):
		id := s.ids.next(s)
		ms, _, _ := strings.Cut(id, "-")
		return ms + pick(s, []string{"-*", "-*", ""})
	}
	return s.ids.next(s)
}

// entryID is the id of an entry that there may be, or might have been.
func (s source) entryID() string {
	if s.ids == nil || len(s.ids.issued) == 0 || s.oneIn(40) {
		return pick(s, edgeIDs)
	}
	latest := s.ids.issued[len(s.ids.issued)-min(len(s.ids.issued), pick(s, []int{4, 12, maxIssued})):]
	id := pick(s, latest)
	if s.oneIn(8) {
		id, _, _ = strings.Cut(id, "-")
	}
	return id
}

// rangeID is an end of a range of ids.
func (s source) rangeID() string {
	switch s.IntN(8) {
	case 0, 1:
		return "-"
	case 2, 3:
		return "+"
	case 4:
		return "(" + s.entryID()
	case 5:
		return "0"
	}
	return s.entryID()
}

// readID is where to read a stream from.
func (s source) readID(group bool) string {
	switch s.IntN(10) {
	case 0:
		return pick(s, []string{"0", "0-0", "$", ">"})
	case 1, 2:
		return s.entryID()
	}
	if group {
		return ">"
	}
	return pick(s, []string{"0", "$", s.entryID()})
}

func (s source) groupName() string { return s.oneOf([]string{"nogroup", ""}, "g1", "g1", "g2") }

func (s source) consumerName() string { return s.oneOf([]string{"nobody", ""}, "c1", "c2", "c3") }

// oneOf is one of the usual words, rarely of the rare ones.
func (s source) oneOf(rare []string, usual ...string) string {
	if s.oneIn(20) {
		return pick(s, rare)
	}
	return pick(s, usual)
}

// minIdle tells new deliveries from old ones: what has been delivered during an epoch is idle for some seconds, and what
// has been given another time (see deliveryIdle and deliveryTime) for far longer than longAgo.
func (s source) minIdle() string {
	return pick(s, []string{"0", "0", "0", longAgo, longAgo, "-1", "1000000000000000", s.integer()})
}

const (
	longAgo      = "500000000"
	deliveryIdle = "1000000000" // longer than longAgo by as much
	deliveryTime = "1000000000000"
	// clockRange are the numbers that might, as idle times, be near to what they are compared with, in ms.
	clockRange = 1_000_000_000_000_000
)

func init() {
	for name, draw := range map[string]func(s source) string{
		"group":         source.groupName,
		"groupname":     source.groupName,
		"consumer":      source.consumerName,
		"consumername":  source.consumerName,
		"id":            func(s source) string { return s.entryID() },
		"last-id":       func(s source) string { return s.entryID() },
		"lastid":        func(s source) string { return s.entryID() },
		"min-idle-time": func(s source) string { return s.minIdle() },
		"ms":            func(s source) string { return deliveryIdle },
		"entries-added": func(s source) string { return strconv.Itoa(s.IntN(200)) },
		"entries-read":  func(s source) string { return s.index() },
		"threshold": func(s source) string {
			if s.oneIn(2) {
				return s.entryID()
			}
			return strconv.Itoa(s.IntN(15))
		},
		"max-deleted-id": func(s source) string { return s.entryID() },
	} {
		values[name] = func(s source, _ commands.Group) string { return draw(s) }
	}
}

// streamPrelude makes groups, without which most requests of an epoch about streams would be in vain.
func (g *generator) streamPrelude() (units []unit) {
	for i := range keysPerLetter {
		key := keyLetters[commands.GroupStream] + strconv.Itoa(i)
		for _, group := range []string{"g1", "g2"} {
			if g.oneIn(4) {
				continue
			}
			units = append(units, unit{plain("XGROUP", "CREATE", key, group, pick(g.source, []string{"0", "$"}), "MKSTREAM")})
			for range g.IntN(4) {
				units = append(units, unit{plain("XADD", key, g.ids.next(g.source), g.member(), g.member())})
			}
		}
	}
	return units
}

// streamArguments puts right what a grammar cannot say of a command of streams: as many ids as keys, LIMIT with ~ alone,
// an id that is new.
func streamArguments(s source, name string, args []string) []string {
	if s.oneIn(25) {
		return args
	}
	switch name {
	case "XADD":
		args = trimLimit(s, args)
		if i := idOfXadd(args); i < len(args) {
			args[i] = s.newID()
		}
	case "XTRIM":
		args = trimLimit(s, args)
		if len(args) > 3 {
			at := 3 + btoi(args[3] == "=" || args[3] == "~")
			if strings.EqualFold(args[2], "MAXLEN") && at < len(args) && !s.oneIn(10) {
				args[at] = strconv.Itoa(s.IntN(15))
			}
		}
	case "XREAD", "XREADGROUP":
		return readArguments(s, name, args)
	case "XSETID":
		if len(args) > 3 {
			args = append(args[:3], "ENTRIESADDED", strconv.Itoa(s.IntN(200)), "MAXDELETEDID", s.entryID())
		}
	}
	return args
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// trimLimit makes LIMIT follow ~, mostly.
func trimLimit(s source, args []string) []string {
	limit := slices.IndexFunc(args, func(a string) bool { return strings.EqualFold(a, "LIMIT") })
	by := slices.IndexFunc(args, func(a string) bool { return strings.EqualFold(a, "MAXLEN") || strings.EqualFold(a, "MINID") })
	if by < 0 || by+1 >= len(args) {
		return args
	}
	exact := args[by+1] == "="
	if approx := args[by+1] == "~"; limit > by && !approx {
		if exact {
			args[by+1] = "~"
		} else {
			args = slices.Insert(args, by+1, "~")
		}
	}
	if strings.EqualFold(args[by], "MAXLEN") {
		at := by + 1 + btoi(args[by+1] == "~" || args[by+1] == "=")
		if at < len(args) && !s.oneIn(10) {
			args[at] = strconv.Itoa(s.IntN(15))
		}
	}
	return args
}

// idOfXadd is where the id of the new entry stands.
func idOfXadd(args []string) int {
	for i := 2; i < len(args); i++ {
		switch strings.ToUpper(args[i]) {
		case "NOMKSTREAM":
		case "LIMIT":
			i++
		case "MAXLEN", "MINID":
			if i++; i < len(args) && (args[i] == "~" || args[i] == "=") {
				i++
			}
		default:
			return i
		}
	}
	return len(args)
}

// readArguments replaces the list of keys and ids by one that is balanced.
func readArguments(s source, name string, args []string) []string {
	at := streamsOf(args)
	if at < 0 {
		return args
	}
	for i := 2; i < at; i++ {
		if strings.EqualFold(args[i-1], "BLOCK") && !s.oneIn(8) {
			args[i] = "1"
		}
	}
	args = args[:at+1]
	keys := 1 + s.IntN(1+s.IntN(1+s.IntN(3)))
	for range keys {
		args = append(args, s.key(commands.GroupStream))
	}
	for range keys {
		args = append(args, s.readID(name == "XREADGROUP"))
	}
	return args
}

func streamsOf(args []string) int {
	return slices.IndexFunc(args, func(a string) bool { return strings.EqualFold(a, "STREAMS") })
}

// guardStream is guard for argument i of a command of streams, n being its value as a number, if it is one.
func guardStream(s source, args []string, i int, n int64, isInt bool) {
	clocked := isInt && n > 0 && n < clockRange
	switch name := strings.ToUpper(args[0]); name {
	case "XADD":
		if args[i] == "*" {
			args[i] = "5-*"
			if s.ids != nil {
				ms, _, _ := strings.Cut(s.ids.next(s), "-")
				args[i] = ms + "-*"
			}
		}
	case "XCLAIM", "XAUTOCLAIM":
		switch {
		case i == 4 && clocked:
			args[i] = longAgo
		case i > 4 && clocked && strings.EqualFold(args[i-1], "IDLE"):
			args[i] = deliveryIdle
		case i > 4 && clocked && strings.EqualFold(args[i-1], "TIME"):
			args[i] = deliveryTime
		}
	case "XPENDING":
		if clocked && strings.EqualFold(args[i-1], "IDLE") {
			args[i] = longAgo
		}
	case "XSETID":
		// Since 7.2 what was deleted counts too, and the state of the two would differ: the id is above all of it.
		if i == 2 && s.ids != nil && strings.ContainsAny(args[i], "0123456789") {
			args[i] = s.ids.next(s)
		}
	}
}

// inScript wraps a request of streams in a script, mostly with its keys declared.
func inScript(s source, args []string) []string {
	keys := []string{args[1]}
	switch strings.ToUpper(args[0]) {
	case "XGROUP", "XINFO":
		keys = nil
		if len(args) > 2 {
			keys = []string{args[2]}
		}
	case "XREAD", "XREADGROUP":
		at := streamsOf(args)
		keys = nil
		if at > 0 {
			keys = args[at+1 : at+1+(len(args)-at-1)/2]
		}
	}
	if s.oneIn(3) {
		keys = nil
	}
	out := []string{"EVAL", "return redis.call(unpack(ARGV))", strconv.Itoa(len(keys))}
	return append(append(out, keys...), args...)
}

// blockForEver makes a request to read streams wait until it is served or woken up. A stream that it names twice is left
// out: 7.0 serves it once then, since 7.2 it is read twice.
func blockForEver(args []string) []string {
	at := streamsOf(args)
	if n := (len(args) - at - 1) / 2; at > 0 && n > 1 {
		args = append(args[:at+2], args[at+1+n])
	}
	for i := 1; i+1 < at; i++ {
		if strings.EqualFold(args[i], "BLOCK") {
			args[i+1] = "0"
			return args
		}
	}
	if at < 0 {
		return args
	}
	return slices.Insert(args, at, "BLOCK", "0")
}

// isTrimming reports whether a request might trim a stream.
func isTrimming(args []string) bool {
	return slices.ContainsFunc(args, func(a string) bool { return strings.EqualFold(a, "MAXLEN") || strings.EqualFold(a, "MINID") })
}

// sameIdle compares replies to XPENDING: the third of four elements is an idle time.
func sameIdle(a, b resp.Value) bool {
	if a.Type != b.Type || a.Null != b.Null || len(a.Elems) != len(b.Elems) {
		return false
	}
	if len(a.Elems) == 0 {
		return same(a, b)
	}
	idle := len(a.Elems) == 4 && a.Elems[2].Type == ':'
	for i := range a.Elems {
		if idle && i == 2 {
			if d := a.Elems[i].Int - b.Elems[i].Int; b.Elems[i].Type != ':' || d < -idleTolerance || d > idleTolerance {
				return false
			}
		} else if !sameIdle(a.Elems[i], b.Elems[i]) {
			return false
		}
	}
	return true
}

// idleTolerance is how far idle times may be apart, in ms.
const idleTolerance = 60_000

// infoLevel is how much of a reply to XINFO is compared.
type infoLevel uint8

const (
	infoAll     infoLevel = iota
	infoWithout           // without the consumers that have nothing pending, and the number of consumers
	infoLagless           // without lag and entries-read
	infoNeither           // without all of these
)

// info is a notation of a reply to XINFO in which times are left out, and what the oracle does not tell.
func info(v resp.Value, level infoLevel) string {
	var b strings.Builder
	writeInfo(&b, v, level)
	return b.String()
}

func writeInfo(b *strings.Builder, v resp.Value, level infoLevel) {
	fields := infoFields(v)
	switch {
	case fields != nil && (level == infoWithout || level == infoNeither) && idleConsumer(fields):
	case fields != nil:
		b.WriteString("{")
		for i := 0; i < len(fields); i += 2 {
			name, value := string(fields[i].Str), fields[i+1]
			switch {
			case name == "idle" || name == "seen-time" || name == "inactive" || name == "active-time":
				continue
			case name == "consumers" && value.Type == ':' && (level == infoWithout || level == infoNeither):
				continue
			case (name == "lag" || name == "entries-read") && (level == infoLagless || level == infoNeither):
				continue
			}
			b.WriteString(name + " ")
			writeInfo(b, value, level)
		}
		b.WriteString("} ")
	case v.Type == '*' && !v.Null:
		b.WriteString("[")
		for _, e := range v.Elems {
			writeInfo(b, e, level)
		}
		b.WriteString("] ")
	case v.Null:
		b.WriteString("null ")
	case v.Type == ':' && v.Int > recent:
		b.WriteString("now ")
	default:
		b.WriteString(text(v) + " ")
	}
}

// recent is less than any time that a clock tells, and more than deliveryTime, in ms.
const recent = 1_500_000_000_000

// infoFields are the names and values of a part of XINFO's reply, in either protocol, or nil.
func infoFields(v resp.Value) []resp.Value {
	if n := len(v.Elems); n == 0 || n%2 != 0 || v.Type != '%' && v.Type != '*' {
		return nil
	}
	if first := string(v.Elems[0].Str); v.Elems[0].Type != '$' || first != "name" && first != "length" {
		return nil
	}
	return v.Elems
}

// idleConsumer reports whether the fields are those of a consumer that has nothing pending.
func idleConsumer(fields []resp.Value) bool {
	consumer, none := false, false
	for i := 0; i < len(fields); i += 2 {
		switch string(fields[i].Str) {
		case "idle", "seen-time":
			consumer = true
		case "pending", "pel-count":
			none = none || fields[i+1].Type == ':' && fields[i+1].Int == 0
		}
	}
	return consumer && none
}

// streamState are the requests that tell all about a stream, with their rules.
func streamState(add func(u rule, args ...string), key string) {
	add(ruleExact, "XRANGE", key, "-", "+")
	add(ruleExact, "XLEN", key)
	add(ruleInfo, "XINFO", "STREAM", key)
	add(ruleInfo, "XINFO", "STREAM", key, "FULL", "COUNT", "0")
	for _, g := range []string{"g1", "g2", ""} {
		add(ruleExact, "XPENDING", key, g)
		add(ruleIdle, "XPENDING", key, g, "-", "+", "1000")
	}
}
