package script

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// matches reports whether the server's replies satisfy the expectation. Directives that loosen the comparison apply to
// each of the replies.
func (r *rules) matches(want, got []Reply) bool {
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if !r.match(want[i], got[i]) {
			return false
		}
	}
	return true
}

func (r *rules) match(want, got Reply) bool {
	if want.Kind.outcome() {
		return want.Kind == got.Kind
	}
	if want.Wild && want.Kind == AnyKind {
		return !got.Kind.outcome()
	}
	switch {
	case r.any:
		return want.Kind == got.Kind && want.Null == got.Null
	case r.errorPrefix && want.Kind == Error:
		return got.Kind == Error && firstWord(want.Text) == firstWord(got.Text)
	case r.regex != nil:
		return want.Kind == got.Kind && want.Null == got.Null && r.regex.MatchString(subject(got))
	}
	return r.equal(r.sorted(want, true), r.sorted(got, true))
}

// fold makes the two nulls of RESP2 one, which is what they are in RESP3.
func fold(replies []Reply) []Reply {
	out := slices.Clone(replies)
	for i := range out {
		if out[i].Kind == Array && out[i].Null {
			out[i].Kind = Bulk
		}
		out[i].Elems = fold(out[i].Elems)
		out[i].Attr = fold(out[i].Attr)
	}
	return out
}

// subject is the text that a regular expression is matched against.
func subject(r Reply) string {
	if r.Kind.aggregate() || r.Null {
		return r.String()
	}
	return r.Text
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return word
}

// equal compares two replies whose elements are in order.
func (r *rules) equal(want, got Reply) bool {
	if want.Wild {
		return want.Kind == AnyKind || want.Kind == got.Kind && !got.Null
	}
	if want.Kind != got.Kind || want.Null != got.Null || len(want.Elems) != len(got.Elems) || len(want.Attr) != len(got.Attr) {
		return false
	}
	if want.Text != got.Text && !r.isNear(want, got) {
		return false
	}
	for i := range want.Elems {
		if !r.equal(want.Elems[i], got.Elems[i]) {
			return false
		}
	}
	for i := range want.Attr {
		if !r.equal(want.Attr[i], got.Attr[i]) {
			return false
		}
	}
	return true
}

// isNear reports whether both are numbers, not further apart than allowed.
func (r *rules) isNear(want, got Reply) bool {
	if r.near == 0 || want.Kind == Error {
		return false
	}
	a, errA := strconv.ParseFloat(want.Text, 64)
	b, errB := strconv.ParseFloat(got.Text, 64)
	return errA == nil && errB == nil && math.Abs(a-b) <= r.near
}

// sorted returns the reply with its elements in a canonical order, as far as the directives take the order as free. The
// argument is not changed.
func (r *rules) sorted(reply Reply, top bool) Reply {
	if r.unordered == "" || len(reply.Elems) == 0 || !top && r.unordered != "deep" {
		return reply
	}
	elems := make([]Reply, len(reply.Elems))
	for i, e := range reply.Elems {
		elems[i] = r.sorted(e, false)
	}
	width := 1
	if reply.Kind == Map || r.unordered == "pairs" && len(elems)%2 == 0 {
		width = 2
	}
	type group struct {
		key   string // its notation, which is what it is ordered by
		elems []Reply
	}
	var groups []group
	for g := range slices.Chunk(elems, width) {
		var key strings.Builder
		for _, e := range g {
			key.WriteString(e.String())
			key.WriteByte('\n')
		}
		groups = append(groups, group{key.String(), g})
	}
	slices.SortStableFunc(groups, func(a, b group) int { return strings.Compare(a.key, b.key) })
	reply.Elems = make([]Reply, 0, len(elems))
	for _, g := range groups {
		reply.Elems = append(reply.Elems, g.elems...)
	}
	return reply
}

// settle is what a rewritten transcript says: the old expectation where it still holds, so that values that change with
// each run do not change the file, else what the oracle has answered.
func (r *rules) settle(old, got []Reply, vars map[string]string) []Reply {
	if len(old) > 0 && r.matches(concrete(old, vars), got) {
		return old
	}
	settled := make([]Reply, len(got))
	for i := range got {
		settled[i] = r.sorted(got[i], true)
		if r.any && !got[i].Null && !got[i].Kind.outcome() {
			settled[i] = Reply{Kind: got[i].Kind, Wild: true}
		} else if i < len(old) {
			settled[i] = graft(old[i], settled[i])
		}
	}
	return settled
}

// graft carries the wild cards of the old expectation over to where they still fit.
func graft(old, got Reply) Reply {
	if old.Wild && (old.Kind == AnyKind || old.Kind == got.Kind && !got.Null) {
		return old
	}
	if old.Kind != got.Kind || len(old.Elems) != len(got.Elems) {
		return got
	}
	elems := slices.Clone(got.Elems)
	for i := range elems {
		elems[i] = graft(old.Elems[i], elems[i])
	}
	got.Elems = elems
	return got
}

// at follows a path of indexes into a reply and returns the text of the scalar at its end.
func (r Reply) at(path []int) (string, error) {
	for _, i := range path {
		if i >= len(r.Elems) {
			return "", fmt.Errorf("let: no element %d in %s", i, r)
		}
		r = r.Elems[i]
	}
	if r.Kind.aggregate() || r.Null || r.Kind.outcome() {
		return "", fmt.Errorf("let: want a scalar, have %s", r)
	}
	return r.Text, nil
}

// concrete makes expectations that name variables comparable: ${NAME} in a scalar stands for the value kept under that
// name. Unknown names stay as they are.
func concrete(replies []Reply, vars map[string]string) []Reply {
	if len(vars) == 0 {
		return replies
	}
	out := slices.Clone(replies)
	for i := range out {
		out[i].Text = substitute(out[i].Text, vars)
		out[i].Elems = concrete(out[i].Elems, vars)
		out[i].Attr = concrete(out[i].Attr, vars)
	}
	return out
}

func substitute(s string, vars map[string]string) string {
	if !strings.Contains(s, "${") {
		return s
	}
	return variable.ReplaceAllStringFunc(s, func(m string) string {
		if v, ok := vars[m[2:len(m)-1]]; ok {
			return v
		}
		return m
	})
}
