package miniredis

import (
	"fmt"
	"strconv"
	"strings"
)

// DumpMaxLineLen is how long a line of Dump may be before it is shortened, in bytes.
var DumpMaxLineLen = 60

// dumpLimit is DumpMaxLineLen, or a variable that stands for it.
var dumpLimit = &DumpMaxLineLen

// DumpLimit makes limit what DumpMaxLineLen is, for packages that offer the variable under another name.
func DumpLimit(limit *int) { dumpLimit = limit }

// Dump shows the selected database to people: a line for each key, and indented lines for its value.
func (m *Miniredis) Dump() string {
	db := m.db()
	var b strings.Builder
	line := func(indent int, format string, args ...any) {
		s := strings.Repeat(" ", indent) + fmt.Sprintf(format, args...)
		b.WriteString(s + "\n")
	}
	for _, k := range db.Keys() {
		line(0, "- %s", k)
		switch kind := db.Type(k); kind {
		case "string", "hll":
			v, _ := db.Get(k)
			line(3, "%s", shown(v))
		case "hash":
			fields, _ := db.HKeys(k)
			for _, f := range fields {
				line(3, "%s: %s", f, shown(db.HGet(k, f)))
			}
		case "list":
			list, _ := db.List(k)
			for _, v := range list {
				line(3, "%s", shown(v))
			}
		case "set":
			members, _ := db.Members(k)
			for _, v := range members {
				line(3, "%s", shown(v))
			}
		case "zset":
			members, _ := db.ZMembers(k)
			set, _ := db.SortedSet(k)
			for _, v := range members {
				line(3, "%f: %s", set[v], shown(v))
			}
		case "stream":
			entries, _ := db.Stream(k)
			for _, e := range entries {
				line(3, "%s", e.ID)
				for i := 0; i+1 < len(e.Values); i += 2 {
					line(6, "%s: %s", shown(e.Values[i]), shown(e.Values[i+1]))
				}
			}
		}
	}
	return b.String()
}

// shown is a value in quotes, shortened if it is long.
func shown(v string) string {
	limit := max(*dumpLimit, 0)
	if len(v) <= limit {
		return strconv.Quote(v)
	}
	size := fmt.Sprintf("...(%d)", len(v))
	return strconv.Quote(v[:max(limit-len(size), 0)]) + size
}
