package config

import "strings"

// Kind says how the text of a parameter is read and printed.
type Kind uint8

const (
	// KindBool is yes or no.
	KindBool Kind = iota
	// KindInt is a decimal integer within [Min, Max].
	KindInt
	// KindMemory is a number of bytes with an optional unit (1k = 1000, 1kb = 1024, ...), printed in bytes.
	KindMemory
	// KindPercentMemory is a memory value or a percentage; a percentage is held as a negative number.
	KindPercentMemory
	// KindOctal is an octal number, such as a file mode.
	KindOctal
	// KindEnum is one of Values, in any letter case.
	KindEnum
	// KindFlags is any combination of Values; the first of them stands for none.
	KindFlags
	// KindString is any text.
	KindString
	// KindSpecial is read by a function of its own and yields a typed value (see the Var accessors of Config).
	KindSpecial
)

// Flag is a property of a parameter.
type Flag uint8

const (
	// Immutable parameters are set by file and command line only.
	Immutable Flag = 1 << iota
	// Protected parameters can be set at run time only when enable-protected-configs allows it.
	Protected
	// Sensitive values must not be written to the log, the slow log or MONITOR.
	Sensitive
	// Hidden parameters are left out of CONFIG GET with a pattern; asked for by their exact name, they answer.
	Hidden
	// Multi parameters take several words: the words of a line in a file, one text split at spaces in CONFIG SET.
	Multi
	// Inert parameters are accepted and remembered, but nothing acts on them. Whoever makes one work removes the flag.
	Inert
	// EmptyIsNone parameters of KindString have no line in a rewritten file when they are empty.
	EmptyIsNone
)

// Param is one row of the table of parameters.
type Param struct {
	// Name is the current name, in lower case.
	Name string
	// Alias is the former name, or empty. A parameter is listed under its alias only when the alias itself is asked for.
	Alias string
	Kind  Kind
	Flags Flag
	// Default is the text of the value that a new Config holds, as one would write it in a file.
	Default string
	// Min and Max bound the kinds that hold numbers; both ends are allowed.
	Min, Max int64
	// Values are the names of KindEnum and KindFlags, in the order in which errors list them.
	Values []string

	// normalize brings a number that is in range, or the index of a name, to the one that takes effect.
	normalize func(int64) int64
	// check refuses a text that the kind allows.
	check func(string) error
	// parse reads KindSpecial. It gets the words and the value so far.
	parse func(words []string, old *value, loading bool) (*value, error)
}

// Has reports whether all of the flags are set.
func (p *Param) Has(f Flag) bool { return p.Flags&f == f }

// Params returns the table. The rows are shared: callers must not change them.
func Params() []Param { return params }

// Lookup finds a parameter by its name or alias, in any letter case. It returns nil when there is none.
func Lookup(name string) *Param {
	i, ok := byName[strings.ToLower(name)]
	if !ok {
		return nil
	}
	return &params[i]
}

// byName maps each name and alias to its row. Two rows of one name are a programming error and stop the program.
var byName = func() map[string]int {
	m := make(map[string]int, 2*len(params))
	add := func(name string, i int) {
		if _, dup := m[name]; dup || name != strings.ToLower(name) {
			panic("config: bad or repeated parameter name " + name)
		}
		m[name] = i
	}
	for i := range params {
		add(params[i].Name, i)
		if params[i].Alias != "" {
			add(params[i].Alias, i)
		}
	}
	return m
}()
