package commands

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestSortAgainstModel sorts random elements in all ways and windows and compares with a sort of all of them.
func TestSortAgainstModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for range 300 {
		h := newHarness(t)
		c := h.conn(2)
		n := rng.IntN(120)
		elems := make([]string, n)
		weights := map[string]string{}
		push := [][]byte{[]byte("RPUSH"), []byte("l")}
		for i := range elems {
			elems[i] = strconv.Itoa(rng.IntN(200) - 100)
			if rng.IntN(4) == 0 {
				elems[i] += ".5"
			}
			push = append(push, []byte(elems[i]))
			if rng.IntN(5) > 0 {
				weights[elems[i]] = strings.Repeat("1", rng.IntN(20)) + strconv.Itoa(rng.IntN(10))
			}
		}
		if n > 0 {
			h.run(c, push)
		}
		for e, w := range weights {
			h.do(c, "SET w_"+e+" "+w)
		}
		for range 10 {
			alpha, by, desc := rng.IntN(2) == 0, rng.IntN(2) == 0, rng.IntN(2) == 0
			offset, limit := rng.IntN(n+2), rng.IntN(10)
			if rng.IntN(3) == 0 {
				offset, limit = 0, -1
			}
			want := slices.Clone(elems)
			slices.SortStableFunc(want, func(x, y string) int {
				d := sortModel(x, y, alpha, by, weights)
				if desc {
					return -d
				}
				return d
			})
			if offset = min(offset, n); limit < 0 {
				limit = n
			}
			want = want[offset:min(n, offset+limit)]
			line := fmt.Sprintf("SORT l LIMIT %d %d", offset, limit)
			if alpha {
				line += " ALPHA"
			}
			if by {
				line += " BY w_*"
			}
			if desc {
				line += " DESC"
			}
			if got := h.do(c, line); got != sortReplyText(want) {
				t.Fatalf("%s of %q with %q = %q, want %q", line, elems, weights, got, want)
			}
		}
	}
}

// sortModel compares elements as SORT should.
func sortModel(x, y string, alpha, by bool, weights map[string]string) int {
	if alpha && by {
		wx, okx := weights[x]
		wy, oky := weights[y]
		if !okx || !oky {
			return cmp.Compare(strconv.FormatBool(okx), strconv.FormatBool(oky))
		}
		return cmp.Compare(wx, wy)
	}
	if alpha {
		return cmp.Compare(x, y)
	}
	score := func(s string) float64 {
		if by {
			s = cmp.Or(weights[s], "0")
		}
		f, _ := strconv.ParseFloat(s, 64)
		return f
	}
	return cmp.Or(cmp.Compare(score(x), score(y)), cmp.Compare(x, y))
}

func sortReplyText(elems []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(elems))
	for _, e := range elems {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(e), e)
	}
	return b.String()
}

// TestSortVectorForgetsText lets every element push another one out.
func TestSortVectorForgetsText(t *testing.T) {
	v := sortVector{most: 3, byText: true}
	pad := bytes.Repeat([]byte{'x'}, 100)
	for i := 20000; i > 0; i-- {
		text := fmt.Appendf(nil, "%08d", i)
		v.add(prefixKey(text), append(text, pad...), text, true)
		if len(v.text) > 64<<10 {
			t.Fatalf("%d bytes of text for %d items", len(v.text), len(v.items))
		}
	}
	v.sort()
	for i := range v.items {
		if got, want := string(v.byOf(&v.items[i])), fmt.Sprintf("%08d", i+1); got != want {
			t.Errorf("item %d is %s, want %s", i, got, want)
		}
	}
}

func TestScoreKey(t *testing.T) {
	for _, text := range []string{"-inf", "-1e300", "-2", "-1.5", "-1e-300", "0", "1e-300", "1", "2.5", "1e300", "inf"} {
		f, _ := sortScore([]byte(text))
		for _, other := range []string{"-inf", "-2", "-0", "0", "1", "1e300", "inf"} {
			g, _ := sortScore([]byte(other))
			if cmp.Compare(scoreKey(f), scoreKey(g)) != cmp.Compare(f, g) {
				t.Errorf("keys of %s and %s are in another order", text, other)
			}
		}
	}
}

func TestSortStrays(t *testing.T) {
	table := newHarness(t).table
	for _, c := range []struct {
		line  string
		keys  string
		whole bool
	}{
		{"SORT a", "a", true},
		{"SORT a STORE b", "a b", true},
		{"SORT a BY nosort GET # STORE b", "a b", true},
		{"SORT a BY w_* STORE b", "a b", false},
		{"SORT a GET x->*", "a", false},
		{"SORT a GET x", "a", true},
		{"SORT a STORE GET STORE *", "a *", true},
		{"SORT a STORE BY GET * STORE c", "a c", false},
		{"SORT a LIMIT BY GET STORE d", "a d", true},
		{"SORT_RO a BY *", "a", false},
		{"SORT_RO a BY x", "a", true},
		{"GET a", "a", true},
	} {
		var args [][]byte
		for _, w := range strings.Fields(c.line) {
			args = append(args, []byte(w))
		}
		pos, whole := table.Lookup(args[0]).Reach(args, nil)
		var keys []string
		for _, p := range pos {
			keys = append(keys, string(args[p.Pos]))
		}
		if got := strings.Join(keys, " "); got != c.keys || whole != c.whole {
			t.Errorf("%s reaches %s, whole %v", c.line, got, whole)
		}
	}
}

// TestSortInTransaction follows patterns inside EXEC, where all shards must be locked, too.
func TestSortInTransaction(t *testing.T) {
	h := newHarness(t)
	c := h.conn(2)
	for _, do := range []string{"RPUSH l 1 2", "MSET w_1 2 w_2 1", "HSET h_1 f one", "MULTI", "SORT l BY w_* GET h_*->f STORE d", "LRANGE d 0 -1"} {
		h.do(c, do)
	}
	if got, want := h.do(c, "EXEC"), "*2\r\n:2\r\n*2\r\n$0\r\n\r\n$3\r\none\r\n"; got != want {
		t.Errorf("EXEC = %q, want %q", got, want)
	}
}

func BenchmarkSort(b *testing.B) {
	h := newHarness(b)
	c := h.conn(2)
	rng := rand.New(rand.NewPCG(6, 6))
	push := [][]byte{[]byte("RPUSH"), []byte("l")}
	for range 100_000 {
		push = append(push, strconv.AppendInt(nil, rng.Int64N(1<<40), 10))
	}
	h.run(c, push)
	for _, line := range []string{"SORT l", "SORT l LIMIT 0 10", "SORT l ALPHA", "SORT l LIMIT 0 10 ALPHA DESC", "SORT l BY w_* LIMIT 0 10"} {
		b.Run(line, func(b *testing.B) {
			for b.Loop() {
				h.do(c, line)
			}
		})
	}
}
