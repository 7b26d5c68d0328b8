package miniredis

// StreamEntry is an entry of a stream: its ID, and fields and values in turn.
type StreamEntry struct {
	ID     string
	Values []string
}

// Stream returns the entries of a stream, none if there is no such key.
func (db *RedisDB) Stream(key string) ([]StreamEntry, error) {
	r, err := db.do("XRANGE", key, "-", "+")
	if err != nil {
		return nil, err
	}
	var entries []StreamEntry
	for _, e := range r.Array() {
		if pair := e.Array(); len(pair) == 2 {
			entries = append(entries, StreamEntry{pair[0].Text(), pair[1].Strings()})
		}
	}
	return entries, nil
}

// XAdd appends an entry to a stream: fields and values in turn. The ID "" is "*". It returns the ID.
func (db *RedisDB) XAdd(k string, id string, values []string) (string, error) {
	if id == "" {
		id = "*"
	}
	return word(db.do(with(values, "XADD", k, id)...))
}
