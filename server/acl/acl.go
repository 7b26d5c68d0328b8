// Package acl is the users of a server: who they are, and what each of them may do.
//
// # Contract
//
// A User is immutable. Rules (rules.go) are applied to a draft of one, which becomes the next User if all of them are
// right. Users is the registry: it keeps the present User of each name in the account that connections hold (a
// commands.Account), so that a change reaches all of them at once and nobody takes a lock to look. All methods of Users and
// User may be called concurrently.
//
// The package knows no sockets. It reads and writes one file, the one that aclfile names (file.go). Who is to be disconnected
// after a change is the business of the commands.
//
// # Rights
//
// A user has one selector of its own and any number of others; a request is allowed if one of them allows all of it. A
// selector is a set of commands, patterns of keys, each for reading, writing or both, and patterns of channels. What a
// selector prints (describe.go), applied to a new user, makes the same selector again.
package acl

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"slices"

	"github.com/streampulse/pulse/commands"
)

// User is what somebody is and may do.
type User struct {
	name         string
	on           bool
	noPass       bool
	skipSanitize bool
	passwords    []string    // SHA-256 in lower-case hexadecimal
	selectors    []*selector // the first is the user's own
}

var _ commands.Rights = (*User)(nil)

// newUser is a user that is turned off and may do nothing, unless all users may hear all channels.
func newUser(name string, c *Catalog, allChannels bool) *User {
	return &User{name: name, selectors: []*selector{newSelector(c, allChannels)}}
}

// newDefault is the default user as it is unless somebody says otherwise.
func newDefault(c *Catalog) *User {
	u := &User{name: defaultName, on: true, noPass: true, selectors: []*selector{newSelector(c, true)}}
	u.selectors[0].allowAll()
	u.selectors[0].allKeys = true
	return u
}

// draft is a copy that rules may be applied to. Only the user's own selector is ever changed.
func (u *User) draft() *User {
	d := *u
	d.passwords = slices.Clone(u.passwords)
	d.selectors = slices.Clone(u.selectors)
	d.selectors[0] = u.selectors[0].clone()
	return &d
}

// free reports whether there is nothing that the user may not do.
func (u *User) free() bool {
	return slices.ContainsFunc(u.selectors, func(s *selector) bool { return s.commands.full() && s.allKeys && s.allChannels })
}

// hash is how passwords are kept.
func hash(password []byte) string {
	sum := sha256.Sum256(password)
	return hex.EncodeToString(sum[:])
}

// accepts reports whether the user may come in with the password whose hash is given. How long it takes depends on the number of
// the user's passwords, and not on what they are.
func (u *User) accepts(hashed string) bool {
	found := 0
	for _, p := range u.passwords {
		found |= subtle.ConstantTimeCompare([]byte(p), []byte(hashed))
	}
	return u.on && (u.noPass || found == 1)
}

// Check implements commands.Rights.
func (u *User) Check(s *commands.Spec, args [][]byte, keys []commands.KeyPos) (why commands.Refusal, at int) {
	why = commands.RefusedCommand
	for _, sel := range u.selectors {
		w, a := sel.check(s, args, keys)
		if w == commands.NotRefused {
			return w, 0
		}
		if w > why || w == why && a > at {
			why, at = w, a
		}
	}
	return why, at
}

// ReadsAll implements commands.Rights.
func (u *User) ReadsAll(s *commands.Spec, args [][]byte, keys []commands.KeyPos) bool {
	return slices.ContainsFunc(u.selectors, func(sel *selector) bool {
		w, _ := sel.check(s, args, keys)
		return w == commands.NotRefused && sel.readsAll()
	})
}

// Hears implements commands.Rights.
func (u *User) Hears(name string, pattern bool) bool {
	return slices.ContainsFunc(u.selectors, func(sel *selector) bool { return sel.hears(name, pattern) })
}
