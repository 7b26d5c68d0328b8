package commands

import (
	"slices"
	"strings"
	"sync"

	"github.com/streampulse/pulse/store"
)

// Table is all commands. It is immutable after New and safe for concurrent use.
type Table struct {
	rows
	// originals are the names before Rename, nil if nothing was renamed.
	originals *names

	aux aux
}

// rows are what all tables share: it is derived once in a process.
type rows struct {
	byName names
	all    []*Spec // containers and subcommands too; the index is the ID
	names  []*Spec // top level only, sorted by group of source
}

// aux is what time-outs and other calls from outside the loops run commands with.
type aux struct {
	sync.Mutex
	tx   *store.Tx
	gate *store.Gate
}

// groups are the rows, one slice a file.
var groups = [][]Spec{
	stringCommands,
	bitmapCommands,
	hyperloglogCommands,
	genericCommands,
	sortCommands,
	dumpCommands,
	expireCommands,
	scanCommands,
	listCommands,
	transactionCommands,
	hashCommands,
	hashExpireCommands,
	hashNewerCommands,
	setCommands,
	zsetCommands,
	streamCommands,
	streamGroupCommands,
	geoCommands,
	connectionCommands,
	clientCommands,
	pubsubCommands,
	commandCommands,
	configCommands,
	moduleCommands,
	waitCommands,
	migrateCommands,
	serverCommands,
	aclCommands,
	persistenceCommands,
	latencyCommands,
	slowlogCommands,
	monitorCommands,
	replicationCommands,
	clusterCommands,
	memoryCommands,
	scriptCommands,
	debugCommands,
}

// New builds the table for one store. It panics on rows that contradict themselves: they are part of the program. The rows are the same for
// all tables.
func New(s *store.Store) *Table {
	deriving.Do(func() {
		for _, g := range groups {
			for i := range g {
				spec := g[i] // a copy: handlers may refer to what they are derived from
				derived.add(&spec, nil)
			}
		}
	})
	t := &Table{rows: derived}
	t.aux.tx, t.aux.gate = s.NewTx(), s.NewGate()
	s.OnReady(t.serveReady)
	return t
}

var (
	deriving sync.Once
	derived  rows
)

func (t *rows) add(s *Spec, parent *Spec) {
	s.full = strings.ToLower(s.Name)
	s.parent = parent
	if parent != nil {
		s.full = parent.full + "|" + s.full
		if s.Group == "" {
			s.Group = parent.Group
		}
	}
	s.id = len(t.all)
	t.all = append(t.all, s)
	if s.Strays == nil {
		s.firstKey = isOneKey(s.Keys)
	}
	s.tied = len(s.Keys) > 0 || s.Flags&(Write|ReadOnly|MayReplicate|Blocking|AllKeys|OwnLocks) != 0
	if len(s.Keys) > 0 && s.Keys[0].Keyword == "" && !s.Keys[0].NumKeys {
		s.warmKey = s.Keys[0].Index
	}
	switch {
	case s.Name != strings.ToUpper(s.Name), s.Arity == 0, s.Group == "", s.Since == "", s.Summary == "":
		panic("commands: incomplete row " + s.full)
	case s.Run == nil && len(s.Sub) == 0:
		panic("commands: nothing to run for " + s.full)
	case s.KeyUse == nil && slices.ContainsFunc(s.Keys, func(k KeySpec) bool { return k.Flags&VariableFlags != 0 }):
		panic("commands: no KeyUse for the keys of " + s.full)
	case s.Flags&Write != 0 && s.Flags&ReadOnly != 0:
		panic("commands: both write and readonly: " + s.full)
	}
	names := &t.byName
	if parent != nil {
		names = &parent.sub
	} else {
		t.names = append(t.names, s)
	}
	if names.find([]byte(s.Name)) != nil {
		panic("commands: two rows for " + s.full)
	}
	names.add(s.Name, s)
	if len(s.Sub) > 0 {
		subs := s.Sub
		s.Sub = make([]Spec, len(subs))
		for i := range subs {
			s.Sub[i] = subs[i]
			t.add(&s.Sub[i], s)
		}
	}
}

// Len returns the number of IDs.
func (t *Table) Len() int { return len(t.all) }

// Spec returns the command with the given ID.
func (t *Table) Spec(id int) *Spec { return t.all[id] }

// Commands returns the top-level commands in the order of their groups.
func (t *Table) Commands() []*Spec { return t.names }

// Lookup finds the command of the given name, in any case of letters; nil if there is none.
func (t *Table) Lookup(name []byte) *Spec { return t.byName.find(name) }

// Hint begins to fetch the memory of the first key of a request of c that will be run soon.
func (t *Table) Hint(c *Conn, args [][]byte) (h store.Hint) {
	if len(args) < 2 {
		return
	}
	s := c.last.spec
	if s == nil || string(c.last.name) != string(args[0]) {
		if s = t.Lookup(args[0]); s == nil {
			return
		}
	}
	if i := s.warmKey; i > 0 && i < len(args) {
		return c.Env.Store().Warm(c.DB, args[i])
	}
	return
}

// resolve finds the row of a request. For a container it is the row of the subcommand.
func (t *Table) resolve(c *Conn, args [][]byte) (*Spec, error) {
	// A pipeline mostly repeats itself.
	s := c.last.spec
	if s == nil || string(c.last.name) != string(args[0]) {
		if s = t.known(c, args[0]); s == nil {
			return nil, errUnknownCommand(args)
		}
		c.last.name, c.last.spec = append(c.last.name[:0], args[0]...), s
	}
	if s.sub.n > 0 && len(args) > 1 {
		if sub := s.sub.find(args[1]); sub != nil {
			return sub, nil
		}
		return nil, errUnknownSubcommand(args[0], args[1])
	}
	if s.Run == nil {
		return s, errArity(s)
	}
	return s, nil
}
