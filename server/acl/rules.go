package acl

import (
	"errors"
	"slices"
	"strings"
)

// The reasons why a rule is refused, in Redis's words.
var (
	errUnknown  = errors.New("Unknown command or category name in ACL")
	errSyntax   = errors.New("Syntax error")
	errKeys     = errors.New("Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns")
	errChannels = errors.New("Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to start with an empty list of channels")
	errFirstArg = errors.New("Allowing first-arg of a subcommand is not supported")
	errHash     = errors.New("The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters")
	errPassword = errors.New("The password you are trying to remove from the user does not exist")
)

// apply changes a draft by one rule. allChannels is whether what is new begins with the right to hear all channels. After an
// error the draft is as good as before.
func (u *User) apply(rule string, c *Catalog, allChannels bool) error {
	switch strings.ToLower(rule) {
	case "":
		return nil
	case "on":
		u.on = true
	case "off":
		u.on = false
	case "nopass":
		u.noPass, u.passwords = true, nil
	case "resetpass":
		u.noPass, u.passwords = false, nil
	case "skip-sanitize-payload":
		u.skipSanitize = true
	case "sanitize-payload":
		u.skipSanitize = false
	case "clearselectors":
		u.selectors = u.selectors[:1]
	case "reset":
		*u = *newUser(u.name, c, allChannels)
	default:
		return u.applyMore(rule, c, allChannels)
	}
	return nil
}

// applyMore is apply for rules that are no words.
func (u *User) applyMore(rule string, c *Catalog, allChannels bool) error {
	switch rest := rule[1:]; rule[0] {
	case '>':
		u.addPassword(hash([]byte(rest)))
	case '#':
		if !isHash(rest) {
			return errHash
		}
		u.addPassword(rest)
	case '<':
		return u.removePassword(hash([]byte(rest)))
	case '!':
		if !isHash(rest) {
			return errHash
		}
		return u.removePassword(rest)
	case '(':
		inner, ok := strings.CutSuffix(rest, ")")
		if !ok {
			return errSyntax
		}
		s := newSelector(c, allChannels)
		for _, r := range strings.FieldsFunc(inner, func(r rune) bool { return r == ' ' }) {
			if strings.HasSuffix(r, ")") {
				return errSyntax // in a line of words it would be the end
			}
			if err := s.apply(r); err != nil {
				return err
			}
		}
		u.selectors = append(u.selectors, s)
	default:
		return u.selectors[0].apply(rule)
	}
	return nil
}

func (u *User) addPassword(hashed string) {
	if !slices.Contains(u.passwords, hashed) {
		u.passwords = append(u.passwords, hashed)
	}
	u.noPass = false
}

func (u *User) removePassword(hashed string) error {
	i := slices.Index(u.passwords, hashed)
	if i < 0 {
		return errPassword
	}
	u.passwords = slices.Delete(u.passwords, i, i+1)
	return nil
}

func isHash(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// apply changes a selector by one rule, which is not empty.
func (s *selector) apply(rule string) error {
	switch strings.ToLower(rule) {
	case "allkeys", "~*":
		s.resetKeys()
		s.allKeys = true
		return nil
	case "resetkeys":
		s.resetKeys()
		return nil
	case "allchannels", "&*":
		s.resetChannels()
		s.allChannels = true
		return nil
	case "resetchannels":
		s.resetChannels()
		return nil
	case "allcommands", "+@all":
		s.commands.all(true)
		return nil
	case "nocommands", "-@all":
		s.commands.all(false)
		return nil
	}
	switch rest := rule[1:]; rule[0] {
	case '~':
		return s.applyKey(rest, readWrite)
	case '%':
		may, pattern, ok := strings.Cut(rest, "~")
		u, err := parseUse(may)
		switch {
		case s.allKeys:
			return errKeys
		case err != nil:
			return err
		case !ok:
			pattern = ""
		}
		return s.applyKey(pattern, u)
	case '&':
		switch {
		case s.allChannels:
			return errChannels
		case hasSpace(rest):
			return errSyntax
		}
		s.addChannel(rest)
		return nil
	case '+', '-':
		return s.commands.apply(rule[0], rest)
	}
	return errSyntax
}

// parseUse reads the letters between % and ~: each of R and W at most once, and one of them.
func parseUse(letters string) (u use, err error) {
	for _, l := range letters {
		bit := map[rune]use{'R': read, 'r': read, 'W': write, 'w': write}[l]
		if bit == 0 || u&bit != 0 {
			return 0, errSyntax
		}
		u |= bit
	}
	if u == 0 {
		return 0, errSyntax
	}
	return u, nil
}

func (s *selector) applyKey(pattern string, u use) error {
	switch {
	case s.allKeys:
		return errKeys
	case hasSpace(pattern):
		return errSyntax
	}
	s.addKey(pattern, u)
	return nil
}

// hasSpace reports whether a word would not survive being a word in a line.
func hasSpace(s string) bool { return strings.ContainsAny(s, " \t\n\v\f\r\x00") }

// apply allows or forbids commands: a category, a command, a subcommand, or a command with a certain first argument.
func (s *commandSet) apply(sign byte, what string) error {
	on := sign == '+'
	if category, ok := strings.CutPrefix(what, "@"); ok {
		category = strings.ToLower(category)
		members, ok := s.catalog.categories[category]
		if !ok {
			return errUnknown
		}
		for _, c := range members {
			s.change(c, on)
		}
		s.rules.add(sign, "@"+category, false)
		return nil
	}
	if c := s.catalog.table.Find([]byte(what)); c != nil {
		s.change(c, on)
		s.rules.add(sign, c.FullName(), true)
		return nil
	}
	name, word, ok := cutLast(what)
	if !on || !ok {
		return errUnknown
	}
	c := s.catalog.table.Find([]byte(name))
	switch {
	case c == nil:
		return errUnknown
	case strings.Contains(c.FullName(), "|"):
		return errFirstArg
	case word == "":
		return errSyntax
	case len(c.Sub) > 0:
		return errUnknown
	case hasSpace(word):
		return errSyntax // it could not be printed
	}
	s.addFirst(c.ID(), word)
	s.rules.add(sign, c.FullName()+"|"+word, false)
	return nil
}

// cutLast cuts at the last "|".
func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '|')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// mergeSelectors joins the arguments from one that begins with "(" up to one that ends with ")" with spaces. If the last
// selector does not end, open is the argument that it begins with.
func mergeSelectors(args []string) (rules []string, open string) {
	var parts []string
	for _, a := range args {
		if parts == nil {
			if !strings.HasPrefix(a, "(") || strings.HasSuffix(a, ")") && len(a) > 1 {
				rules = append(rules, a)
				continue
			}
		}
		parts = append(parts, a)
		if len(parts) > 1 && strings.HasSuffix(a, ")") {
			rules = append(rules, strings.Join(parts, " "))
			parts = nil
		}
	}
	if parts != nil {
		return nil, parts[0]
	}
	return rules, ""
}
