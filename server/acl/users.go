package acl

import (
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/internal/clock"
	"github.com/streampulse/pulse/internal/vfs"
)

const defaultName = "default"

// Options are what the users depend on. The functions are asked whenever it matters.
type Options struct {
	Table *commands.Table
	Clock clock.Clock
	// AllChannels tells whether new users may hear all channels (acl-pubsub-default).
	AllChannels func() bool
	// LogLength is the greatest number of lines of ACL LOG.
	LogLength func() int
	// File is the path of the file of users, "" if there is none. FS is where it is.
	File string
	FS   vfs.FS
	// Count counts a refusal; nil counts nothing.
	Count func(commands.Refusal)
	// Warn logs what an operator should know; nil drops it.
	Warn func(format string, a ...any)
}

// Users is the registry of users.
type Users struct {
	opt     Options
	catalog *Catalog
	deny    denials
	def     *commands.Account // of the default user: always the same

	mu struct {
		sync.RWMutex
		users map[string]*entry
	}
}

// entry is a user and its account, which holds the same user.
type entry struct {
	user    *User
	account *commands.Account
}

var _ commands.Users = (*Users)(nil)

// New returns a registry with the default user, who may do everything.
func New(o Options) *Users {
	if o.FS == nil {
		o.FS = vfs.OS
	}
	if o.Count == nil {
		o.Count = func(commands.Refusal) {}
	}
	if o.Warn == nil {
		o.Warn = func(string, ...any) {}
	}
	u := &Users{opt: o, catalog: NewCatalog(o.Table)}
	u.mu.users = make(map[string]*entry)
	u.put(newDefault(u.catalog))
	u.def = u.mu.users[defaultName].account
	return u
}

// put makes a user the present one of its name. The caller has the lock, or the registry to itself.
func (r *Users) put(u *User) {
	e := r.mu.users[u.name]
	if e == nil {
		e = &entry{account: commands.NewAccount(u.name)}
		r.mu.users[u.name] = e
	}
	e.user = u
	e.account.Set(u, u.free())
}

func (r *Users) find(name string) *User {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if e := r.mu.users[name]; e != nil {
		return e.user
	}
	return nil
}

// DefaultUser implements commands.Users.
func (r *Users) DefaultUser() *commands.Account { return r.def }

// MustLogin implements commands.Users.
func (r *Users) MustLogin() bool {
	d := r.find(defaultName)
	return !d.noPass || !d.on
}

// DefaultPassword implements commands.Users.
func (r *Users) DefaultPassword() bool { return !r.find(defaultName).noPass }

// SetDefaultPassword gives the default user one password, or none with "", as the parameter requirepass does.
func (r *Users) SetDefaultPassword(password string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.mu.users[defaultName].user.draft()
	d.passwords, d.noPass = nil, password == ""
	if password != "" {
		d.passwords = []string{hash([]byte(password))}
	}
	r.put(d)
}

// nobody is compared with when there is no such user, so that it takes its time.
var nobody = &User{passwords: []string{hash(nil)}}

// Login implements commands.Users.
func (r *Users) Login(name, password []byte) *commands.Account {
	r.mu.RLock()
	e := r.mu.users[string(name)]
	var u *User
	if e != nil {
		u = e.user
	}
	r.mu.RUnlock()
	if hashed := hash(password); u == nil {
		nobody.accepts(hashed)
	} else if u.accepts(hashed) {
		return e.account
	}
	return nil
}

// UserNames implements commands.Users.
func (r *Users) UserNames() []string {
	users := r.sorted()
	names := make([]string, len(users))
	for i, u := range users {
		names[i] = u.name
	}
	return names
}

// UserLines implements commands.Users.
func (r *Users) UserLines() []string {
	users := r.sorted()
	lines := make([]string, len(users))
	for i, u := range users {
		lines[i] = u.line()
	}
	return lines
}

func (r *Users) sorted() []*User {
	r.mu.RLock()
	users := make([]*User, 0, len(r.mu.users))
	for _, e := range r.mu.users {
		users = append(users, e.user)
	}
	r.mu.RUnlock()
	slices.SortFunc(users, func(a, b *User) int { return strings.Compare(a.name, b.name) })
	return users
}

// User implements commands.Users.
func (r *Users) User(name []byte) *commands.UserInfo {
	if u := r.find(string(name)); u != nil {
		return u.info()
	}
	return nil
}

// RightsOf implements commands.Users.
func (r *Users) RightsOf(name []byte) commands.Rights {
	if u := r.find(string(name)); u != nil {
		return u
	}
	return nil
}

var errName = errors.New("ERR Usernames can't contain spaces or null characters")

// SetUser implements commands.Users.
func (r *Users) SetUser(name []byte, rules [][]byte) error {
	if hasSpace(string(name)) {
		return commands.Error(errName.Error())
	}
	words := make([]string, len(rules))
	for i, b := range rules {
		words[i] = string(b)
	}
	words, open := mergeSelectors(words)
	if open != "" {
		return commands.ErrUserSelector([]byte(open))
	}
	all := r.opt.AllChannels()
	r.mu.Lock()
	defer r.mu.Unlock()
	var u *User
	if e := r.mu.users[string(name)]; e != nil {
		u = e.user.draft()
	} else {
		u = newUser(string(name), r.catalog, all)
	}
	for _, w := range words {
		if err := u.apply(w, r.catalog, all); err != nil {
			return commands.ErrUserRule([]byte(w), err)
		}
	}
	r.put(u)
	return nil
}

// DeleteUser implements commands.Users.
func (r *Users) DeleteUser(name []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.mu.users[string(name)]
	if e == nil || string(name) == defaultName {
		return false
	}
	delete(r.mu.users, string(name))
	e.account.Delete()
	return true
}

// replace makes these users the only ones. A default user is among them.
func (r *Users) replace(users map[string]*User) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, e := range r.mu.users {
		if users[name] == nil {
			delete(r.mu.users, name)
			e.account.Delete()
		}
	}
	for _, u := range users {
		r.put(u)
	}
}

// Denied implements commands.Users.
func (r *Users) Denied(d *commands.Denied) {
	r.opt.Count(d.Why)
	r.deny.add(d, r.opt.Clock.NowMs(), r.opt.LogLength())
}

// DenialLog implements commands.Users.
func (r *Users) DenialLog() []commands.Denied { return r.deny.list() }

// ClearDenialLog implements commands.Users.
func (r *Users) ClearDenialLog() { r.deny.clear() }
