package commands

import "github.com/streampulse/pulse/store"

// Keyspace notifications: a handler says what it has done to a key after it has done it, by the name that the event has
// in Redis, and before it says anything of another key. Who listens to nothing of the kind pays for one comparison.

// Notify tells what has happened to key in the present database.
func (c *Call) Notify(class store.Events, event string, key []byte) { c.Tx.Tell(class, event, key) }

// NotifyTaken is Notify for what takes elements out of a value, which is gone with its key if none are left.
func (c *Call) NotifyTaken(class store.Events, event string, key []byte, left int) {
	c.Tx.Tell(class, event, key)
	if left == 0 {
		c.Tx.Tell(store.OnGeneric, "del", key)
	}
}

// notifySet tells that key holds a new string, with the deadline at if that is one.
func (c *Call) notifySet(key []byte, at int64) {
	c.Tx.Tell(store.OnString, "set", key)
	if at != store.Forever && at != store.KeepDeadline {
		c.Tx.Tell(store.OnGeneric, "expire", key)
	}
}

// notifyDeadline tells that key has the deadline at now, or is gone if that has passed.
func (c *Call) notifyDeadline(key []byte, at int64) {
	event := "expire"
	if c.Tx.Past(at) {
		event = "del"
	}
	c.Tx.Tell(store.OnGeneric, event, key)
}

// notifyIn is Notify for a key of database db.
func (c *Call) notifyIn(db int, class store.Events, event string, key []byte) {
	here := c.Tx.DB()
	c.Tx.Select(db)
	c.Tx.Tell(class, event, key)
	c.Tx.Select(here)
}

// deleteKey deletes key and tells of it; it reports whether there was such a key.
func (c *Call) deleteKey(key []byte) bool {
	if !c.Tx.Delete(key) {
		return false
	}
	c.Tx.Tell(store.OnGeneric, "del", key)
	return true
}

// eitherEvent is the first name for true, else the second.
func eitherEvent(first bool, one, other string) string {
	if first {
		return one
	}
	return other
}

// notifyFields tells that fields of the hash at the first argument have the deadline at now, or are gone if that has
// passed; so many are left.
func (c *Call) notifyFields(at int64, left int) {
	switch {
	case c.Tx.Past(at):
		c.NotifyTaken(store.OnHash, "hdel", c.Args[1], left)
	case at == store.Forever:
		c.Notify(store.OnHash, "hpersist", c.Args[1])
	default:
		c.Notify(store.OnHash, "hexpire", c.Args[1])
	}
}
