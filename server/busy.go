package server

// enter enters the gate of l, or, if an exclusive operation takes too long to wait for, only the one that keeps others
// from looking into sessions at work; then it returns true.
func (s *Server) enter(l *lane) (busy bool) {
	if s.store.EnterUnlessBusy(l.gate) {
		return false
	}
	s.busyGate.RLock()
	return true
}

func (s *Server) leave(l *lane, busy bool) {
	if busy {
		s.busyGate.RUnlock()
		return
	}
	l.gate.Leave()
}
