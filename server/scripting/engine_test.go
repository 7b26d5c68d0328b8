package scripting

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func eval(t testing.TB, e *Engine, src string, r *Run) string {
	t.Helper()
	if r.Caller == nil {
		r.Caller = newWorld()
	}
	if r.Proto == 0 {
		r.Proto = 2
	}
	s, err := e.Load([]byte(src), false)
	if err != nil {
		return "-" + err.Error() + "\r\n"
	}
	return string(e.Eval(s, r, nil))
}

// TestNothingIsShared runs pairs of scripts in one interpreter: what the first tries to leave behind, the second must not see.
func TestNothingIsShared(t *testing.T) {
	for _, c := range []struct{ first, then, want string }{
		{"x = 1", "return x", "-ERR user_script:1: Script attempted to access nonexistent global variable 'x'"},
		{"rawset(_G, 'x', 1)", "return rawget(_G, 'x')", "$-1"},
		{"setmetatable(_G, nil)", "return x", "-ERR user_script:1: Script attempted"},
		{"getmetatable(_G).__index = function() return 5 end", "return x", "-ERR user_script:1: Script attempted"},
		{"string.rep = nil", "return string.rep('x', 2)", "$2\r\nxx"},
		{"getmetatable('').__index = {}", "return ('x'):rep(2)", "$2\r\nxx"},
		{"getmetatable('').__add = function() return 1 end", "return 'a' + 'b'", "-ERR user_script:1: attempt to perform arithmetic"},
		{"setmetatable(getmetatable(''), {__index = function() end})", "return ('x').y", "$-1"},
		{"redis.call = function() return 'evil' end", "return redis.call('ping')", "+PONG"},
		{"table.insert(redis, 1)", "return #redis", ":0"},
		{"table.sort(redis) cjson.encode = 1", "return cjson.encode(1)", "$1\r\n1"},
		{"cjson.encode_max_depth(1) cjson.encode_sparse_array(true)", "return cjson.encode({{}})", "$4\r\n[{}]"},
		{"redis.setresp(3)", "return {double=1.5, map=1}", "$3\r\n1.5"},
		{"redis.setresp(3)", "return redis.call('get', 'nope')", "$-1"},
		{"KEYS = nil", "return #KEYS", ":0"},
		{"rawset(KEYS, 1, 'z')", "return #KEYS", ":0"},
		{"setmetatable(KEYS, {__index = function() return 5 end}) KEYS.x = 1", "return {tostring(KEYS.x), tostring(KEYS[1])}", "*2\r\n$3\r\nnil\r\n$3\r\nnil"},
		{"for i = 1, 1000 do ARGV[i] = {} end", "return {#ARGV, tostring(next(ARGV))}", "*2\r\n:0\r\n$3\r\nnil"},
		{"math.randomseed(1)", "return math.random(1000000)", ":396465"},
		{"coroutine.wrap(function() coroutine.yield() end)()", "return coroutine.running()", "$-1"},
		{"local t = {} for i = 1, 100000 do t[i] = i end return unpack(t, 1, 7000)", "return 1", ":1"},
		{"debug.sethook()", "return 1", ":1"},
		{"getfenv(0).x = 1", "return x", "-ERR user_script:1: Script attempted"},
		{"pcall(error, setmetatable({}, {__index = _G}))", "return 1", ":1"},
		{"load(function() return nil end)() loadstring('x = 1')()", "return rawget(_G, 'x')", "$-1"},
	} {
		e := New(Options{})
		eval(t, e, c.first, &Run{})
		if got := eval(t, e, c.then, &Run{}); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s, then %s\n got  %q\n want %q", c.first, c.then, got, c.want)
		}
	}
}

// TestSandbox tries the ways out that servers of this kind have had.
func TestSandbox(t *testing.T) {
	for _, src := range []string{
		"return os.execute('id')", "return io.open('/etc/passwd')", "return dofile('/etc/passwd')", "return loadfile('/etc/passwd')",
		"return require('os')", "return package.loadlib('libc.so.6', 'system')", "print('x')", "return debug.getregistry()",
		"return newproxy(true)", "return setfenv(1, {})", "return getfenv(redis.call)", "return module('x')",
		"return os.getenv('HOME')", "return string.dump(redis.call)", "return coroutine.wrap(redis.call)('ping')",
		"string.format = nil", "redis.x = 1", "server.x = 1", "_G.x = 1", "math.pi = 3", "setmetatable(redis, {})", "setmetatable(_G, {})",
		"rawset(string, 'x', 1)", "table.insert(table, 1)", "table.remove(cjson, 1) table.insert(bit, 1)",
		"return loadstring('\\27Lua\\0\\0')()", "return loadstring(string.dump(function() end))",
		"local n = 0 return load(function() n = n + 1 return n == 1 and '\\27Lua' or nil end)()", "return redis.call('eval', 'return 1', 0)",
		"return unpack({}, 1, 2^31 - 1)", "return unpack({}, -2^31, 2^31 - 1)", "return {unpack({}, 2^40, 2^40 + 8000)}",
		"return string.rep('x', 2^40)", "return ('x'):rep(-1):rep(2^62)x", "return struct.pack('i2147483647', 1)",
		"return struct.unpack('c2147483647', 'x')", "return struct.unpack('Lc0', '\\255\\255\\255\\255\\255\\255\\255\\127x')",
		"return cmsgpack.unpack('\\221\\255\\255\\255\\255')", "return cmsgpack.unpack(string.rep('\\145', 100000))",
		"return cjson.decode(string.rep('[', 100000))", "return bit.tohex(1, -2147483648) + {}",
		"return string.format('%99.99f', 1e308) + {}", "return string.format('%100d', 1)", "error(error)",
		"return " + strings.Repeat("(", 10000) + "1" + strings.Repeat(")", 10000), "return " + strings.Repeat("{", 10000),
		strings.Repeat("do ", 10000), "return " + strings.Repeat("- ", 10000) + "1x", "return " + strings.Repeat("not ", 100000) + "1",
		"return a" + strings.Repeat(".b", 100000), "return 1" + strings.Repeat("..1", 10000), "local x = 1" + strings.Repeat("+1", 100000) + " x",
		"local function f() return pcall(f) end return f() .. {}", "local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k] end return t.x",
		"return string.find(string.rep('a', 300000), string.rep('a?', 300000))",
		"local t = setmetatable({}, {__tostring = function() error('x') end}) return tostring(t)",
		"local a = {} a[1] = a return cjson.encode(a)", "local co co = coroutine.wrap(function() co() end) co()",
		"local f = function() end for i = 1, 300 do local g = f f = function() return pcall(g) end end f() error('x')",
		"local function f() return coroutine.wrap(f)() end f()",
	} {
		e := New(Options{Quota: 64 << 20})
		r := &Run{}
		hang := time.AfterFunc(hangs, func() { r.Kill(ErrKilled) })
		got := eval(t, e, src, r)
		if !hang.Stop() {
			t.Errorf("%.60s hangs", src)
		}
		if !strings.HasPrefix(got, "-ERR") || strings.Contains(got, "internal error") || strings.Count(got, "\r\n") != 1 {
			if src == "return coroutine.wrap(redis.call)('ping')" || strings.HasPrefix(src, "return unpack({}, -2^31") {
				continue
			}
			t.Errorf("%.60s: %.200q", src, got)
		}
		if got := eval(t, e, "return redis.call('ping')", &Run{}); got != "+PONG\r\n" {
			t.Errorf("after %.60s: %q", src, got)
		}
	}
}

// TestErrorsAreOneLine has scripts try to write a second reply.
func TestErrorsAreOneLine(t *testing.T) {
	e := New(Options{})
	for _, src := range []string{
		`return redis.error_reply("x\r\n+OK\r\n")`, `return {err="a\0b\r\n"}`, `return {ok="\r\n$5"}`, `error("x\r\n:1")`, `error({err="x y\n\n"})`,
		`return redis.status_reply("a\rb\nc")`, `redis.call("no\r\n+OK")`, `return loadstring("\r\n=")() + {}`,
	} {
		got := eval(t, e, src, &Run{})
		if n := strings.Count(got, "\n"); n != 1 || strings.Count(got, "\r") != 1 || !strings.HasSuffix(got, "\r\n") {
			t.Errorf("%s: %q", src, got)
		}
	}
}

// hangs is how long a script may take that takes milliseconds on a quiet machine.
const hangs = time.Minute

// signalling is a world in which something happens when a script calls a command: then it has begun.
type signalling struct {
	*world
	called func()
}

func (w *signalling) Call(args [][]byte, proto int) []byte {
	w.called()
	return w.world.Call(args, proto)
}

func TestKill(t *testing.T) {
	e := New(Options{})
	w := &signalling{world: newWorld()}
	r := &Run{Caller: w}
	w.called = func() { time.AfterFunc(5*time.Millisecond, func() { r.Kill(ErrKilled) }) }
	src := "local n = 0\nredis.call('ping') while true do pcall(function() while true do n = n + 1 end end) end"
	unkilled := time.AfterFunc(hangs, func() { panic("the script goes on though it was killed") })
	got := eval(t, e, src, r)
	unkilled.Stop()
	if want := "-ERR Script killed by user with SCRIPT KILL... script: " + SHA1(src) + ", on @user_script:2.\r\n"; got != want {
		t.Errorf("got %q want %q", got, want)
	}
	if got := eval(t, e, "return 1", &Run{}); got != ":1\r\n" {
		t.Errorf("afterwards %q", got)
	}
	early := &Run{}
	early.Kill(ErrKilled)
	if got := eval(t, e, "while true do end", early); !strings.HasPrefix(got, "-ERR Script killed") {
		t.Errorf("killed before it began: %q", got)
	}
}

func TestQuotaEndsTheScriptOnly(t *testing.T) {
	e := New(Options{Quota: 4 << 20})
	for _, src := range []string{
		"local s = 'x' while true do s = s .. s end", "local t = {} while true do t[#t+1] = redis.call('echo', 'abc') end",
		"return cjson.decode('[' .. string.rep('[],', 100000) .. '1]')", "return string.rep('x', 1e8)",
		"local t = {} for i = 1, 1e7 do t[i] = {} end", "error(string.rep('x', 1e8))", "local s = string.rep('x', 1e6) return string.gsub('x', 'x', {x = s}) .. string.gsub(s, '.+', string.rep('%0', 1e4))",
		"local s = string.rep('x', 1e6) local t = {} for i = 1, 7000 do t[i] = s end return struct.pack(string.rep('s', 7000), unpack(t))",
		"local s = string.rep('x', 1e6) local t = {} for i = 1, 7000 do t[i] = s end return string.format(string.rep('%s', 7000), unpack(t))",
		"local s = string.rep('x', 1e6) local t = {} for i = 1, 7000 do t[i] = s end return cjson.encode(t)",
		"local s = string.rep('x', 1e6) local t = {} for i = 1, 7000 do t[i] = s end return cmsgpack.pack(t)",
		"local s = string.rep('x', 1e6) return load(function() return s end)",
		"local s = string.rep('x', 1e6) local t = {} for i = 1, 7000 do t[i] = s end return t",
		"local t = {1} for i = 1, 40 do t = {t, t} end return t",
		"local i = 0 while true do i = i + 1 KEYS[i] = {} end", "ARGV.x = 'x' while true do ARGV.x = ARGV.x .. ARGV.x end",
		"local t = {} while true do t[#t+1] = cmsgpack.unpack(string.rep('\\192', 10) .. '') or {} t[#t+1] = cmsgpack.pack(string.rep('x', 1000)) end",
	} {
		if got := eval(t, e, src, &Run{}); !strings.Contains(got, "not enough memory") {
			t.Errorf("%s: %.100q", src, got)
		}
		if got := eval(t, e, "return 1", &Run{}); got != ":1\r\n" {
			t.Errorf("afterwards %q", got)
		}
	}
}

func TestParallel(t *testing.T) {
	e := New(Options{})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				want := fmt.Sprintf(":%d\r\n", g*1000+i)
				r := &Run{Args: [][]byte{fmt.Append(nil, g*1000+i)}}
				if got := eval(t, e, "local t = {} for i = 1, 20 do t[i] = ARGV[1] end return tonumber(t[20])", r); got != want {
					t.Errorf("%q %q", got, want)
				}
			}
		})
	}
	wg.Wait()
}

func TestCache(t *testing.T) {
	e := New(Options{EvalCache: 3})
	kept, _ := e.Load([]byte("return 'kept'"), true)
	for i := range 10 {
		if _, err := e.Load(fmt.Append(nil, "return ", i), false); err != nil {
			t.Fatal(err)
		}
	}
	if n, _ := e.Scripts(); n != 4 {
		t.Errorf("%d scripts", n)
	}
	if e.Get([]byte(strings.ToUpper(kept.SHA))) != kept || e.Get([]byte(SHA1("return 0"))) != nil || e.Get([]byte(SHA1("return 9"))) == nil {
		t.Error("the wrong ones were forgotten")
	}
	e.Flush()
	if n, bytes := e.Scripts(); n != 0 || bytes != 0 {
		t.Error(n, bytes)
	}
}

// positions knows some commands as the server would.
func positions(command string, argc int) (places []int, all, ok bool) {
	switch command {
	case "get", "set", "incr", "zadd", "hset", "expire", "zremrangebyscore", "zcard":
		return []int{1}, false, true
	case "rpoplpush":
		return []int{1, 2}, false, true
	case "del", "mget":
		for i := 1; i < argc; i++ {
			places = append(places, i)
		}
		return places, true, true
	case "ping", "time":
		return nil, false, true
	}
	return nil, false, false
}

func TestKeysOnly(t *testing.T) {
	e := New(Options{Keys: positions})
	for _, c := range []struct {
		src      string
		want     bool
		commands string
	}{
		{"return redis.call('GET', KEYS[1])", true, "get"},
		{"if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end", true, "del,get"},
		{"local k = KEYS[1] local n = redis.call('incr', k) if n == 1 then redis.call('expire', k, ARGV[1]) end return n", true, "expire,incr"},
		{"local call = redis.call return call('get', KEYS[1])", true, "get"},
		{"for i, k in ipairs(KEYS) do redis.pcall('del', k) end", true, "del"},
		{"return redis.call('del', unpack(KEYS))", true, "del"},
		{"return redis.call('set', KEYS[1], unpack(ARGV))", true, "set"},
		{"return redis.call('mget', KEYS[1], KEYS[2])", true, "mget"},
		{"return redis.call('time')", true, "time"},
		{"for i = 1, #KEYS do redis.call('incr', KEYS[i]) end return redis.status_reply('OK')", true, "incr"},
		{"local function f(v) redis.call('set', KEYS[1], v) end f(1)", true, "set"},
		{"return server.call('get', KEYS[1])", true, "get"},

		{"local function f(k) return redis.call('get', k) end return f(KEYS[1])", true, "get"},
		{"local function f(k, v) redis.call('set', k, v) end f(KEYS[1], 1) f(KEYS[2], ARGV[1])", true, "set"},
		{"local f = function(k) return redis.call('get', k) end local k = KEYS[1] return f(k)", true, "get"},
		{"local function f(k) return redis.call('get', k) end local function g(k) return f(k) end for i, k in ipairs(KEYS) do g(k) end", true, "get"},
		{"local function f(k, n) if n > 0 then return f(k, n - 1) end return redis.call('get', k) end return f(KEYS[1], 3)", true, "get"},
		{"local function f(k) return redis.call('get', k) end return 1", true, "get"},
		{"local k = KEYS[1] do local k = KEYS[2] redis.call('get', k) end", true, "get"},
		{"local dead = KEYS[1] local function bury(dead, e) redis.call('set', dead, e) end bury(dead, 1)", true, "set"},

		{"local function f(k) return redis.call('get', k) end return f(ARGV[1])", false, "get"},
		{"local function f(k) return redis.call('get', k) end f(KEYS[1]) f('x')", false, "get"},
		{"local function f(k) return redis.call('get', k) end f(KEYS[1] .. 'x')", false, "get"},
		{"local function f(k) return redis.call('get', k) end f(KEYS[1]) return pcall(f, 'x')", false, "get"},
		{"local function f(k) return redis.call('get', k) end f(KEYS[1]) local g = f g('x')", false, "get"},
		{"local function f(k) return redis.call('get', k) end f(KEYS[1]) return {f}", false, "get"},
		{"local function f(k) k = 'x' return redis.call('get', k) end f(KEYS[1])", false, "get"},
		{"local function f(k) local function g() k = 'x' end g() return redis.call('get', k) end f(KEYS[1])", false, "get"},
		{"local function f(a, k) return redis.call('get', k) end f(KEYS[1], 'x')", false, "get"},
		{"local function f(a, k) return redis.call('get', k) end f(KEYS[1])", false, "get"},
		{"local function f(a, k) return redis.call('get', k) end f(unpack(KEYS))", false, "get"},
		{"local function f(k) return redis.call('get', k) end f(unpack(ARGV))", false, "get"},
		{"local function f(k, n) if n > 0 then return f('x', n - 1) end return redis.call('get', k) end return f(KEYS[1], 3)", false, "get"},
		{"local function f(a, b) if a then return f(b, a) end return redis.call('get', b) end return f(KEYS[1], 'x')", false, "get"},
		{"local function f(k) return redis.call('get', k) end local function g(k) return f(k) end g(KEYS[1]) g('x')", false, "get"},
		{"local function f(k) return redis.call('get', k) end f = function(k) return f('x') end f(KEYS[1])", false, "get"},
		{"local k = KEYS[1] local function f() k = 'x' end f() return redis.call('get', k)", false, "get"},
		{"local function f(...) return redis.call('get', arg) end f(KEYS[1])", false, "get"},
		{"local function f(...) return redis.call('get', ...) end f(KEYS[1])", false, "get"},
		{"local k = KEYS[1] repeat local k = 'x' until redis.call('get', k)", false, "get"},
		{"do local k = KEYS[1] end return redis.call('get', k)", false, "get"},
		{"local k = k, KEYS[1] return redis.call('get', k)", false, "get"},
		{"for k = 1, 2 do redis.call('get', k) end local k = KEYS[1]", false, "get"},
		{"local t = {} function t:f(k) return redis.call('get', k) end t:f(KEYS[1])", false, "get"},

		{"return redis.call('get', ARGV[1])", false, "get"},
		{"return redis.call('get', 'x')", false, "get"},
		{"return redis.call('get', KEYS[1] .. ':x')", false, "get"},
		{"return redis.call(ARGV[1], KEYS[1])", false, ""},
		{"return redis.call('eval', 'x', 0)", false, "eval"},
		{"return redis.call('del', unpack(ARGV))", false, "del"},
		{"return redis.call('get', unpack(ARGV))", false, "get"},
		{"return redis.call('mget', KEYS[1], ARGV[1])", false, "mget"},
		{"return redis.call('mget', ARGV[1], unpack(KEYS))", false, "mget"},
		{"KEYS[1] = 'x' return redis.call('get', KEYS[1])", false, "get"},
		{"local k = KEYS[1] k = 'x' return redis.call('get', k)", false, "get"},
		{"local k = KEYS[1] do local k = 'x' redis.call('get', k) end", false, "get"},
		{"local t = KEYS t[1] = 'x' return redis.call('get', KEYS[1])", false, "get"},
		{"table.insert(KEYS, 1, 'x') return redis.call('get', KEYS[1])", false, "get"},
		{"local KEYS = {'x'} return redis.call('get', KEYS[1])", false, "get"},
		{"local function f(KEYS) return redis.call('get', KEYS[1]) end return f({'x'})", false, "get"},
		{"local r = redis return r.call('get', 'x')", false, ""},
		{"return _G.redis.call('get', 'x')", false, ""},
		{"return pcall(redis.call, 'get', 'x')", false, ""},
		{"return redis[ARGV[1]]('get', 'x')", false, ""},
		{"loadstring('redis.call(\"get\", \"x\")')()", false, ""},
		{"local call = redis.call call = print call('get', KEYS[1])", false, ""},
		{"local call = redis.call return pcall(call, 'get', 'x')", false, ""},
		{"local function ipairs() end for _, k in ipairs(KEYS) do redis.call('get', k) end", false, "get"},
		{"local a, b = KEYS[1], 'x' redis.call('rpoplpush', a, b)", false, "rpoplpush"},
		{"for k in pairs({x = 1}) do redis.call('get', k) end", false, "get"},
		{"for k in ipairs(KEYS) do redis.call('get', k) end", false, "get"},
		{"return (redis).call('get', 'x')", false, ""},
		{"local f = (redis.call) return f('get', 'x')", false, ""},
		{"local t = {redis.call} return t[1]('get', 'x')", false, ""},
		{"local k = KEYS[1] local function f(k) return redis.call('get', k) end return f('x')", false, "get"},
		{"setmetatable(KEYS, {__index = function() return 'x' end}) return redis.call('get', KEYS[9])", false, "get"},
		{"for i, k in ipairs(KEYS) do k = 'x' redis.call('get', k) end", false, "get"},
		{"rawset(KEYS, 1, 'x') return redis.call('get', KEYS[1])", false, "get"},
		{"KEYS[1], KEYS[2] = 'x', 'y' return redis.call('get', KEYS[1])", false, "get"},
		{"function KEYS.f() end return redis.call('get', KEYS[1])", false, "get"},
	} {
		s, err := e.Load([]byte(c.src), true)
		if err != nil {
			t.Fatal(c.src, err)
		}
		if s.KeysOnly != c.want || strings.Join(s.Commands, ",") != c.commands {
			t.Errorf("%s\n got %v %v", c.src, s.KeysOnly, s.Commands)
		}
	}
}

func TestFunctions(t *testing.T) {
	e := New(Options{Version: "7.0.15", VersionNum: 7<<16 | 15})
	for _, c := range []struct{ code, want string }{
		{"#!lua name=a", "ERR Invalid library metadata"},
		{"return 1", "ERR Missing library metadata"},
		{"#!lua name=a\nreturn 1", "ERR No functions registered"},
		{"#!lua name=a\nredis.call('get','x')", "ERR Error registering functions: ERR user_function:2: Script attempted to access nonexistent global variable 'call'"},
		{"#!lua name=a\nredis.register_function('f', function() return 1 end)", ""},
		{"#!lua name=b\nredis.register_function('f', function() return 1 end)", "ERR Function f already exists"},
		{"#!lua name=a\nredis.register_function('f', function() return 1 end)", "ERR Library 'a' already exists"},
		{"#!lua name=c\nredis.register_function('f-g', function() return 1 end)", "ERR Error registering functions: ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long"},
		{"#!lua name=c\nredis.register_function('g')", "ERR Error registering functions: ERR calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments)."},
		{"#!lua name=c\nredis.register_function(1,2)", "ERR Error registering functions: ERR second argument to redis.register_function must be a function"},
		{"#!lua name=c\nredis.register_function({},function() end)", "ERR Error registering functions: ERR first argument to redis.register_function must be a string"},
		{"#!lua name=c\nredis.register_function{function_name='g'}", "ERR Error registering functions: ERR redis.register_function must get a callback argument"},
		{"#!lua name=c\nredis.register_function{callback=function() end}", "ERR Error registering functions: ERR redis.register_function must get a function name argument"},
		{"#!lua name=c\nredis.register_function{function_name='g', callback=function() end, flags={'nope'}}", "ERR Error registering functions: ERR unknown flag given"},
		{"#!lua name=c\nredis.register_function{function_name='g', callback=function() end, flags=1}", "ERR Error registering functions: ERR flags argument to redis.register_function must be a table representing function flags"},
		{"#!lua name=c\nredis.register_function{function_name='g', callback=function() end, bla=1}", "ERR Error registering functions: ERR unknown argument given to redis.register_function"},
		{"#!lua name=c\nredis.register_function{function_name='g', callback=1}", "ERR Error registering functions: ERR callback argument given to redis.register_function must be a function"},
		{"#!lua name=c\nredis.register_function{description={}, callback=function() end}", "ERR Error registering functions: ERR description argument given to redis.register_function must be a string"},
		{"#!lua name=c\nredis.register_function('g',function() end) redis.register_function('g',function() end)", "ERR Error registering functions: ERR Function already exists in the library"},
		{"#!lua name=c\nredis.register_function()", "ERR Error registering functions: ERR wrong number of arguments to redis.register_function"},
		{"#!lua name=c\nx=1", "ERR Error registering functions: ERR user_function:2: Attempt to modify a readonly table"},
		{"#!lua name=c\nlocal a = ", "ERR Error compiling function: user_function:2: unexpected symbol near '<eof>'"},
		{"#!lua name=c\nreturn cjson.encode({})", "ERR Error registering functions: ERR user_function:2: Script attempted to access nonexistent global variable 'cjson'"},
		{"#!lua name=c b=c\nreturn 1", "ERR Invalid metadata value given: b=c"},
		{"#!lua name=a-b\nreturn 1", "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long"},
		{"#!lua name=a name=b\nreturn 1", "ERR Invalid metadata value, name argument was given multiple times"},
		{"#!foo name=a\nreturn 1", "ERR Engine 'foo' not found"},
		{"#!lua\nreturn 1", "ERR Library name was not given"},
		{"#!lua name=loop\nwhile true do end", "ERR Error registering functions: ERR FUNCTION LOAD timeout"},
		{"#!lua name=e\nlocal n = 0\nlocal function add(k) return k[1] .. '!' end\nredis.register_function('e1', function(k,a) error('boo') end)\n" +
			"redis.register_function('e2', function(k,a) return redis.call('nope') end)\nredis.register_function('e4', function(k,a) return {add(k),a[1]} end)\n" +
			"redis.register_function{function_name='e7', callback=function() x=1 end, flags={'no-writes','allow-oom'}, description='text'}\n" +
			"redis.register_function('e8', function() return KEYS end)\nredis.register_function('e9', function() redis.call('ping') while true do end end)", ""},
	} {
		_, err := e.LoadLibrary([]byte(c.code), false)
		if got := fmt.Sprint(err); got != c.want && !(err == nil && c.want == "") {
			t.Errorf("%s\n got  %s\n want %s", c.code, got, c.want)
		}
	}
	for name, want := range map[string]string{
		"e1": "-ERR user_function:4: boo script: e1, on @user_function:4.\r\n",
		"e2": "-ERR Unknown Redis command called from script script: e2, on @user_function:5.\r\n",
		"e4": "*2\r\n$2\r\nk!\r\n$1\r\na\r\n",
		"e7": "-ERR user_function:7: Attempt to modify a readonly table script: e7, on @user_function:7.\r\n",
		"e8": "-ERR user_function:8: Script attempted to access nonexistent global variable 'KEYS' script: e8, on @user_function:8.\r\n",
		"e9": "-ERR Script killed by user with SCRIPT KILL... script: e9, on @user_function:9.\r\n",
		"f":  ":1\r\n",
	} {
		for range 2 {
			w := &signalling{world: newWorld(), called: func() {}}
			r := &Run{Caller: w, Keys: [][]byte{[]byte("k")}, Args: [][]byte{[]byte("a")}, Proto: 2}
			if name == "e9" {
				w.called = func() { time.AfterFunc(5*time.Millisecond, func() { r.Kill(ErrKilled) }) }
			}
			if got := string(e.Call(e.Function([]byte(name)), r, nil)); got != want {
				t.Errorf("%s\n got  %q\n want %q", name, got, want)
			}
		}
	}
	if f := e.Function([]byte("e7")); f.Flags != NoWrites|AllowOOM || f.Description != "text" || f.Library() != "e" || !slices.Equal(f.Flags.Names(), []string{"no-writes", "allow-oom"}) {
		t.Errorf("%+v", f)
	}
	var codes []string
	for _, l := range e.Libraries() {
		codes = append(codes, l.Code)
	}
	other := New(Options{})
	if err := other.RestoreLibraries(codes, RestoreAppend); err != nil || len(other.Libraries()) != 2 {
		t.Error(err)
	}
	if err := other.RestoreLibraries(append(codes[1:], codes[0], "x"), RestoreReplace); err == nil || len(other.Libraries()) != 2 {
		t.Error("a bad library among good ones")
	}
	if err := other.RestoreLibraries(codes[:1], RestoreFlush); err != nil || len(other.Libraries()) != 1 || other.Function([]byte("e1")) != nil {
		t.Error(err)
	}
	if e.DeleteLibrary("nope") == nil || e.DeleteLibrary("a") != nil || e.Function([]byte("f")) != nil {
		t.Error("delete")
	}
	e.FlushLibraries()
	if len(e.Libraries()) != 0 {
		t.Error("flush")
	}
}

// still is a Caller that answers at once.
type still struct {
	world
	reply []byte
}

func (s *still) Call([][]byte, int) []byte { return s.reply }

func bench(b *testing.B, src, reply string, keys, args int) {
	e := New(Options{})
	s, err := e.Load([]byte(src), true)
	if err != nil {
		b.Fatal(err)
	}
	item := [][]byte{[]byte("key:000001"), []byte("1000"), []byte("60"), []byte("1732252800123")}
	r := &Run{Caller: &still{reply: []byte(reply)}, Keys: item[:keys], Args: item[1 : 1+args], Proto: 2}
	var out []byte
	out = e.Eval(s, r, out)
	if bytes.HasPrefix(out, []byte("-")) {
		b.Fatal(string(out))
	}
	b.ReportAllocs()
	for b.Loop() {
		out = e.Eval(s, r, out[:0])
	}
}

func BenchmarkGet(b *testing.B) {
	bench(b, "return redis.call('GET',KEYS[1])", "$5\r\nhello\r\n", 1, 0)
}

func BenchmarkIncrLoop(b *testing.B) {
	bench(b, "for i=1,1000 do redis.call('INCR',KEYS[1]) end return 1", ":12345\r\n", 1, 0)
}

func BenchmarkSlidingLog(b *testing.B) {
	bench(b, `local key = KEYS[1]
local now, window, limit = tonumber(ARGV[3]), tonumber(ARGV[2]), tonumber(ARGV[1])
redis.call('ZREMRANGEBYSCORE', key, 0, now - window)
local n = redis.call('ZCARD', key)
if n < limit then
  redis.call('ZADD', key, now, now .. '-' .. n)
  redis.call('EXPIRE', key, window)
  return {1, limit - n - 1}
end
return {0, 0}`, ":7\r\n", 1, 3)
}

func BenchmarkJSON(b *testing.B) {
	var doc strings.Builder
	doc.WriteString(`{"items":[`)
	for i := range 20 {
		if i > 0 {
			doc.WriteByte(',')
		}
		fmt.Fprintf(&doc, `{"id":%d,"name":"item number %d","price":%d.5,"tags":["a","b","c"],"ok":true}`, i, i, i)
	}
	doc.WriteString(`]}`)
	e := New(Options{})
	s, _ := e.Load([]byte("return cjson.encode(cjson.decode(ARGV[1]))"), true)
	r := &Run{Caller: newWorld(), Args: [][]byte{[]byte(doc.String())}, Proto: 2}
	var out []byte
	b.SetBytes(int64(doc.Len()))
	b.ReportAllocs()
	for b.Loop() {
		out = e.Eval(s, r, out[:0])
	}
}
