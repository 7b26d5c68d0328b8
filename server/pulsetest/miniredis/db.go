package miniredis

import (
	"slices"
	"strconv"
	"time"

	pulse "github.com/streampulse/pulse/server"
)

// RedisDB is one of the numbered databases. It may be kept for as long as its Miniredis.
type RedisDB struct {
	m  *Miniredis
	id int
}

// DB returns the database of that number, which is from 0 to 255.
func (m *Miniredis) DB(i int) *RedisDB { return &RedisDB{m, i} }

// do runs a command, and names its error.
func (db *RedisDB) do(args ...string) (pulse.Reply, error) {
	r, err := db.m.do(db.id, args...)
	return r, named(err)
}

// with puts words in front of a list.
func with(list []string, words ...string) []string { return append(words, list...) }

// number returns the integer of a reply.
func number(r pulse.Reply, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, err := r.Int()
	return int(n), err
}

// word returns the string of a reply.
func word(r pulse.Reply, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return r.Text(), nil
}

// words returns the strings of a reply.
func words(r pulse.Reply, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	return r.Strings(), nil
}

// float returns the number of a reply.
func float(r pulse.Reply, err error) (float64, error) {
	if err != nil {
		return 0, err
	}
	return r.Float()
}

// decimal is f as commands take it.
func decimal(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// yes reports whether a reply is a positive integer.
func yes(r pulse.Reply, err error) bool {
	n, err := number(r, err)
	return err == nil && n > 0
}

// there is list, which comes from a value that cannot be empty.
func there(list []string, err error) ([]string, error) {
	if err == nil && len(list) == 0 {
		err = ErrKeyNotFound
	}
	if err != nil {
		return nil, err
	}
	return list, nil
}

// need is ErrKeyNotFound if there is no such key and no other error.
func (db *RedisDB) need(k string, err error) error {
	if err == nil && !db.Exists(k) {
		return ErrKeyNotFound
	}
	return err
}

// milliseconds is d as commands take it; what is more than none is a millisecond at least.
func milliseconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Millisecond-1)/time.Millisecond), 10)
}

// lifetime is what PTTL and its like have replied.
func lifetime(ms int, err error) time.Duration {
	if err != nil || ms < 0 {
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

// Keys returns all keys, sorted.
func (db *RedisDB) Keys() []string {
	r, err := db.do("KEYS", "*")
	if err != nil {
		return nil
	}
	keys := r.Strings()
	slices.Sort(keys)
	return keys
}

// FlushDB deletes all keys.
func (db *RedisDB) FlushDB() { _, _ = db.do("FLUSHDB") }

// Exists reports whether there is such a key.
func (db *RedisDB) Exists(k string) bool { return yes(db.do("EXISTS", k)) }

// Del deletes a key and reports whether there was one.
func (db *RedisDB) Del(k string) bool { return yes(db.do("DEL", k)) }

// Unlink is Del.
func (db *RedisDB) Unlink(k string) bool { return yes(db.do("UNLINK", k)) }

// Type is "string", "hll" (a string that is a HyperLogLog), "hash", "list", "set", "zset" or "stream", or "" if there is no such key.
func (db *RedisDB) Type(k string) string {
	r, err := db.do("TYPE", k)
	switch kind := r.Text(); {
	case err != nil || kind == "none":
		return ""
	case kind == "string" && yes(db.do("EVAL", isHLL, "1", k)):
		return "hll"
	default:
		return kind
	}
}

// isHLL tells whether a string is a HyperLogLog.
const isHLL = `if redis.call('GETRANGE', KEYS[1], 0, 3) == 'HYLL' then return 1 end return 0`

// TTL is how long a key has left; 0 if it has no end, or if there is none.
func (db *RedisDB) TTL(k string) time.Duration { return lifetime(number(db.do("PTTL", k))) }

// SetTTL says how long a key has left, to the millisecond. With 0 it has no end, with less it is deleted.
func (db *RedisDB) SetTTL(k string, ttl time.Duration) {
	if ttl == 0 {
		_, _ = db.do("PERSIST", k)
		return
	}
	_, _ = db.do("PEXPIRE", k, milliseconds(ttl))
}

// Get returns a string.
func (db *RedisDB) Get(k string) (string, error) {
	r, err := db.do("GET", k)
	if err == nil && r.IsNull() {
		err = ErrKeyNotFound
	}
	return word(r, err)
}

// Set makes v the string of a key, without a TTL. A key of another type is an error.
func (db *RedisDB) Set(k, v string) error {
	_, err := db.do("SET", k, v, "GET") // which looks at the type
	return err
}

// Incr adds delta to an integer.
func (db *RedisDB) Incr(k string, delta int) (int, error) {
	return number(db.do("INCRBY", k, strconv.Itoa(delta)))
}

// Incrfloat adds delta to a number.
func (db *RedisDB) Incrfloat(k string, delta float64) (float64, error) {
	return float(db.do("INCRBYFLOAT", k, decimal(delta)))
}
