package commands

import (
	"cmp"
	"math"
	"slices"
	"strconv"
)

var clientCommands = []Spec{
	{Name: "CLIENT", Arity: -2, Group: GroupConnection, Since: "2.4.0", Complexity: "Depends on the subcommand.",
		Summary: "Commands about connections.", Sub: []Spec{
			{Name: "ID", Arity: 2, Flags: NoScript | Loading | Stale, Since: "5.0.0", Complexity: "O(1)",
				Summary: "Returns the number of the connection.", Run: clientID},
			{Name: "INFO", Arity: 2, Flags: NoScript | Loading | Stale, Since: "6.2.0", Complexity: "O(1)",
				Summary: "Describes the connection in a line.", Tips: []string{"nondeterministic_output"}, Run: clientInfo},
			{Name: "LIST", Syntax: "[TYPE NORMAL | MASTER | REPLICA | PUBSUB] [ID client-id [client-id ...]]", Arity: -2,
				Flags: Admin | NoScript | Loading | Stale | Exclusive, Since: "2.4.0", Complexity: "O(N) with the number of connections.",
				Summary: "Describes connections, one a line.", Tips: []string{"nondeterministic_output"}, History: [][2]string{
					{"2.8.12", "The field id."}, {"5.0.0", "TYPE."}, {"6.0.0", "The field user."},
					{"6.2.0", "ID and the fields argv-mem, tot-mem, laddr and redir."},
					{"7.0.0", "The fields resp, multi-mem, rbs and rbp."}, {"7.0.3", "The field ssub."},
					{"7.2.0", "The fields lib-name and lib-ver."}, {"7.4.0", "The field watch."}}, Run: clientList},
			{Name: "GETNAME", Arity: 2, Flags: NoScript | Loading | Stale, Since: "2.6.9", Complexity: "O(1)",
				Summary: "Returns the name of the connection.", Run: clientGetname},
			{Name: "SETNAME", Syntax: "connection-name", Arity: 3, Flags: NoScript | Loading | Stale, Since: "2.6.9", Complexity: "O(1)",
				Summary: "Gives the connection a name.", Run: clientSetname},
			{Name: "SETINFO", Syntax: "<LIB-NAME libname | LIB-VER libver>", Arity: 4, Flags: NoScript | Loading | Stale, Since: "7.2.0",
				Complexity: "O(1)", Summary: "Tells which library the client is made with.",
				Tips: []string{"request_policy:all_nodes", "response_policy:all_succeeded"}, Run: clientSetinfo},
			{Name: "TRACKING", Syntax: "<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]",
				Arity: -3, Flags: NoScript | Loading | Stale, Since: "6.0.0", Complexity: "O(1). Some options may introduce additional complexity.",
				Summary: "Has the server tell when keys change that the client may have cached.", Run: clientTracking},
			{Name: "CACHING", Syntax: "<YES | NO>", Arity: 3, Flags: NoScript | Loading | Stale, Since: "6.0.0", Complexity: "O(1)",
				Summary: "Says whether the keys of the next command are tracked.", Run: clientCaching},
			{Name: "TRACKINGINFO", Arity: 2, Flags: NoScript | Loading | Stale, Since: "6.2.0", Complexity: "O(1)",
				Summary: "Returns how the connection tracks.", Run: clientTrackinginfo},
			{Name: "GETREDIR", Arity: 2, Flags: NoScript | Loading | Stale, Since: "6.0.0", Complexity: "O(1)",
				Summary: "Returns the connection that gets the invalidations of this one.", Run: clientGetredir},
			{Name: "KILL", Syntax: "<ip:port | <ID client-id | TYPE <NORMAL | MASTER | SLAVE | REPLICA | PUBSUB> | USER username | ADDR ip:port | LADDR ip:port | SKIPME <YES | NO> | MAXAGE maxage> ...>",
				Arity: -3, Flags: Admin | NoScript | Loading | Stale | Exclusive, Since: "2.4.0", Complexity: "O(N) with the number of connections.",
				Summary: "Closes connections.", History: [][2]string{
					{"2.8.12", "Filters, and ID among them."}, {"3.2.0", "TYPE MASTER."},
					{"5.0.0", "TYPE REPLICA, of which SLAVE is the old name."}, {"6.2.0", "LADDR."}, {"7.4.0", "MAXAGE."}}, Run: clientKill},
			{Name: "REPLY", Syntax: "<ON | OFF | SKIP>", Arity: 3, Flags: NoScript | Loading | Stale, Since: "3.2.0", Complexity: "O(1)",
				Summary: "Says whether the server answers.", Run: clientReply},
			{Name: "PAUSE", Syntax: "timeout [WRITE | ALL]", Arity: -3, Flags: Admin | NoScript | Loading | Stale, Since: "2.9.50", Complexity: "O(1)",
				Summary: "Lets all clients wait for some milliseconds.", History: [][2]string{{"6.2.0", "The mode."}}, Run: clientPause},
			{Name: "UNPAUSE", Arity: 2, Flags: Admin | NoScript | Loading | Stale, Since: "6.2.0", Complexity: "O(N) with the number of waiting clients.",
				Summary: "Ends a pause.", Run: clientUnpause},
			{Name: "UNBLOCK", Syntax: "client-id [TIMEOUT | ERROR]", Arity: -3, Flags: Admin | NoScript | Loading | Stale | Exclusive, Since: "5.0.0",
				Complexity: "O(1)", Summary: "Ends the wait of a blocked client.", Run: clientUnblock},
			{Name: "NO-EVICT", Syntax: "<ON | OFF>", Arity: 3, Flags: Admin | NoScript | Loading | Stale, Since: "7.0.0", Complexity: "O(1)",
				Summary: "Keeps the connection when memory for clients runs out.", Run: clientNoEvict},
			{Name: "NO-TOUCH", Syntax: "<ON | OFF>", Arity: 3, Flags: NoScript | Loading | Stale, Since: "7.2.0", Complexity: "O(1)",
				Summary: "Lets reads leave the access time of keys as it is.", Run: clientNoTouch},
			{Name: "MAINT_NOTIFICATIONS", Syntax: "<ON | OFF> [MOVING-ENDPOINT-TYPE type]", Arity: -3, Flags: NoScript | Loading | Stale, Since: "7.4.0",
				Complexity: "O(1)", Summary: "Accepted for the clients that ask; there is no maintenance to notify of.", Run: clientMaintNotifications},
			helpRow("5.0.0", 0),
		}},
}

func clientID(c *Call) error {
	c.Int(c.Conn.ID)
	return nil
}

func clientInfo(c *Call) error {
	c.Verbatim("txt", string(appendClient(nil, c, c.Conn)))
	return nil
}

func clientGetname(c *Call) error {
	if c.Conn.Name == "" {
		c.Null()
	} else {
		c.BulkString(c.Conn.Name)
	}
	return nil
}

func clientSetname(c *Call) error {
	if !isClientWord(c.Args[2]) {
		return ErrClientName
	}
	c.Conn.Name = string(c.Args[2])
	c.OK()
	return nil
}

func clientSetinfo(c *Call) error {
	var field *string
	switch {
	case is(c.Args[2], "LIB-NAME"):
		field = &c.Conn.LibName
	case is(c.Args[2], "LIB-VER"):
		field = &c.Conn.LibVer
	default:
		return errClientOption(c.Args[2])
	}
	if !isClientWord(c.Args[3]) {
		return errClientInfo(c.Args[2])
	}
	*field = string(c.Args[3])
	c.OK()
	return nil
}

func clientReply(c *Call) error {
	conn := c.Conn
	switch mode := c.Args[2]; {
	case is(mode, "ON"):
		conn.reply = replyOn
		c.pushes = true // also behind SKIP
		c.OK()
	case is(mode, "OFF"):
		conn.reply = replyOff
	case is(mode, "SKIP"):
		if conn.reply != replyOff {
			conn.reply = replySkipNext
		}
	default:
		return ErrSyntax
	}
	return nil
}

func clientPause(c *Call) error {
	all := true
	switch {
	case len(c.Args) > 4:
		return errSubcommandArity("CLIENT", c.Args[1])
	case len(c.Args) == 3 || is(c.Args[3], "ALL"):
	case is(c.Args[3], "WRITE"):
		all = false
	default:
		return ErrPauseMode
	}
	a := c.From(2)
	ms := a.IntErr(ErrTimeoutInteger)
	now := c.Env.Clock().NowMs()
	switch {
	case a.Err() != nil:
		return a.Err()
	case ms < 0:
		return ErrTimeoutNegative
	case ms > math.MaxInt64-now:
		return ErrTimeoutRange
	}
	c.Env.Pause(now+ms, all)
	c.OK()
	return nil
}

func clientUnpause(c *Call) error {
	c.Env.Pause(0, false)
	c.OK()
	return nil
}

func clientUnblock(c *Call) error {
	withError := false
	switch {
	case len(c.Args) > 4:
		return errSubcommandArity("CLIENT", c.Args[1])
	case len(c.Args) == 3 || is(c.Args[3], "TIMEOUT"):
	case is(c.Args[3], "ERROR"):
		withError = true
	default:
		return ErrUnblockReason
	}
	a := c.From(2)
	id := a.Int()
	if a.Err() != nil {
		return a.Err()
	}
	done := int64(0)
	c.Env.EachClient(func(o *Conn) {
		if o.ID == id && o.Unblock(c.Tx, withError) {
			done = 1
		}
	})
	c.Int(done)
	return nil
}

func clientNoEvict(c *Call) error { return clientSwitch(c, &c.Conn.NoEvict) }
func clientNoTouch(c *Call) error { return clientSwitch(c, &c.Conn.NoTouch) }

func clientSwitch(c *Call, v *bool) error {
	switch {
	case is(c.Args[2], "ON"):
		*v = true
	case is(c.Args[2], "OFF"):
		*v = false
	default:
		return ErrSyntax
	}
	c.OK()
	return nil
}

func clientMaintNotifications(c *Call) error {
	c.OK()
	return nil
}

// clientFilter says which clients CLIENT KILL and CLIENT LIST mean. A zero field means any.
type clientFilter struct {
	ids         []int64
	kind        string
	user        string
	addr, laddr []byte // nil means any, and an empty one none
	maxAge      int64  // seconds
	skipMe      bool
}

func (f *clientFilter) matches(c *Call, o *Conn) bool {
	switch {
	case f.kind != "" && f.kind != clientKind(o),
		f.addr != nil && string(f.addr) != o.Addr,
		f.laddr != nil && string(f.laddr) != o.LAddr,
		f.user != "" && (f.user != o.User || !o.Authenticated),
		f.maxAge > 0 && int64((c.Env.Clock().Mono()-o.Created).Seconds()) < f.maxAge,
		f.skipMe && o == c.Conn:
		return false
	}
	if f.ids == nil {
		return true
	}
	for _, id := range f.ids {
		if id == o.ID {
			return true
		}
	}
	return false
}

// clientKind is the class of a client.
func clientKind(o *Conn) string {
	if o.Subscriber() {
		return "pubsub"
	}
	return "normal"
}

// clientType takes the name of a class of clients.
func (a *Args) clientType() string {
	for name, kind := range map[string]string{
		"NORMAL": "normal", "PUBSUB": "pubsub", "MASTER": "master", "REPLICA": "replica", "SLAVE": "replica",
	} {
		if a.Is(name) {
			return kind
		}
	}
	if a.More() {
		a.Fail(errClientType(a.Peek()))
	}
	return ""
}

func clientList(c *Call) error {
	a := c.From(2)
	var f clientFilter
	switch {
	case !a.More():
	case a.Left() == 2 && a.Is("TYPE"):
		f.kind = a.clientType()
	case a.IsWith("ID", 1):
		for a.More() {
			f.ids = append(f.ids, a.IntErr(ErrClientID))
		}
	default:
		return ErrSyntax
	}
	if a.Err() != nil {
		return a.Err()
	}
	var found []*Conn
	c.Env.EachClient(func(o *Conn) {
		if f.matches(c, o) {
			found = append(found, o)
		}
	})
	slices.SortFunc(found, func(a, b *Conn) int { return cmp.Compare(a.ID, b.ID) })
	var lines []byte
	if f.ids == nil {
		for _, o := range found {
			lines = appendClient(lines, c, o)
		}
	}
	for _, id := range f.ids { // in the order asked for, and as often
		if i, ok := slices.BinarySearchFunc(found, id, func(o *Conn, id int64) int { return cmp.Compare(o.ID, id) }); ok {
			lines = appendClient(lines, c, found[i])
		}
	}
	c.Verbatim("txt", string(lines))
	return nil
}

func clientKill(c *Call) error {
	var f clientFilter
	var err error
	oldForm := len(c.Args) == 3
	if oldForm {
		f.addr = c.Args[2]
	} else if f, err = killFilter(c); err != nil {
		return err
	}
	killed := int64(0)
	c.Env.EachClient(func(o *Conn) {
		switch {
		case !f.matches(c, o), oldForm && killed > 0:
			return
		case o == c.Conn:
			o.Closing = true // once this reply is sent
		default:
			c.Env.CloseClient(o)
		}
		killed++
	})
	switch {
	case !oldForm:
		c.Int(killed)
	case killed == 0:
		return ErrNoSuchClientAddr
	default:
		c.OK()
	}
	return nil
}

// killFilter parses the pairs of the new form.
func killFilter(c *Call) (f clientFilter, err error) {
	f.skipMe = true
	a := c.From(2)
	for a.More() {
		switch {
		case a.IsWith("ID", 1):
			f.ids = []int64{a.positive(ErrClientIDPositive, ErrClientIDPositive)}
		case a.IsWith("MAXAGE", 1):
			f.maxAge = a.positive(ErrMaxAgeInteger, ErrMaxAgePositive)
		case a.IsWith("TYPE", 1):
			f.kind = a.clientType()
		case a.IsWith("ADDR", 1):
			f.addr = a.Next()
		case a.IsWith("LADDR", 1):
			f.laddr = a.Next()
		case a.IsWith("USER", 1):
			if f.user = string(a.Next()); c.Env.Users().RightsOf([]byte(f.user)) == nil {
				a.Fail(errNoUser(f.user))
			}
		case a.IsWith("SKIPME", 1):
			switch {
			case a.Is("YES"):
				f.skipMe = true
			case a.Is("NO"):
				f.skipMe = false
			default:
				a.Fail(ErrSyntax)
			}
		default:
			a.Fail(ErrSyntax)
		}
	}
	return f, a.Err()
}

// positive takes an integer above 0, with the errors for what is no integer and what is not positive.
func (a *Args) positive(notInteger, notPositive error) int64 {
	n := a.IntErr(notInteger)
	if n <= 0 {
		a.Fail(notPositive)
	}
	return n
}

// appendClient appends the line of a client.
func appendClient(b []byte, c *Call, o *Conn) []byte {
	now := c.Env.Clock().Mono()
	buf := c.Env.ClientBuffers(o)
	cmd := "NULL"
	if o.LastCmd != nil {
		cmd = o.LastCmd.full
	}
	l := clientLine{b: b}
	l.num("id", o.ID)
	l.str("addr", o.Addr)
	l.str("laddr", o.LAddr)
	l.num("fd", int64(o.FD))
	l.str("name", o.Name)
	l.num("age", int64((now - o.Created).Seconds()))
	l.num("idle", int64((now - o.LastActive).Seconds()))
	l.str("flags", clientFlags(o))
	l.num("db", int64(o.DB))
	l.num("sub", int64(o.Subs))
	l.num("psub", int64(o.PSubs))
	l.num("ssub", int64(o.SSubs))
	l.num("multi", int64(o.QueuedCommands()))
	l.num("watch", int64(o.Watching()))
	l.num("qbuf", int64(buf.Query))
	l.num("qbuf-free", int64(buf.QueryFree))
	l.num("argv-mem", argBytes(c, o))
	l.num("multi-mem", int64(o.QueuedBytes()))
	l.num("rbs", int64(cap(o.Out.Bytes())))
	l.num("rbp", int64(cap(o.Out.Bytes())))
	l.num("obl", int64(buf.Output))
	l.num("oll", int64(min(1, buf.OutputList)))
	l.num("omem", int64(buf.OutputList))
	l.num("tot-mem", int64(buf.Total))
	l.str("events", "r")
	l.str("cmd", cmd)
	l.str("user", o.User)
	l.num("redir", o.Tracking.redirection())
	l.num("resp", int64(o.Out.Proto()))
	l.str("lib-name", o.LibName)
	l.str("lib-ver", o.LibVer)
	l.b[len(l.b)-1] = '\n'
	return l.b
}

// argBytes is the size of the arguments of the command that o, if it is the caller, is running.
func argBytes(c *Call, o *Conn) (n int64) {
	if o == c.Conn {
		for _, a := range c.Args[1:] {
			n += int64(len(a))
		}
	}
	return n
}

// clientLine collects fields "name=value ".
type clientLine struct{ b []byte }

func (l *clientLine) str(name, value string) {
	l.b = append(append(l.b, name...), '=')
	l.b = append(append(l.b, value...), ' ')
}

func (l *clientLine) num(name string, value int64) {
	l.b = append(append(l.b, name...), '=')
	l.b = append(strconv.AppendInt(l.b, value, 10), ' ')
}

// clientFlags are the letters of a client's state.
func clientFlags(o *Conn) string {
	var b []byte
	for _, f := range []struct {
		on     bool
		letter byte
	}{
		{o.Monitor, 'O'}, {o.replica, 'S'}, {o.Subscriber(), 'P'}, {o.QueuedCommands() >= 0, 'x'}, {o.Blocked() || o.Postponed, 'b'},
		{o.Tracking.On, 't'}, {o.Tracking.Broken, 'R'}, {o.Tracking.Broadcast, 'B'}, {o.watch.Dirty(), 'd'},
		{o.Closing, 'c'}, {o.Unix, 'U'}, {o.NoEvict, 'e'}, {o.NoTouch, 'T'},
	} {
		if f.on {
			b = append(b, f.letter)
		}
	}
	if b == nil {
		return "N"
	}
	return string(b)
}
