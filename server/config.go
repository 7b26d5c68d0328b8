package server

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/streampulse/pulse/commands"
	"github.com/streampulse/pulse/server/config"
)

// ConfigGet implements commands.Config.
func (s env) ConfigGet(patterns [][]byte, f func(name, value string)) {
	for _, nv := range s.cfg.Get(patterns...) {
		f(nv.Name, nv.Value)
	}
}

// ConfigSet implements commands.Config.
func (s env) ConfigSet(pairs [][]byte, local bool) error {
	mode := s.cfg.Enum("enable-protected-configs").Load()
	if err := s.cfg.Set(pairs, mode == "yes" || mode == "local" && local); err != nil {
		return commands.ErrConfig(err)
	}
	return nil
}

// ConfigRewrite implements commands.Config.
func (s env) ConfigRewrite(all bool) error {
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

// watchConfig has CONFIG SET take effect where reading the parameter when it is needed is not enough.
func (s *Server) watchConfig() {
	s.watchListening()
	maxClients := s.cfg.Int("maxclients")
	s.cfg.OnApply("maxclients", func() error {
		if fits := descriptors() - fdReserve; maxClients.Load() > fits {
			return fmt.Errorf("The operating system is not able to handle the specified number of clients, try with %d", max(fits, 0)) //nolint:staticcheck // Redis's words
		}
		return nil
	})
}

// fdReserve is how many descriptors are kept for things other than clients, as in Redis.
const fdReserve = 32

// fitDescriptors lowers maxclients to what the limit of open files allows.
func (s *Server) fitDescriptors() {
	want, limit := s.vars.maxClients.Load(), descriptors()
	if want <= limit-fdReserve {
		return
	}
	fits := max(limit-fdReserve, 1)
	s.log.Warningf("You requested maxclients of %d requiring at least %d max file descriptors.", want, want+fdReserve)
	s.log.Warningf("Current maximum open files is %d. maxclients has been reduced to %d to compensate for low ulimit. If you need higher maxclients increase 'ulimit -n'.", limit, fits)
	_ = s.cfg.Override("maxclients", strconv.FormatInt(fits, 10)) // within the bounds of the parameter
}

// checkDirectives carries out the directives that are no parameters, and refuses those that the server cannot follow. The
// error is a *config.LoadError.
func (s *Server) checkDirectives() error {
	for _, d := range s.cfg.Directives("rename-command") {
		if err := s.table.Rename(d.Args[0], d.Args[1]); err != nil {
			return d.Refuse(err.Error())
		}
	}
	for _, d := range s.cfg.ModuleDirectives() {
		return d.Refuse("This server does not load modules")
	}
	return nil
}

// warnInert says of each parameter that was set although nothing acts on it that this is so: once, now or when CONFIG SET
// sets it.
func (s *Server) warnInert() {
	warned := map[string]bool{}
	warn := func(name string) {
		if !warned[name] {
			warned[name] = true
			s.log.Warningf("The parameter '%s' has no effect", name)
		}
	}
	for _, name := range s.cfg.Inert() {
		warn(name)
	}
	params := config.Params()
	for i := range params {
		p := &params[i]
		if p.Has(config.Inert) && !p.Has(config.Immutable) {
			s.cfg.OnChange(p.Name, func() { warn(p.Name) }) // hooks run one at a time
		}
	}
}
