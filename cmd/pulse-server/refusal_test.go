package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestRefusals starts the program on files that it must not start with, or beside: it says why in its log, and exits with 1.
func TestRefusals(t *testing.T) {
	path := build(t)
	for _, c := range []struct {
		name, file, content string
		args                []string
		says                []string
	}{
		{"newer", "dump.rdb", "REDIS0099\xff\x00\x00\x00\x00\x00\x00\x00\x00", nil, []string{"Can't handle RDB format version 99", "dump.rdb", "pulse-check"}},
		{"foreign", "dump.rdb", "not an RDB file at all", nil, []string{"Wrong signature trying to load DB from file", "dump.rdb"}},
		{"unread", "dump.rdb", "REDIS0010\xff\x00\x00\x00\x00\x00\x00\x00\x00", []string{"--appendonly", "yes"}, []string{"--ignore-unread-data yes", "dump.rdb"}},
		{"damaged log", "appendonly.aof", "*1\r\n$4\r\nPING\r\nwhat?*1\r\n$4\r\nPING\r\n", []string{"--appendonly", "yes"}, []string{"appendonly.aof is damaged at offset 14", "pulse-check --fix"}},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, c.file), []byte(c.content), 0o644); err != nil {
			t.Fatal(err)
		}
		p := start(t, path, "", append([]string{"--port", freePort(t), "--dir", dir}, c.args...)...)
		if code := p.exit(); code != 1 {
			t.Errorf("%s: exit code %d: %s", c.name, code, p.out)
		}
		for _, says := range c.says {
			if !strings.Contains(p.out.String(), says) {
				t.Errorf("%s: %q is missing in %s", c.name, says, p.out)
			}
		}
	}
}

// TestSecondServer keeps a second process out of a directory, and names the first.
func TestSecondServer(t *testing.T) {
	path := build(t)
	dir, port := t.TempDir(), freePort(t)
	first := start(t, path, "", "--port", port, "--dir", dir, "--save", "3600 1")
	first.ready("tcp", "127.0.0.1:"+port)
	second := start(t, path, "", "--port", freePort(t), "--dir", dir)
	if code := second.exit(); code != 1 || !strings.Contains(second.out.String(), "in use by process") {
		t.Errorf("%d: %s", code, second.out)
	}
	// SIGTERM saves, and the lock goes with the process.
	if reply := ask("tcp", "127.0.0.1:"+port, "SET k v"); reply != "+OK" {
		t.Fatal(reply)
	}
	if err := first.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := first.exit(); code != 0 {
		t.Errorf("%d: %s", code, first.out)
	}
	third := start(t, path, "", "--port", port, "--dir", dir)
	third.ready("tcp", "127.0.0.1:"+port)
	if reply := ask("tcp", "127.0.0.1:"+port, "EXISTS k"); reply != ":1" {
		t.Error(reply)
	}
}
