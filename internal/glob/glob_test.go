package glob

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/internal/oracle"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"a", "", false}, {"*", "", false}, {"**", "", false},
		{"*", "a", true}, {"***", "abc", true}, {"a*", "a", true}, {"a**", "a", true}, {"*a", "a", true},
		{"?", "a", true}, {"?", "ab", false}, {"a?c", "abc", true}, {"*?", "a", true}, {"?*?", "a", false},
		{"h?llo", "hello", true}, {"h*llo", "heeeello", true}, {"h*llo", "hllo", true}, {"h*llo", "hll", false},
		{"a*b*c", "a1b2b3c", true}, {"a*b*c", "a1b2b3", false}, {"*ab*", "aab", true}, {"*ab", "abab", true}, {"*aab*b", "aaabb", true},
		{"h[ae]llo", "hallo", true}, {"h[ae]llo", "hillo", false}, {"h[^e]llo", "hello", false}, {"h[^e]llo", "hallo", true},
		{"h[a-c]llo", "hbllo", true}, {"h[c-a]llo", "hbllo", true}, {"h[a-c]llo", "hdllo", false},
		{"[a-]", "a", true}, {"[a-]", "^", true}, {"[a-]", "-", false}, {"[a-]", "b", false}, // a range up to ']'
		{"[]", "a", false}, {"[^]", "a", true}, {"[]a]", "a]", false},
		{"[", "[", false}, {"[", "a", false}, {"[^", "a", true}, {"[a", "a", true}, {"[ab", "b", true}, {"[a-", "-", true},
		{`[\]]`, "]", true}, {`[\`, `\`, true}, {`[\\]`, `\`, true}, {`[\a-c]`, "b", false}, {`[\a-c]`, "-", true},
		{`\`, `\`, true}, {`a\`, `a\`, true}, {`\*`, "*", true}, {`\*`, "a", false}, {`\a`, "a", true}, {`*\`, `a\`, true}, {`*\*`, "a*", true},
		{"*[b", "ab", true}, {"*[b]*[c]", "abxc", true}, {"*\x00", "a\x00", true}, {"\xff*", "\xff\xfe", true},
	} {
		if Match([]byte(c.pattern), []byte(c.s), false) != c.want || MatchString(c.pattern, c.s, false) != c.want {
			t.Errorf("%q against %q: want %v", c.pattern, c.s, c.want)
		}
	}
}

func TestMatchIgnoringCase(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"AbC", "aBc", true}, {"*B*", "abc", true}, {"[A-C]", "b", true}, {"[a-c]", "B", true}, {"[aB]", "b", true},
		{`[\B]`, "b", false}, {`\B`, "b", true}, {"[Z-a]", "_", false}, {"@", "`", false}, {"\xc4", "\xe4", false},
	} {
		if MatchString(c.pattern, c.s, true) != c.want {
			t.Errorf("%q against %q: want %v", c.pattern, c.s, c.want)
		}
	}
}

// TestTime runs patterns that are exponential for a matcher that backtracks
// into every star, or overflow the stack of one that recurses.
func TestTime(t *testing.T) {
	long := strings.Repeat("a", 50000)
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{strings.Repeat("a*", 20) + "b", long, false},
		{strings.Repeat("a*", 20) + "b*", long, false},
		{strings.Repeat("*?", 50000), long, true},
		{strings.Repeat("*?", 50001), long, false},
		{strings.Repeat("[", 50000), long, false},
		{strings.Repeat("*", 50000) + "b", long, false},
		{strings.Repeat("*[a]", 25000) + "b", long, false},
		{"*" + strings.Repeat(`\`, 50000), long, false},
	} {
		start := time.Now()
		if MatchString(c.pattern, c.s, false) != c.want {
			t.Errorf("%.20q... : want %v", c.pattern, c.want)
		}
		if d := time.Since(start); d > time.Second {
			t.Errorf("%.20q... took %v", c.pattern, d)
		}
	}
}

func TestNoAllocation(t *testing.T) {
	pattern, s := "user:*:[a-z]?*", "user:1000:session"
	if n := testing.AllocsPerRun(100, func() {
		if !MatchString(pattern, s, true) || !IsLiteral(LiteralPrefix([]byte("ab*"))) {
			t.Fatal("no match")
		}
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func TestLiteral(t *testing.T) {
	for pattern, prefix := range map[string]string{
		"": "", "abc": "abc", "a*": "a", "*": "", "a?b": "a", "a[b": "a", `a\b`: "a", "a]b^-": "a]b^-",
	} {
		if got := LiteralPrefix([]byte(pattern)); string(got) != prefix {
			t.Errorf("%q: prefix %q, want %q", pattern, got, prefix)
		}
		if got := IsLiteral([]byte(pattern)); got != (pattern == prefix) {
			t.Errorf("%q: IsLiteral %v", pattern, got)
		}
	}
}

// reference says what the patterns mean, slowly: a star is tried at every
// length. budget bounds the steps; ok is false when it ran out.
func reference(p, s []byte, nocase bool, budget *int) (match, ok bool) {
	if *budget--; *budget < 0 {
		return false, false
	}
	switch {
	case len(p) == 0 || len(s) == 0:
		return len(s) == 0 && len(bytes.Trim(p, "*")) == 0, true
	case p[0] == '*':
		for i := 0; i <= len(s); i++ {
			if match, ok = reference(p[1:], s[i:], nocase, budget); match || !ok {
				return match, ok
			}
		}
		return false, true
	}
	rest, hit := p[1:], false
	eq := func(a, b byte) bool {
		return a == b || nocase && a|b < 0x80 && unicode.ToLower(rune(a)) == unicode.ToLower(rune(b))
	}
	switch p[0] {
	case '?':
		hit = true
	case '[':
		negate := bytes.HasPrefix(rest, []byte("^"))
		if negate {
			rest = rest[1:]
		}
		for len(rest) > 0 && rest[0] != ']' {
			n := 1
			if rest[0] == '\\' && len(rest) > 1 {
				n, hit = 2, hit || rest[1] == s[0]
			} else if len(rest) > 2 && rest[1] == '-' {
				n = 3
				lo, hi := min(rest[0], rest[2]), max(rest[0], rest[2])
				in := make([]byte, 0, 256)
				if nocase {
					lo, hi = lower(lo), lower(hi)
				}
				for c := int(lo); c <= int(hi); c++ {
					in = append(in, byte(c))
				}
				c := s[0]
				if nocase {
					c = lower(c)
				}
				hit = hit || bytes.IndexByte(in, c) >= 0
			} else {
				hit = hit || eq(rest[0], s[0])
			}
			rest = rest[n:]
		}
		rest = rest[min(1, len(rest)):]
		hit = hit != negate
	case '\\':
		if len(rest) > 0 {
			hit, rest = eq(rest[0], s[0]), rest[1:]
			break
		}
		hit = s[0] == '\\'
	default:
		hit = eq(p[0], s[0])
	}
	if !hit {
		return false, true
	}
	return reference(rest, s[1:], nocase, budget)
}

func compare(t *testing.T, pattern, s []byte, nocase bool) {
	t.Helper()
	budget := 20000
	want, ok := reference(pattern, s, nocase, &budget)
	if len(s) == 0 {
		want = len(pattern) == 0
	}
	got := Match(pattern, s, nocase)
	if ok && got != want {
		t.Fatalf("%q against %q, nocase %v: %v, want %v", pattern, s, nocase, got, want)
	}
	if got && !nocase && !bytes.HasPrefix(s, LiteralPrefix(pattern)) {
		t.Fatalf("%q matches %q, which lacks its literal prefix", pattern, s)
	}
	if IsLiteral(pattern) && !nocase && got != bytes.Equal(pattern, s) {
		t.Fatalf("%q is literal but not equality against %q", pattern, s)
	}
}

func text(r *rand.Rand, alphabet string, n int) []byte {
	b := make([]byte, r.IntN(n))
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return b
}

func TestAgainstReference(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 60000 {
		compare(t, text(r, "aabBc**?[]^-\\", 14), text(r, "abABc]^-\\", 10), r.IntN(2) == 0)
	}
}

func FuzzMatch(f *testing.F) {
	for _, p := range []string{"a*b?[c-d]", "[^", `\`, "*a*a*b", "[a-]*", `[\]]`} {
		f.Add([]byte(p), []byte("aab]cd"), true)
		f.Add([]byte(p), []byte(`\`), false)
	}
	f.Fuzz(func(t *testing.T, pattern, s []byte, nocase bool) {
		compare(t, pattern[:min(len(pattern), 64)], s[:min(len(s), 64)], nocase)
	})
}

// TestAgainstServer asks a real server which of many keys, and ignoring case
// which of its parameters, each pattern selects.
func TestAgainstServer(t *testing.T) {
	srv := oracle.Start(t)
	c := redis.NewClient(&redis.Options{Addr: srv.Addr(), Protocol: 2, DisableIdentity: true, PoolSize: 1})
	defer c.Close()
	ctx, r := t.Context(), rand.New(rand.NewPCG(5, 6))

	subjects := map[string]bool{"": true, `\`: true, "^": true, "-": true, "]": true, "[": true}
	for range 400 {
		subjects[string(text(r, "abcABC]^-\\[*?", 7))] = true
	}
	pairs := make([]any, 0, 2*len(subjects))
	for s := range subjects {
		pairs = append(pairs, s, "")
	}
	if err := c.MSet(ctx, pairs...).Err(); err != nil {
		t.Fatal(err)
	}
	params, err := c.ConfigGet(ctx, "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for name := range params {
		names[name] = true
	}

	const rounds, batch = 10, 200
	corners := []string{`[\M]axmemory*`, `[\m]axmemory*`, `\Maxmemory*`, "[Z-a]*", "[z-A]*", "max[^", "MA[x", "*[-L]*"}
	for range rounds {
		var keys, config []string
		pipe := c.Pipeline()
		var keyReply []*redis.StringSliceCmd
		var configReply []*redis.MapStringStringCmd
		for i := range batch {
			p := string(text(r, "aabBc**?[]^-\\", 9))
			if p == "*" { // KEYS does not ask the matcher
				p = "**"
			}
			keys, keyReply = append(keys, p), append(keyReply, pipe.Keys(ctx, p))
			p = "*" + string(text(r, "amnAMN-aeiLstT*?[]^-\\", 9)) + "*"
			if i < len(corners) {
				p = corners[i]
			}
			config, configReply = append(config, p), append(configReply, pipe.ConfigGet(ctx, p))
		}
		if _, err := pipe.Exec(ctx); err != nil {
			t.Fatal(err)
		}
		for i, p := range keys {
			same(t, p, subjects, keyReply[i].Val(), false)
		}
		for i, p := range config {
			var got []string
			for name := range configReply[i].Val() {
				got = append(got, name)
			}
			same(t, p, names, got, true)
		}
	}
}

func same(t *testing.T, pattern string, subjects map[string]bool, got []string, nocase bool) {
	t.Helper()
	var want []string
	for s := range subjects {
		if MatchString(pattern, s, nocase) {
			want = append(want, s)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q, nocase %v: the server selects %q, Match %q", pattern, nocase, got, want)
	}
}

func BenchmarkMatch(b *testing.B) {
	for _, c := range []struct{ name, pattern, s string }{
		{"prefix", "user:*", "user:1000:session"},
		{"middle", "*:1000:*", "user:1000:session"},
		{"suffix", "*session", "user:1000:session"},
		{"class", "user:[0-9]*:s?ssion", "user:1000:session"},
	} {
		pattern, s := []byte(c.pattern), []byte(c.s)
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if !Match(pattern, s, false) {
					b.Fatal("no match")
				}
			}
		})
	}
}
