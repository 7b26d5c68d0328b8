package commands

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strings"
)

const aclFlags = NoScript | Loading | Stale

var aclCommands = []Spec{
	{Name: "ACL", Arity: -2, Group: GroupServer, Since: "6.0.0", Complexity: "Depends on the subcommand.",
		Summary: "Commands about users and what they may do.", Sub: []Spec{
			{Name: "CAT", Syntax: "[category]", Arity: -2, Flags: aclFlags, Since: "6.0.0", Complexity: "O(1), as the categories do not change.",
				Summary: "Lists the categories of commands, or the commands of one.", Run: aclCat},
			{Name: "DELUSER", Syntax: "username [username ...]", Arity: -3, Flags: Admin | aclFlags | Exclusive, Since: "6.0.0",
				Complexity: "O(N) with the number of connections.", Summary: "Deletes users and closes their connections.", Tips: []string{"request_policy:all_nodes", "response_policy:all_succeeded"}, Run: aclDeluser},
			{Name: "DRYRUN", Syntax: "username command [arg [arg ...]]", Arity: -4, Flags: Admin | aclFlags, Since: "7.0.0", Complexity: "O(1)",
				Summary: "Tells whether a user might run a command.", Run: aclDryrun},
			{Name: "GENPASS", Syntax: "[bits]", Arity: -2, Flags: aclFlags, Since: "6.0.0", Complexity: "O(1)",
				Summary: "Makes a password by chance.", Run: aclGenpass},
			{Name: "GETUSER", Syntax: "username", Arity: 3, Flags: Admin | aclFlags, Since: "6.0.0",
				Complexity: "O(N) with the number of rules of the user.", Summary: "Tells about a user.", History: [][2]string{
					{"6.2.0", "Patterns of channels."}, {"7.0.0", "Selectors; patterns are texts."}}, Run: aclGetuser},
			{Name: "LIST", Arity: 2, Flags: Admin | aclFlags, Since: "6.0.0", Complexity: "O(N) with the number of users.",
				Summary: "Lists all users as the lines of a file that makes them.", Run: aclList},
			{Name: "LOAD", Arity: 2, Flags: Admin | aclFlags | Exclusive, Since: "6.0.0", Complexity: "O(N) with the number of users.",
				Summary: "Takes the users from the file that aclfile names.", Run: aclLoad},
			{Name: "LOG", Syntax: "[count | RESET]", Arity: -2, Flags: Admin | aclFlags, Since: "6.0.0",
				Complexity: "O(N) with the number of lines.", Summary: "Tells who was refused what lately.",
				History: [][2]string{{"7.2.0", "Numbers and times of entries."}}, Run: aclLog},
			{Name: "SAVE", Arity: 2, Flags: Admin | aclFlags, Since: "6.0.0", Complexity: "O(N) with the number of users.",
				Summary: "Writes the users into the file that aclfile names.", Tips: []string{"request_policy:all_nodes", "response_policy:all_succeeded"}, Run: aclSave},
			{Name: "SETUSER", Syntax: "username [rule [rule ...]]", Arity: -3, Flags: Admin | aclFlags | Exclusive, Since: "6.0.0",
				Complexity: "O(N) with the number of rules.", Summary: "Makes a user, or changes one.", Tips: []string{"request_policy:all_nodes", "response_policy:all_succeeded"}, History: [][2]string{
					{"6.2.0", "Patterns of channels."}, {"7.0.0", "Selectors, and patterns of keys to read or to write."}}, Run: aclSetuser},
			{Name: "USERS", Arity: 2, Flags: Admin | aclFlags, Since: "6.0.0", Complexity: "O(N) with the number of users.",
				Summary: "Lists the names of all users.", Run: aclUsers},
			{Name: "WHOAMI", Arity: 2, Flags: aclFlags, Since: "6.0.0", Complexity: "O(1)",
				Summary: "Returns the name of the connection's user.", Run: aclWhoami},
			helpRow("6.0.0", 0),
		}},
}

// Texts of the ACL commands.
const (
	ErrDefaultUser = Error("ERR The 'default' user cannot be removed")
	ErrGenpassBits = Error("ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096")
)

// ErrUserRule is the reply to ACL SETUSER with a rule that is refused.
func ErrUserRule(rule []byte, why error) error {
	return errorf("ERR Error in ACL SETUSER modifier '%s': %s", rule, why.Error())
}

// ErrUserSelector is the reply to ACL SETUSER with a selector that does not end; open is its first argument.
func ErrUserSelector(open []byte) error {
	return errorf("ERR Unmatched parenthesis in acl selector starting at '%s'.", open)
}

// aclLogDefault is how many lines ACL LOG shows unless told otherwise.
const aclLogDefault = 10

func (c *Call) bulkStrings(list []string) {
	c.Array(len(list))
	for _, s := range list {
		c.BulkString(s)
	}
}

func aclCat(c *Call) error {
	switch len(c.Args) {
	case 2:
		c.bulkStrings(CategoryNames())
		return nil
	case 3:
	default:
		return errSubcommandArity("ACL", c.Args[1])
	}
	category := "@" + strings.ToLower(string(c.Args[2]))
	if !slices.Contains(categoryNames, category) {
		return errorf("ERR Unknown category '%s'", c.Args[2])
	}
	var names []string
	for _, s := range c.table.all {
		if slices.Contains(s.Categories(), category) {
			names = append(names, s.full)
		}
	}
	c.bulkStrings(names)
	return nil
}

func aclDeluser(c *Call) error {
	for _, name := range c.Args[2:] {
		if string(name) == c.Env.Users().DefaultUser().name {
			return ErrDefaultUser
		}
	}
	deleted := int64(0)
	for _, name := range c.Args[2:] {
		if c.Env.Users().DeleteUser(name) {
			deleted++
		}
	}
	if deleted > 0 {
		c.enforce()
	}
	c.Int(deleted)
	return nil
}

func aclDryrun(c *Call) error {
	user, args := c.Args[2], c.Args[3:]
	r := c.Env.Users().RightsOf(user)
	if r == nil {
		return errorf("ERR User '%s' not found", user)
	}
	s := c.table.commandOf(args)
	if s == nil {
		return errorf("ERR Command '%s' not found", args[0])
	}
	if n := len(args); s.Arity > 0 && n != s.Arity || n < -s.Arity {
		return errArity(s)
	}
	keys, _ := s.KeyPositions(args, nil)
	switch why, at := r.Check(s, args, keys); why {
	case NotRefused:
		c.OK()
	case RefusedCommand:
		c.BulkString(refusedCommand(user, s))
	default:
		kind := map[Refusal]string{RefusedKey: "key", RefusedChannel: "channel"}[why]
		c.BulkString("User " + string(user) + " has no permissions to access the '" + string(args[at]) + "' " + kind)
	}
	return nil
}

func aclGenpass(c *Call) error {
	if len(c.Args) > 3 {
		return errSubcommandArity("ACL", c.Args[1])
	}
	bits := int64(256)
	if a := c.From(2); a.More() {
		bits = a.Int()
		switch {
		case a.Err() != nil:
			return a.Err()
		case bits < 1 || bits > 4096:
			return ErrGenpassBits
		}
	}
	digits := (bits + 3) / 4
	b := make([]byte, (digits+1)/2)
	_, _ = rand.Read(b) // never fails
	c.BulkString(hex.EncodeToString(b)[:digits])
	return nil
}

func aclGetuser(c *Call) error {
	u := c.Env.Users().User(c.Args[2])
	if u == nil {
		c.Null()
		return nil
	}
	c.Map(6)
	c.BulkString("flags")
	c.Set(len(u.Flags))
	for _, f := range u.Flags {
		c.BulkString(f)
	}
	c.BulkString("passwords")
	c.bulkStrings(u.Passwords)
	c.selectorFields(&u.SelectorInfo)
	c.BulkString("selectors")
	c.Array(len(u.Selectors))
	for i := range u.Selectors {
		c.Map(3)
		c.selectorFields(&u.Selectors[i])
	}
	return nil
}

func (c *Call) selectorFields(s *SelectorInfo) {
	c.BulkString("commands")
	c.BulkString(s.Commands)
	c.BulkString("keys")
	c.BulkString(s.Keys)
	c.BulkString("channels")
	c.BulkString(s.Channels)
}

func aclList(c *Call) error {
	c.bulkStrings(c.Env.Users().UserLines())
	return nil
}

func aclUsers(c *Call) error {
	c.bulkStrings(c.Env.Users().UserNames())
	return nil
}

func aclWhoami(c *Call) error {
	c.BulkString(c.Conn.User)
	return nil
}

func aclSetuser(c *Call) error {
	if err := c.Env.Users().SetUser(c.Args[2], c.Args[3:]); err != nil {
		return err
	}
	c.enforce()
	c.OK()
	return nil
}

func aclLoad(c *Call) error {
	if err := c.Env.Users().LoadUsers(); err != nil {
		return err
	}
	c.enforce()
	c.OK()
	return nil
}

func aclSave(c *Call) error {
	if err := c.Env.Users().SaveUsers(); err != nil {
		return err
	}
	c.OK()
	return nil
}

func aclLog(c *Call) error {
	if len(c.Args) > 3 {
		return errSubcommandArity("ACL", c.Args[1])
	}
	count := int64(aclLogDefault)
	if a := c.From(2); a.Is("RESET") {
		c.Env.Users().ClearDenialLog()
		c.OK()
		return nil
	} else if a.More() {
		if count = max(a.Int(), 0); a.Err() != nil {
			return a.Err()
		}
	}
	lines := c.Env.Users().DenialLog()
	lines = lines[:min(count, int64(len(lines)))]
	now := c.Env.Clock().NowMs()
	c.Array(len(lines))
	for i := range lines {
		d := &lines[i]
		c.Map(10)
		c.BulkString("count")
		c.Int(d.Count)
		for _, f := range [...][2]string{{"reason", d.Why.String()}, {"context", d.Context}, {"object", d.Object}, {"username", d.User}} {
			c.BulkString(f[0])
			c.BulkString(f[1])
		}
		c.BulkString("age-seconds")
		c.Double(float64(now-d.Again) / 1000)
		c.BulkString("client-info")
		c.BulkString(d.Client)
		c.BulkString("entry-id")
		c.Int(d.ID)
		c.BulkString("timestamp-created")
		c.Int(d.Created)
		c.BulkString("timestamp-last-updated")
		c.Int(d.Again)
	}
	return nil
}
