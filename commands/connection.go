package commands

import (
	"strings"

	"github.com/streampulse/pulse/internal/num"
)

var connectionCommands = []Spec{
	{Name: "PING", Syntax: "[message]", Arity: -1, Flags: Fast, Group: GroupConnection,
		Since: "1.0.0", Complexity: "O(1)", Summary: "Answers, with the message if there is one.",
		Tips: []string{"request_policy:all_shards", "response_policy:all_succeeded"}, Run: ping},
	{Name: "ECHO", Syntax: "message", Arity: 2, Flags: Loading | Stale | Fast, Group: GroupConnection,
		Since: "1.0.0", Complexity: "O(1)", Summary: "Returns the message.", Run: echo},
	{Name: "AUTH", Syntax: "[username] password", Arity: -2, Flags: NoScript | Loading | Stale | Fast | NoAuth | AllowBusy, Group: GroupConnection,
		Since: "1.0.0", Complexity: "O(1)", Summary: "Authenticates the connection.",
		History: [][2]string{{"6.0.0", "Takes a user name as well."}}, Run: auth},
	{Name: "HELLO", Syntax: "[protover [AUTH username password] [SETNAME clientname]]", Arity: -1,
		Flags: NoScript | Loading | Stale | Fast | NoAuth | AllowBusy, Group: GroupConnection,
		Since: "6.0.0", Complexity: "O(1)", Summary: "Chooses the version of the protocol and tells about the server.",
		History: [][2]string{{"6.2.0", "Without arguments it only tells about the connection."}}, Run: hello},
	{Name: "SELECT", Syntax: "index", Arity: 2, Flags: Loading | Stale | Fast, Group: GroupConnection,
		Since: "1.0.0", Complexity: "O(1)", Summary: "Changes the database of the connection.", Run: selectDB},
	{Name: "QUIT", Arity: -1, Flags: NoScript | Loading | Stale | Fast | NoAuth | AllowBusy, Group: GroupConnection,
		Since: "1.0.0", Complexity: "O(1)", Summary: "Closes the connection.",
		Deprecated: "7.2.0", ReplacedBy: "just closing the connection", Run: quit},
	{Name: "RESET", Arity: 1, Flags: NoScript | Loading | Stale | Fast | NoAuth | AllowBusy | OwnLocks, Group: GroupConnection,
		Since: "6.2.0", Complexity: "O(1)", Summary: "Makes the connection as good as new.", Run: reset},
}

func ping(c *Call) error {
	switch {
	case len(c.Args) > 2:
		return errArity(c.Spec)
	case c.Conn.subscribed():
		c.Array(2)
		c.BulkString("pong")
		if len(c.Args) == 2 {
			c.Bulk(c.Args[1])
		} else {
			c.BulkString("")
		}
	case len(c.Args) == 2:
		c.Bulk(c.Args[1])
	default:
		c.Simple("PONG")
	}
	return nil
}

func echo(c *Call) error {
	c.Bulk(c.Args[1])
	return nil
}

func auth(c *Call) error {
	user, password := []byte("default"), c.Args[1]
	switch {
	case len(c.Args) > 3:
		return ErrSyntax
	case len(c.Args) == 3:
		user, password = c.Args[1], c.Args[2]
	case !c.Env.Users().DefaultPassword():
		return ErrNoPassword
	}
	if err := c.login(user, password); err != nil {
		return err
	}
	c.OK()
	return nil
}

// login makes the connection that of a user, if the password is right.
func (c *Call) login(user, password []byte) error {
	a := c.Env.Users().Login(user, password)
	if a == nil {
		c.failedLogin(user)
		return ErrWrongPass
	}
	c.Conn.Authenticated = true
	c.Conn.As(a)
	return nil
}

func hello(c *Call) error {
	proto := int64(c.Proto())
	var user, password, name []byte
	if len(c.Args) > 1 {
		var ok bool
		if proto, ok = num.ParseInt(c.Args[1]); !ok {
			return ErrProtoInteger
		}
		if proto != 2 && proto != 3 {
			return ErrNoProto
		}
		for a := c.From(2); a.More(); {
			switch {
			case a.IsWith("AUTH", 2):
				user, password = a.Next(), a.Next()
			case a.IsWith("SETNAME", 1):
				if name = a.Next(); !isClientWord(name) {
					return ErrClientName
				}
			default:
				return errHelloOption(a.Peek())
			}
		}
	}
	conn := c.Conn
	if user != nil {
		if err := c.login(user, password); err != nil {
			return err
		}
	}
	if !conn.Authenticated && c.Env.Users().MustLogin() {
		return ErrHelloNoAuth
	}
	if name != nil {
		conn.Name = string(name)
	}
	c.SetProto(int(proto))
	c.helloReply()
	return nil
}

func (c *Call) helloReply() {
	c.Map(7)
	c.BulkString("server")
	c.BulkString("redis")
	c.BulkString("version")
	c.BulkString(RedisVersion)
	c.BulkString("proto")
	c.Int(int64(c.Proto()))
	c.BulkString("id")
	c.Int(c.Conn.ID)
	c.BulkString("mode")
	c.BulkString("standalone")
	c.BulkString("role")
	c.BulkString("master")
	c.BulkString("modules")
	c.Array(0)
}

func selectDB(c *Call) error {
	a := c.From(1)
	n := a.Int()
	switch {
	case a.Err() != nil:
		return a.Err()
	case int64(int32(n)) != n:
		return ErrInt32
	case n < 0 || n >= int64(c.Env.Store().Databases()):
		return ErrDBRange
	}
	c.Conn.DB = int(n)
	c.OK()
	return nil
}

func quit(c *Call) error {
	c.Conn.Closing = true
	c.OK()
	return nil
}

func reset(c *Call) error {
	conn := c.Conn
	conn.reset()
	conn.DB = 0
	conn.Name = ""
	conn.As(c.Env.Users().DefaultUser())
	conn.Authenticated = !c.Env.Users().MustLogin()
	conn.NoEvict, conn.NoTouch = false, false
	if conn.reply == replyOff {
		conn.reply = replyOn
		c.pushes = true // the reply is not held back by the mode that just ended
	}
	c.SetProto(2)
	c.Simple("RESET")
	return nil
}

// isClientWord reports whether b may be the name of a client or of its library: printable ASCII without spaces.
func isClientWord(b []byte) bool {
	for _, ch := range b {
		if ch < '!' || ch > '~' {
			return false
		}
	}
	return true
}

// helpRow is the HELP subcommand of a container; its reply follows from the container's rows.
func helpRow(since string, flags Flags) Spec {
	return Spec{Name: "HELP", Arity: 2, Flags: flags | Loading | Stale, Since: since, Complexity: "O(1)",
		Summary: "Prints this help.", Run: help}
}

func help(c *Call) error {
	container := c.Spec.parent
	c.Array(1 + 2*len(container.Sub))
	c.Simple(strings.ToUpper(string(c.Args[0])) + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
	for i := range container.Sub {
		s := &container.Sub[i]
		c.Simple(strings.TrimSpace(s.Name + " " + s.Syntax))
		c.Simple("    " + s.Summary)
	}
	return nil
}

// unsubscribeAll ends all subscriptions of c without a word to it.
func unsubscribeAll(c *Conn) {
	if !c.Subscriber() {
		return
	}
	for kind := range numSubKinds {
		for _, name := range c.Env.Subscriptions(c, kind) {
			c.Env.Unsubscribe(c, kind, []byte(name))
		}
	}
	c.Subs, c.PSubs, c.SSubs = 0, 0, 0
}
