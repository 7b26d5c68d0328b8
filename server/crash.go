package server

import (
	"bytes"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/streampulse/pulse/commands"
)

// A command that panics is a mistake in the server, and nobody knows in which state it has left the data: the process has to
// end. What was going on goes to the log first; then Options.Crash is asked to end the process, or the panic goes on, as the
// rules of Go have it, to end the program that has embedded the server. Recovering would mean to answer from data that a command
// has changed by half, with locks that are held for ever.

// maxCrashArgs and maxCrashArg bound what a report shows of a command.
const (
	maxCrashArgs = 32
	maxCrashArg  = 128
)

// crashed writes the report on the request under way. It runs while the panic unwinds the stack, with locks held.
func (s *session) crashed() {
	if !s.srv.crash.began.CompareAndSwap(false, true) {
		return
	}
	if s.srv.cfg.Bool("crash-log-enabled").Load() {
		s.report(debug.Stack())
	}
	if f := s.srv.crash.end; f != nil {
		defer func() {
			// What the program's own function does wrong must not hide why it was called.
			if p := recover(); p != nil {
				s.srv.log.Warningf("Options.Crash has panicked: %v", p)
			}
		}()
		f()
	}
}

func (s *session) report(stack []byte) {
	log := s.srv.log
	line := func(format string, args ...any) { log.Warningf(format, args...) }
	line("=== PULSE BUG REPORT START: Cut & paste starting from here ===")
	line("Pulse %s (compatible with Redis %s), %s %s/%s, pid %d, crashed in a command", Version, commands.RedisVersion,
		runtime.Version(), runtime.GOOS, runtime.GOARCH, os.Getpid())
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, set := range b.Settings {
			if strings.HasPrefix(set.Key, "vcs.") {
				line("%s=%s", set.Key, set.Value)
			}
		}
	}
	hide := s.srv.cfg.Bool("hide-user-data-from-log").Load()
	line("------ CURRENT CLIENT INFO ------")
	c := &s.conn
	name := c.Name
	if hide {
		name = "*redacted*"
	}
	line("id=%d addr=%s laddr=%s name=%s db=%d user=%s resp=%d", c.ID, c.Addr, c.LAddr, name, c.DB, c.User, c.Out.Proto())
	if r := s.running; r != nil {
		line("------ CURRENT COMMAND ------")
		line("argc: %d", len(r.args))
		for i, a := range r.args[:min(len(r.args), maxCrashArgs)] {
			if i > 0 && (hide || secret(r.args[0])) {
				line("client->argv[%d]: %d bytes of user data", i, len(a))
				continue
			}
			line("client->argv[%d] (%d bytes): %q", i, len(a), a[:min(len(a), maxCrashArg)])
		}
	}
	line("------ STACK TRACE ------")
	for l := range strings.Lines(string(stack)) {
		line("%s", strings.ReplaceAll(strings.TrimRight(l, "\n"), "\t", "    "))
	}
	line("------ RUNTIME ------")
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	line("goroutines=%d heap_bytes=%d system_bytes=%d collections=%d", runtime.NumGoroutine(), m.HeapAlloc, m.Sys, m.NumGC)
	line("=== PULSE BUG REPORT END. Make sure to include from START to END. ===")
	line("Please report the crash with these lines. The data are as they were last written to the disk.")
}

// secret tells that the arguments of a command may be passwords.
func secret(name []byte) bool {
	for _, n := range []string{"AUTH", "HELLO", "ACL", "CONFIG", "MIGRATE"} {
		if bytes.EqualFold(name, []byte(n)) {
			return true
		}
	}
	return false
}
