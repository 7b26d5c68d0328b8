package commands

import "strings"

// Whether a client may do something is asked where requests come in (gateACL), where EXEC runs what was queued, where a script
// calls a command, and where one that has waited for a key is about to run. All of them ask for the keys that the command is
// going to use: they come out of KeyPositions, as do those that are locked.

// Texts of refusals.
const (
	ErrNoRightToKey     = Error("NOPERM No permissions to access a key")
	ErrNoRightToChannel = Error("NOPERM No permissions to access a channel")
	ErrSortBy           = Error("ERR BY option of SORT denied due to insufficient ACL permissions.")
	ErrSortGet          = Error("ERR GET option of SORT denied due to insufficient ACL permissions.")
)

// The contexts that ACL LOG tells apart.
const (
	inToplevel = "toplevel"
	inMulti    = "multi"
	inScript   = "lua"
)

// gateACL refuses what the user may not do.
func gateACL(c *Conn, k *Call) error {
	if c.account == nil || c.account.free.Load() {
		return nil
	}
	context := inToplevel
	if c.InMulti() {
		context = inMulti
	}
	why, at := c.may(k.Spec, k.Args)
	if why == NotRefused {
		return nil
	}
	k.denied(why, context, at)
	return errRefused(why, c.User, k.Spec)
}

// As makes the connection one of the given user; nil is the server itself, which may do everything.
func (c *Conn) As(a *Account) {
	c.account = a
	if a != nil {
		c.User = a.name
	}
}

// may judges a request of the user. at is the argument that a refusal is about.
func (c *Conn) may(s *Spec, args [][]byte) (why Refusal, at int) {
	a := c.account
	if a == nil || a.free.Load() {
		return NotRefused, 0
	}
	if a.gone.Load() {
		return RefusedCommand, 0
	}
	// Arguments that do not fit the row lead to an error.
	keys, _ := s.KeyPositions(args, c.keys[:0])
	c.keys = keys[:0]
	return a.rights.Load().(Rights).Check(s, args, keys)
}

// mayReadAll reports whether the user may read keys that the request does not name.
func (c *Call) mayReadAll() bool {
	if c.Conn == nil { // it is a client that has waited, and none of the commands that read other keys waits
		return true
	}
	a := c.Conn.account
	if a == nil || a.free.Load() {
		return true
	}
	if a.gone.Load() {
		return false
	}
	keys, _ := c.Spec.KeyPositions(c.Args, nil)
	return a.rights.Load().(Rights).ReadsAll(c.Spec, c.Args, keys)
}

// denied notes that the request was refused.
func (c *Call) denied(why Refusal, context string, at int) {
	object := c.Spec.full
	if why != RefusedCommand {
		object = string(c.Args[at])
	}
	c.Env.Users().Denied(&Denied{Why: why, Context: context, Object: object, User: c.Conn.User, Client: c.ownLine()})
}

// failedLogin notes that somebody gave the wrong password.
func (c *Call) failedLogin(user []byte) {
	context := inToplevel
	if c.Conn.InMulti() {
		context = inMulti
	}
	c.Env.Users().Denied(&Denied{Why: RefusedLogin, Context: context, Object: string(c.Args[0]), User: string(user), Client: c.ownLine()})
}

// ownLine is what CLIENT INFO says of the client.
func (c *Call) ownLine() string {
	return strings.TrimSuffix(string(appendClient(nil, c, c.Conn)), "\n")
}

// errRefused is the reply to a request of the user that was refused.
func errRefused(why Refusal, user string, s *Spec) error {
	switch why {
	case RefusedKey:
		return ErrNoRightToKey
	case RefusedChannel:
		return ErrNoRightToChannel
	}
	return errorf("NOPERM %s", refusedCommand([]byte(user), s))
}

func refusedCommand(user []byte, s *Spec) string {
	return "User " + string(untilNUL(user)) + " has no permissions to run the '" + s.full + "' command"
}

// recheck judges a queued command again when its turn has come.
func (c *Conn) recheck(k *Call) error {
	why, at := c.may(k.Spec, k.Args)
	if why == NotRefused {
		return nil
	}
	k.denied(why, inMulti, at)
	reason := map[Refusal]string{
		RefusedCommand: "no permission to execute the command or subcommand",
		RefusedKey:     "no permission to touch the specified keys",
		RefusedChannel: "no permission to access one of the channels used as arguments",
	}[why]
	return Error("NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: " + reason)
}

// checkScript judges a command that a script calls: with the rights of who has called the script. k is the script's own call.
func (c *Conn) checkScript(k *Call, s *Spec, args [][]byte) error {
	why, at := c.may(s, args)
	if why == NotRefused {
		return nil
	}
	inner := Call{Spec: s, Args: args, Conn: c, Env: k.Env, table: k.table}
	inner.denied(why, inScript, at)
	_, text, _ := strings.Cut(errRefused(why, c.User, s).Error(), " ")
	return Error("ERR ACL failure in script: " + text)
}

// MayRun reports whether the user of c may run a command, and whether there is such a command.
func (t *Table) MayRun(c *Conn, args [][]byte) (allowed, known bool) {
	s := t.commandOf(args)
	if s == nil {
		return false, false
	}
	why, _ := c.may(s, args)
	return why == NotRefused, true
}

// commandOf finds the row of a request; nil if there is none.
func (t *Table) commandOf(args [][]byte) *Spec {
	s := t.Lookup(args[0])
	if s != nil && s.sub.n > 0 && len(args) > 1 {
		s = s.sub.find(args[1])
	}
	return s
}

// refusal is the error that a client, which has waited, gets instead of being served.
func (b *blockedCall) refusal() error {
	c := b.conn
	why, at := NotRefused, 0
	if a := b.account; a != nil && !a.free.Load() {
		why = RefusedCommand
		if !a.gone.Load() {
			why, at = a.rights.Load().(Rights).Check(b.spec, b.args, must(b.spec.KeyPositions(b.args, nil)))
		}
	}
	if why == NotRefused {
		return nil
	}
	object := b.spec.full
	if why != RefusedCommand {
		object = string(b.args[at])
	}
	// The client's line is its own loop's to write: what never changes while it waits is said of it.
	line := clientLine{}
	line.num("id", c.ID)
	line.str("addr", c.Addr)
	line.str("laddr", c.LAddr)
	line.str("cmd", b.spec.full)
	line.str("user", b.account.name)
	c.Env.Users().Denied(&Denied{Why: why, Context: inToplevel, Object: object, User: b.account.name,
		Client: strings.TrimSuffix(string(line.b), " ")})
	return errRefused(why, b.account.name, b.spec)
}

// enforce closes connections after a change of users: those of users that are gone, and those with subscriptions that their
// users may not have any more. The caller is Exclusive.
func (c *Call) enforce() {
	c.Env.EachClient(func(o *Conn) {
		a := o.account
		if a == nil || !a.gone.Load() && (a.free.Load() || !o.Subscriber() || o.mayHearAll()) {
			return
		}
		if o == c.Conn {
			o.Closing = true // once this reply is sent
			return
		}
		c.Env.CloseClient(o)
	})
}

// mayHearAll reports whether the user may have all subscriptions that the connection has.
func (c *Conn) mayHearAll() bool {
	r := c.account.rights.Load().(Rights)
	for kind := range numSubKinds {
		for _, name := range c.Env.Subscriptions(c, kind) {
			if !r.Hears(name, kind == SubPattern) {
				return false
			}
		}
	}
	return true
}
