package fuzz

import "regexp"

// difference is one between the oracle and the level of compatibility that this project has, or a deliberate one.
type difference struct {
	name   *regexp.Regexp // full names of commands
	oracle *regexp.Regexp // its reply, as it is on the wire
	ours   *regexp.Regexp
	reason string
}

func differs(name, oracle, ours, reason string) difference {
	return difference{regexp.MustCompile("^(" + name + ")$"), regexp.MustCompile("(?s)" + oracle), regexp.MustCompile("(?s)" + ours), reason}
}

// knownDifferences are all that need not be fixed.
var knownDifferences = []difference{}

// known returns the reason why the replies to a request may differ, or "".
func known(name string, p pair) string {
	for i := range knownDifferences {
		d := &knownDifferences[i]
		if d.name.MatchString(name) && d.oracle.Match(p.oracle) && d.ours.Match(p.ours) {
			return d.reason
		}
	}
	return ""
}
