package lua

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// open is a state with all libraries of this package.
func open() *State {
	s := NewState()
	s.OpenBase()
	s.OpenString()
	s.OpenTable()
	s.OpenMath()
	return s
}

// run runs a chunk and gives its results as text.
func run(s *State, src string) (out string, err error) {
	p, err := Compile(src, "@test")
	if err != nil {
		return "", err
	}
	defer func() {
		if k, ok := recover().(*Killed); ok {
			err = k.Err
		}
	}()
	t := s.Main()
	t.top = 0
	t.Push(Fn(s.Closure(p)))
	if e := t.PCall(0, -1); e != nil {
		return "", e
	}
	var list []string
	for i := 0; i < t.top; i++ {
		list = append(list, s.plainText(t.stack[i]))
	}
	return strings.Join(list, " "), nil
}

func TestLanguage(t *testing.T) {
	cases := []struct{ src, want string }{
		{"return 1+2*3-4/2^2%3", "6"},
		{"local a,b,c = (function(...) return ... end)(1,2,3) return c,b,a", "3 2 1"},
		{"local t={} for i=1,10 do t[#t+1]=i*i end return #t, t[10], unpack(t,1,3)", "10 100 1 4 9"},
		{"local s=0 for k,v in pairs({a=1,b=2,c=3}) do s=s+v end return s", "6"},
		{"local s='' for i,v in ipairs({'x','y','z'}) do s=s..i..v end return s", "1x2y3z"},
		{"local f={} for i=1,3 do f[i]=function() i=i+1 return i end end return f[1](),f[1](),f[2]()", "2 3 3"},
		{"local i=0 while true do i=i+1 if i>5 then break end end return i", "6"},
		{"local i=0 repeat local j=i i=i+1 until j>=3 return i", "4"},
		{"return pcall(error,'x')", "false x"},
		{"return pcall(function() error('x') end)", "false test:1: x"},
		{"return pcall(function() error({}) end) == false", "true"},
		{"local co=coroutine.create(function(a,b) local c=coroutine.yield(a+b) local d,e=coroutine.yield(c*2) return d+e end) local _,x=coroutine.resume(co,1,2) local _,y=coroutine.resume(co,10) local _,z=coroutine.resume(co,3,4) return x,y,z,coroutine.status(co)", "3 20 7 dead"},
		{"local g=coroutine.wrap(function() for i=1,3 do coroutine.yield(i) end end) return g(),g(),g()", "1 2 3"},
		{"return select('#',1,nil,nil), select(2,'a','b','c')", "3 b c"},
		{"return ('abc'):upper(), ('%5.2f|%d|%s|%q'):format(3.14159,42,'hi','a\"b')", "ABC  3.14|42|hi|\"a\\\"b\""},
		{"return string.find('hello world','o w'), string.find('hello','l+'), string.match('key=val','(%w+)=(%w+)')", "5 3 key val"},
		{"return (string.gsub('hello world','o','0'))", "hell0 w0rld"},
		{"return string.gsub('abc','%w','%0%0')", "aabbcc 3"},
		{"local t={5,3,1,4,2} table.sort(t) return table.concat(t,',')", "1,2,3,4,5"},
		{"local t={5,3,1,4,2} table.sort(t,function(a,b) return a>b end) return table.concat(t,',')", "5,4,3,2,1"},
		{"local t=setmetatable({},{__index=function(t,k) return k..'!' end,__call=function(self,a) return a*2 end}) return t.foo, t(21)", "foo! 42"},
		{"local mt={__add=function(a,b) return 'add' end,__concat=function(a,b) return 'cat' end,__eq=function() return true end,__lt=function() return true end,__len=function() return 9 end,__unm=function() return 'neg' end} local a,b=setmetatable({},mt),setmetatable({},mt) return a+1,1+a,a..'x','x'..a,a==b,a<b,a<=b,-a", "add add cat cat true true false neg"},
		{"return 1e15, 2^53, 1/3, -0, 0/0 ~= 0/0, 1e100, 123456789012345, 0x10, 1e14", "1e+15 9.007199254741e+15 0.33333333333333 -0 true 1e+100 1.2345678901234e+14 16 1e+14"},
		{"return '10'+5, '0x10'+0, 10 ..'', '010'+1, tonumber('  12  '), tonumber('1e1'), tonumber('z',36), tonumber('abc')", "15 16 10 11 12 10 35 nil"},
		{"local a = {n=0,[1]=2,'x'} return a[1], #a, a.n", "x 1 0"},
		{"local function f(n) if n==0 then return 'done' end return f(n-1) end return f(100000)", "done"},
		{"return #{1,2,nil,4}, #{nil}, #{n=1}", "4 0 0"},
		{"local a <const> = 1", ""},
		{"return not nil == true, 1 and 2, nil and 1, false or 'x', nil or false", "true 2 nil x false"},
		{"local a={} a.b={} a.b.c=function(self,x) return x end return a.b:c(5), a.b.c(1,2)", "5 2"},
		{"local function v(...) local a,b=... return a,b,select('#',...) end return v(1)", "1 nil 1"},
		{"local function v(...) return arg.n, arg[1] end return v(7,8)", "2 7"},
		{"return xpcall(function() error('e') end, function(m) return 'h:'..m end)", "false h:test:1: e"},
		{"return tostring(nil),tostring(true),type(print),type({}),type('')", "nil true nil table string"},
		{"return math.max(1,5,3), math.floor(-1.5), math.fmod(-5,3), -5%3, 5%-3, math.huge", "5 -2 -2 1 -1 inf"},
		{"local t={} t[1]=1 t[2]=2 t[4]=4 return #t==4 or #t==2, next({}), rawget(t,4)", "true nil 4"},
		{"return loadstring('return 1+1')(), (loadstring('x='))", "2 nil"},
		{"for i=3,1,-1 do if i==2 then return i end end", "2"},
		{"return [[\nabc]], [==[a]]b]==], '\\65\\066\\n' == 'AB\\n', \"a\\\nb\"", "abc a]]b true a\nb"},
	}
	for _, c := range cases {
		if c.want == "" {
			continue
		}
		s := open()
		got, err := run(s, c.src)
		if err != nil {
			t.Errorf("%s\n error %v", c.src, err)
		} else if got != c.want {
			t.Errorf("%s\n got  %s\n want %s", c.src, got, c.want)
		}
	}
}

func TestStop(t *testing.T) {
	for _, src := range []string{
		"while true do end",
		"while true do pcall(function() while true do end end) end",
		"local co = coroutine.wrap(function() while true do end end) co()",
		"for i=1,1e12 do local s = string.rep('x', 100000) end",
		"return string.find(string.rep('a', 50000), string.rep('a-', 5000)..'b')",
		"return string.gsub(string.rep('a', 100000), '.-.-.-.-b', '')",
		"local t = {} for i=1,1e5 do t[i]=i end while true do table.sort(t, function(a,b) return a>b end) end",
		"local t = {} for i=1,1e5 do t[i]='x' end while true do table.concat(t) end",
		"local function f() return f() end f()",
		"while true do local ok = pcall(string.rep) end",
		"repeat until false",
		"load(function() return ' ' end)",
		"local function f(...) return f('x',...) end return f()",
	} {
		s := open()
		s.SetQuota(256 << 20)
		stopped := errors.New("stopped")
		var at time.Time
		time.AfterFunc(10*time.Millisecond, func() { at = time.Now(); s.Stop(stopped) })
		_, err := run(s, src)
		if !errors.Is(err, stopped) {
			t.Errorf("%s: %v", src, err)
		} else if late := time.Since(at); late > 200*time.Millisecond {
			t.Errorf("%s: stopped after %v", src, late)
		} else if testing.Verbose() {
			t.Log(src, late)
		}
	}
}

func TestQuota(t *testing.T) {
	for _, src := range []string{
		"local s='x' while true do s=s..s end",
		"local t={} while true do t[#t+1]={} end",
		"local t={} for i=1,1e9 do t[i]=i end",
		"local t={} for i=1,1e9 do t['k'..i]=i end",
		"return string.rep('x', 1e9)",
		"local t={} while true do t[#t+1]=string.rep('x',1000) end",
		"local t={} while true do local u=t t=function() return u end end",
		"local t={} while true do t[#t+1]=coroutine.create(function() end) end",
		"local s=string.rep('x',1e6) return string.gsub(s,'x',s)",
		"local s=string.rep('x',1e6) local t={} for i=1,1e4 do t[i]=s end return table.concat(t)",
		"local s=string.rep('x',1e6) return ('%s'):rep(1e3):format(unpack((function() local t={} for i=1,1e3 do t[i]=s end return t end)()))",
	} {
		s := open()
		s.SetQuota(4 << 20)
		_, err := run(s, src)
		if err == nil || !strings.Contains(err.Error(), "not enough memory") && !strings.Contains(err.Error(), "stack overflow") {
			t.Errorf("%s: %v", src, err)
		}
	}
	// What is dropped does not count.
	s := open()
	s.SetQuota(1 << 20)
	if _, err := run(s, "local t for i=1,1e4 do t={string.rep('x',1000)} end"); err != nil {
		t.Error(err)
	}
}

func BenchmarkLoop(b *testing.B) {
	s := open()
	p, _ := Compile("local c = 0 for i=1,1000000 do c = c + i % 7 end return c", "@b")
	for b.Loop() {
		th := s.Main()
		th.top = 0
		th.Push(Fn(s.Closure(p)))
		th.Call(0, 1)
	}
}

func BenchmarkFib(b *testing.B) {
	s := open()
	p, _ := Compile("local function fib(n) if n < 2 then return n end return fib(n-1) + fib(n-2) end return fib(24)", "@b")
	for b.Loop() {
		th := s.Main()
		th.top = 0
		th.Push(Fn(s.Closure(p)))
		th.Call(0, 1)
	}
}
