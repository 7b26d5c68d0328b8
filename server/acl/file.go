package acl

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/internal/vfs"
)

// maxFile bounds what is read of the file of users, in bytes.
const maxFile = 256 << 20

// warning ends the report of what is wrong with a file.
const warning = "WARNING: ACL errors detected, no change to the previously active ACL rules was performed"

// parse reads the lines of a file of users; path is its name in the report of what is wrong with it, which is "" if
// nothing is. A file without a default user means the one that may do everything.
func (r *Users) parse(path, text string) (users map[string]*User, report string) {
	var b strings.Builder
	users = make(map[string]*User)
	all := r.opt.AllChannels()
	for n := 1; text != ""; n++ {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		if line = strings.Trim(line, " \t\r"); line == "" {
			continue
		}
		words := strings.Split(line, " ")
		if words[0] != "user" || len(words) < 2 {
			fmt.Fprintf(&b, "%s:%d should start with user keyword followed by the username. ", path, n)
			continue
		}
		name := words[1]
		switch {
		case users[name] != nil:
			fmt.Fprintf(&b, "WARNING: Duplicate user '%s' found on line %d. ", name, n)
			continue
		case hasSpace(name):
			fmt.Fprintf(&b, "%s:%d: username '%s' contains invalid characters. ", path, n, name)
			continue
		}
		u := newUser(name, r.catalog, all)
		users[name] = u
		rules, open := mergeSelectors(words[2:])
		if open != "" {
			fmt.Fprintf(&b, "%s:%d: Unmatched parenthesis in selector definition.", path, n)
			continue
		}
		told := false
		for _, w := range rules {
			err := u.apply(strings.Trim(w, "\t\r\n"), r.catalog, all)
			switch {
			case err == errUnknown: // all of them, for they are no secrets
				fmt.Fprintf(&b, "%s:%d: Error in applying operation '%s': %s. ", path, n, w, err)
			case err != nil && !told:
				fmt.Fprintf(&b, "%s:%d: %s. ", path, n, err)
				told = true
			}
		}
	}
	if b.Len() > 0 {
		return nil, b.String() + warning
	}
	if users[defaultName] == nil {
		users[defaultName] = newDefault(r.catalog)
	}
	return users, ""
}

// errNoFile is the reply to ACL LOAD and SAVE of a server without a file of users.
var errNoFile = commands.Error("ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration.")

var errSave = commands.Error("ERR There was an error trying to save the ACLs. Please check the server logs for more information")

// LoadFile reads the file of users. On an error, whose text is for people, nothing has changed.
func (r *Users) LoadFile() error {
	text, err := vfs.ReadFile(r.opt.FS, r.opt.File, maxFile)
	if err != nil {
		return fmt.Errorf("Error loading ACLs, opening file '%s': %s", r.opt.File, reason(err)) //nolint:staticcheck // Redis's words
	}
	users, report := r.parse(r.opt.File, string(text))
	if report != "" {
		return errors.New(report)
	}
	r.replace(users)
	return nil
}

// reason is the operating system's sentence as the C library prints it.
func reason(err error) string {
	var errno syscall.Errno
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "No such file or directory"
	case !errors.As(err, &errno):
		return err.Error()
	}
	s := errno.Error()
	return strings.ToUpper(s[:1]) + s[1:]
}

// LoadUsers implements commands.Users.
func (r *Users) LoadUsers() error {
	if r.opt.File == "" {
		return errNoFile
	}
	if err := r.LoadFile(); err != nil {
		return commands.Error("ERR " + err.Error())
	}
	return nil
}

// SaveUsers implements commands.Users. A crash leaves the old file or the new one.
func (r *Users) SaveUsers() error {
	if r.opt.File == "" {
		return errNoFile
	}
	err := vfs.Replace(r.opt.FS, r.opt.File, r.opt.File+".tmp", 0o644, func(f vfs.File) error {
		for _, line := range r.UserLines() {
			if _, err := f.Write([]byte(line + "\n")); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		r.opt.Warn("Saving the ACL file %s: %s", r.opt.File, reason(err))
		return errSave
	}
	return nil
}

// A Declaration is a line of the configuration file that makes a user: its name and its rules.
type Declaration struct {
	Name  string
	Rules []string
}

// A DeclarationError is what is wrong with a line of the configuration file.
type DeclarationError struct {
	At   int // index of the declaration
	Text string
}

func (e *DeclarationError) Error() string { return e.Text }

// Declare makes the users of the configuration file. The default user begins with nothing if it is among them. The error is
// a *DeclarationError.
func (r *Users) Declare(ds []Declaration) error {
	all := r.opt.AllChannels()
	seen := make(map[string]bool)
	made := make([]*User, 0, len(ds))
	for i, d := range ds {
		fail := func(subject, why string) error {
			return &DeclarationError{i, "Error in user declaration '" + subject + "': " + why}
		}
		switch {
		case hasSpace(d.Name):
			return fail(d.Name, "Spaces not allowed in ACL usernames")
		case seen[d.Name]:
			return fail(d.Name, "Duplicate user found. A user can only be defined once in config files")
		}
		seen[d.Name] = true
		rules, open := mergeSelectors(d.Rules)
		if open != "" {
			return fail(open, "Unmatched parenthesis in selector definition")
		}
		u := newUser(d.Name, r.catalog, all)
		for _, w := range rules {
			if err := u.apply(w, r.catalog, all); err != nil {
				return fail(w, err.Error())
			}
		}
		made = append(made, u)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, u := range made {
		r.put(u)
	}
	return nil
}

// ConfigLines are the lines for the configuration file. Words that such a file would read otherwise are quoted.
func (r *Users) ConfigLines() []string {
	lines := r.UserLines()
	for i, l := range lines {
		words := strings.Split(l, " ")
		for j, w := range words {
			words[j] = quoted(w)
		}
		lines[i] = strings.Join(words, " ")
	}
	return lines
}

// quoted is a word as a configuration file needs it.
func quoted(w string) string {
	plain := w != ""
	for i := range len(w) {
		plain = plain && w[i] > ' ' && w[i] < 0x7f && w[i] != '"' && w[i] != '\'' && w[i] != '\\'
	}
	if plain {
		return w
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(w) {
		switch ch := w[i]; {
		case ch == '"' || ch == '\\':
			b.WriteByte('\\')
			b.WriteByte(ch)
		case ch < ' ' || ch >= 0x7f:
			fmt.Fprintf(&b, `\x%02x`, ch)
		default:
			b.WriteByte(ch)
		}
	}
	b.WriteByte('"')
	return b.String()
}
