package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadValues(t *testing.T) {
	for _, tc := range []struct{ name, text, param, want string }{
		{"comment and blanks", "  # port 1\n\n \t port\t77  \r\n", "port", "77"},
		{"no newline at the end", "port 78", "port", "78"},
		{"letter case", "PORT 79", "port", "79"},
		{"alias", "hash-max-ziplist-entries 9", "hash-max-listpack-entries", "9"},
		{"double quotes", `masterauth "a\x41\n"`, "masterauth", "aA\n"},
		{"single quotes", `masteruser 'it\'s'`, "masteruser", "it's"},
		{"first save replaces the default", "save 900 1", "save", "900 1"},
		{"save adds up", "save 900 1\nsave 5 5 6 6", "save", "900 1 5 5 6 6"},
		{"save in one text", `save "900  1"`, "save", "900 1"},
		{"empty save forgets", "save 900 1\nsave \"\"\nsave 3 3\nsave", "save", "3 3"},
		{"bind", "bind 127.0.0.1 -::1", "bind", "127.0.0.1 -::1"},
		{"bind in one text", `bind "127.0.0.1 ::1"`, "bind", "127.0.0.1 ::1"},
		{"bind nothing", `bind ""`, "bind", ""},
		{"output limits keep other classes", "client-output-buffer-limit replica 1mb 1k 3", "client-output-buffer-limit",
			"normal 0 0 0 slave 1048576 1000 3 pubsub 33554432 8388608 60"},
		{"replicaof", "replicaof host 99", "replicaof", "host 99"},
		{"slaveof no one", "slaveof host 99\nslaveof NO one", "replicaof", ""},
		{"hz is clamped", "hz 1000", "hz", "500"},
		{"backlog is clamped", "repl-backlog-size 1", "repl-backlog-size", "16384"},
		{"octal", "unixsocketperm 0700", "unixsocketperm", "700"},
		{"shutdown flags", "shutdown-on-sigterm force nosave", "shutdown-on-sigterm", "nosave force"},
		{"forgotten directives", "list-max-ziplist-entries 512\nport 5", "port", "5"},
		{"include that matches nothing", "include /nosuch/*.conf\nport 6", "port", "6"},
	} {
		c := New()
		if err := c.Load([]byte(tc.text)); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		} else if got := c.Text(tc.param); got != tc.want {
			t.Errorf("%s: %s = %q, want %q", tc.name, tc.param, got, tc.want)
		}
	}
}

// badFiles are files that a server refuses; the oracle test compares the answers with a real one.
var badFiles = []struct {
	text, reason string
	line         int
}{
	{"port 1\nfoo bar\n", "Bad directive or wrong number of arguments", 2},
	{"\n\nport abc\n", "argument couldn't be parsed into an integer", 3},
	{"port\n", "wrong number of arguments", 1},
	{"port 1 2\n", "wrong number of arguments", 1},
	{"save 900\n", "Invalid save parameters", 1},
	{"save 900 1 300\n", "Invalid save parameters", 1},
	{"requirepass \"abc\n", "Unbalanced quotes in configuration line", 1},
	{"masterauth \"a\"b", "Unbalanced quotes in configuration line", 1},
	{"appendonly yep\n", "argument must be 'yes' or 'no'", 1},
	{"maxmemory 1xx\n", "argument must be a memory value", 1},
	{"rename-command get\n", "Bad directive or wrong number of arguments", 1},
	{"user\n", "Bad directive or wrong number of arguments", 1},
	{"include\n", "Bad directive or wrong number of arguments", 1},
	{"include a b\n", "Bad directive or wrong number of arguments", 1},
	{"loadmodule\n", "Bad directive or wrong number of arguments", 1},
	{"module.x\n", "Module config specified without value", 1},
	{"client-output-buffer-limit normal 1 2\n", "Wrong number of arguments in buffer limit configuration.", 1},
	{"client-output-buffer-limit \"\"\n", "Wrong number of arguments in buffer limit configuration.", 1},
	{"slaveof 1\n", "wrong number of arguments", 1},
	{"replicaof\n", "wrong number of arguments", 1},
	{"replicaof 1 abc\n", "Invalid master port", 1},
	{"replicaof 1 700000\n", "Invalid master port", 1},
	{"cluster-enabled yes\nreplicaof 1 1\n", "replicaof directive not allowed in cluster mode", 0},
	{"notify-keyspace-events Q\n", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.", 1},
	{"notify-keyspace-events\n", "wrong number of arguments", 1},
	{"maxmemory-policy foo\n", "argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-random, " +
		"volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction", 1},
	{"supervised foo\n", "argument(s) must be one of the following: upstart, systemd, auto, no", 1},
	{"databases 0\n", "argument must be between 1 and 2147483647 inclusive", 1},
	{"dir /nosuch\n", "No such file or directory", 1},
	{"dir a b\n", "wrong number of arguments", 1},
	{"dir \"\"\n", "No such file or directory", 1},
	{"oom-score-adj-values 1 2\n", "wrong number of arguments", 1},
	{"unixsocketperm 9\n", "argument couldn't be parsed as an octal number", 1},
	{"unixsocketperm 1000\n", "argument must be between 0 and 777 inclusive", 1},
	{"io-threads 999\n", "argument must be between 1 and 128 inclusive", 1},
	{"appendfilename a/b\n", "appendfilename can't be a path, just a filename", 1},
	{"appendfilename \"\"\n", "appendfilename can't be empty", 1},
	{"appenddirname a/b\n", "appenddirname can't be a path, just a dirname", 1},
	{"dbfilename a/b\n", "dbfilename can't be a path, just a filename", 1},
	{"sentinel monitor x 1 2 3\n", "sentinel directive while not in sentinel mode", 1},
	{"list-max-ziplist-value a b\n", "Bad directive or wrong number of arguments", 1},
	{"PORT ABC\n", "argument couldn't be parsed into an integer", 1},
	{"shutdown-on-sigterm\n", "argument(s) must be one of the following: default, save, nosave, now, force", 1},
	{"shutdown-on-sigterm save nosave\n", "shutdown options SAVE and NOSAVE can't be used simultaneously", 1},
	{"latency-tracking-info-percentiles 101\n",
		"latency-tracking-info-percentiles parameters should sit between [0.0,100.0]", 1},
	{"bind 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n", "Too many bind addresses specified.", 1},
	{"proc-title-template {title}\n", "template format is invalid or contains unknown variables", 1},
	{"proc-title-template \"{foo}\"\n", "template format is invalid or contains unknown variables", 1},
}

func TestLoadErrors(t *testing.T) {
	for _, tc := range badFiles {
		err := New().Load([]byte(tc.text))
		var le *LoadError
		if !errors.As(err, &le) || le.Reason != tc.reason || le.Line != tc.line {
			t.Errorf("%q: %v", tc.text, err)
		}
	}
	err := New().Load([]byte("port 1\n  foo bar \n"))
	want := "\n*** FATAL CONFIG FILE ERROR (Redis 7.4.1) ***\nReading the configuration file, at line 2\n>>> 'foo bar'\n" +
		"Bad directive or wrong number of arguments\n"
	if err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}

func TestInclude(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "b.inc", "timeout 2\nsave 2 2")
	write(t, dir, "a.inc", "timeout 1\nsave 1 1")
	write(t, dir, "bad.conf", "port 5\nfoo")
	self := write(t, dir, "self.conf", "include self.conf\n")
	c := New()
	if err := c.Load([]byte("dir " + dir + "\ninclude *.inc\nport 9")); err != nil {
		t.Fatal(err)
	}
	if c.Text("timeout") != "2" || c.Text("save") != "1 1 2 2" || c.Text("port") != "9" {
		t.Error(c.Text("timeout"), c.Text("save"), c.Text("port"))
	}
	var le *LoadError
	if err := c.Load([]byte("include bad.conf")); !errors.As(err, &le) || le.Line != 2 || le.Text != "foo" {
		t.Error(err)
	}
	if err := c.Load([]byte("include " + self)); !errors.As(err, &le) || le.Reason != errDepth.Error() {
		t.Error(err)
	}
	err := c.Load([]byte("include /nosuch"))
	if err == nil || err.Error() != "Fatal error, can't open config file '/nosuch': No such file or directory" ||
		!errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestDirectives(t *testing.T) {
	c := New()
	if err := c.Load([]byte("user a on\n\nUser b off >x\nloadmodule m.so 1\nrename-command get \"\"\nsearch.x 5")); err != nil {
		t.Fatal(err)
	}
	users := c.Directives("user")
	if len(users) != 2 || !slices.Equal(users[1].Args, []string{"b", "off", ">x"}) {
		t.Fatal(users)
	}
	if err := users[1].Refuse("bad rule"); !strings.Contains(err.Error(), "line 3\n>>> 'User b off >x'\nbad rule") {
		t.Error(err)
	}
	if got := c.Directives("rename-command"); len(got) != 1 || got[0].Args[1] != "" {
		t.Error(got)
	}
	if len(c.Directives("loadmodule")) != 1 || len(c.Directives("search.x")) != 1 {
		t.Error("missing directives")
	}
}

func TestInertNamesWhatWasSet(t *testing.T) {
	c := New()
	if err := c.Load([]byte("activerehashing yes\ndynamic-hz no\nport 3")); err != nil {
		t.Fatal(err)
	}
	if got := c.Inert(); !slices.Equal(got, []string{"dynamic-hz"}) {
		t.Error(got)
	}
}

func FuzzParseConfig(f *testing.F) {
	for _, tc := range badFiles {
		f.Add(tc.text)
	}
	f.Add("save 900 1\nbind 127.0.0.1 -::1\nclient-output-buffer-limit normal 1kb 2 3\nuser x on\nnotify-keyspace-events KEA\n")
	f.Add("maxmemory 99999999999999999999gb\nlatency-tracking-info-percentiles nan 1e309\nmaxmemory-clients -5%")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(strings.ToLower(text), "include") || strings.Contains(strings.ToLower(text), "dir") {
			return // both look at the machine's files
		}
		c := New()
		_ = c.Load([]byte(text))
		// Whatever was accepted is printed in a form that is accepted again and means the same.
		d := New()
		for _, p := range Params() {
			got := c.Text(p.Name)
			if got == d.Text(p.Name) {
				continue
			}
			if err := d.Override(p.Name, got); err != nil && !strings.Contains(got, "  ") {
				t.Fatalf("%s: %q is not taken back: %v", p.Name, got, err)
			} else if err == nil && d.Text(p.Name) != got {
				t.Fatalf("%s: %q comes back as %q", p.Name, got, d.Text(p.Name))
			}
		}
	})
}
