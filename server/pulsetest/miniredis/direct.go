package miniredis

import (
	"slices"
	"strconv"
	"time"
)

// Select says which database the direct methods are about. At first it is 0.
func (m *Miniredis) Select(i int) { m.selected.Store(int64(i)) }

// db is the database of the direct methods.
func (m *Miniredis) db() *RedisDB { return m.DB(int(m.selected.Load())) }

// SwapDB swaps two databases.
func (m *Miniredis) SwapDB(i, j int) bool {
	_, err := m.do(0, "SWAPDB", strconv.Itoa(i), strconv.Itoa(j))
	return err == nil
}

// FlushAll deletes all keys of all databases.
func (m *Miniredis) FlushAll() { _, _ = m.do(0, "FLUSHALL") }

// FlushDB deletes all keys of the selected database.
func (m *Miniredis) FlushDB() { m.db().FlushDB() }

// Copy copies a value, over what is there.
func (m *Miniredis) Copy(srcDB int, src string, destDB int, dest string) error {
	n, err := number(m.DB(srcDB).do("COPY", src, dest, "DB", strconv.Itoa(destDB), "REPLACE"))
	if err == nil && n == 0 {
		err = ErrKeyNotFound
	}
	return err
}

// Keys returns all keys of the selected database, sorted.
func (m *Miniredis) Keys() []string { return m.db().Keys() }

// Exists reports whether there is such a key.
func (m *Miniredis) Exists(k string) bool { return m.db().Exists(k) }

// Del deletes a key and reports whether there was one.
func (m *Miniredis) Del(k string) bool { return m.db().Del(k) }

// Unlink is Del.
func (m *Miniredis) Unlink(k string) bool { return m.db().Unlink(k) }

// Type is "string", "hll" (a string that is a HyperLogLog), "hash", "list", "set", "zset" or "stream", or "" if there is no such key.
func (m *Miniredis) Type(k string) string { return m.db().Type(k) }

// TTL is how long a key has left; 0 if it has no end, or if there is none.
func (m *Miniredis) TTL(k string) time.Duration { return m.db().TTL(k) }

// SetTTL says how long a key has left, to the millisecond. With 0 it has no end, with less it is deleted.
func (m *Miniredis) SetTTL(k string, ttl time.Duration) { m.db().SetTTL(k, ttl) }

// Get returns a string.
func (m *Miniredis) Get(k string) (string, error) { return m.db().Get(k) }

// Set makes v the string of a key, without a TTL. A key of another type is an error.
func (m *Miniredis) Set(k, v string) error { return m.db().Set(k, v) }

// Incr adds delta to an integer.
func (m *Miniredis) Incr(k string, delta int) (int, error) { return m.db().Incr(k, delta) }

// IncrByFloat is Incrfloat.
func (m *Miniredis) IncrByFloat(k string, delta float64) (float64, error) {
	return m.Incrfloat(k, delta)
}

// Incrfloat adds delta to a number.
func (m *Miniredis) Incrfloat(k string, delta float64) (float64, error) {
	return m.db().Incrfloat(k, delta)
}

// List returns the elements of a list.
func (m *Miniredis) List(k string) ([]string, error) { return m.db().List(k) }

// Lpush puts v in front of a list and returns its length.
func (m *Miniredis) Lpush(k, v string) (int, error) { return m.db().Lpush(k, v) }

// Lpop takes the first element of a list.
func (m *Miniredis) Lpop(k string) (string, error) { return m.db().Lpop(k) }

// RPush is Push.
func (m *Miniredis) RPush(k string, v ...string) (int, error) { return m.Push(k, v...) }

// Push appends elements to a list and returns its length.
func (m *Miniredis) Push(k string, v ...string) (int, error) { return m.db().Push(k, v...) }

// RPop is Pop.
func (m *Miniredis) RPop(k string) (string, error) { return m.Pop(k) }

// Pop takes the last element of a list.
func (m *Miniredis) Pop(k string) (string, error) { return m.db().Pop(k) }

// SAdd is SetAdd.
func (m *Miniredis) SAdd(k string, elems ...string) (int, error) { return m.SetAdd(k, elems...) }

// SetAdd adds members to a set and returns how many are new.
func (m *Miniredis) SetAdd(k string, elems ...string) (int, error) { return m.db().SetAdd(k, elems...) }

// SMembers is Members.
func (m *Miniredis) SMembers(k string) ([]string, error) { return m.Members(k) }

// Members returns the members of a set, sorted.
func (m *Miniredis) Members(k string) ([]string, error) { return m.db().Members(k) }

// SIsMember is IsMember.
func (m *Miniredis) SIsMember(k, v string) (bool, error) { return m.IsMember(k, v) }

// IsMember reports whether v is in a set.
func (m *Miniredis) IsMember(k, v string) (bool, error) { return m.db().IsMember(k, v) }

// SCard is the number of members of a set.
func (m *Miniredis) SCard(key string) (int, error) { return m.db().SCard(key) }

// SRem takes members out of a set and returns how many were in it.
func (m *Miniredis) SRem(k string, fields ...string) (int, error) { return m.db().SRem(k, fields...) }

// SRandMember returns a member of a set, "" if there is no such key.
func (m *Miniredis) SRandMember(key string) (string, error) { return m.db().SRandMember(key) }

// HGet returns a field of a hash, "" if there is none.
func (m *Miniredis) HGet(k, f string) string { return m.db().HGet(k, f) }

// HKeys returns the fields of a hash, sorted.
func (m *Miniredis) HKeys(k string) ([]string, error) { return m.db().HKeys(k) }

// HSet sets fields of a hash: field, value, field, value ... A key of another type makes way.
func (m *Miniredis) HSet(k string, fv ...string) { m.db().HSet(k, fv...) }

// HSetEX is HSet for fields that have ttl left.
func (m *Miniredis) HSetEX(key string, ttl time.Duration, fv ...string) {
	m.db().HSetEX(key, ttl, fv...)
}

// HDel deletes a field of a hash.
func (m *Miniredis) HDel(k, f string) { m.db().HDel(k, f) }

// HExpire says how long a field of a hash has left, to the millisecond. It reports whether there is such a field.
func (m *Miniredis) HExpire(key, field string, ttl time.Duration) bool {
	return m.db().HExpire(key, field, ttl)
}

// HTTL is how long a field of a hash has left; 0 if it has no end, or if there is none.
func (m *Miniredis) HTTL(key, field string) time.Duration { return m.db().HTTL(key, field) }

// HPersist gives a field of a hash no end. It reports whether it had one.
func (m *Miniredis) HPersist(key, field string) bool { return m.db().HPersist(key, field) }

// HIncrBy is HIncr.
func (m *Miniredis) HIncrBy(k, f string, delta int) (int, error) { return m.HIncr(k, f, delta) }

// HIncr adds delta to an integer in a hash.
func (m *Miniredis) HIncr(k, f string, delta int) (int, error) { return m.db().HIncr(k, f, delta) }

// HIncrByFloat is HIncrfloat.
func (m *Miniredis) HIncrByFloat(k, f string, delta float64) (float64, error) {
	return m.HIncrfloat(k, f, delta)
}

// HIncrfloat adds delta to a number in a hash.
func (m *Miniredis) HIncrfloat(k, f string, delta float64) (float64, error) {
	return m.db().HIncrfloat(k, f, delta)
}

// SortedSet returns the members of a sorted set with their scores.
func (m *Miniredis) SortedSet(k string) (map[string]float64, error) { return m.db().SortedSet(k) }

// ZMembers returns the members of a sorted set by their scores.
func (m *Miniredis) ZMembers(k string) ([]string, error) { return m.db().ZMembers(k) }

// ZAdd gives a member of a sorted set a score. It reports whether the member is new.
func (m *Miniredis) ZAdd(k string, score float64, member string) (bool, error) {
	return m.db().ZAdd(k, score, member)
}

// ZRem takes a member out of a sorted set. It reports whether it was in it.
func (m *Miniredis) ZRem(k, member string) (bool, error) { return m.db().ZRem(k, member) }

// ZScore returns the score of a member, 0 if it is not in the sorted set.
func (m *Miniredis) ZScore(k, member string) (float64, error) { return m.db().ZScore(k, member) }

// ZMScore returns the scores of members, 0 for those that are not in the sorted set.
func (m *Miniredis) ZMScore(k string, members ...string) ([]float64, error) {
	return m.db().ZMScore(k, members)
}

// XAdd appends an entry to a stream: fields and values in turn. The ID "" is "*". It returns the ID.
func (m *Miniredis) XAdd(k string, id string, values []string) (string, error) {
	return m.db().XAdd(k, id, values)
}

// Stream returns the entries of a stream, none if there is no such key.
func (m *Miniredis) Stream(k string) ([]StreamEntry, error) { return m.db().Stream(k) }

// PfAdd adds elements to a HyperLogLog. It returns 1 if its estimate may have changed.
func (m *Miniredis) PfAdd(k string, elems ...string) (int, error) { return m.db().HllAdd(k, elems...) }

// PfCount estimates how many elements were added to HyperLogLogs.
func (m *Miniredis) PfCount(keys ...string) (int, error) { return m.db().HllCount(keys...) }

// PfMerge makes destKey the union of HyperLogLogs and itself.
func (m *Miniredis) PfMerge(destKey string, sourceKeys ...string) error {
	return m.db().HllMerge(destKey, sourceKeys...)
}

// Publish sends a message to those who have subscribed to a channel, and returns how many they are.
func (m *Miniredis) Publish(channel, message string) int {
	n, _ := number(m.do(0, "PUBLISH", channel, message))
	return n
}

// PubSubChannels returns the channels that have subscribers and match a pattern, sorted; all of them if it is "".
func (m *Miniredis) PubSubChannels(pattern string) []string {
	if pattern == "" {
		pattern = "*"
	}
	list, _ := words(m.do(0, "PUBSUB", "CHANNELS", pattern))
	slices.Sort(list)
	return list
}

// PubSubNumSub returns how many subscribers channels have.
func (m *Miniredis) PubSubNumSub(channels ...string) map[string]int {
	r, _ := m.do(0, with(channels, "PUBSUB", "NUMSUB")...)
	all := map[string]int{}
	for name, n := range r.Map() {
		all[name], _ = number(n, nil)
	}
	return all
}

// PubSubNumPat returns how many different patterns have subscribers.
func (m *Miniredis) PubSubNumPat() int {
	n, _ := number(m.do(0, "PUBSUB", "NUMPAT"))
	return n
}
