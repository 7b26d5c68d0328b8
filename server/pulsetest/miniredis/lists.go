package miniredis

import "slices"

// List returns the elements of a list.
func (db *RedisDB) List(k string) ([]string, error) {
	return there(words(db.do("LRANGE", k, "0", "-1")))
}

// Lpush puts v in front of a list and returns its length.
func (db *RedisDB) Lpush(k, v string) (int, error) { return number(db.do("LPUSH", k, v)) }

// Push appends elements to a list and returns its length.
func (db *RedisDB) Push(k string, v ...string) (int, error) {
	if len(v) == 0 {
		return number(db.do("LLEN", k))
	}
	return number(db.do(with(v, "RPUSH", k)...))
}

// Lpop takes the first element of a list.
func (db *RedisDB) Lpop(k string) (string, error) { return db.pop("LPOP", k) }

// Pop takes the last element of a list.
func (db *RedisDB) Pop(k string) (string, error) { return db.pop("RPOP", k) }

func (db *RedisDB) pop(cmd, k string) (string, error) {
	r, err := db.do(cmd, k)
	if err == nil && r.IsNull() {
		err = ErrKeyNotFound
	}
	return word(r, err)
}

// Members returns the members of a set, sorted.
func (db *RedisDB) Members(k string) ([]string, error) {
	list, err := there(words(db.do("SMEMBERS", k)))
	slices.Sort(list)
	return list, err
}

// SetAdd adds members to a set and returns how many are new.
func (db *RedisDB) SetAdd(k string, elems ...string) (int, error) {
	if len(elems) == 0 {
		_, err := number(db.do("SCARD", k))
		return 0, err
	}
	return number(db.do(with(elems, "SADD", k)...))
}

// SRem takes members out of a set and returns how many were in it.
func (db *RedisDB) SRem(k string, fields ...string) (int, error) {
	if _, err := db.SCard(k); err != nil || len(fields) == 0 {
		return 0, err
	}
	return number(db.do(with(fields, "SREM", k)...))
}

// IsMember reports whether v is in a set.
func (db *RedisDB) IsMember(k, v string) (bool, error) {
	n, err := number(db.do("SISMEMBER", k, v))
	if n == 0 {
		err = db.need(k, err)
	}
	return n == 1, err
}

// SCard is the number of members of a set.
func (db *RedisDB) SCard(key string) (int, error) {
	n, err := number(db.do("SCARD", key))
	if err == nil && n == 0 {
		err = ErrKeyNotFound
	}
	return n, err
}

// SRandMember returns a member of a set, "" if there is no such key.
func (db *RedisDB) SRandMember(key string) (string, error) { return word(db.do("SRANDMEMBER", key)) }
