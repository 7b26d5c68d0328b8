package server

import "github.com/streampulse/pulse/commands"

var _ commands.Debugger = (*Server)(nil)

// DebugLog implements commands.Debugger.
func (s *Server) DebugLog(text string) { s.log.Warningf("%s", text) }

// PauseCron implements commands.Debugger.
func (s *Server) PauseCron(on bool) { s.cronPaused.Store(on) }
