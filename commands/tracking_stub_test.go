package commands

// Nobody tracks in the harness: server has the tests of that.

func (h *harness) Track(*Conn, []string)        {}
func (h *harness) Untrack(*Conn)                {}
func (h *harness) TrackRead(*Conn, []byte)      {}
func (h *harness) TellNow(*Conn)                {}
func (h *harness) TrackPrefixes(*Conn) []string { return nil }
func (h *harness) HasClient(id int64) bool      { return id <= h.ids }
