package acl

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/internal/clock"
	"github.com/streampulse/pulse/internal/resp"
	"github.com/streampulse/pulse/internal/vfs"
	"github.com/streampulse/pulse/store"
)

// table is made once: it does not depend on the test.
var table = sync.OnceValue(func() *commands.Table {
	s := store.New(store.Options{Shards: 1})
	defer s.Close()
	return commands.New(s)
})

type fixture struct {
	*Users
	clock       *clock.Fake
	allChannels bool
	warned      []string
	counted     int
}

func newFixture(t testing.TB, file string, fsys vfs.FS) *fixture {
	f := &fixture{clock: clock.NewFake(time.Unix(1_700_000_000, 0))}
	f.Users = New(Options{Table: table(), Clock: f.clock, File: file, FS: fsys,
		AllChannels: func() bool { return f.allChannels }, LogLength: func() int { return 5 },
		Count: func(commands.Refusal) { f.counted++ },
		Warn:  func(format string, a ...any) { f.warned = append(f.warned, fmt.Sprintf(format, a...)) }})
	return f
}

func (f *fixture) set(t testing.TB, name string, rules ...string) {
	t.Helper()
	if err := f.SetUser([]byte(name), bytesOf(rules)); err != nil {
		t.Fatalf("%s %q: %v", name, rules, err)
	}
}

func bytesOf(words []string) [][]byte {
	out := make([][]byte, len(words))
	for i, w := range words {
		out[i] = []byte(w)
	}
	return out
}

// may tells what a user is told about a request.
func (f *fixture) may(t testing.TB, user, request string) string {
	t.Helper()
	args := bytesOf(strings.Fields(request))
	s := f.opt.Table.Find(args[0])
	if len(args) > 1 && len(s.Sub) > 0 {
		if sub := f.opt.Table.Find([]byte(string(args[0]) + "|" + string(args[1]))); sub != nil {
			s = sub
		}
	}
	keys, _ := s.KeyPositions(args, nil)
	why, at := f.RightsOf([]byte(user)).Check(s, args, keys)
	if why == commands.NotRefused {
		return "yes"
	}
	return fmt.Sprintf("%s %d", why, at)
}

func TestRights(t *testing.T) {
	for _, c := range []struct{ rules, request, want string }{
		{"", "GET a", "command 0"},
		{"", "AUTH a", "yes"},
		{"+get", "GET a", "key 1"},
		{"+get ~a", "GET a", "yes"},
		{"+get ~a", "GET b", "key 1"},
		{"+get %R~a", "GET a", "yes"},
		{"+get %W~a", "GET a", "key 1"},
		{"+set %W~a", "SET a 1", "yes"},
		{"+set %W~a", "SET a 1 GET", "key 1"},
		{"+set %R~a %W~a", "SET a 1 GET", "yes"},
		{"+set %R~a %W~*", "SET a 1 GET", "key 1"}, // of one pattern
		{"+exists %R~a", "EXISTS a", "yes"},
		{"+exists %W~a", "EXISTS a", "yes"},
		{"+exists %W~a", "EXISTS a b", "key 2"},
		{"+@all ~a", "KEYS *", "yes"},
		{"+@all ~a -@dangerous", "KEYS *", "command 0"},
		{"+@all -config|set", "CONFIG GET a", "yes"},
		{"+@all -config|set", "CONFIG SET a b", "command 0"},
		{"+config|get", "CONFIG GET a", "yes"},
		{"+config|get", "CONFIG SET a b", "command 0"},
		{"+config -config|set", "CONFIG SET a b", "command 0"},
		{"+select|1", "SELECT 1", "yes"},
		{"+select|1", "SELECT 0", "command 0"},
		{"+select|1 -select", "SELECT 1", "command 0"},
		{"+select|1 -@connection", "SELECT 1", "command 0"},
		{"+memory|usage ~a", "MEMORY USAGE b", "key 2"},
		{"+publish", "PUBLISH a b", "channel 1"},
		{"+publish &a", "PUBLISH a b", "yes"},
		{"+subscribe &a*", "SUBSCRIBE a1 b", "channel 2"},
		{"+psubscribe &a*", "PSUBSCRIBE a*", "yes"},
		{"+psubscribe &a*", "PSUBSCRIBE a", "channel 1"},
		{"+psubscribe allchannels", "PSUBSCRIBE a", "yes"},
		{"+unsubscribe", "UNSUBSCRIBE a", "yes"},
		{"+spublish", "SPUBLISH a b", "channel 1"},
		{"+get ~a (+set ~b)", "SET b 1", "yes"},
		{"+get ~a (+set ~b)", "SET a 1", "key 1"},
		{"+get ~a (+set ~b)", "GET b", "key 1"},
		{"+mget ~a (+mget ~a ~b)", "MGET a b c", "key 3"}, // as far as the best of them came
		{"+sort ~a", "SORT a STORE b", "key 3"},
		{"+georadius ~a ~c", "GEORADIUS a 0 0 1 m STORE c STORE b", "key 9"},
		{"+georadius ~a ~c", "GEORADIUS a 0 0 1 m STORE b STORE c", "key 7"},
		{"+xread ~a", "XREAD COUNT 1 STREAMS a b 0 0", "key 5"},
		{"+xreadgroup ~a", "XREADGROUP GROUP STREAMS c STREAMS b >", "key 5"},
		{"+eval ~a", "EVAL x 2 a b", "key 4"},
		{"+copy ~a", "COPY a b DB 1", "key 2"},
		{"+copy %R~a %W~b", "COPY a b", "yes"},
		{"+copy %R~a %W~b", "COPY b a", "key 1"},
		{"+zunionstore ~a ~b", "ZUNIONSTORE a 2 b c", "key 4"},
	} {
		f := newFixture(t, "", nil)
		f.set(t, "u", strings.Fields(c.rules)...)
		if got := f.may(t, "u", c.request); got != c.want {
			t.Errorf("%s with %q: %s, want %s", c.request, c.rules, got, c.want)
		}
	}
}

// TestFree checks which users cost nothing to ask about.
func TestFree(t *testing.T) {
	for rules, want := range map[string]bool{
		"": false, "+@all ~* &*": true, "+@all ~*": false, "+@all &*": false, "~* &* +@all -get": false,
		"~* &* +@all -get +get": true, "(~* &* +@all)": true, "+@all (~* &*)": false, "+@all allchannels %RW~*": false,
	} {
		f := newFixture(t, "", nil)
		f.set(t, "u", strings.Fields(rules)...)
		if got := f.find("u").free(); got != want {
			t.Errorf("%q: %v, want %v", rules, got, want)
		}
	}
}

// TestDraft checks that a change leaves the user before it as it was.
func TestDraft(t *testing.T) {
	f := newFixture(t, "", nil)
	f.set(t, "u", "on", ">a", "~a", "&a", "+get", "+select|1", "(+set)")
	old := f.find("u")
	line := old.line()
	f.set(t, "u", "off", ">b", "<a", "%R~a", "~b", "&b", "+set", "-get", "+select|2", "clearselectors", "(+del)")
	if old.line() != line {
		t.Errorf("%s became %s", line, old.line())
	}
	if err := f.SetUser([]byte("u"), bytesOf([]string{"+del", "nonsense"})); err == nil || f.find("u").line() == old.line() ||
		strings.Contains(f.find("u").line(), "-@all +set +select|1 -get +select|2 +del") {
		t.Errorf("after an error: %v, %s", err, f.find("u").line())
	}
}

func TestLogin(t *testing.T) {
	f := newFixture(t, "", nil)
	f.set(t, "u", "on", ">a", ">b")
	f.set(t, "off", "nopass")
	for _, c := range []struct {
		user, password string
		ok             bool
	}{
		{"default", "anything", true}, {"u", "a", true}, {"u", "b", true}, {"u", "c", false}, {"u", "", false},
		{"u", hash([]byte("a")), false}, {"off", "", false}, {"nobody", "", false}, {"", "", false},
	} {
		a := f.Login([]byte(c.user), []byte(c.password))
		if (a != nil) != c.ok || a != nil && a.Name() != c.user {
			t.Errorf("%s %s: %v", c.user, c.password, a)
		}
	}
	if f.MustLogin() || f.DefaultPassword() {
		t.Error("the default user has a password")
	}
	f.SetDefaultPassword("x")
	if !f.MustLogin() || !f.DefaultPassword() || f.Login([]byte("default"), []byte("x")) != f.DefaultUser() {
		t.Error("the default user has no password")
	}
	f.SetDefaultPassword("")
	f.set(t, "default", "off")
	if !f.MustLogin() || f.DefaultPassword() {
		t.Error("the default user is off")
	}
}

// TestDenialLog follows the lines of ACL LOG: what joins which, in which order, and how many stay.
func TestDenialLog(t *testing.T) {
	f := newFixture(t, "", nil)
	deny := func(object string) {
		f.Denied(&commands.Denied{Why: commands.RefusedCommand, Context: "toplevel", Object: object, User: "u", Client: "of " + object})
	}
	show := func() string {
		var b strings.Builder
		for _, d := range f.DenialLog() {
			fmt.Fprintf(&b, "%s*%d#%d@%d-%d ", d.Object, d.Count, d.ID, d.Created-1_700_000_000_000, d.Again-1_700_000_000_000)
		}
		return b.String()
	}
	want := func(text string) {
		t.Helper()
		if got := show(); got != text {
			t.Errorf("got  %s\nwant %s", got, text)
		}
	}
	deny("a")
	deny("b")
	f.clock.Advance(time.Second)
	deny("a")
	want("a*2#0@0-1000 b*1#1@0-0 ")
	f.clock.Advance(61 * time.Second)
	deny("a")
	want("a*1#2@62000-62000 a*2#0@0-1000 b*1#1@0-0 ")
	for _, o := range []string{"c", "d", "e", "b"} {
		deny(o)
	}
	want("b*1#6@62000-62000 e*1#5@62000-62000 d*1#4@62000-62000 c*1#3@62000-62000 a*1#2@62000-62000 ")
	deny(strings.Repeat("x", 1<<20))
	if n := len(f.DenialLog()[0].Object); n != maxObject {
		t.Errorf("%d bytes of a name are kept", n)
	}
	if f.counted != 9 {
		t.Errorf("%d were counted", f.counted)
	}
	f.ClearDenialLog()
	want("")
	deny("a")
	want("a*1#8@62000-62000 ")
}

// TestFile reads files of all sorts.
func TestFile(t *testing.T) {
	const start = "user old on sanitize-payload resetchannels -@all"
	const def = "user default on nopass sanitize-payload ~* &* +@all"
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"user x on", "user x on sanitize-payload resetchannels -@all"},
		{"\n  \nuser x on\r\nuser y on\r\n", "user x on sanitize-payload resetchannels -@all\nuser y on sanitize-payload resetchannels -@all"},
		{"user x ( +get ~a ) on", "user x on sanitize-payload resetchannels -@all (~a resetchannels -@all +get)"},
		{"user x ~\xc3\xa9 (+get)", "user x off sanitize-payload ~\xc3\xa9 resetchannels -@all (resetchannels -@all +get)"},
		{"user default on +@all ~*", ""},
		{"usr a on", "F:1 should start with user keyword followed by the username. W"},
		{"user", "F:1 should start with user keyword followed by the username. W"},
		{"USER a on", "F:1 should start with user keyword followed by the username. W"},
		{"user x on\n# comment\nuser y off", "F:2 should start with user keyword followed by the username. W"},
		{"user\ta\ton", "F:1 should start with user keyword followed by the username. W"},
		{"user a\nuser a", "WARNING: Duplicate user 'a' found on line 2. W"},
		{"user a b c\nuser a +foo\nuser b on >x\nbad", "F:1: Syntax error. WARNING: Duplicate user 'a' found on line 2. F:4 should start with user keyword followed by the username. W"},
		{"user a (", "F:1: Unmatched parenthesis in selector definition.W"},
		{"user a (+get ~x) (", "F:1: Unmatched parenthesis in selector definition.W"},
		{"user a (~a (+get))", "F:1: Syntax error. W"},
		{"user a (+foo)", "F:1: Error in applying operation '(+foo)': Unknown command or category name in ACL. W"},
		{"user a +foo +bar x y", "F:1: Error in applying operation '+foo': Unknown command or category name in ACL. F:1: Error in applying operation '+bar': Unknown command or category name in ACL. F:1: Syntax error. W"},
		{"user a +@all ~* ~x", "F:1: Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns. W"},
		{"user a\x00b on", "F:1: username 'a\x00b' contains invalid characters. W"},
	} {
		mem := vfs.NewMem()
		put(t, mem, "F", c.text)
		f := newFixture(t, "F", mem)
		f.set(t, "old", "on")
		kept := f.DefaultUser()
		err := f.LoadFile()
		if report, bad := strings.CutSuffix(c.want, "W"); bad {
			if err == nil || err.Error() != report+warning {
				t.Errorf("%q: %v", c.text, err)
			}
			if got := strings.Join(f.UserLines(), "\n"); got != def+"\n"+start {
				t.Errorf("%q: %s", c.text, got)
			}
			continue
		}
		got := strings.Join(slices.DeleteFunc(f.UserLines(), func(l string) bool { return strings.HasPrefix(l, "user default") }), "\n")
		if err != nil || got != c.want || f.DefaultUser() != kept {
			t.Errorf("%q: %v, %s", c.text, err, got)
		}
		// What is saved and loaded again is the same.
		before := f.UserLines()
		if err := f.SaveUsers(); err != nil {
			t.Fatal(err)
		}
		f.set(t, "other", "on")
		if err := f.LoadUsers(); err != nil || !slices.Equal(f.UserLines(), before) {
			t.Errorf("%q: %v, %q became %q", c.text, err, before, f.UserLines())
		}
	}
	f := newFixture(t, "none", vfs.NewMem())
	if err := f.LoadUsers(); err == nil || err.Error() != "ERR Error loading ACLs, opening file 'none': No such file or directory" {
		t.Error(err)
	}
	f = newFixture(t, "no/such/directory", vfs.NewMem())
	if err := f.SaveUsers(); err != errSave || len(f.warned) != 1 {
		t.Error(err, f.warned)
	}
}

func put(t testing.TB, fsys vfs.FS, name, text string) {
	t.Helper()
	f, err := fsys.Create(name)
	if err == nil {
		_, err = f.Write([]byte(text))
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestAccounts checks that those who hold an account follow what becomes of its user.
func TestAccounts(t *testing.T) {
	mem := vfs.NewMem()
	f := newFixture(t, "F", mem)
	f.set(t, "a", "on", "nopass")
	f.set(t, "b", "on", "nopass")
	a, b := f.Login([]byte("a"), nil), f.Login([]byte("b"), nil)
	put(t, mem, "F", "user a on nopass +get\n")
	if err := f.LoadUsers(); err != nil {
		t.Fatal(err)
	}
	if a.Gone() || !b.Gone() || f.Login([]byte("a"), nil) != a || f.Login([]byte("b"), nil) != nil {
		t.Error("the accounts do not follow the file")
	}
	if f.DeleteUser([]byte("default")) || !f.DeleteUser([]byte("a")) || f.DeleteUser([]byte("a")) || !a.Gone() {
		t.Error("the accounts do not follow a deletion")
	}
	f.set(t, "a", "on", "nopass")
	if f.Login([]byte("a"), nil) == a {
		t.Error("a new user has the account of one that was deleted")
	}
}

// TestManyRules bounds what very long lists cost.
func TestManyRules(t *testing.T) {
	const n = 20_000
	for name, rule := range map[string]func(i int) string{
		"selectors": func(i int) string { return fmt.Sprintf("(+get ~k%d)", i) },
		"patterns":  func(i int) string { return fmt.Sprintf("~k%d", i) },
		"channels":  func(i int) string { return fmt.Sprintf("&k%d", i) },
		"arguments": func(i int) string { return fmt.Sprintf("+select|%d", i) },
		"the same":  func(i int) string { return "+get" },
	} {
		f := newFixture(t, "", nil)
		rules := make([]string, n)
		for i := range rules {
			rules[i] = rule(i)
		}
		began := time.Now()
		f.set(t, "u", rules...)
		_ = f.find("u").line()
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("%d %s took %v", n, name, took)
		}
		f.may(t, "u", "GET k19999")
	}
}

// TestModel applies rules by chance, and keeps in maps what they mean.
func TestModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	words := []string{"+get", "-get", "+@string", "-@string", "+@all", "-@all", "+client", "-client", "+client|id", "-client|id",
		"+@connection", "-@connection", "+@slow", "-@fast", "+config|get", "-@admin", "+acl", "-acl|list"}
	specs := make([]*commands.Spec, table().Len())
	for id := range specs {
		specs[id] = table().Spec(id)
	}
	for range 50 {
		f := newFixture(t, "", nil)
		allowed := map[string]bool{}
		var used []string
		for range 1 + r.IntN(8) {
			w := words[r.IntN(len(words))]
			used = append(used, w)
			for _, s := range specs {
				name := s.FullName()
				container, _, _ := strings.Cut(name, "|")
				what := w[1:]
				in := func(s *commands.Spec) bool { return slices.Contains(s.Categories(), what) }
				if what == "@all" || what == name || what == container || in(s) || in(table().Find([]byte(container))) {
					allowed[name] = w[0] == '+'
				}
			}
		}
		f.set(t, "u", used...)
		f.set(t, "again", strings.Fields(f.find("u").rules())...)
		for _, s := range specs {
			for _, u := range []string{"u", "again"} {
				if got := f.find(u).selectors[0].commands.bits.has(s.ID()); got != allowed[s.FullName()] {
					t.Fatalf("%s after %v for %s: %v", s.FullName(), used, u, got)
				}
			}
		}
	}
}

func FuzzRules(f *testing.F) {
	for _, seed := range []string{
		"on nopass ~* +@all &*", "+get -get +@read ~a %R~b %W~b (+set ~c) (+@all)", ">a <a #x !y resetpass", "( ~a +get ) (", "+select|0 +client|id -client",
		"%R~* %W~* ~b", "~a) (~b))", "+get|a) (+get|b))", "reset clearselectors allkeys allchannels allcommands nocommands", "&ch* resetchannels &a\\", "~\"a\" '&b'",
	} {
		f.Add("u", seed)
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		x := newFixture(t, "F", vfs.NewMem())
		if x.SetUser([]byte(name), bytesOf(strings.Split(text, " "))) != nil {
			return
		}
		u := x.find(name)
		// The line makes the same user: as arguments, in a file, and in a configuration file.
		same := func(how string) {
			t.Helper()
			if again := x.find(name); again == nil || again.line() != u.line() {
				t.Fatalf("%s: %q became %q", how, u.line(), x.UserLines())
			}
		}
		if name != defaultName {
			x.DeleteUser([]byte(name))
			x.set(t, name, strings.Split(u.rules(), " ")...)
			same("ACL SETUSER")
		}
		if err := x.SaveUsers(); err != nil {
			t.Fatal(err)
		}
		if err := x.LoadUsers(); err != nil {
			t.Fatal(err)
		}
		same("ACL LOAD")
		var declared []Declaration
		for _, line := range x.ConfigLines() {
			words, err := resp.SplitArgs([]byte(line))
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			d := Declaration{Name: string(words[1])}
			for _, w := range words[2:] {
				d.Rules = append(d.Rules, string(w))
			}
			declared = append(declared, d)
		}
		x = newFixture(t, "", nil)
		if err := x.Declare(declared); err != nil {
			t.Fatal(err)
		}
		same("user")
		if free := u.free(); free {
			for id := range table().Len() {
				if s := table().Spec(id); !u.selectors[0].commands.allows(s, nil) && len(u.selectors) == 1 {
					t.Fatalf("%q is free, but may not run %s", u.line(), s.FullName())
				}
			}
		}
	})
}

func FuzzFile(f *testing.F) {
	f.Add("user a on >x ~k* +@all\nuser b (+get ~x)\n")
	f.Add("user a (\nuser\n#\n")
	f.Fuzz(func(t *testing.T, text string) {
		x := newFixture(t, "F", vfs.NewMem())
		users, report := x.parse("F", text)
		if (report == "") == (users == nil) {
			t.Fatalf("%q: %d users and %q", text, len(users), report)
		}
		for name, u := range users {
			if hasSpace(name) || strings.ContainsAny(u.line(), "\n\r\x00") {
				t.Fatalf("%q has the line %q", name, u.line())
			}
		}
	})
}
