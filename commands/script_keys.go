package commands

// KeyPlaces tells which arguments of a command are keys, for whoever wants to know it before there are arguments: their
// positions, the name being 0. argc is the number of arguments, or -1 if it is not known; then the positions are those that
// hold for any number, and all tells that every argument from the first key on is one. ok is false for a command whose
// keys depend on what its arguments are.
func (t *Table) KeyPlaces(name string, argc int) (places []int, all, ok bool) {
	s := t.Lookup([]byte(name))
	if s == nil || s.sub.n > 0 || s.Strays != nil || s.MoreKeys != nil {
		return nil, false, false
	}
	for i := range s.Keys {
		k := &s.Keys[i]
		switch {
		case k.Flags&NotKey != 0:
			continue
		case k.Keyword != "" || k.NumKeys || k.Unknown || k.Limit > 1:
			return nil, false, false
		case argc >= 0:
			var buf [16]int
			ps, fits := k.positions(make([][]byte, argc), buf[:0])
			if !fits {
				return nil, false, false
			}
			places = append(places, ps...)
		case k.Last >= 0:
			for at := k.Index; at <= k.Index+k.Last; at += k.Step {
				places = append(places, at)
			}
		case k.Last == -1 && k.Step == 1:
			places, all = append(places, k.Index), true
		default:
			return nil, false, false
		}
	}
	return places, all, true
}
