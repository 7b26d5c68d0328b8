package scripting

import (
	"strings"
	"testing"
	"time"
)

// fuzz runs a script on one argument in an engine with a small quota: whatever the argument, there is one reply, soon, and the
// interpreter is sound afterwards.
func fuzz(f *testing.F, src string, seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	e := New(Options{Quota: 16 << 20})
	s, err := e.Load([]byte(src), true)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, arg []byte) {
		r := &Run{Caller: newWorld(), Args: [][]byte{arg}, Proto: 2}
		hang := time.AfterFunc(hangs, func() { r.Kill(ErrKilled) })
		got := string(e.Eval(s, r, nil))
		if !hang.Stop() {
			t.Fatal("hangs")
		}
		if strings.Contains(got, "internal error") {
			t.Fatal(got)
		}
		if got := eval(t, e, "return 'sound'", &Run{}); got != "$5\r\nsound\r\n" {
			t.Fatal(got)
		}
	})
}

func FuzzJSON(f *testing.F) {
	// What was decoded encodes, and what that is decodes.
	fuzz(f, "cjson.encode_sparse_array(true) cjson.encode_invalid_numbers('null') local v = cjson.decode(ARGV[1]) local t = cjson.encode(v) local again = cjson.encode(cjson.decode(t)) return t == again and 1 or 2",
		`{"a":[1,2,{"b":null}],"c":"x\u00e9\ud83d\ude00\n"}`, `[`, `"\u`, `[1e400,-0,0x1p4,nan]`, "\x00", `{"a":1,"a":2}`)
}

func FuzzMsgpack(f *testing.F) {
	fuzz(f, "local n = select('#', cmsgpack.unpack(ARGV[1])) local a = cmsgpack.pack((cmsgpack.unpack_one(ARGV[1]))) return {n, #a}",
		"\x93\x01\x02\xa1x", "\x81\xa1a\xc0", "\xdd\xff\xff\xff\xff", "\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", strings.Repeat("\x91", 100)+"\x01")
}

func FuzzStruct(f *testing.F) {
	fuzz(f, "local fmt, data = ARGV[1]:match('^([^|]*)|(.*)$') if not fmt then return end pcall(struct.size, fmt) pcall(struct.pack, fmt, 1, 2, 'x', 4) return #{struct.unpack(fmt, data)}",
		"bBhHi3>I4<l!8dfs|abcdefghijklmnopqrstuvwxyz0123456789\x00", "Bc0|\x03abc", "i32|"+strings.Repeat("x", 32), "!x|", "c99999999999|")
}

func FuzzCompiler(f *testing.F) {
	for _, s := range append(goldenSeeds(), "return 1", "for i=1,2 do local x <= 1", "a.b['c']:d{...}", "x = [==[", "--[[", "goto a", "return 0x.p1") {
		f.Add([]byte(s))
	}
	e := New(Options{Quota: 4 << 20, Keys: positions, EvalCache: 1})
	f.Fuzz(func(t *testing.T, src []byte) {
		s, err := e.Load(src, false)
		if err != nil {
			if strings.Contains(err.Error(), "internal") {
				t.Fatal(err)
			}
			return
		}
		r := &Run{Caller: newWorld(), Keys: [][]byte{[]byte("k")}, Proto: 3}
		hang := time.AfterFunc(50*time.Millisecond, func() { r.Kill(ErrKilled) })
		got := string(e.Eval(s, r, nil))
		hang.Stop()
		if strings.Contains(got, "internal error") {
			t.Fatal(got)
		}
	})
}

// FuzzPattern matches patterns of any kind.
func FuzzPattern(f *testing.F) {
	fuzz(f, "local p, s = ARGV[1]:match('^([^|]*)|(.*)$') if not p then return end pcall(string.format, p, 1, 2, 's') pcall(string.gsub, s, p, '%0%1') for a in s:gmatch(p) do end return {s:find(p)}",
		"(a*(.)%w(%s*))|THE (quick) fox", "%b()|f(a(b)c)d", "%f[%a]%a+|the quick", "[^%]]-$|x]", "()%1|abc", "%5.2f%q|x", strings.Repeat("a?", 20)+"|"+strings.Repeat("a", 20))
}
