package commands

import (
	"strconv"
	"strings"
	"time"
)

var monitorCommands = []Spec{
	{Name: "MONITOR", Arity: 1, Flags: Admin | NoScript | Loading | Stale, Group: GroupServer, Since: "1.0.0",
		Complexity: "O(1)", Summary: "Shows every command as it is run.", Run: monitor},
}

// Monitors is who looks on while commands run.
type Monitors interface {
	// Attention tells whether anybody looks on, and how long a command may take before it is noted in the slow log. A
	// connection asks once for each batch of commands.
	Attention() (monitored bool, slow time.Duration)
	// AddMonitor has c, a client of the caller, sent what Monitor is given; RemoveMonitor ends that.
	AddMonitor(c *Conn)
	RemoveMonitor(c *Conn)
	// Monitor sends line to all who look on. by runs the command: its own copy goes through PushOwn. It is called while
	// the keys of the command are locked, and waits for nobody.
	Monitor(by *Conn, line []byte)
	// Sensitive reports whether the value of the parameter must not be shown.
	Sensitive(parameter []byte) bool
}

// attend finds out whom the next commands concern beside their client.
func (c *Conn) attend() { c.monitored, c.slow = c.Env.Attention() }

// monitor makes the client look on. To ask again has no reply.
func monitor(c *Call) error {
	switch {
	case c.atomic:
		return ErrMonitorMulti
	case c.Conn.Monitor:
		return nil
	}
	c.Conn.Monitor = true
	c.Env.AddMonitor(c.Conn)
	c.Conn.attend()
	c.OK()
	return nil
}

// mayMonitor reports whether a client that looks on may run the command: none that concerns keys.
func mayMonitor(s *Spec) bool { return s.Flags&(Write|ReadOnly|MayReplicate) == 0 }

// show tells those who look on of the request, which has been run just now; scripts show theirs before they run.
func (c *Call) show() {
	us := c.Env.Clock().NowUs()
	var room [256]byte
	b := append(room[:0], '+')
	b = strconv.AppendInt(b, us/1e6, 10)
	b = append(b, '.')
	micros := strconv.AppendInt(b[len(b):len(b):cap(b)], 1e6+us%1e6, 10)
	b = append(b, micros[1:]...)
	b = append(b, " ["...)
	b = append(strconv.AppendInt(b, int64(c.Conn.DB), 10), ' ')
	switch {
	case c.within != nil:
		b = append(b, "lua"...)
	case c.Conn.Unix:
		b = append(append(b, "unix:"...), strings.TrimSuffix(c.Conn.Addr, ":0")...)
	default:
		b = append(b, c.Conn.Addr...)
	}
	b = append(b, ']')
	for _, a := range redacted(c.Env, c.Spec, c.Args) {
		b = appendQuoted(append(b, ' '), a)
	}
	c.Env.Monitor(c.Conn, append([]byte(nil), append(b, "\r\n"...)...))
}

// appendQuoted appends s in double quotes, all that does not print in ASCII as an escape.
func appendQuoted(b, s []byte) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, ch := range s {
		switch {
		case ch == '\\' || ch == '"':
			b = append(b, '\\', ch)
		case ch >= ' ' && ch <= '~':
			b = append(b, ch)
		case ch == '\n':
			b = append(b, `\n`...)
		case ch == '\r':
			b = append(b, `\r`...)
		case ch == '\t':
			b = append(b, `\t`...)
		case ch == '\a':
			b = append(b, `\a`...)
		case ch == '\b':
			b = append(b, `\b`...)
		default:
			b = append(b, '\\', 'x', hex[ch>>4], hex[ch&15])
		}
	}
	return append(b, '"')
}

var redactedText = []byte("(redacted)")

// redacted returns args without what nobody may see.
func redacted(e Env, s *Spec, args [][]byte) [][]byte {
	var hide []int
	switch s.full {
	case "auth":
		for i := 1; i < len(args); i++ {
			hide = append(hide, i)
		}
	case "acl|setuser":
		for i := 2; i < len(args); i++ {
			hide = append(hide, i)
		}
	case "hello":
		for i := 2; i+2 < len(args); i++ {
			if is(args[i], "AUTH") {
				hide = append(hide, i+1, i+2)
				i += 2
			}
		}
	case "migrate":
		for i := 6; i < len(args) && !is(args[i], "KEYS"); i++ {
			switch {
			case is(args[i], "AUTH") && i+1 < len(args):
				hide = append(hide, i+1)
				i++
			case is(args[i], "AUTH2") && i+2 < len(args):
				hide = append(hide, i+1, i+2)
				i += 2
			}
		}
	case "config|set":
		for i := 2; i+1 < len(args); i += 2 {
			if e.Sensitive(args[i]) {
				hide = append(hide, i+1)
			}
		}
	}
	if hide == nil {
		return args
	}
	out := append([][]byte(nil), args...)
	for _, i := range hide {
		out[i] = redactedText
	}
	return out
}
