package commands

import (
	"bytes"
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/store"
)

var debugCommands = []Spec{
	{Name: "DEBUG", Arity: -2, Flags: Admin | NoScript | Loading | Stale | Protected | OwnLocks | SysCmd, Group: GroupServer,
		Since: "1.0.0", Complexity: "Depends on the subcommand.", Summary: "Commands for developers.", Endless: debugTakesTime,
		Scope: func(*Call) Flags { return Exclusive }, Run: debug},
}

// debugSubcommands have no rows of their own, because COMMAND INFO shows none.
var debugSubcommands = []debugSubcommand{
	{"CHANGE-REPL-ID", "", "Gives the replication history a new name.", 0, 0, debugChangeReplID, debugFree},
	{"DIGEST", "", "Fingerprints all data.", 0, 0, debugDigest, debugSlow},
	{"DIGEST-VALUE", "[key ...]", "Fingerprints the values of keys.", 0, -1, debugDigestValue, 0},
	{"ERROR", "text", "Replies with an error.", 1, 1, debugError, 0},
	{"LOADAOF", "", "Drops all data and reads the append-only file again.", 0, 0, debugLoadAOF, debugSlow | debugFree},
	{"OBJECT", "key", "Tells about the value of a key.", 1, 1, debugObject, 0},
	{"POPULATE", "count [prefix] [size]", "Makes strings of the names prefix:0, prefix:1 and so on.", 1, 3, debugPopulate, debugSlow},
	{"PROTOCOL", "type", "Replies with a value of a type: string, integer, double, bignum, null, array, set, map, attrib, push, verbatim, true or false.", 1, 1, debugProtocol, 0},
	{"QUICKLIST-PACKED-THRESHOLD", "size", "Does nothing: the nodes of lists are packed whatever the size of their elements.", 1, 1, debugPackedThreshold, 0},
	{"RELOAD", "[MERGE] [NOFLUSH] [NOSAVE]", "Saves all data, drops them, and reads the RDB file.", 0, -1, debugReload, debugSlow | debugFree},
	{"SET-ACTIVE-EXPIRE", "0 | 1", "Stops or starts the deletion of keys at their deadlines.", 1, 1, debugSetActiveExpire, 0},
	{"SLEEP", "seconds", "Makes the server sleep.", 1, 1, debugSleep, 0},
}

type debugSubcommand struct {
	name, args, summary string
	least, most         int // arguments behind the name; most -1: any number
	run                 func(c *Call) error
	how                 byte
}

const (
	debugSlow = 1 << iota // runs away from the client's loop
	debugFree             // holds no locks
)

// debugOf finds the subcommand of a request, nil if there is none that takes as many arguments.
func debugOf(args [][]byte) *debugSubcommand {
	for i := range debugSubcommands {
		s := &debugSubcommands[i]
		if n := len(args) - 2; n >= s.least && (s.most < 0 || n <= s.most) && is(args[1], s.name) {
			return s
		}
	}
	return nil
}

func debugTakesTime(c *Call) bool {
	s := debugOf(c.Args)
	return s != nil && s.how&debugSlow != 0
}

func debug(c *Call) error {
	if err := c.protected("DEBUG", "enable-debug-command"); err != nil {
		return err
	}
	if len(c.Args) == 2 && is(c.Args[1], "HELP") {
		return debugHelp(c)
	}
	s := debugOf(c.Args)
	switch {
	case s == nil:
		return errSubcommandArity("DEBUG", c.Args[1])
	case s.how&debugSlow != 0 && c.Env.Loading():
		return ErrLoading
	case c.atomic || s.how&debugFree != 0:
		return s.run(c)
	}
	c.Tx.LockAll()
	defer c.Tx.Unlock()
	return s.run(c)
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
		c.Simple(strings.TrimSpace(s.name + " " + s.args))
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
	lru := (c.Tx.Wall()/1000 - f.Idle) & 0xffffff
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

func debugChangeReplID(c *Call) error {
	c.Env.ChangeReplicationID()
	c.OK()
	return nil
}

func debugReload(c *Call) error {
	var how Reload
	for a := c.From(2); a.More(); {
		switch {
		case a.Is("MERGE"):
			how.Merge = true
		case a.Is("NOFLUSH"):
			how.NoFlush = true
		case a.Is("NOSAVE"):
			how.NoSave = true
		default:
			return ErrReloadOptions
		}
	}
	return c.reload(how)
}

func debugLoadAOF(c *Call) error { return c.reload(Reload{AOF: true}) }

// reload needs to be the only one to run, as a part of a transaction is not: what ran before it has not been fed yet.
func (c *Call) reload(how Reload) error {
	if c.atomic {
		return ErrNotInMulti
	}
	if err := c.Env.Reload(c.lane(), how); err != nil {
		return err
	}
	c.OK()
	return nil
}

// debugPackedThreshold looks at its argument as Redis does.
func debugPackedThreshold(c *Call) error {
	digits := bytes.TrimRight(bytes.ToLower(c.Args[2]), "bkmg")
	scale, ok := map[string]int64{"": 1, "b": 1, "k": 1e3, "m": 1e6, "g": 1e9, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}[strings.ToLower(string(c.Args[2][len(digits):]))]
	if n, isInt := num.ParseInt(digits); !ok || !isInt || n < 0 || n > (4<<30)/scale {
		return ErrPackedThreshold
	}
	c.OK()
	return nil
}

// debugPopulate leaves keys alone that there are.
func debugPopulate(c *Call) error {
	a := c.From(2)
	count := a.IntErr(ErrMustBePositive)
	prefix, size := []byte("key"), int64(0)
	if a.More() {
		prefix = a.Next()
	}
	if a.More() {
		size = a.IntErr(ErrMustBePositive)
	}
	switch err := a.Err(); {
	case err != nil:
		return err
	case count < 0 || size < 0 || size > c.Env.MaxBulk():
		return ErrMustBePositive
	}
	var key, value []byte
	for i := range count {
		key = strconv.AppendInt(append(append(key[:0], prefix...), ':'), i, 10)
		if c.Tx.Has(key) {
			continue
		}
		value = strconv.AppendInt(append(value[:0], "value:"...), i, 10)
		if size > 0 {
			value = append(value, make([]byte, max(0, int(size)-len(value)))...)[:size]
		}
		c.Tx.SetText(key, value, store.Forever)
		c.setEffect(key, value, store.Forever)
	}
	c.OK()
	return nil
}
