package commands

import (
	"errors"
	"slices"
)

var (
	errRenameUnknown = errors.New("No such command in rename-command")
	errRenameTaken   = errors.New("Target command name already exists")
	errRenameLong    = errors.New("Target command name is too long")
)

// maxRename bounds the name of a command.
const maxRename = 1024

// Rename gives the command from another name, or none with an empty to. Clients and scripts know it by that name only; rows,
// statistics and what is kept on the disk go on to use the original. It must be called before the table is used.
func (t *Table) Rename(from, to string) error {
	s := t.byName.find([]byte(from))
	switch {
	case s == nil:
		return errRenameUnknown
	case len(to) > maxRename:
		return errRenameLong
	}
	if t.originals == nil {
		// What tables share stays as it is.
		shared := t.byName
		t.originals, t.names = &shared, slices.Clone(t.names)
	}
	t.byName = t.byName.without(from)
	if to == "" {
		t.names = slices.DeleteFunc(t.names, func(o *Spec) bool { return o == s })
		return nil
	}
	if t.byName.find([]byte(to)) != nil {
		return errRenameTaken
	}
	t.byName.add(to, s)
	return nil
}

// Original finds a command by the name it has without Rename.
func (t *Table) Original(name []byte) *Spec {
	if t.originals == nil {
		return t.Lookup(name)
	}
	return t.originals.find(name)
}

// known is Lookup for a request of c. What is replayed has original names; a log that another server has kept may have others.
func (t *Table) known(c *Conn, name []byte) *Spec {
	if t.originals != nil && c.Tx != nil && c.Tx.Replaying {
		if s := t.Original(name); s != nil {
			return s
		}
	}
	return t.Lookup(name)
}

// original is the name under which a request of a renamed command is kept.
func (k *Call) original() []byte {
	if k.Spec.parent != nil {
		return []byte(k.Spec.parent.Name)
	}
	return []byte(k.Spec.Name)
}
