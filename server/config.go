package server

import (
	"errors"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/server/config"
)

// ConfigGet implements commands.Config.
func (s *Server) ConfigGet(patterns [][]byte, f func(name, value string)) {
	for _, nv := range s.cfg.Get(patterns...) {
		f(nv.Name, nv.Value)
	}
}

// ConfigSet implements commands.Config.
func (s *Server) ConfigSet(pairs [][]byte, local bool) error {
	mode := s.cfg.Enum("enable-protected-configs").Load()
	if err := s.cfg.Set(pairs, mode == "yes" || mode == "local" && local); err != nil {
		return commands.ErrConfig(err)
	}
	return nil
}

// ConfigRewrite implements commands.Config.
func (s *Server) ConfigRewrite(all bool) error {
	rewrite := s.cfg.Rewrite
	if all {
		rewrite = s.cfg.RewriteAll
	}
	switch err := rewrite(); {
	case errors.Is(err, config.ErrNoFile):
		return commands.ErrNoConfigFile
	case err != nil:
		s.log.Warningf("CONFIG REWRITE failed: %v", err)
		return commands.ErrConfigRewrite(err)
	}
	s.log.Noticef("CONFIG REWRITE executed with success.")
	return nil
}
