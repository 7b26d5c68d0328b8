package acl

import (
	"strings"

	"github.com/streampulse/pulse/commands"
)

// rulesText is the rules about commands, beginning with all or none.
func (s *selector) rulesText() string {
	var b strings.Builder
	if s.commands.base {
		b.WriteString("+@all")
	} else {
		b.WriteString("-@all")
	}
	for _, r := range s.commands.rules.rules {
		if r != "" {
			b.WriteByte(' ')
			b.WriteString(r)
		}
	}
	return b.String()
}

// keysText is the patterns of keys. "*" among them is not the same as the rule "~*", which would be refused behind others and
// would refuse others behind it.
func (s *selector) keysText() string {
	if s.allKeys {
		return "~*"
	}
	words := make([]string, len(s.keys))
	for i, k := range s.keys {
		words[i] = usePrefix[k.use] + string(k.pattern)
		if words[i] == "~*" {
			words[i] = "%RW~*"
		}
	}
	return strings.Join(words, " ")
}

var usePrefix = [...]string{read: "%R~", write: "%W~", readWrite: "~"}

func (s *selector) channelsText() string {
	if s.allChannels {
		return "&*"
	}
	words := make([]string, len(s.channels))
	for i, c := range s.channels {
		words[i] = "&" + c
	}
	return strings.Join(words, " ")
}

// text is the selector in one line.
func (s *selector) text() string {
	var words []string
	if k := s.keysText(); k != "" {
		words = append(words, k)
	}
	if !s.allChannels {
		words = append(words, "resetchannels")
	}
	if c := s.channelsText(); c != "" {
		words = append(words, c)
	}
	return strings.Join(append(words, s.rulesText()), " ")
}

func (s *selector) info() commands.SelectorInfo {
	return commands.SelectorInfo{Commands: s.rulesText(), Keys: s.keysText(), Channels: s.channelsText()}
}

func (u *User) flags() []string {
	names := []string{"off"}
	if u.on {
		names[0] = "on"
	}
	if u.noPass {
		names = append(names, "nopass")
	}
	if u.skipSanitize {
		return append(names, "skip-sanitize-payload")
	}
	return append(names, "sanitize-payload")
}

// line is what makes the user again: the keyword, its name and its rules.
func (u *User) line() string { return "user " + u.name + " " + u.rules() }

func (u *User) rules() string {
	words := u.flags()
	for _, p := range u.passwords {
		words = append(words, "#"+p)
	}
	words = append(words, u.selectors[0].text())
	for _, s := range u.selectors[1:] {
		words = append(words, "("+s.text()+")")
	}
	return strings.Join(words, " ")
}

func (u *User) info() *commands.UserInfo {
	i := &commands.UserInfo{Flags: u.flags(), Passwords: u.passwords, SelectorInfo: u.selectors[0].info()}
	for _, s := range u.selectors[1:] {
		i.Selectors = append(i.Selectors, s.info())
	}
	return i
}
