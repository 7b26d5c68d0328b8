package fuzz

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/streampulse/pulse/commands"
)

// request is one request and how to judge what is answered to it.
type request struct {
	spec *commands.Spec // nil: its name was spoilt
	args []string
	rule rule
	role role
}

// unit is requests that are sent together or not at all.
type unit []request

// excluded are commands that are not sent, by full name or container, with the reason.
var excluded = map[string]string{
	"quit": "ends the connection", "reset": "changes the protocol under the reader", "hello": "tells ids and versions",
	"auth": "there are no users", "shutdown": "ends the server", "monitor": "makes other replies",
	"subscribe": "has any number of replies", "unsubscribe": "has any number of replies", "psubscribe": "has any number of replies",
	"punsubscribe": "has any number of replies", "ssubscribe": "has any number of replies", "sunsubscribe": "has any number of replies",
	"sync": "makes a replica", "psync": "makes a replica", "replicaof": "makes a replica", "slaveof": "makes a replica",
	"replconf": "makes a replica", "failover": "needs replicas", "wait": "may wait for ever", "waitaof": "may wait for ever",
	"debug": "is not for clients", "info": "tells about the process", "config": "changes what later epochs rely on",
	"memory": "tells about the process", "latency": "tells about the process", "slowlog": "tells about the process",
	"save": "touches the disk", "bgsave": "touches the disk", "bgrewriteaof": "touches the disk", "lastsave": "touches the disk",
	"module": "there are no modules", "cluster": "there is no cluster", "acl": "changes what later epochs rely on",
	"role": "tells about replicas", "lolwut": "is art", "time": "is the clock", "command|docs": "has tests of its own",
	"command": "has tests of its own", "command|info": "has tests of its own", "command|list": "has tests of its own",
	"command|count": "has tests of its own", "client|id": "tells ids", "client|info": "tells ids", "client|list": "tells ids",
	"client|kill": "ends connections", "client|reply": "makes other replies", "client|pause": "stops both servers",
	"client|unblock": "tells ids", "client|tracking": "makes pushes", "dump": "bytes depend on the version of RDB",
	"restore": "bytes depend on the version of RDB", "migrate": "needs a third server", "asking": "there is no cluster",
	"readonly": "there is no cluster", "readwrite": "there is no cluster", "script|kill": "depends on time",
	"script|debug": "there is no debugger", "function|kill": "depends on time", "function|dump": "bytes depend on the version of RDB",
	"function|stats": "tells about the process", "pfselftest": "is not for clients", "pfdebug": "is not for clients",
	"restore-asking": "bytes depend on the version of RDB", "object|freq": "is drawn at random",
	"client|maint_notifications": "is newer than the oracle", "script|flush": "is seen by other connections only",
}

// containers have a HELP, whose text is our own.
var containers = map[string]bool{
	"client": true, "command": true, "object": true, "pubsub": true, "xinfo": true, "xgroup": true, "script": true,
	"function": true,
}

// weights are how often a command comes compared to others, in hundredths; 100 if it is not here.
var weights = map[string]int{
	"set": 400, "rpush": 300, "lpush": 300, "sadd": 500, "zadd": 500, "hset": 500, "hmset": 200, "mset": 200, "append": 200,
	"xadd": 900, "xreadgroup": 800, "xgroup|create": 200, "xgroup|destroy": 20, "xtrim": 60, "xsetid": 30, "xack": 200, "setbit": 200, "pfadd": 300, "geoadd": 400, "incr": 200, "zincrby": 200, "hincrby": 200,
	"flushall": 4, "flushdb": 6, "swapdb": 10, "select": 10, "move": 30, "del": 40, "unlink": 40, "rename": 40, "copy": 60,
	"blpop": 15, "brpop": 15, "blmove": 15, "brpoplpush": 15, "blmpop": 15, "bzpopmin": 15, "bzpopmax": 15, "bzmpop": 15,
	"expire": 40, "pexpire": 40, "expireat": 40, "pexpireat": 40, "setex": 40, "psetex": 40, "keys": 30, "scan": 30,
	"multi": 0, "exec": 10, "discard": 10, "watch": 40, "unwatch": 20, "eval": 300,
}

// generator draws requests.
type generator struct {
	source
	grammars []grammar        // to draw requests from
	all      []grammar        // to draw arguments of COMMAND GETKEYS from
	groups   []commands.Group // that have commands
	weights  []int            // of grammars, in this epoch
	total    int              // sum of the weights
	streams  bool             // the epoch is about streams
	alone    bool             // there is no oracle: nothing need follow what is random
	blocking []*grammar       // what the second session may wait in, in this epoch
	arity    map[string]int   // of the oracle's commands, by full name
}

// grammar is a command with its parsed syntax.
type grammar struct {
	spec   *commands.Spec
	syntax node
	words  []string // the name, in upper case: one word or two
	weight int
}

// newGenerator reads the table. known tells which commands the oracle has: for a full name it returns a function that
// tells which tokens, or nil.
func newGenerator(t *commands.Table, only *regexp.Regexp, known func(name string) func(token string) bool) (*generator, error) {
	g := &generator{}
	add := func(s *commands.Spec, words ...string) error {
		name := s.FullName()
		tokens := known(name)
		if s.Run == nil || tokens == nil || isExcluded(words) {
			return nil
		}
		n, err := parseSyntax(s.Syntax)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if n, ok := prune(n, tokens); ok {
			w, ok := weights[name]
			if !ok {
				w = 100
			}
			g.all = append(g.all, grammar{s, n, words, w})
			if w > 0 && (only == nil || only.MatchString(name)) {
				g.grammars = append(g.grammars, grammar{s, n, words, w})
			}
		}
		return nil
	}
	for _, s := range t.Commands() {
		if err := add(s, s.Name); err != nil {
			return nil, err
		}
		for i := range s.Sub {
			if err := add(&s.Sub[i], s.Name, s.Sub[i].Name); err != nil {
				return nil, err
			}
		}
	}
	for _, gr := range g.grammars {
		if !slices.Contains(g.groups, gr.spec.Group) {
			g.groups = append(g.groups, gr.spec.Group)
		}
	}
	if len(g.grammars) == 0 {
		return nil, fmt.Errorf("fuzz: no command is left")
	}
	return g, nil
}

// seed starts the sequence of an epoch. Most epochs dwell on one or two groups of commands and on some commands of
// these, or else hardly any two requests would meet.
func (g *generator) seed(seed, epoch uint64) {
	g.source = source{Rand: rand.New(rand.NewPCG(seed, epoch))}
	g.ids = &idClock{}
	g.narrow = g.oneIn(2)
	g.weights = make([]int, len(g.grammars))
	focus := [2]commands.Group{g.anyGroup(), g.anyGroup()}
	if g.oneIn(2) {
		focus[1] = focus[0]
	}
	everything := g.oneIn(5)
	g.streams = slices.Contains(g.groups, commands.GroupStream) && (everything || slices.Contains(focus[:], commands.GroupStream)) && !g.oneIn(8)
	g.total = 0
	for i, gr := range g.grammars {
		w := gr.weight * 100
		switch in := gr.spec.Group; {
		case everything:
		case in == focus[0] || in == focus[1]:
			w *= pick(g.source, []int{0, 1, 1, 2, 6})
		case in == commands.GroupGeneric:
			w /= 10
		default:
			w /= 100
		}
		w = max(w, 1)
		g.weights[i] = w
		g.total += w
	}
	g.blocking = g.blocking[:0]
	for i := range g.grammars {
		if s := g.grammars[i].spec; s.Flags&commands.Blocking != 0 && (strings.HasPrefix(s.Name, "B") || s.Group == commands.GroupStream) && (everything || s.Group == focus[0] || s.Group == focus[1]) {
			g.blocking = append(g.blocking, &g.grammars[i])
		}
	}
}

func (g *generator) anyGroup() commands.Group {
	return pick(g.source, g.groups)
}

func (g *generator) grammar() *grammar {
	n := g.IntN(g.total)
	for i := range g.grammars {
		if n -= g.weights[i]; n < 0 {
			return &g.grammars[i]
		}
	}
	panic("fuzz: weights do not add up")
}

// next draws a unit.
func (g *generator) next() []unit {
	switch {
	case g.oneIn(40):
		return g.transaction()
	case g.oneIn(60):
		u := g.one(false)
		for i := range u {
			u[i].role = otherRole
		}
		return []unit{u}
	case g.oneIn(100):
		return []unit{g.expiring()}
	case g.oneIn(120) && len(g.blocking) > 0:
		return g.wait()
	}
	return []unit{g.one(false)}
}

// expiring draws a key that expires, a request that may come across it, and one that makes sure that it is gone: the oracle
// counts it until then.
func (g *generator) expiring() unit {
	next := g.one(false)
	for next[0].spec != nil && slices.Contains([]string{"DBSIZE", "SELECT", "SWAPDB"}, next[0].spec.Name) {
		next = g.one(false)
	}
	key := g.key(commands.GroupGeneric)
	if next[0].spec != nil {
		key = g.key(next[0].spec.Group)
	}
	if len(next[0].args) > 1 && g.oneIn(2) {
		key = next[0].args[1]
	}
	if g.alone && next[0].spec != nil && next[0].spec.Group == commands.GroupHash {
		return append(unit{{args: []string{"HPEXPIRE", key, "1", "FIELDS", "2", g.member(), g.member()}, role: expireRole}}, next...)
	}
	u := append(unit{{args: []string{"PEXPIRE", key, "1"}, role: expireRole}}, next...)
	return append(u, plain("EXISTS", key))
}

// wait draws a blocking request of the second session and some of the first that may wake it up.
func (g *generator) wait() []unit {
	gr := pick(g.source, g.blocking)
	q := request{spec: gr.spec, rule: ruleOf(gr.spec, nil), role: waitRole}
	q.args = g.arguments(append(q.args, gr.words...), gr)
	guard(g.source, &q, false)
	q.args = endless(q.args)
	units := []unit{{q}}
	for range 1 + g.IntN(6) {
		if g.oneIn(8) && waitsForOne(q.args) {
			units = append(units, g.transaction()...)
			continue
		}
		u := g.one(false)
		for gr.spec.Group == commands.GroupStream && isTrimming(u[0].args) {
			u = g.one(false) // 7.0 wakes clients up for entries that are trimmed at once
		}
		units = append(units, u)
	}
	return append(units, unit{{args: []string{"CLIENT", "UNBLOCK", "2"}, role: wakeRole}})
}

// waitsForOne reports whether a blocking request waits for one key. If a transaction fills several, 7.0 serves the one that
// was filled first, and since 7.2 the first in the order of the arguments is served.
func waitsForOne(args []string) bool {
	switch args[0] {
	case "BLMOVE", "BRPOPLPUSH":
		return true
	case "BLMPOP", "BZMPOP":
		return args[2] == "1"
	case "XREAD", "XREADGROUP":
		return false // 7.0 wakes clients up for entries that the transaction deletes, too
	}
	return len(args) == 3
}

// transaction draws MULTI, some requests and EXEC. They are units of their own, so that any of them may turn out not to
// matter.
func (g *generator) transaction() []unit {
	units := []unit{{plain("MULTI")}}
	for range g.IntN(6) {
		units = append(units, g.one(true))
	}
	end := "EXEC"
	if g.oneIn(8) {
		end = pick(g.source, []string{"DISCARD", "MULTI", "WATCH"})
	}
	if end != "DISCARD" && end != "EXEC" {
		units = append(units, unit{plain(end)})
		end = "EXEC"
	}
	return append(units, unit{plain(end)})
}

func plain(args ...string) request { return request{args: args} }

// isExcluded tells for a request whether it must not be sent.
func isExcluded(args []string) bool {
	name := strings.ToLower(args[0])
	switch {
	case len(args) == 1 || name != "command":
		if excluded[name] != "" {
			return true
		}
	}
	if len(args) == 1 {
		return false
	}
	sub := strings.ToLower(args[1])
	return excluded[name+"|"+sub] != "" || sub == "help" && containers[name]
}

// one draws a request, with what must follow it so that the servers stay comparable.
func (g *generator) one(inMulti bool) unit {
	for {
		if u := g.try(inMulti); !isExcluded(u[0].args) && g.sameArity(&u[0]) {
			return u
		}
	}
}

// sameArity reports whether both servers find the number of arguments right, or both wrong: it has changed for some
// commands, and inside MULTI nothing that follows could be compared.
func (g *generator) sameArity(r *request) bool {
	if r.spec == nil {
		return true
	}
	n, oracle := len(r.args), g.arity[r.spec.FullName()]
	fits := func(arity int) bool { return n == arity || arity < 0 && n >= -arity }
	return oracle == 0 || fits(oracle) == fits(r.spec.Arity)
}

func (g *generator) try(inMulti bool) unit {
	gr := g.grammar()
	r := request{spec: gr.spec}
	r.args = append(r.args, gr.words...)
	r.args = g.arguments(r.args, gr)
	switch {
	case g.oneIn(7):
		g.mutate(&r)
	case g.oneIn(25):
		// Options that come twice, or contradict each other.
		more := g.arguments(slices.Clone(gr.words), gr)
		if from := len(more) - 1 - g.IntN(3); from > len(gr.words) {
			r.args = append(r.args, more[from:]...)
		}
	}
	if g.oneIn(10) {
		r.args[0] = strings.ToLower(r.args[0])
	}
	guard(g.source, &r, inMulti)
	r.rule = ruleOf(gr.spec, r.args)
	if gr.spec.Group == commands.GroupStream && r.spec != nil && len(r.args) > 1 && g.oneIn(15) && !containsFold(r.args, "BLOCK") {
		r.args = inScript(g.source, r.args) // since 7.2 BLOCK is ignored in scripts, before it was an error
	}
	if g.alone {
		return unit{r}
	}
	return withFollowers(r)
}

// arguments appends arguments that fit the grammar.
func (g *generator) arguments(args []string, gr *grammar) []string {
	b := builder{g: g, group: gr.spec.Group, args: args, numKeys: -1}
	b.add(&gr.syntax)
	args = b.args
	if b.numKeys >= 0 {
		n := strconv.Itoa(b.keys)
		if g.oneIn(15) {
			n = g.integer()
		}
		args[b.numKeys] = n
	}
	args = bounds(g.source, gr.spec, args)
	if gr.spec.Group == commands.GroupStream {
		args = streamArguments(g.source, gr.spec.Name, args)
	}
	if gr.spec.Name == "ZADD" && len(args) > 3 && g.oneIn(5) {
		args = []string{args[0], sameScoreKey(g.source)}
		for range 1 + g.IntN(5) {
			args = append(args, "0", g.member())
		}
	}
	return args
}

// sameScoreKey is a sorted set whose scores are all zero, or was before mutations.
func sameScoreKey(s source) string { return "y" + strconv.Itoa(s.IntN(2)) }

// builder makes a request from a grammar.
type builder struct {
	g       *generator
	group   commands.Group
	args    []string
	numKeys int // where the number of keys, fields or ids stands, or -1
	keys    int // how many are behind it
	counted string
	nested  bool // a whole request is among the arguments
	many    bool // so many values that there must be more to choose from
}

// isGrowing are the groups whose values have different encodings when they are large.
var isGrowing = map[commands.Group]bool{
	commands.GroupList: true, commands.GroupHash: true, commands.GroupSet: true, commands.GroupZSet: true, commands.GroupStream: true,
	"hyperloglog": true, "geo": true,
}

func (b *builder) add(n *node) {
	switch n.kind {
	case tokenNode:
		t := n.text
		if b.g.oneIn(6) {
			t = strings.ToLower(t)
		}
		b.args = append(b.args, strings.Trim(t, `"`))
	case valueNode:
		b.value(n.text)
	case seqNode:
		for i := range n.subs {
			b.add(&n.subs[i])
		}
	case oneOfNode:
		b.add(&n.subs[b.g.IntN(len(n.subs))])
	case optNode:
		if b.g.IntN(3) == 0 {
			b.add(&n.subs[0])
		}
	case repeatNode, manyNode:
		times := b.g.IntN(4)
		switch {
		case b.g.oneIn(30):
			times = b.g.IntN(40)
		case b.g.oneIn(200) && isGrowing[b.group]:
			times = 100 + b.g.IntN(400)
			b.many = true
		}
		if n.kind == repeatNode {
			times++
		}
		for range times {
			b.add(&n.subs[0])
		}
	}
}

// countOf tells what is counted by an argument with that name.
var countOf = map[string]string{"numkeys": "key", "numfields": "field", "numids": "id"}

func (b *builder) value(name string) {
	var v string
	switch draw := values[name]; {
	case name == "command":
		b.command()
		return
	case name == "arg" && b.nested:
		return
	case countOf[name] != "":
		b.numKeys, b.keys, b.counted = len(b.args), 0, countOf[name]
	case name == b.counted && name == "field":
		b.keys++
		v = b.g.member()
	case name == b.counted && name == "id":
		b.keys++
		v = b.g.rangeID()
	case name == "key" && b.numKeys >= 0:
		b.keys++
		v = b.g.key(b.group)
	case draw != nil:
		v = draw(b.g.source, b.group)
	case b.many && b.g.IntN(4) > 0:
		v = strconv.Itoa(b.g.IntN(5000))
	default:
		v = b.g.member()
	}
	b.args = append(b.args, v)
}

// command adds a whole request as arguments.
func (b *builder) command() {
	gr := &b.g.all[b.g.IntN(len(b.g.all))]
	if strings.HasPrefix(gr.words[0], "COMMAND") {
		return
	}
	r := request{spec: gr.spec, args: b.g.arguments(slices.Clone(gr.words), gr)}
	if b.g.sameArity(&r) {
		b.args = append(b.args, r.args...)
		b.nested = true
	}
}

// bounds replaces the ends of a range by what its options ask for: they stand before the options.
func bounds(s source, spec *commands.Spec, args []string) []string {
	from := 2
	lex := strings.Contains(spec.Name, "LEX")
	score := false
	switch spec.Name {
	case "ZRANGESTORE":
		from = 3
		fallthrough
	case "ZRANGE":
		for _, a := range args {
			lex = lex || strings.EqualFold(a, "BYLEX")
			score = score || strings.EqualFold(a, "BYSCORE")
		}
	}
	if lex && len(args) >= from {
		// Only where all scores are the same is the order of members defined.
		args[from-1] = sameScoreKey(s)
	}
	for i := from; i < min(from+2, len(args)) && !s.oneIn(20); i++ {
		switch {
		case lex:
			args[i] = s.lexBound()
		case score:
			args[i] = s.scoreBound()
		case spec.Name == "ZRANGE" || spec.Name == "ZRANGESTORE":
			args[i] = s.index()
		}
	}
	return args
}

// mutate makes a request that the grammar does not allow, or just might not.
func (g *generator) mutate(r *request) {
	n := len(r.args)
	i := g.IntN(n)
	switch g.IntN(8) {
	case 0: // drop
		if n > 1 && i > 0 {
			r.args = append(r.args[:i:i], r.args[i+1:]...)
		}
	case 1: // duplicate
		if i > 0 {
			r.args = append(r.args[:i:i], r.args[i-1:]...)
		}
	case 2: // swap
		if j := g.IntN(n); i > 0 && j > 0 {
			r.args[i], r.args[j] = r.args[j], r.args[i]
		}
	case 3: // the name alone, or cut
		if i > 0 {
			r.args = r.args[:i]
		}
	case 4:
		r.args = append(r.args, g.member())
	case 5:
		if i > 0 {
			r.args[i] = pick(g.source, edgeInts)
		}
	case 6:
		if i > 0 {
			r.args[i] = g.rareText()
		}
	case 7:
		if g.oneIn(4) {
			r.args[0] += "q"
			r.spec = nil
		} else if i > 0 {
			r.args[i] = g.key(commands.GroupGeneric)
		}
	}
}
