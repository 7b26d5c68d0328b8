package fuzz

import (
	"bytes"
	"regexp"
)

// difference is one between the oracle and the level of compatibility that this project has, or a deliberate one.
type difference struct {
	name   *regexp.Regexp // full names of commands
	oracle *regexp.Regexp // its reply, as it is on the wire
	ours   *regexp.Regexp
	reason string
	level  infoLevel // infoAll: the expressions decide; otherwise what is left of XINFO's reply must be the same
}

func differs(name, oracle, ours, reason string) difference {
	return difference{regexp.MustCompile("^(" + name + ")$"), regexp.MustCompile("(?s)" + oracle), regexp.MustCompile("(?s)" + ours), reason, infoAll}
}

// differsInInfo is a difference in a part of XINFO's reply.
func differsInInfo(level infoLevel, reason string) difference {
	d := differs("xinfo(\\|.*)?", `^[*%]`, `^[*%]`, reason)
	d.level = level
	return d
}

// is reports whether d is the difference between two replies.
func (d *difference) is(name string, p pair) bool {
	if !d.name.MatchString(name) || !d.oracle.Match(p.oracle) || !d.ours.Match(p.ours) {
		return false
	}
	return d.level == infoAll || info(decode(p.oracle), d.level) == info(decode(p.ours), d.level)
}

// knownDifferences are all that need not be fixed.
var knownDifferences = []difference{
	differs("blmove|blpop|brpop|brpoplpush|blmpop|bzpopmin|bzpopmax|bzmpop", "^-ERR timeout is negative", "^-ERR timeout is out of range",
		"since 7.2 a timeout beyond the range of its type is out of range, before it wrapped around"),
	differs("lpos", ``, "^-ERR value is out of range, value must between -9223372036854775807",
		"since 7.2 RANK -9223372036854775808 is refused, before it overflowed"),
	differs("command\\|getkeys(andflags)?", `^-ERR Invalid number of arguments`, `^\*`,
		"since 7.2 ZRANK and ZREVRANK take one argument more"),
	differs("command\\|getkeysandflags", `^\*\d+\r\n\*2\r\n\$\d+\r\n[^\r]*\r\n[*~]2\r\n\+RW\r\n\+update`, `^\*\d+\r\n\*2\r\n\$\d+\r\n[^\r]*\r\n[*~]2\r\n\+OW\r\n\+update`,
		"since 7.4 SINTERSTORE says that it overwrites its destination"),
	differs("command\\|getkeys(andflags)?", `^\*`, `^-ERR Invalid arguments`,
		"a number of keys that is none is refused, Redis reads whatever digits it begins with"),
	differs("bitcount|bitpos", `^(:|-WRONGTYPE)`, `^-ERR (syntax error|value is not an integer)`,
		"since 7.2 arguments are looked at before the key is"),
	differs("object\\|refcount|object", `^:2\r`, `^:1\r`,
		"what a transaction has queued is not counted as a reference"),
	differs("object\\|refcount|object", `^:1\r`, `^:2147483647\r`,
		"small integers count as shared wherever they came from, a copy of one is not in Redis"),
	differs("object\\|encoding|object", `^\$9\r\nhashtable`, `^\$8\r\nlistpack`,
		"since 7.2 small sets are listpacks"),
	differs("object\\|encoding|object", `^\$(8\r\nlistpack|6\r\nintset)`, `^\$(8\r\n(skiplist|listpack)|9\r\nhashtable)`,
		"since 7.2 a new sorted set, set or hash gets its encoding from the number of members in the request, even if some come twice"),
	differs("object\\|encoding|object", `^\$3\r\nraw`, `^\$(3\r\nint|6\r\nembstr)`,
		"a SETBIT or BITFIELD that changes no bit does not change the encoding either"),
	differs("object\\|encoding|object", `^\$8\r\nskiplist`, `^\$8\r\nlistpack`,
		"SORT leaves a sorted set in its encoding, Redis makes it a skip list"),
	differs("sort|sort_ro", `^-ERR One or more scores`, `^[*:]`,
		"after a number that is too small, Redis may take the next one for too small as well: errno is not cleared"),
	differs("sort|sort_ro", `\x00`, `\x00`,
		"ALPHA compares all bytes, in Redis a NUL ends a text"),
	differs("object\\|encoding|object", `^\$9\r\nquicklist`, `^\$8\r\nlistpack`,
		"since 7.2 small lists are listpacks"),
	differs("xadd", "^-ERR Elements are too large", "^-ERR The ID specified in XADD is equal or smaller",
		"7.0 takes it for a lack of room that there is no sequence number left"),
	differs("xgroup\\|createconsumer|xgroup", "^:1\r", "^:0\r",
		"since 7.2 a consumer that has read or claimed nothing exists, too"),
	differsInInfo(infoWithout, "since 7.2 a consumer that has read or claimed nothing exists, too"),
	differsInInfo(infoLagless, "since 7.4 entries-read and lag take into account where entries were deleted and trimmed"),
	differsInInfo(infoNeither, "since 7.2 there are consumers that have read nothing, and lag has changed since 7.4"),
}

// known returns the reason why the replies to a request may differ, or "".
func known(name string, p pair) string {
	for i := range knownDifferences {
		if d := &knownDifferences[i]; d.is(name, p) {
			return d.reason
		}
	}
	return ""
}

// knownRaw is known for bytes that are no requests.
func knownRaw(input []byte, p pair) string {
	switch lower := bytes.ToLower(input); {
	case bytes.HasSuffix(p.ours, []byte("-ERR Protocol error: invalid CRLF in request\r\n")):
		return "a carriage return must be followed by a line feed, Redis skips whatever follows"
	case bytes.IndexByte(input, 0) >= 0 && bytes.HasPrefix(p.ours, p.oracle):
		return "a NUL in an inline request is an ordinary byte, Redis waits for the end of the line for ever"
	case len(p.oracle) == 0 && (bytes.Contains(lower, []byte("host:")) || bytes.Contains(lower, []byte("post"))):
		return "what stands before a line of HTTP is answered, Redis drops the replies that it has not sent"
	}
	return ""
}
