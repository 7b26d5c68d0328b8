package fuzz

import (
	"bufio"
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/internal/resp"
)

// rule says how two replies are compared, besides being the same bytes.
type rule uint8

const (
	ruleExact     rule = iota
	ruleUnordered      // elements in any order; pairs in maps
	rulePairs          // a flat list of pairs in any order where it is not a map
	ruleFloats         // numbers may be printed in other ways: 7.0 prints 17 digits
	ruleSeconds        // integers may differ by two
	ruleMillis         // integers may differ by two thousand
	ruleScan           // cursors differ; all or nothing can be compared
	rulePopped         // random; what is left follows
	ruleRest           // together with the reply before the same
	ruleDrawn          // random; what it was drawn from follows
	ruleDrawnFrom      // contains the reply before
	ruleType           // only the type counts
	ruleIdle           // of XPENDING: idle times may differ
	ruleInfo           // of XINFO: times and what the oracle does not tell are left out
	ruleCount          // only the type and the number of elements count
)

// rules are those that do not follow from the row.
var rules = map[string]rule{
	"ttl": ruleSeconds, "expiretime": ruleSeconds, "object|idletime": ruleType,
	"pttl": ruleMillis, "pexpiretime": ruleMillis,
	"scan": ruleScan, "sscan": ruleScan, "hscan": ruleScan, "zscan": ruleScan,
	"spop": rulePopped, "srandmember": ruleDrawn, "hrandfield": ruleDrawn, "zrandmember": ruleDrawn,
	"xpending": ruleIdle, "xinfo|stream": ruleInfo, "xinfo|groups": ruleInfo, "xinfo|consumers": ruleInfo,
	"randomkey": ruleType, "hgetall": rulePairs, "sort": ruleUnordered, "sort_ro": ruleUnordered,
}

func ruleOf(s *commands.Spec, args []string) rule {
	if s == nil {
		return ruleExact
	}
	r, ok := rules[s.FullName()]
	option := func(name string) bool {
		return slices.ContainsFunc(args, func(a string) bool { return strings.EqualFold(a, name) })
	}
	switch {
	case r == ruleUnordered && !option("BY"):
		return ruleExact
	case r == ruleUnordered && option("LIMIT"):
		return ruleCount // a part of what comes in any order: the order of a table, or of elements that weigh the same
	case ok:
		return r
	case slices.Contains(s.Tips, "nondeterministic_output_order"):
		return ruleUnordered
	case s.Group == commands.GroupZSet, s.Group == "geo":
		return ruleFloats
	}
	return ruleExact
}

// pair is what the two servers answered, as bytes and, once somebody asked, decoded.
type pair struct{ oracle, ours []byte }

func decode(b []byte) resp.Value {
	v, err := resp.Decode(bufio.NewReader(bytes.NewReader(b)))
	if err != nil {
		return resp.Value{Type: 'x'}
	}
	return v
}

// compare reports whether two replies agree; before is the pair of the request before.
func compare(r *request, p, before pair) bool {
	switch r.rule {
	case rulePopped, ruleDrawn, ruleRest, ruleDrawnFrom:
	default:
		if bytes.Equal(p.oracle, p.ours) {
			return true
		}
	}
	return compareValues(r, decode(p.oracle), decode(p.ours), decode(before.oracle), decode(before.ours))
}

func compareValues(r *request, a, b, beforeA, beforeB resp.Value) bool {
	if isError(a) || isError(b) {
		return isError(a) && isError(b) && bytes.Equal(a.Str, b.Str)
	}
	switch r.rule {
	case ruleUnordered, rulePairs:
		return a.Type == b.Type && slices.Equal(sorted(a, r.rule == rulePairs), sorted(b, r.rule == rulePairs))
	case ruleFloats:
		return sameFloats(a, b)
	case ruleSeconds:
		return near(a, b, 2)
	case ruleMillis:
		return near(a, b, 2000)
	case ruleScan:
		return sameScan(r, a, b)
	case ruleIdle:
		return sameIdle(a, b)
	case ruleInfo:
		return info(a, infoAll) == info(b, infoAll)
	case ruleType:
		return a.Type == b.Type && a.Null == b.Null
	case rulePopped, ruleDrawn, ruleCount:
		return a.Type == b.Type && a.Null == b.Null && len(a.Elems) == len(b.Elems)
	case ruleRest:
		left, right := append(leaves(a), leaves(beforeA)...), append(leaves(b), leaves(beforeB)...)
		slices.Sort(left)
		slices.Sort(right)
		return slices.Equal(left, right)
	case ruleDrawnFrom:
		return contains(leaves(a), leaves(beforeA)) && contains(leaves(b), leaves(beforeB))
	}
	return same(a, b)
}

func isError(v resp.Value) bool { return v.Type == '-' || v.Type == '!' }

// same compares decoded replies, of elements of EXEC's, exactly.
func same(a, b resp.Value) bool { return text(a) == text(b) }

// text is a notation of a value by which values can be sorted and compared.
func text(v resp.Value) string {
	var b strings.Builder
	writeText(&b, v)
	return b.String()
}

func writeText(b *strings.Builder, v resp.Value) {
	b.WriteByte(v.Type)
	switch {
	case v.Null:
		b.WriteString("null")
	case v.Type == ':' || v.Type == '#':
		b.WriteString(strconv.FormatInt(v.Int, 10))
	case strings.IndexByte("*~%>", v.Type) >= 0:
		b.WriteString(strconv.Itoa(len(v.Elems)))
		for _, e := range v.Elems {
			b.WriteByte(' ')
			writeText(b, e)
		}
	default:
		b.WriteString(strconv.Quote(string(v.Str)))
	}
}

// sorted returns the elements in a canonical order.
func sorted(v resp.Value, flatPairs bool) []string {
	if len(v.Elems) == 0 {
		return []string{text(v)}
	}
	width := 1
	if v.Type == '%' || flatPairs && len(v.Elems)%2 == 0 {
		width = 2
	}
	var out []string
	for part := range slices.Chunk(v.Elems, width) {
		s := ""
		for _, e := range part {
			s += text(e) + " "
		}
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

// sameFloats compares values in which numbers may be printed with 17 digits or with as few as needed.
func sameFloats(a, b resp.Value) bool {
	if a.Type != b.Type || a.Null != b.Null || len(a.Elems) != len(b.Elems) {
		return false
	}
	if len(a.Elems) == 0 {
		return same(a, b) || sameNumber(string(a.Str), string(b.Str))
	}
	for i := range a.Elems {
		if !sameFloats(a.Elems[i], b.Elems[i]) {
			return false
		}
	}
	return true
}

// sameNumber reports whether long is %.17g of the number that short is.
func sameNumber(long, short string) bool {
	x, errX := strconv.ParseFloat(long, 64)
	y, errY := strconv.ParseFloat(short, 64)
	return errX == nil && errY == nil && len(short) <= len(long)+4 && math.Float64bits(x) == math.Float64bits(y)
}

func near(a, b resp.Value, tolerance int64) bool {
	if a.Type != ':' || b.Type != ':' || a.Int < 0 || b.Int < 0 {
		return same(a, b)
	}
	d := a.Int - b.Int
	return -tolerance <= d && d <= tolerance
}

// sameScan compares scans. From cursor 0 to cursor 0 both must have found the same; otherwise the order of tables shows.
func sameScan(r *request, a, b resp.Value) bool {
	if len(a.Elems) != 2 || len(b.Elems) != 2 || a.Type != b.Type {
		return false
	}
	cursor := 2
	if strings.EqualFold(r.args[0], "SCAN") {
		cursor = 1
	}
	whole := len(r.args) > cursor && r.args[cursor] == "0" && string(a.Elems[0].Str) == "0" && string(b.Elems[0].Str) == "0"
	if !whole {
		return a.Elems[1].Type == b.Elems[1].Type
	}
	left, right := a.Elems[1], b.Elems[1]
	pairs := !strings.EqualFold(r.args[0], "SCAN") && !strings.EqualFold(r.args[0], "SSCAN")
	if strings.EqualFold(r.args[0], "ZSCAN") {
		shortFloats(left)
		shortFloats(right)
	}
	return slices.Equal(sorted(left, pairs), sorted(right, pairs))
}

// shortFloats prints the scores in a list of members and scores with as few digits as needed.
func shortFloats(v resp.Value) {
	for i := 1; i < len(v.Elems); i += 2 {
		if f, err := strconv.ParseFloat(string(v.Elems[i].Str), 64); err == nil {
			v.Elems[i].Str = strconv.AppendFloat(nil, f, 'g', -1, 64)
		}
	}
}

// leaves are the scalars of a value, in order.
func leaves(v resp.Value) []string {
	if v.Null || isError(v) {
		return nil
	}
	if strings.IndexByte("*~%>", v.Type) < 0 {
		return []string{string(v.Str)}
	}
	var out []string
	for _, e := range v.Elems {
		out = append(out, leaves(e)...)
	}
	return out
}

func contains(all, some []string) bool {
	have := map[string]bool{}
	for _, s := range all {
		have[s] = true
	}
	for _, s := range some {
		if !have[s] {
			return false
		}
	}
	return true
}

// readReply reads the bytes of one reply and appends them to dst.
func readReply(r *bufio.Reader, dst []byte) ([]byte, error) {
	for left := 1; left > 0; left-- {
		line, err := r.ReadSlice('\n')
		dst = append(dst, line...)
		if err == bufio.ErrBufferFull {
			// Only texts are that long, and their first byte has been seen.
			for err == bufio.ErrBufferFull {
				line, err = r.ReadSlice('\n')
				dst = append(dst, line...)
			}
			line = nil
		}
		if err != nil {
			return dst, err
		}
		if len(line) < 3 {
			continue
		}
		n, err := strconv.Atoi(string(line[1 : len(line)-2]))
		if err != nil {
			continue
		}
		switch line[0] {
		case '*', '~', '>':
			left += max(n, 0)
		case '%':
			left += 2 * max(n, 0)
		case '|':
			left += 2*max(n, 0) + 1
		case '$', '!', '=':
			if n < 0 {
				continue
			}
			at := len(dst)
			dst = slices.Grow(dst, n+2)[:at+n+2]
			if err := readFull(r, dst[at:]); err != nil {
				return dst, err
			}
		}
	}
	return dst, nil
}

func readFull(r *bufio.Reader, b []byte) error {
	for len(b) > 0 {
		n, err := r.Read(b)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}
