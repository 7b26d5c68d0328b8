package acl

import (
	"maps"
	"slices"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/internal/glob"
)

// use is what may be done with keys.
type use uint8

const (
	read use = 1 << iota
	write

	readWrite = read | write
)

// selector is one set of rights.
type selector struct {
	commands commandSet

	allKeys bool
	keys    []keyPattern
	keyAt   map[string]int // index into keys

	allChannels bool
	channels    []string
	hasChannel  map[string]bool
}

type keyPattern struct {
	pattern []byte
	use     use
}

func newSelector(c *Catalog, allChannels bool) *selector {
	return &selector{commands: commandSet{catalog: c, bits: c.bits()}, allChannels: allChannels}
}

func (s *selector) clone() *selector {
	d := *s
	d.commands = s.commands.clone()
	d.keys, d.keyAt = slices.Clone(s.keys), maps.Clone(s.keyAt)
	d.channels, d.hasChannel = slices.Clone(s.channels), maps.Clone(s.hasChannel)
	return &d
}

func (s *selector) allowAll() { s.commands.all(true) }

func (s *selector) resetKeys() { s.allKeys, s.keys, s.keyAt = false, nil, nil }

func (s *selector) resetChannels() { s.allChannels, s.channels, s.hasChannel = false, nil, nil }

// addKey lets more be done with the keys that match a pattern.
func (s *selector) addKey(pattern string, u use) {
	if i, ok := s.keyAt[pattern]; ok {
		s.keys[i].use |= u
		return
	}
	if s.keyAt == nil {
		s.keyAt = make(map[string]int)
	}
	s.keyAt[pattern] = len(s.keys)
	s.keys = append(s.keys, keyPattern{[]byte(pattern), u})
}

func (s *selector) addChannel(pattern string) {
	if s.hasChannel[pattern] {
		return
	}
	if s.hasChannel == nil {
		s.hasChannel = make(map[string]bool)
	}
	s.hasChannel[pattern] = true
	s.channels = append(s.channels, pattern)
}

// check judges a request; see commands.Rights.
func (s *selector) check(c *commands.Spec, args [][]byte, keys []commands.KeyPos) (why commands.Refusal, at int) {
	if !s.commands.allows(c, args) {
		return commands.RefusedCommand, 0
	}
	if !s.allKeys {
		for _, k := range keys {
			if !s.allowsKey(args[k.Pos], useOf(k.Flags)) {
				return commands.RefusedKey, k.Pos
			}
		}
	}
	if !s.allChannels && c.Channels != 0 {
		for i, end := c.Channels.ChannelArgs(args); i < end; i++ {
			if !s.hears(string(args[i]), c.Channels == commands.HearsPatterns) {
				return commands.RefusedChannel, i
			}
		}
	}
	return commands.NotRefused, 0
}

// useOf is what a user needs to be allowed to do with a key; nothing at all means that it must be allowed something.
func useOf(f commands.KeyFlags) (u use) {
	if f&commands.Access != 0 {
		u |= read
	}
	if f&(commands.Update|commands.Insert|commands.Delete) != 0 {
		u |= write
	}
	return u
}

func (s *selector) allowsKey(key []byte, u use) bool {
	for i := range s.keys {
		if p := &s.keys[i]; p.use&u == u && glob.Match(p.pattern, key, false) {
			return true
		}
	}
	return false
}

// readsAll reports whether any key may be read.
func (s *selector) readsAll() bool {
	i, ok := s.keyAt["*"]
	return s.allKeys || ok && s.keys[i].use&read != 0
}

// hears reports whether a channel may be used. A pattern of channels may be heard if it is one of those that are allowed,
// letter by letter.
func (s *selector) hears(name string, pattern bool) bool {
	if s.allChannels || pattern {
		return s.allChannels || s.hasChannel[name]
	}
	return slices.ContainsFunc(s.channels, func(p string) bool { return glob.MatchString(p, name, false) })
}
