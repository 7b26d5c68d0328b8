package commands

import (
	"bytes"
	"sync/atomic"
)

// Users is the registry of users. The server implements it (package server/acl); its methods may be called from every loop.
type Users interface {
	// DefaultUser is the account of connections that have not said who they are.
	DefaultUser() *Account
	// Login returns the account of a user with that password; nil if there is none, or if it is turned off. It takes no less
	// time for a user that does not exist.
	Login(name, password []byte) *Account
	// MustLogin reports whether connections that have not authenticated may do nothing else first.
	MustLogin() bool
	// DefaultPassword reports whether the default user has to have a password.
	DefaultPassword() bool

	// UserNames lists the users in the order of their names, UserLines what makes each of them again.
	UserNames() []string
	UserLines() []string
	// User tells about a user, nil if there is none.
	User(name []byte) *UserInfo
	// RightsOf returns what a user may do, nil if there is no such user.
	RightsOf(name []byte) Rights
	// SetUser makes a user, or changes it: all rules or none. The error is the reply.
	SetUser(name []byte, rules [][]byte) error
	// DeleteUser reports whether there was such a user, which is not the default one.
	DeleteUser(name []byte) bool
	// LoadUsers takes the users from the file of aclfile: all or none. SaveUsers writes it. The errors are replies.
	LoadUsers() error
	SaveUsers() error

	// Denied notes that somebody was refused.
	Denied(d *Denied)
	// DenialLog lists what was noted, the latest first.
	DenialLog() []Denied
	ClearDenialLog()
}

// Account is a user as its connections know it. It stays the same object while what it may do changes. Its methods may be
// called from every loop.
type Account struct {
	name   string
	free   atomic.Bool
	gone   atomic.Bool
	rights atomic.Value // of one type that implements Rights
}

// NewAccount returns an account that may do nothing before Set has been called.
func NewAccount(name string) *Account { return &Account{name: name} }

// Name is the name of the user.
func (a *Account) Name() string { return a.name }

// Set says what the user may do; free tells that this is everything.
func (a *Account) Set(r Rights, free bool) {
	a.rights.Store(r)
	a.free.Store(free)
}

// Delete takes the user out of the world: it may do nothing any more, and its connections are to be closed.
func (a *Account) Delete() {
	a.gone.Store(true)
	a.free.Store(false)
}

// Gone reports whether the user was deleted.
func (a *Account) Gone() bool { return a.gone.Load() }

// Rights is what a user may do. It is immutable.
type Rights interface {
	// Check judges a request. keys are the keys among its arguments. at is the argument that a refusal is about; it is 0 if
	// the command itself is refused.
	Check(s *Spec, args [][]byte, keys []KeyPos) (r Refusal, at int)
	// ReadsAll reports whether the user may run the request and, with it, read any key there is.
	ReadsAll(s *Spec, args [][]byte, keys []KeyPos) bool
	// Hears reports whether the user may be subscribed to a channel, or to a pattern of channels.
	Hears(name string, pattern bool) bool
}

// Refusal is why a user may not do something. Of several reasons the greatest counts.
type Refusal uint8

const (
	NotRefused Refusal = iota
	RefusedCommand
	RefusedKey
	RefusedLogin
	RefusedChannel
)

var refusalNames = [...]string{RefusedCommand: "command", RefusedKey: "key", RefusedLogin: "auth", RefusedChannel: "channel"}

// String is the reason as ACL LOG names it.
func (r Refusal) String() string { return refusalNames[r] }

// Denied is a line of ACL LOG: refusals of one kind, of the same user and object.
type Denied struct {
	Why     Refusal
	Context string // toplevel, multi or lua
	Object  string // the command, key or channel
	User    string
	Client  string // as CLIENT INFO describes it, when it was refused last

	ID             int64 // set by the registry, as what follows is
	Count          int64
	Created, Again int64 // Unix milliseconds of the first and the last time
}

// UserInfo is what ACL GETUSER tells.
type UserInfo struct {
	Flags     []string
	Passwords []string // SHA-256 in hexadecimal
	SelectorInfo
	Selectors []SelectorInfo
}

// SelectorInfo is one set of rights of a user, in the notation of rules.
type SelectorInfo struct{ Commands, Keys, Channels string }

// ChannelUse is what a command does with channels that its arguments name.
type ChannelUse uint8

const (
	Publishes ChannelUse = 1 + iota // to the channel at position 1
	Hears                           // all arguments are channels
	HearsPatterns
)

// ChannelArgs returns the positions of the channels among the arguments, from first up to but without end.
func (u ChannelUse) ChannelArgs(args [][]byte) (first, end int) {
	switch u {
	case Publishes:
		return 1, min(2, len(args))
	case Hears, HearsPatterns:
		return 1, len(args)
	}
	return 0, 0
}

// ID is the number of the command in the table, from 0.
func (s *Spec) ID() int { return s.id }

// Find returns the command of a full name in any case of letters, "get" or "client|setname"; nil if there is none. Rules name
// commands so, whatever rename-command calls them.
func (t *Table) Find(name []byte) *Spec {
	container, sub, isSub := bytes.Cut(name, []byte("|"))
	s := t.Original(container)
	if s != nil && isSub {
		return s.sub.find(sub)
	}
	return s
}

// CategoryNames lists the ACL categories, without their "@".
func CategoryNames() []string {
	names := make([]string, len(categoryNames))
	for i, n := range categoryNames {
		names[i] = n[1:]
	}
	return names
}
