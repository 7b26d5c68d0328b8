package lua

import (
	"fmt"
	"strings"
	"testing"
)

func TestEndless(t *testing.T) {
	for _, row := range []struct {
		script  string
		endless bool
	}{
		{"return redis.call('GET', KEYS[1])", false},
		{"local x = tonumber(ARGV[1]) if x > 1 then return x else return -x end", false},
		{"for i = 1, 1000 do redis.call('INCR', KEYS[1]) end", false},
		{"for i = 10, 1, -1 do end", false},
		{"for i = 1, #ARGV, 2 do redis.call('SET', ARGV[i], ARGV[i + 1]) end", false},
		{"for _, k in ipairs(KEYS) do redis.call('DEL', k) end", false},
		{"local t = {} t.a = 1 t[1] = 2 return t", false},
		{"return cjson.encode(cjson.decode(ARGV[1]))", false},
		{"while true do end", true},
		{"repeat until false", true},
		{"for i = 1, 1e9 do end", true},
		{"for i = 1, 1e4 do for j = 1, 1e4 do end end", true},
		{"for i = 1, tonumber(ARGV[1]) do end", true},
		{"for i = 1, 10, 0 do end", true},
		{"for i = 1, #ARGV, 1e-9 do end", true},
		{"for i, v in ipairs(ARGV) do ARGV[i + 1] = v end", true},
		{"for i, v in ipairs(ARGV) do table.insert(ARGV, v) end", true},
		{"for w in string.gmatch(ARGV[1], '.') do end", true},
		{"for k in next, ARGV do end", true},
		{"local function f() return f() end f()", true},
		{"local f f = function() return f() end f()", true},
		{"return string.rep('x', 1e9)", true},
		{"return ('x'):rep(1e9)", true},
		{"return string.sub(ARGV[1], 1, 2)", false},
		{"return _G.string.rep('x', 1e9)", true},
		{"return string[ARGV[1]]('x', 1e9)", true},
		{"local s = string s['rep']('x', 1e9)", true},
		{"return loadstring(ARGV[1])()", true},

		// Lengths that grow while loops depend on them.
		{"for i = 1, 10 do for j = 1, #ARGV do end end", false},
		{"local s = ARGV[1] for i = 1, 10 do for j = 1, #s do end end", false},
		{"local s = 'x' for i = 1, 100 do for j = 1, #s do s = s .. 'x' end end", true},
		{"local t = {s = 'x'} for i = 1, 100 do for j = 1, #t.s do t.s = t.s .. 'x' end end", true},
		{"local t = {s = 'x'} for j = 1, #t.s do t.s = t.s .. 'x' end", false},

		// Tables that no loop goes over.
		{"local out = {} for i, v in ipairs(ARGV) do out[#out + 1] = v end return out", false},
		{"local out = {1} for i, v in ipairs(ARGV) do out[i] = v end return out, #out, out[1]", false},
		{"local out = {} for i, v in ipairs(ARGV) do out[i] = v end return cjson.encode(out)", true},
		{"local out = {1} for i, v in ipairs(out) do out[i + 1] = v end", true},
		{"local out = {1} local same = out for i, v in ipairs(same) do out[i + 1] = v end", true},
		{"local out = {1} local in_ = {out} for i, v in ipairs(in_[1]) do out[i + 1] = v end", true},
		{"local out = {1} for i = 1, 100 do for j = 1, #out do out[#out + 1] = 1 end end", true},
		{"local out = {1} out = ARGV for i, v in ipairs(ARGV) do out[i + 1] = v end", true},
		{"local out = ARGV for i, v in ipairs(ARGV) do out[i + 1] = v end", true},
		{"local function make() local t = {1} t[1] = 2 return t end local u = make() for i, v in ipairs(u) do u[i + 1] = v end", true},
		{"local t = {1} local function give() return t end for i, v in ipairs(give()) do t[i + 1] = v end", true},
		{"local out = {} for i, v in ipairs(ARGV) do out[1][i] = v end", true},
		{"local t = redis.call('LRANGE', KEYS[1], 0, -1) table.insert(t, 1, 'x') return t", false},
		{"local table = {insert = ARGV} table.insert(t, 1, 'x')", true},

		// Local functions that are only called.
		{"local function f(x) return x + 1 end return f(f(1))", false},
		{"local f = function(x) return x + 1 end return f(1)", false},
		{"local function f() end local function g() f() end for i, k in ipairs(KEYS) do g() end", false},
		{"local function f() while true do end end return 1", false},
		{"local function f() while true do end end return f()", true},
		{"local function f() for i = 1, 1000 do end end for i = 1, 1000 do f() end", false},
		{"local function f() for i = 1, 10000 do end end for i = 1, 1000 do f() end", true},
		{"local t = ARGV local function grow() t[#t + 1] = 1 end for i, v in ipairs(t) do grow() end", true},
		{"local t = ARGV local function grow() table.insert(t, 1) end for i, v in ipairs(t) do grow() end", true},
		{"local t = ARGV local function grow() table.insert(t, 1) end grow()", false},
		{"local f = function() return f() end return f()", false}, // the inner f is a global, which is nil
		{"local function f(n) if n > 0 then return f(n - 1) end end f(1e9)", true},
		{"local g local function f() return g() end g = f f()", true},
		{"local g local function f() return g() end g = function() return f() end f()", true},
		{"local function f() end f = function() return 1 end f()", true},
		{"local function f() return 1 end local h = f return h()", true},
		{"local function f() return 1 end return pcall(f)", true},
		{"local function f(g) return g(g) end return f(f)", true},
		{"local function f() return 1 end local t = {f} return t[1]()", true},
		{"local function f() return 1 end return f", true},
		{"local function f() local function g() while true do end end return g() end return f()", true},
		{"local function f() return function() while true do end end end f()()", true},
		{"local function f() return loadstring end f()('while true do end')()", true},
		{"local function f() local function f() return f() end return f() end f()", true},
		{"local function a() end local function b() a() a() end local function c() b() b() end c()", false},
		{"local function f() return 1 end function f() while true do end end f()", true},
		{"do local function f() return 1 end end return f()", false},
		{"local function f() return 1 end do local f = string.rep f('x', 1e9) end", true},
		{"local function outer() local function f() return 1 end return f() end local function f() while true do end end return outer()", false},
		{"local function f(...) return select('#', ...) end return f(1, 2)", false},
		{"repeat local function f() end until true", true},
		{"local t = {} function t.f() return t.f() end t.f()", true},
		{"local t = {f = function() return 1 end} t.f()", true},
		{"local function f() return 1 end return ('x'):gsub('x', f)", true},
		{"local next = ARGV[1] return next", false},
		{"local next = next for k in next, ARGV do end", true},
		{"local function f(rep) return rep end return f('x')", false},
		{"local function f(rep) return rep('x', 1e9) end return f(string.rep)", true},

		// Matches that never go back.
		{"return string.match(ARGV[1], '^(%d+) (%d+)$')", false},
		{"return string.find(ARGV[1], '^x')", false},
		{"return string.find(ARGV[1], '^x', 1)", true},
		{"return string.match(ARGV[1], '(%d+) (%d+)$')", true},
		{"return string.match(ARGV[1], ARGV[2])", true},
		{"local match = string.match return match(ARGV[1], '^x')", true},
		{"return ARGV[1]:match('^x')", true},
		{"return string.gsub(ARGV[1], '^x', 'y')", true},
		{"local string = {match = ARGV} return string.match(ARGV[1], '^x')", true},
	} {
		p, err := Compile(row.script, "@user_script")
		if err != nil {
			t.Fatalf("%s: %v", row.script, err)
		}
		if got := p.Endless(); got != row.endless {
			t.Errorf("%s: endless = %v", row.script, got)
		}
	}
}

// Thirty functions that call each other twice would run for ever, and must not take for ever to look at.
func TestEndlessOfManyCalls(t *testing.T) {
	for _, depth := range []int{3, 30} {
		var b strings.Builder
		b.WriteString("local function f0() return 1 end\n")
		for i := 1; i <= depth; i++ {
			fmt.Fprintf(&b, "local function f%d() f%d() return f%d() end\n", i, i-1, i-1)
		}
		fmt.Fprintf(&b, "f%d()\n", depth)
		p, err := Compile(b.String(), "@user_script")
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Endless(); got != (depth > 5) {
			t.Errorf("%d deep: endless = %v", depth, got)
		}
	}
	// Not deep, but often: 200 functions of which each calls the first 200 times.
	var b strings.Builder
	b.WriteString("local function f() return 1 end\n")
	for i := range 100 {
		fmt.Fprintf(&b, "local function g%d() %s end\n", i, strings.Repeat("f() ", 200))
	}
	for i := range 100 {
		fmt.Fprintf(&b, "g%d() ", i)
	}
	p, err := Compile(b.String(), "@user_script")
	if err != nil {
		t.Fatal(err)
	}
	if !p.Endless() {
		t.Error("20,000 calls are foreseen")
	}
}

func TestStraightPatterns(t *testing.T) {
	for _, row := range []struct {
		pattern string
		want    bool
	}{
		{"^x", true}, {"^$", true}, {"^(%d+) (%d+) (%d+) (%d+)$", true}, {"^(%d%d?%d?%d?)( %w+ .*)$", true}, {"^%d+ (%d+) ()", true},
		{"^.*", true}, {"^%s*$", true}, {"^%a+%d", true}, {"^%a-%d$", true}, {"^a*b+c", true}, {"^%d*%.%d*", true},
		{"", false}, {"x", false}, {"^", false}, {"%d+", false},
		{"^.*x", false}, {"^%d+%d", false}, {"^%d+ *%d", false}, {"^%w*%d*$", false}, {"^a?a?a?a?a?aaaaa", false}, {"^[a-z]+ ", false},
		{"^%b() ", false}, {"^%f[%a]x", false}, {"^(a)%1", false}, {"^%", false}, {"^a-a", false}, {"^%D*x", false},
	} {
		if got := straight(row.pattern); got != row.want {
			t.Errorf("%q: %v", row.pattern, got)
		}
	}
}

// What is straight is matched in steps that grow with the text and not with its square.
func TestStraightPatternsAreFast(t *testing.T) {
	for _, pattern := range []string{"^(%d+) (%d+) (%d+) (%d+)$", "^(%d%d?%d?%d?)( %w+ .*)$", "^%a-%d$", "^a*b+c", "^%d*%.%d*"} {
		if !straight(pattern) {
			t.Fatalf("%q is not straight", pattern)
		}
		for _, text := range []string{"1", "a", "a ", "1 ", "ab", "1."} {
			steps := func(n int) int { return matchSteps(strings.Repeat(text, n), pattern) }
			if few, more := steps(500), steps(5000); more > 11*few+1000 {
				t.Errorf("%q on %q: %d steps, %d on ten times the text", pattern, text, few, more)
			}
		}
	}
}

// matchSteps is how many steps it takes to match text against pattern.
func matchSteps(text, pattern string) int {
	const enough = 1 << 40
	s := open()
	s.steps = enough
	m := s.Main().newMatcher(text, pattern)
	m.match(0, 1) // behind the ^
	m.release()
	return enough - s.steps
}
