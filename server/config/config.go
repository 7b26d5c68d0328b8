// Package config holds the parameters of the server: their table, their values, and the readers of configuration files
// and command lines.
//
// Contract: every parameter of the compatibility level is one row of the table (table.go); names, formats, bounds, error
// texts and CONFIG GET follow from the row. A Config always holds a valid value for each row. Values are replaced whole,
// never changed, so what an accessor returns may be kept but must not be modified.
//
// All methods of Config and of the Var types may be called concurrently. Reading a Var is one atomic load, and does not
// allocate; Set, Override and the hooks they run are serialized by one lock, so a hook must not change the Config.
package config

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/streampulse/pulse/internal/glob"
)

// Config is one set of parameter values.
type Config struct {
	slots     []slot     // parallel to params
	rewriting sync.Mutex // held while the file is being replaced

	mu struct {
		sync.Mutex                  // held while values change and hooks run
		hooks      [][]func() error // parallel to params
		extra      []Directive
		lines      map[string]func() ([]string, bool) // see RewriteLines
		file       string                             // see SetFile
	}
}

// slot is the current value of one parameter. Both fields are written under Config.mu. A reader of num sees at once what
// a reader of val sees a moment later or earlier; nobody reads both.
type slot struct {
	num atomic.Int64
	val atomic.Pointer[value]
}

func (s *slot) store(v *value) {
	s.num.Store(v.num)
	s.val.Store(v)
}

// New returns a Config in which every parameter has its default.
func New() *Config {
	c := &Config{slots: make([]slot, len(params))}
	c.mu.hooks = make([][]func() error, len(params))
	for i, v := range defaults() {
		c.slots[i].store(v)
	}
	return c
}

// defaults are the values that all parameters begin with, in the order of the table. They are parsed once in a process.
var defaults = sync.OnceValue(func() []*value {
	list := make([]*value, len(params))
	for i := range params {
		v, err := params[i].defaultValue()
		if err != nil {
			panic("config: default of " + params[i].Name + ": " + err.Error())
		}
		list[i] = v
	}
	return list
})

func (p *Param) defaultValue() (*value, error) {
	words := []string{p.Default}
	if p.Has(Multi) {
		words = strings.Fields(p.Default)
	}
	v, err := p.parseValue(words, nil, false)
	if err == nil && p.Name == "save" {
		v.data = saveData{points: v.data.(saveData).points}
	}
	return v, err
}

// NameValue is one answer of Get.
type NameValue struct{ Name, Value string }

// Get returns the parameters whose name or alias matches one of the patterns, in any letter case, each name once and in
// the order of the table. A pattern without wildcards is answered under the spelling it was asked for.
func (c *Config) Get(patterns ...[]byte) []NameValue {
	var out []NameValue
	for i := range params {
		p := &params[i]
		for _, name := range []string{p.Name, p.Alias} {
			if name == "" {
				continue
			}
			if shown, ok := matchName(p, name, patterns); ok {
				out = append(out, NameValue{shown, c.slots[i].val.Load().text})
			}
		}
	}
	return out
}

func matchName(p *Param, name string, patterns [][]byte) (shown string, ok bool) {
	for _, pat := range patterns {
		if !bytes.ContainsAny(pat, "*?[") {
			if strings.EqualFold(name, string(pat)) {
				return string(pat), true
			}
		} else if !p.Has(Hidden) && glob.Match(pat, []byte(name), true) {
			return name, true
		}
	}
	return "", false
}

// Text is the current value of the parameter as CONFIG GET prints it. It panics when there is no such parameter.
func (c *Config) Text(name string) string { return c.slot(name).val.Load().text }

// Set changes parameters as CONFIG SET does: args are names and values in turn. Either all are changed or none. The error
// is of type *SetError. Not allowed are immutable parameters, and protected ones unless mayProtect: the caller decides it
// from enable-protected-configs and the client's address.
func (c *Config) Set(args [][]byte, mayProtect bool) error {
	if len(args) == 0 || len(args)%2 != 0 {
		return &SetError{Reason: "wrong number of arguments"}
	}
	rows, err := settable(args, mayProtect)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t := transaction{c: c}
	for n, i := range rows {
		name := string(args[2*n])
		if err := t.set(i, name, setWords(&params[i], string(args[2*n+1]))); err != nil {
			t.rollback()
			return &SetError{Param: name, Reason: err.Error()}
		}
	}
	return t.apply()
}

// settable finds the rows of the names, and refuses what may not be changed before any value is looked at.
func settable(args [][]byte, mayProtect bool) ([]int, error) {
	rows := make([]int, 0, len(args)/2)
	seen := make(map[string]bool, len(args)/2)
	for n := 0; n < len(args); n += 2 {
		given := string(args[n])
		name := strings.ToLower(given)
		i, ok := byName[name]
		if !ok {
			return nil, &SetError{Param: given, unknown: true}
		}
		var reason string
		switch p := &params[i]; {
		case p.Has(Immutable):
			reason = "can't set immutable config"
		case p.Has(Protected) && !mayProtect:
			reason = "can't set protected config"
		case seen[name]:
			reason = "duplicate parameter"
		}
		if reason != "" {
			return nil, &SetError{Param: given, Reason: reason}
		}
		seen[name] = true
		rows = append(rows, i)
	}
	return rows, nil
}

// setWords splits the text of CONFIG SET. Two spaces in a row make an empty word, which most parameters then refuse.
func setWords(p *Param, s string) []string {
	switch {
	case !p.Has(Multi):
		return []string{s}
	case s == "" && p.Kind != KindFlags:
		return nil
	}
	return strings.Split(s, " ")
}

// SetError says why Set changed nothing.
type SetError struct {
	// Param is the parameter as the caller spelled it; empty when the number of arguments was wrong.
	Param string
	// Reason is a sentence without a full stop; empty when there is no such parameter.
	Reason  string
	unknown bool
}

// Error is the text of the error reply, without the ERR in front.
func (e *SetError) Error() string {
	switch {
	case e.unknown:
		return "Unknown option or number of arguments for CONFIG SET - '" + e.Param + "'"
	case e.Param == "":
		return e.Reason
	}
	return "CONFIG SET failed (possibly related to argument '" + e.Param + "') - " + e.Reason
}

// Override sets one parameter whatever its flags are: for an embedding program and for commands such as REPLICAOF whose
// outcome CONFIG GET shows. The value is written as in CONFIG SET.
func (c *Config) Override(name, text string) error {
	i, ok := byName[strings.ToLower(name)]
	if !ok {
		return &SetError{Param: name, unknown: true}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t := transaction{c: c}
	if err := t.set(i, name, setWords(&params[i], text)); err != nil {
		return &SetError{Param: name, Reason: err.Error()}
	}
	return t.apply()
}

// OnChange has f called after the parameter was changed by Set or Override, before they return. It panics when there is
// no such parameter.
func (c *Config) OnChange(name string, f func()) {
	c.OnApply(name, func() error { f(); return nil })
}

// OnApply is OnChange for a change that can fail, such as opening another port: on an error everything that the call
// changed gets its old value back, the hooks that ran already run again, and the caller of Set gets the error's text.
func (c *Config) OnApply(name string, f func() error) {
	i, ok := byName[name]
	if !ok {
		panic("config: no parameter " + name)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.hooks[i] = append(c.mu.hooks[i], f)
}

// transaction collects the changes of one Set. Its methods need Config.mu.
type transaction struct {
	c       *Config
	changed []change
}

type change struct {
	row  int
	name string // as the caller spelled it
	old  *value
}

func (t *transaction) set(row int, name string, words []string) error {
	s := &t.c.slots[row]
	old := s.val.Load()
	v, err := params[row].parseValue(words, old, false)
	if err != nil {
		return err
	}
	if v.text != old.text {
		t.changed = append(t.changed, change{row, name, old})
	}
	s.store(v)
	return nil
}

func (t *transaction) rollback() {
	for _, ch := range slices.Backward(t.changed) {
		t.c.slots[ch.row].store(ch.old)
	}
}

func (t *transaction) apply() error {
	for n, ch := range t.changed {
		err := t.c.runHooks(ch.row)
		if err == nil {
			continue
		}
		t.rollback()
		for _, done := range t.changed[:n+1] {
			// The old values worked before; there is nothing better to do when one of them does not any more.
			_ = t.c.runHooks(done.row)
		}
		return &SetError{Param: ch.name, Reason: err.Error()}
	}
	return nil
}

func (c *Config) runHooks(row int) error {
	for _, f := range c.mu.hooks[row] {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// Inert lists the parameters that differ from their defaults although nothing acts on them.
func (c *Config) Inert() []string {
	var names []string
	for i := range params {
		p := &params[i]
		if !p.Has(Inert) {
			continue
		}
		if defaults()[i].text != c.slots[i].val.Load().text {
			names = append(names, p.Name)
		}
	}
	return names
}
