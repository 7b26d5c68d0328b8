// Package commands is the command language: every command is one row of a table (Spec) and one function (Run), and
// everything else about it is derived from the row: arity check, shard locks, MULTI and pause rules, statistics,
// COMMAND's replies and the support table of the README.
//
// # Contract
//
// A handler parses all its arguments, checks once, then acts on c.Tx and replies through c. It takes no lock, writes
// no log, makes no wire bytes, and returns its error; the dispatcher turns the error into a reply. What a handler
// needs of the process it lives in comes through the small interfaces of env.go; this package imports neither the
// server nor persistence.
//
// # Reading order
//
// spec.go and table.go (rows), keyspec.go (which arguments are keys), call.go and args.go (what a handler has),
// errors.go (every error text), dispatch.go and gates.go (the life of a request), multi.go, block.go, conn.go and
// env.go, then any <group>.go.
package commands

// Flags tell how a command behaves. Names and meanings are those of COMMAND INFO, unless said otherwise.
type Flags uint64

const (
	Write Flags = 1 << iota
	ReadOnly
	DenyOOM
	Admin
	PubSub
	NoScript
	Blocking
	Loading
	Stale
	SkipMonitor
	SkipSlowlog
	Asking
	Fast
	NoAuth
	MayReplicate
	NoMandatoryKeys
	NoAsyncLoading
	NoMulti
	AllowBusy
	Protected

	// AllKeys runs the command with every shard locked: it looks at keys that its arguments do not name.
	AllKeys
	// Exclusive runs the command with nobody else between two commands anywhere: it changes whole databases or
	// looks into other sessions.
	Exclusive
	// Dangerous adds the ACL category of that name; other categories follow from flags and group.
	Dangerous
	// SysCmd marks commands for developers and other servers in COMMAND DOCS.
	SysCmd
	// OwnLocks is for commands that lock by themselves (EXEC).
	OwnLocks
	// Effects marks commands that say themselves what does again what they have changed (effects.go), because the same
	// request would not, later or elsewhere.
	Effects
)

// flagNames are the flags that COMMAND INFO shows.
var flagNames = []struct {
	f    Flags
	name string
}{
	{Write, "write"}, {ReadOnly, "readonly"}, {DenyOOM, "denyoom"}, {Admin, "admin"}, {PubSub, "pubsub"},
	{NoScript, "noscript"}, {Blocking, "blocking"}, {Loading, "loading"}, {Stale, "stale"},
	{SkipMonitor, "skip_monitor"}, {SkipSlowlog, "skip_slowlog"}, {Asking, "asking"}, {Fast, "fast"},
	{NoAuth, "no_auth"}, {NoMandatoryKeys, "no_mandatory_keys"},
	{NoAsyncLoading, "no_async_loading"}, {NoMulti, "no_multi"}, {AllowBusy, "allow_busy"},
}

// Group is the chapter of the command reference a command belongs to, as COMMAND DOCS names it.
type Group string

const (
	GroupGeneric     Group = "generic"
	GroupString      Group = "string"
	GroupList        Group = "list"
	GroupSet         Group = "set"
	GroupZSet        Group = "sorted-set"
	GroupHash        Group = "hash"
	GroupBitmap      Group = "bitmap"
	GroupHyperLogLog Group = "hyperloglog"
	GroupPubSub      Group = "pubsub"
	GroupTransaction Group = "transactions"
	GroupConnection  Group = "connection"
	GroupServer      Group = "server"
	GroupScripting   Group = "scripting"
	GroupGeo         Group = "geo"
	GroupStream      Group = "stream"
	GroupCluster     Group = "cluster"
)

// groupCategories maps a group to its ACL category.
var groupCategories = map[Group]string{
	GroupGeneric: "@keyspace", GroupString: "@string", GroupList: "@list", GroupSet: "@set", GroupZSet: "@sortedset",
	GroupHash: "@hash", GroupBitmap: "@bitmap", GroupHyperLogLog: "@hyperloglog", GroupPubSub: "@pubsub", GroupTransaction: "@transaction", GroupConnection: "@connection",
	GroupScripting: "@scripting",
	GroupGeo:       "@geo",
	GroupStream:    "@stream",
}

// Spec is the row of a command or of a subcommand.
type Spec struct {
	Name   string // upper case; of a subcommand, without its container: "SETNAME"
	Syntax string // arguments in the notation of the command reference: "key value [NX | XX] [GET]"
	Arity  int    // number of arguments with the name itself (and the container's); negative: at least
	Keys   []KeySpec
	KeyUse func(args [][]byte) KeyFlags // what is done with keys that have VariableFlags
	// MoreKeys appends to dst, the keys that Keys names, those that no key specification can.
	MoreKeys func(args [][]byte, dst []KeyPos) []KeyPos
	// Strays reports whether a request may touch keys that none of its arguments is, such as those made of what values
	// contain; nil: it never does.
	Strays func(args [][]byte) bool
	// Endless reports whether the end of a request cannot be foreseen: then it runs away from the client's loop; nil: it
	// always can.
	Endless func(c *Call) bool
	// Scope returns Exclusive if a request inside a transaction needs the world to stand still, else 0; nil: never.
	Scope      func(c *Call) Flags
	Channels   ChannelUse // what is done with the channels that arguments name
	Flags      Flags
	Group      Group
	Category   string // ACL categories instead of the group's, separated by spaces
	Since      string
	Complexity string
	Summary    string
	Deprecated string              // version, if deprecated
	ReplacedBy string              // what to use then
	Tips       []string            // COMMAND INFO's tips
	History    [][2]string         // version, change
	Run        func(c *Call) error // nil for a container whose subcommands do everything
	Sub        []Spec

	id       int    // index into the statistics, dense from 0
	full     string // lower case, "client|setname" for subcommands
	parent   *Spec
	sub      names
	firstKey int  // position of the one key, if that is all there is to know about keys; else 0
	tied     bool // its reply may tell of data
	warmKey  int  // position of the first key, if it is fixed; else 0
}

// FullName is the lower-case name as COMMAND prints it: "get", "client|setname".
func (s *Spec) FullName() string { return s.full }
