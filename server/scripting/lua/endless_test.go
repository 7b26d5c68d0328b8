package lua

import "testing"

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
