package miniredis

import (
	"slices"
	"strconv"
	"time"

	pulse "github.com/streampulse/pulse/server"
)

// HGet returns a field of a hash, "" if there is none.
func (db *RedisDB) HGet(k, f string) string {
	v, _ := word(db.do("HGET", k, f))
	return v
}

// HKeys returns the fields of a hash, sorted.
func (db *RedisDB) HKeys(key string) ([]string, error) {
	list, err := there(words(db.do("HKEYS", key)))
	slices.Sort(list)
	return list, err
}

// HDel deletes a field of a hash.
func (db *RedisDB) HDel(k, f string) { _, _ = db.do("HDEL", k, f) }

// write runs a command that writes to a hash; a key of another type makes way.
func (db *RedisDB) write(cmd, k string, args ...string) (pulse.Reply, error) {
	r, err := db.do(with(args, cmd, k)...)
	if err == ErrWrongType {
		r, err = db.do(with(args, "EVAL", instead, "1", k, cmd)...)
	}
	return r, err
}

// instead runs the command ARGV[1] in place of what a key was.
const instead = `redis.call('DEL', KEYS[1]) return redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))`

// HSet sets fields of a hash: field, value, field, value ... A key of another type makes way.
func (db *RedisDB) HSet(k string, fv ...string) {
	if fv = fv[:len(fv)&^1]; len(fv) > 0 {
		_, _ = db.write("HSET", k, fv...)
	}
}

// HSetEX is HSet for fields that have ttl left.
func (db *RedisDB) HSetEX(key string, ttl time.Duration, fv ...string) {
	db.HSet(key, fv...)
	for i := 0; i+1 < len(fv); i += 2 {
		db.HExpire(key, fv[i], ttl)
	}
}

// HExpire says how long a field of a hash has left, to the millisecond. It reports whether there is such a field.
func (db *RedisDB) HExpire(key, field string, ttl time.Duration) bool {
	return yes(fieldReply(db.do("HPEXPIRE", key, milliseconds(max(ttl, 0)), "FIELDS", "1", field)))
}

// HTTL is how long a field of a hash has left; 0 if it has no end, or if there is none.
func (db *RedisDB) HTTL(key, field string) time.Duration {
	return lifetime(number(fieldReply(db.do("HPTTL", key, "FIELDS", "1", field))))
}

// HPersist gives a field of a hash no end. It reports whether it had one.
func (db *RedisDB) HPersist(key, field string) bool {
	return yes(fieldReply(db.do("HPERSIST", key, "FIELDS", "1", field)))
}

// fieldReply is what a command has replied for its only field.
func fieldReply(r pulse.Reply, err error) (pulse.Reply, error) {
	if err == nil && len(r.Array()) == 1 {
		return r.Array()[0], nil
	}
	return pulse.Reply{}, err
}

// HIncr adds delta to an integer in a hash.
func (db *RedisDB) HIncr(k, f string, delta int) (int, error) {
	return number(db.write("HINCRBY", k, f, strconv.Itoa(delta)))
}

// HIncrfloat adds delta to a number in a hash.
func (db *RedisDB) HIncrfloat(k, f string, delta float64) (float64, error) {
	return float(db.write("HINCRBYFLOAT", k, f, decimal(delta)))
}
