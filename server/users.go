package server

import (
	"errors"
	"path/filepath"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/server/acl"
	"github.com/streampulse/pulse/server/stats"
)

// Users implements commands.Env.
func (s env) Users() commands.Users { return s.users }

// denied are the counters of refusals.
var denied = [...]stats.Counter{
	commands.RefusedCommand: stats.DeniedCommand, commands.RefusedKey: stats.DeniedKey,
	commands.RefusedLogin: stats.DeniedAuth, commands.RefusedChannel: stats.DeniedChannel,
}

// errTwoPlaces is why a server does not start that is told of users in two places.
var errTwoPlaces = errors.New("Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is invalid. This setup is very likely to lead to configuration errors and security holes, please define either an ACL file or declare users directly in your redis.conf, but not both.") //nolint:staticcheck // Redis's words

// readUsers makes the users that the configuration tells of: the default one with the password of requirepass, then either
// those of its lines or those of the file of aclfile, which leaves requirepass without effect.
func (s *Server) readUsers() error {
	pubsub, length := s.cfg.Enum("acl-pubsub-default"), s.cfg.Int("acllog-max-len")
	file := s.cfg.Text("aclfile")
	if file != "" && !filepath.IsAbs(file) {
		file = filepath.Join(s.cfg.Text("dir"), file)
	}
	s.users = acl.New(acl.Options{
		Table: s.table, Clock: s.clock, File: file, Warn: s.log.Warningf,
		AllChannels: func() bool { return pubsub.Load() == "allchannels" },
		Count:       func(why commands.Refusal) { s.stats.Add(denied[why], 1) },
		LogLength:   func() int { return int(length.Load()) },
	})
	password := s.cfg.String("requirepass")
	if password.Load() != "" {
		s.users.SetDefaultPassword(password.Load())
	}
	s.cfg.OnChange("requirepass", func() { s.users.SetDefaultPassword(password.Load()) })
	s.cfg.RewriteLines("user", func() ([]string, bool) {
		if file != "" {
			return nil, true
		}
		return s.users.ConfigLines(), true
	})
	lines := s.cfg.Directives("user")
	switch {
	case file != "" && len(lines) > 0:
		return errTwoPlaces
	case file != "":
		if err := s.users.LoadFile(); err != nil {
			return errors.New("Aborting Redis startup because of ACL errors: " + err.Error()) //nolint:staticcheck // Redis's words
		}
		return nil
	}
	declared := make([]acl.Declaration, len(lines))
	for i, l := range lines {
		declared[i] = acl.Declaration{Name: l.Args[0], Rules: l.Args[1:]}
	}
	var wrong *acl.DeclarationError
	if err := s.users.Declare(declared); errors.As(err, &wrong) {
		return lines[wrong.At].Refuse(wrong.Text)
	}
	return nil
}
