package acl

import (
	"slices"
	"strings"
	"sync"

	"github.com/streampulse/pulse/commands"
)

// Catalog is the commands and their categories as rules name them. It is immutable.
type Catalog struct {
	table      *commands.Table
	categories map[string][]*commands.Spec // the rows of each, containers before their subcommands
	all        int                         // number of rows
}

// NewCatalog derives the categories from the rows of a table.
func NewCatalog(t *commands.Table) *Catalog {
	sorting.Do(func() {
		for _, name := range commands.CategoryNames() {
			categories[name] = nil
		}
		for id := range t.Len() {
			s := t.Spec(id)
			for _, name := range s.Categories() {
				name = strings.TrimPrefix(name, "@")
				categories[name] = append(categories[name], s)
			}
		}
	})
	return &Catalog{table: t, categories: categories, all: t.Len()}
}

// All tables have the same rows, so they are looked at once in a process.
var (
	sorting    sync.Once
	categories = map[string][]*commands.Spec{}
)

// bits is a set of commands by their numbers.
type bits []uint64

func (c *Catalog) bits() bits { return make(bits, (c.all+63)/64) }

func (b bits) has(id int) bool { return b[id>>6]&(1<<(id&63)) != 0 }

func (b bits) set(id int, on bool) {
	if on {
		b[id>>6] |= 1 << (id & 63)
	} else {
		b[id>>6] &^= 1 << (id & 63)
	}
}

// commandSet is the commands that a selector allows.
type commandSet struct {
	catalog *Catalog
	bits    bits
	// base tells that it began with all commands: then it is all but what the rules take away.
	base  bool
	rules ruleList
	// firsts are commands that are allowed with certain first arguments only, which stand in it in lower case.
	firsts map[int]map[string]bool
}

func (s *commandSet) clone() commandSet {
	d := *s
	d.bits = slices.Clone(s.bits)
	d.rules = s.rules.clone()
	d.firsts = nil
	for id, words := range s.firsts {
		for w := range words {
			d.addFirst(id, w)
		}
	}
	return d
}

// full reports whether it has every command.
func (s *commandSet) full() bool {
	for id := range s.catalog.all {
		if !s.bits.has(id) {
			return false
		}
	}
	return true
}

// all allows everything or nothing.
func (s *commandSet) all(on bool) {
	s.base, s.firsts, s.rules = on, nil, ruleList{}
	for id := range s.catalog.all {
		s.bits.set(id, on)
	}
}

// change allows or forbids a command with its subcommands.
func (s *commandSet) change(c *commands.Spec, on bool) {
	s.bits.set(c.ID(), on)
	delete(s.firsts, c.ID())
	for i := range c.Sub {
		s.change(&c.Sub[i], on)
	}
}

func (s *commandSet) addFirst(id int, word string) {
	if s.firsts == nil {
		s.firsts = make(map[int]map[string]bool)
	}
	if s.firsts[id] == nil {
		s.firsts[id] = make(map[string]bool)
	}
	s.firsts[id][strings.ToLower(word)] = true
}

// allows judges a request by its command. Whoever is not known yet may always say who it is.
func (s *commandSet) allows(c *commands.Spec, args [][]byte) bool {
	if s.bits.has(c.ID()) || c.Flags&commands.NoAuth != 0 {
		return true
	}
	words := s.firsts[c.ID()]
	return words != nil && len(args) > 1 && words[strings.ToLower(string(args[1]))]
}

// ruleList is the rules of commands as they were given, without those that later ones have made superfluous: each name
// stands in it once, and a command is not preceded by rules about parts of it.
type ruleList struct {
	rules []string // with + or - in front; "" is a gap
	at    map[string]int
	gaps  int
}

func (l *ruleList) clone() ruleList {
	d := ruleList{rules: make([]string, 0, len(l.rules)-l.gaps), at: make(map[string]int, len(l.at))}
	for _, r := range l.rules {
		if r != "" {
			d.at[r[1:]] = len(d.rules)
			d.rules = append(d.rules, r)
		}
	}
	return d
}

// add appends a rule. whole tells that it concerns a command with all its parts.
func (l *ruleList) add(sign byte, name string, whole bool) {
	l.drop(name)
	if whole {
		prefix := name + "|"
		for _, r := range l.rules {
			if r != "" && strings.HasPrefix(r[1:], prefix) {
				l.drop(r[1:])
			}
		}
	}
	if l.at == nil {
		l.at = make(map[string]int)
	}
	l.at[name] = len(l.rules)
	l.rules = append(l.rules, string(sign)+name)
	if l.gaps > len(l.rules)/2 {
		*l = l.clone()
	}
}

func (l *ruleList) drop(name string) {
	if i, ok := l.at[name]; ok {
		l.rules[i] = ""
		l.gaps++
		delete(l.at, name)
	}
}
