package commands

import (
	"bytes"
	"fmt"
	"math"
	"net"
	"time"

	"github.com/streampulse/pulse/internal/num"
)

var debugCommands = []Spec{
	{Name: "DEBUG", Arity: -2, Flags: Admin | NoScript | Loading | Stale | Protected | AllKeys | SysCmd, Group: GroupServer,
		Since: "1.0.0", Complexity: "Depends on the subcommand.", Summary: "Commands for developers.", Run: debug},
}

// debugSubcommands have no rows of their own, because COMMAND INFO shows none.
var debugSubcommands = []struct {
	name, args, summary string
	n                   int // arguments behind the name
	run                 func(c *Call) error
}{
	{"ERROR", "text", "Replies with an error.", 1, debugError},
	{"OBJECT", "key", "Tells about the value of a key.", 1, debugObject},
	{"PROTOCOL", "type", "Replies with a value of a type: string, integer, double, bignum, null, array, set, map, attrib, push, verbatim, true or false.", 1, debugProtocol},
	{"SET-ACTIVE-EXPIRE", "0 | 1", "Stops or starts the deletion of keys at their deadlines.", 1, debugSetActiveExpire},
	{"SLEEP", "seconds", "Makes the server sleep.", 1, debugSleep},
}

func debug(c *Call) error {
	if err := c.protected("DEBUG", "enable-debug-command"); err != nil {
		return err
	}
	if len(c.Args) == 2 && is(c.Args[1], "HELP") {
		return debugHelp(c)
	}
	for i := range debugSubcommands {
		s := &debugSubcommands[i]
		if is(c.Args[1], s.name) && len(c.Args) == 2+s.n {
			return s.run(c)
		}
	}
	return errSubcommandArity("DEBUG", c.Args[1])
}

// protected refuses a command that a parameter switches on: for everybody (yes) or for connections of this host (local).
func (c *Call) protected(name, param string) error {
	mode := "no"
	c.Env.ConfigGet([][]byte{[]byte(param)}, func(_, value string) { mode = value })
	if mode == "yes" || mode == "local" && c.Conn.local() {
		return nil
	}
	return errProtected(name, param)
}

// local reports whether the client is on the same host.
func (c *Conn) local() bool {
	if c.Unix {
		return true
	}
	host, _, err := net.SplitHostPort(c.Addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func debugHelp(c *Call) error {
	c.Array(2*len(debugSubcommands) + 3)
	c.Simple("DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
	for i := range debugSubcommands {
		s := &debugSubcommands[i]
		c.Simple(s.name + " " + s.args)
		c.Simple("    " + s.summary)
	}
	c.Simple("HELP")
	c.Simple("    Prints this help.")
	return nil
}

// debugSleep takes what is no number as zero, as Redis does.
func debugSleep(c *Call) error {
	seconds, _ := num.ParseFloat(c.Args[2])
	ns := math.Min(math.Max(seconds, 0)*1e9, math.MaxInt64/2)
	c.Env.SleepForDebug(time.Duration(ns))
	c.OK()
	return nil
}

func debugObject(c *Call) error {
	f, ok := c.Tx.Facts(c.Args[2])
	if !ok {
		return ErrNoSuchKey
	}
	lru := (c.Tx.Now()/1000 - f.Idle) & 0xffffff
	c.Simple(fmt.Sprintf("Value at:0x%x refcount:1 encoding:%s serializedlength:%d lru:%d lru_seconds_idle:%d",
		0, f.Encoding, f.Bytes, lru, f.Idle))
	return nil
}

func debugSetActiveExpire(c *Call) error {
	n, _ := num.ParseInt(c.Args[2])
	c.Env.Store().SetActiveExpire(n != 0)
	c.OK()
	return nil
}

func debugError(c *Call) error {
	// The text is the client's own: without a code it stays so.
	return Error(bytes.TrimPrefix(c.Args[2], []byte("-")))
}

func debugProtocol(c *Call) error {
	switch t := c.Args[2]; {
	case is(t, "STRING"):
		c.BulkString("Hello World")
	case is(t, "INTEGER"):
		c.Int(12345)
	case is(t, "DOUBLE"):
		c.Double(3.141)
	case is(t, "BIGNUM"):
		c.BigNumber("1234567999999999999999999999999999999")
	case is(t, "NULL"):
		c.Null()
	case is(t, "ARRAY"):
		c.Array(3)
		c.ints(0, 1, 2)
	case is(t, "SET"):
		c.Set(3)
		c.ints(0, 1, 2)
	case is(t, "MAP"):
		c.Map(3)
		for i := range int64(3) {
			c.Int(i)
			c.Bool(i == 1)
		}
	case is(t, "ATTRIB"):
		if c.Attribute(1) {
			c.BulkString("key-popularity")
			c.Array(2)
			c.BulkString("key:123")
			c.Int(90)
		}
		c.BulkString("Some real reply following the attribute")
	case is(t, "PUSH"):
		if !c.RESP3() {
			return ErrNeedsRESP3
		}
		c.Push(2)
		c.BulkString("server-cpu-usage")
		c.Int(42)
		c.BulkString("Some real reply following the push reply")
	case is(t, "VERBATIM"):
		c.Verbatim("txt", "This is a verbatim\nstring")
	case is(t, "TRUE"):
		c.Bool(true)
	case is(t, "FALSE"):
		c.Bool(false)
	default:
		return ErrProtocolType
	}
	return nil
}

func (c *Call) ints(v ...int64) {
	for _, n := range v {
		c.Int(n)
	}
}
