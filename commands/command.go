package commands

import (
	"slices"
	"strings"

	"github.com/streampulse/pulse/internal/glob"
)

var commandCommands = []Spec{
	{Name: "COMMAND", Arity: -1, Flags: Loading | Stale, Group: GroupServer, Category: "@connection",
		Since: "2.8.13", Complexity: "O(N) with the number of commands.", Summary: "Describes all commands.",
		Tips: []string{"nondeterministic_output_order"}, Run: command, Sub: []Spec{
			{Name: "COUNT", Arity: 2, Flags: Loading | Stale, Category: "@connection", Since: "2.8.13", Complexity: "O(1)",
				Summary: "Returns the number of commands.", Run: commandCount},
			{Name: "INFO", Syntax: "[command-name [command-name ...]]", Arity: -2, Flags: Loading | Stale, Category: "@connection", Since: "2.8.13",
				Complexity: "O(N) with the number of names.", Summary: "Describes commands, or all.", Tips: []string{"nondeterministic_output_order"},
				History: [][2]string{{"7.0.0", "Without names it tells about all commands."}}, Run: commandInfo},
			{Name: "DOCS", Syntax: "[command-name [command-name ...]]", Arity: -2, Flags: Loading | Stale, Category: "@connection", Since: "7.0.0",
				Complexity: "O(N) with the number of names.", Summary: "Returns the documentation of commands, or of all.",
				Tips: []string{"nondeterministic_output_order"}, Run: commandDocs},
			{Name: "LIST", Syntax: "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]", Arity: -2, Flags: Loading | Stale, Category: "@connection",
				Since: "7.0.0", Complexity: "O(N) with the number of commands.", Summary: "Returns the names of commands.",
				Tips: []string{"nondeterministic_output_order"}, Run: commandList},
			{Name: "GETKEYS", Syntax: "command [arg [arg ...]]", Arity: -3, Flags: Loading | Stale, Category: "@connection", Since: "2.8.13",
				Complexity: "O(N) with the number of arguments.", Summary: "Returns the keys among the arguments of a command.", Run: commandGetkeys},
			{Name: "GETKEYSANDFLAGS", Syntax: "command [arg [arg ...]]", Arity: -3, Flags: Loading | Stale, Category: "@connection", Since: "7.0.0",
				Complexity: "O(N) with the number of arguments.", Summary: "Returns the keys and what the command does with them.", Run: commandGetkeysandflags},
			helpWith("@connection", "5.0.0"),
		}},
}

// helpWith is helpRow in another ACL category.
func helpWith(category, since string) Spec {
	s := helpRow(since, 0)
	s.Category = category
	return s
}

// categoryNames are the ACL categories in the order in which COMMAND INFO lists them.
var categoryNames = []string{
	"@keyspace", "@read", "@write", "@set", "@sortedset", "@list", "@hash", "@string", "@bitmap", "@hyperloglog", "@geo",
	"@stream", "@pubsub", "@admin", "@fast", "@slow", "@blocking", "@dangerous", "@connection", "@transaction", "@scripting",
}

// Categories returns the ACL categories of the command: those its flags imply, and that of its group unless the row names
// others. A container that only dispatches belongs to none of its own.
func (s *Spec) Categories() []string {
	has := map[string]bool{
		"@write":     s.Flags&Write != 0,
		"@read":      s.Flags&ReadOnly != 0 && s.Group != GroupScripting,
		"@admin":     s.Flags&Admin != 0,
		"@dangerous": s.Flags&(Admin|Dangerous) != 0,
		"@pubsub":    s.Flags&PubSub != 0,
		"@blocking":  s.Flags&Blocking != 0,
		"@fast":      s.Flags&Fast != 0,
		"@slow":      s.Flags&Fast == 0,
	}
	own := s.Category
	if own == "" && s.Run != nil && s.Group != GroupPubSub {
		own = groupCategories[s.Group]
	}
	for _, name := range strings.Fields(own) {
		has[name] = true
	}
	var out []string
	for _, name := range categoryNames {
		if has[name] {
			out = append(out, name)
		}
	}
	return out
}

// legacyKeys is the one range of keys that COMMAND INFO printed before there were key specifications. movable tells that
// it does not say everything.
func (s *Spec) legacyKeys() (first, last, step int, movable bool) {
	if len(s.Keys) == 0 {
		return 0, 0, 0, false
	}
	prev := 0
	for i := range s.Keys {
		k := &s.Keys[i]
		plain := k.Keyword == "" && !k.NumKeys && !k.Unknown
		if len(s.Keys) == 1 && plain {
			first, last, step = k.Index, k.Last, k.Step
			if last >= 0 {
				last += first
			}
			return first, last, step, k.Flags&Incomplete != 0
		}
		if !plain || k.Step != 1 || prev != 0 && prev != k.Index-1 {
			movable = true
			continue
		}
		movable = movable || k.Flags&Incomplete != 0
		if first == 0 || k.Index < first {
			first = k.Index
		}
		l := k.Last
		if l >= 0 {
			l += k.Index
		}
		if uint(l) > uint(last) { // from the end counts as further
			last = l
		}
		prev = last
	}
	if first == 0 {
		return 0, 0, 0, true
	}
	return first, last, 1, movable
}

func command(c *Call) error {
	c.allInfo()
	return nil
}

func (c *Call) allInfo() {
	all := c.table.Commands()
	c.Array(len(all))
	for _, s := range all {
		c.info(s)
	}
}

func commandCount(c *Call) error {
	c.Int(int64(len(c.table.Commands())))
	return nil
}

func commandInfo(c *Call) error {
	if len(c.Args) == 2 {
		c.allInfo()
		return nil
	}
	c.Array(len(c.Args) - 2)
	for _, name := range c.Args[2:] {
		if s := c.table.find(name); s != nil {
			c.info(s)
		} else {
			c.Null()
		}
	}
	return nil
}

// find looks up "name" or "container|name".
func (t *Table) find(name []byte) *Spec {
	container, sub, isSub := strings.Cut(string(name), "|")
	s := t.Lookup([]byte(container))
	if s != nil && isSub {
		return s.sub.find([]byte(sub))
	}
	return s
}

// info writes the ten elements of COMMAND INFO.
func (c *Call) info(s *Spec) {
	first, last, step, movable := s.legacyKeys()
	c.Array(10)
	c.BulkString(s.full)
	c.Int(int64(s.Arity))
	c.flagSet(commandFlags(s, movable))
	c.Int(int64(first))
	c.Int(int64(last))
	c.Int(int64(step))
	c.flagSet(s.Categories())
	c.Set(len(s.Tips))
	for _, tip := range s.Tips {
		c.BulkString(tip)
	}
	c.Set(len(s.Keys))
	for i := range s.Keys {
		c.keySpec(&s.Keys[i])
	}
	if len(s.Sub) == 0 {
		c.Set(0)
		return
	}
	c.Array(len(s.Sub))
	for i := range s.Sub {
		c.info(&s.Sub[i])
	}
}

func commandFlags(s *Spec, movable bool) []string {
	var names []string
	for _, f := range flagNames {
		if s.Flags&f.f != 0 {
			names = append(names, f.name)
		}
	}
	if movable {
		names = append(names, "movablekeys")
	}
	return names
}

func (k KeyFlags) names() []string {
	var names []string
	for _, f := range keyFlagNames {
		if k&f.f != 0 {
			names = append(names, f.name)
		}
	}
	return names
}

// flagSet writes a set of statuses.
func (c *Call) flagSet(names []string) {
	c.Set(len(names))
	for _, name := range names {
		c.Simple(name)
	}
}

func (c *Call) keySpec(k *KeySpec) {
	c.Map(3)
	c.BulkString("flags")
	c.flagSet(k.Flags.names())
	if k.Unknown {
		for _, part := range [...]string{"begin_search", "find_keys"} {
			c.BulkString(part)
			c.Map(2)
			c.BulkString("type")
			c.BulkString("unknown")
			c.BulkString("spec")
			c.Map(0)
		}
		return
	}
	c.BulkString("begin_search")
	c.Map(2)
	c.BulkString("type")
	if k.Keyword == "" {
		c.BulkString("index")
		c.BulkString("spec")
		c.intMap("index", k.Index)
	} else {
		c.BulkString("keyword")
		c.BulkString("spec")
		c.Map(2)
		c.BulkString("keyword")
		c.BulkString(k.Keyword)
		c.BulkString("startfrom")
		c.Int(int64(k.From))
	}
	c.BulkString("find_keys")
	c.Map(2)
	c.BulkString("type")
	if k.NumKeys {
		c.BulkString("keynum")
		c.BulkString("spec")
		c.intMap("keynumidx", k.NumAt, "firstkey", k.First, "keystep", k.Step)
	} else {
		c.BulkString("range")
		c.BulkString("spec")
		c.intMap("lastkey", k.Last, "keystep", k.Step, "limit", k.Limit)
	}
}

// intMap writes a map of names and ints, given in turn.
func (c *Call) intMap(pairs ...any) {
	c.Map(len(pairs) / 2)
	for i := 0; i < len(pairs); i += 2 {
		c.BulkString(pairs[i].(string))
		c.Int(int64(pairs[i+1].(int)))
	}
}

func commandDocs(c *Call) error {
	var specs []*Spec
	if len(c.Args) == 2 {
		specs = c.table.Commands()
	}
	for _, name := range c.Args[2:] {
		if s := c.table.find(name); s != nil {
			specs = append(specs, s)
		}
	}
	c.Map(len(specs))
	for _, s := range specs {
		c.BulkString(s.full)
		c.docs(s)
	}
	return nil
}

// docs writes the documentation of a command.
func (c *Call) docs(s *Spec) {
	m, n := c.Defer(), 0
	field := func(name string) { n++; c.BulkString(name) }
	text := func(name, value string) {
		if value != "" {
			field(name)
			c.BulkString(value)
		}
	}
	text("summary", s.Summary)
	text("since", s.Since)
	text("group", string(s.Group))
	text("complexity", s.Complexity)
	if s.Deprecated != "" || s.Flags&SysCmd != 0 {
		field("doc_flags")
		flag := "syscmd"
		if s.Deprecated != "" {
			flag = "deprecated"
		}
		c.flagSet([]string{flag})
	}
	text("deprecated_since", s.Deprecated)
	text("replaced_by", s.ReplacedBy)
	if len(s.History) > 0 {
		field("history")
		c.Set(len(s.History))
		for _, h := range s.History {
			c.Array(2)
			c.BulkString(h[0])
			c.BulkString(h[1])
		}
	}
	if args, _ := parseSyntax(s.Syntax); len(args) > 0 { // every row is parsed by a test
		field("arguments")
		keys := 0
		c.arguments(args, s, &keys)
	}
	if len(s.Sub) > 0 {
		field("subcommands")
		c.Map(len(s.Sub))
		for i := range s.Sub {
			c.BulkString(s.Sub[i].full)
			c.docs(&s.Sub[i])
		}
	}
	c.EndMap(m, n)
}

// arguments writes a list of arguments. keys counts the arguments that are keys: they belong to the key specifications
// in order.
func (c *Call) arguments(args []argument, s *Spec, keys *int) {
	c.Array(len(args))
	for i := range args {
		a := &args[i]
		m, n := c.Defer(), 0
		field := func(name, value string) {
			n++
			c.BulkString(name)
			c.BulkString(value)
		}
		kind := a.kind
		if kind == "key" && len(s.Keys) == 0 {
			kind = "string"
		}
		field("name", a.name)
		field("type", kind)
		if len(a.args) == 0 && kind != "pure-token" {
			field("display_text", a.name)
		}
		if at := s.specOf(kind, keys); at >= 0 {
			n++
			c.BulkString("key_spec_index")
			c.Int(int64(at))
		}
		if a.token != "" {
			field("token", a.token)
		}
		if flags := a.flags(); flags != nil {
			n++
			c.BulkString("flags")
			c.flagSet(flags)
		}
		if len(a.args) > 0 {
			n++
			c.BulkString("arguments")
			c.arguments(a.args, s, keys)
		}
		c.EndMap(m, n)
	}
}

// specOf returns the key specification that the next argument of a kind belongs to, -1 if to none. Patterns belong to the
// one that stands for the keys they lead to.
func (s *Spec) specOf(kind string, keys *int) int {
	patterns := -1
	if s.Strays != nil {
		patterns = slices.IndexFunc(s.Keys, func(k KeySpec) bool { return k.Unknown })
	}
	switch {
	case kind == "pattern":
		return patterns
	case kind != "key":
		return -1
	}
	at := *keys
	if *keys++; patterns >= 0 && at >= patterns {
		at++
	}
	return min(at, len(s.Keys)-1)
}

func (a *argument) flags() (names []string) {
	if a.optional {
		names = append(names, "optional")
	}
	if a.multiple {
		names = append(names, "multiple")
	}
	if a.multipleToken {
		names = append(names, "multiple_token")
	}
	return names
}

func commandList(c *Call) error {
	keep := func(*Spec) bool { return true }
	if len(c.Args) > 2 {
		a := c.From(2)
		if len(c.Args) != 5 || !a.Is("FILTERBY") {
			return ErrSyntax
		}
		switch {
		case a.Is("MODULE"):
			keep = func(*Spec) bool { return false }
		case a.Is("ACLCAT"):
			category := "@" + strings.ToLower(string(a.Next()))
			keep = func(s *Spec) bool { return slices.Contains(s.Categories(), category) }
		case a.Is("PATTERN"):
			pattern := a.Next()
			keep = func(s *Spec) bool { return glob.MatchString(string(pattern), s.full, true) }
		default:
			return ErrSyntax
		}
	}
	var names []string
	for _, s := range c.table.all {
		if keep(s) {
			names = append(names, s.full)
		}
	}
	c.Array(len(names))
	for _, name := range names {
		c.BulkString(name)
	}
	return nil
}

func commandGetkeys(c *Call) error {
	args, keys, err := c.keysOf()
	if err != nil {
		return err
	}
	c.Array(len(keys))
	for _, k := range keys {
		c.Bulk(args[k.Pos])
	}
	return nil
}

func commandGetkeysandflags(c *Call) error {
	args, keys, err := c.keysOf()
	if err != nil {
		return err
	}
	c.Array(len(keys))
	for _, k := range keys {
		c.Array(2)
		c.Bulk(args[k.Pos])
		c.flagSet(k.Flags.names())
	}
	return nil
}

// keysOf finds the keys of the command in the arguments from the third on.
func (c *Call) keysOf() (args [][]byte, keys []KeyPos, err error) {
	args = c.Args[2:]
	s := c.table.Lookup(args[0])
	if s != nil && s.sub.n > 0 && len(args) > 1 {
		if sub := s.sub.find(args[1]); sub != nil || s.Run == nil {
			s = sub
		}
	}
	n := len(args)
	switch {
	case s == nil:
		return nil, nil, ErrGetkeysCommand
	case !slices.ContainsFunc(s.Keys, func(k KeySpec) bool { return k.Flags&NotKey == 0 }):
		return nil, nil, ErrGetkeysNone
	case s.Arity > 0 && n != s.Arity || n < -s.Arity:
		return nil, nil, ErrGetkeysArity
	}
	keys, ok := s.KeyPositions(args, nil)
	if !ok || len(keys) == 0 && s.Flags&NoMandatoryKeys == 0 {
		return nil, nil, ErrGetkeysArgs
	}
	return args, keys, nil
}
