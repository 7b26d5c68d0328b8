package server

import "github.com/streampulse/pulse/commands"

var _ commands.Debugger = env{}

// DebugLog implements commands.Debugger.
func (s env) DebugLog(text string) { s.log.Warningf("%s", text) }

// PauseCron implements commands.Debugger.
func (s env) PauseCron(on bool) { s.cronPaused.Store(on) }
