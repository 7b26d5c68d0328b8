package config

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseArgs(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir, "s.conf", "save 900 1\nsave 5 5\nport 17393\nbind 127.0.0.1\n")
	for _, tc := range []struct {
		args, stdin, param, want string // args are split at |
	}{
		{"", "", "port", "6379"},
		{"--port|5", "", "port", "5"},
		{"--PORT|5", "", "port", "5"},
		{"--port 5", "", "port", "5"},
		{"--port 5|--timeout|3", "", "port", "5"},
		{"--port 5|--timeout|3", "", "timeout", "3"},
		{"--maxmemory 700mb|--port|5", "", "maxmemory", "734003200"},
		{"--bind 127.0.0.1|::1|--port|5", "", "bind", "127.0.0.1 ::1"},
		{file, "", "save", "900 1 5 5"},
		{file + "|--save|7|7", "", "save", "900 1 5 5 7 7"},
		{file + "|--save|", "", "save", ""},
		{file + "|--save", "", "save", ""},
		{file + "|--save|--port|9", "", "save", ""},
		{file + "|--save||--save|7|7", "", "save", "7 7"},
		{file + "|--port|9", "", "port", "9"},
		{"--save|1|1|--save|2|2", "", "save", "1 1 2 2"},
		{"--save|1 1 2 2", "", "save", "1 1 2 2"},
		{"--masterauth|--x|--masteruser|-y", "", "masterauth", "--x"},
		{"--masterauth|--x|--masteruser|-y", "", "masteruser", "-y"},
		{"--masterauth|a b", "", "masterauth", "a b"},
		{"--masterauth|a\n\"\\\x01\xff", "", "masterauth", "a\n\"\\\x01\xff"},
		{"--bind|127.0.0.1|-::1", "", "bind", "127.0.0.1 -::1"},
		{"--bind", "", "bind", ""},
		{"--|masterauth|x", "", "masterauth", "x"},
		{"--masterauth|x|--", "", "masterauth", "x"},
		{"-|--timeout|4", "port 4\ntimeout 3", "port", "4"},
		{"-|--timeout|4", "port 4\ntimeout 3", "timeout", "4"},
		{"--timeout|4|-", "port 4\ntimeout 3", "port", "4"},
		{file + "|-", "port 4", "port", "4"},
		{"--oom-score-adj-values|-1|2|3", "", "oom-score-adj-values", "-1 2 3"},
		{"--sentinel|--port|2", "", "port", "2"},
	} {
		var args []string
		if tc.args != "" {
			args = strings.Split(tc.args, "|")
		}
		c, _, err := ParseArgs(args, strings.NewReader(tc.stdin))
		if err != nil {
			t.Errorf("%q: %v", args, err)
		} else if got := c.Text(tc.param); got != tc.want {
			t.Errorf("%q: %s = %q, want %q", args, tc.param, got, tc.want)
		}
	}
}

func TestParseArgsErrors(t *testing.T) {
	file := write(t, t.TempDir(), "s.conf", "port 17392\n")
	for _, tc := range []struct {
		args, line, text string
	}{
		{"--port|abc", "2", `port "abc"`},
		{file + "|--port|abc", "3", `port "abc"`},
		{file + "|--foo", "3", "foo"},
		{file + "|foo|bar", "3", `"foo" "bar"`},
		{file + "|--masterauth|--masteruser|y", "3", `masterauth "--masteruser" "y"`},
		{"--port|1|--nosuch", "3", "nosuch"},
		{"--port=17393|--bind|127.0.0.1", "2", `port=17393 "--bind" "127.0.0.1"`},
		{"--port|17393|s.conf", "2", `port "17393" "s.conf"`},
		{"--port|17393|--version", "3", "version"},
		{"-x", "2", `"-x"`},
	} {
		_, _, err := ParseArgs(strings.Split(tc.args, "|"), nil)
		want := "at line " + tc.line + "\n>>> '" + tc.text + "'\n"
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", tc.args, err)
		}
	}
	_, _, err := ParseArgs([]string{"nosuchfile.conf"}, nil)
	path, _ := filepath.Abs("nosuchfile.conf")
	var open *OpenError
	if !errors.As(err, &open) || err.Error() != "Fatal error, can't open config file '"+path+"': No such file or directory" {
		t.Error(err)
	}
}

func TestParseArgsInfo(t *testing.T) {
	file := write(t, t.TempDir(), "s.conf", "")
	for _, tc := range []struct {
		args string
		want ArgInfo
	}{
		{"-v", ArgInfo{Version: true}},
		{"--version|x", ArgInfo{Version: true}},
		{"-h", ArgInfo{Help: true}},
		{"--help", ArgInfo{Help: true}},
		{"--check-system", ArgInfo{CheckSystem: true}},
		{"--test-memory", ArgInfo{TestMemory: true}},
		{"--test-memory|64", ArgInfo{TestMemory: true, Megabytes: "64"}},
		{"--port|1|--sentinel", ArgInfo{Sentinel: true}},
		{file, ArgInfo{ConfigFile: file}},
		{file + "|-", ArgInfo{ConfigFile: file, Stdin: true}},
	} {
		_, got, err := ParseArgs(strings.Split(tc.args, "|"), strings.NewReader(""))
		if err != nil || got != tc.want {
			t.Errorf("%q: %+v, %v", tc.args, got, err)
		}
	}
}
