package miniredis

import pulse "github.com/streampulse/pulse/server"

// SortedSet returns the members of a sorted set with their scores.
func (db *RedisDB) SortedSet(k string) (map[string]float64, error) {
	// The reply of RESP3: pairs.
	r, err := db.do("ZRANGE", k, "0", "-1", "WITHSCORES")
	if err == nil && len(r.Array()) == 0 {
		err = ErrKeyNotFound
	}
	if err != nil {
		return nil, err
	}
	set := make(map[string]float64, len(r.Array()))
	for _, e := range r.Array() {
		if pair := e.Array(); len(pair) == 2 {
			set[pair[0].Text()], _ = pair[1].Float()
		}
	}
	return set, nil
}

// ZMembers returns the members of a sorted set by their scores.
func (db *RedisDB) ZMembers(k string) ([]string, error) {
	return there(words(db.do("ZRANGE", k, "0", "-1")))
}

// ZAdd gives a member of a sorted set a score. It reports whether the member is new.
func (db *RedisDB) ZAdd(k string, score float64, member string) (bool, error) {
	n, err := number(db.do("ZADD", k, decimal(score), member))
	return n == 1, err
}

// ZRem takes a member out of a sorted set. It reports whether it was in it.
func (db *RedisDB) ZRem(k, member string) (bool, error) {
	if err := db.zset(k); err != nil {
		return false, err
	}
	n, err := number(db.do("ZREM", k, member))
	return n == 1, err
}

// ZScore returns the score of a member, 0 if it is not in the sorted set.
func (db *RedisDB) ZScore(k, member string) (float64, error) {
	r, err := db.do("ZSCORE", k, member)
	if err == nil && r.IsNull() {
		return 0, db.need(k, nil)
	}
	return float(r, err)
}

// ZMScore returns the scores of members, 0 for those that are not in the sorted set.
func (db *RedisDB) ZMScore(k string, members []string) ([]float64, error) {
	if err := db.zset(k); err != nil {
		return nil, err
	}
	if len(members) == 0 {
		return []float64{}, nil
	}
	r, err := db.do(with(members, "ZMSCORE", k)...)
	if err != nil {
		return nil, err
	}
	return scores(r.Array()), nil
}

func scores(list []pulse.Reply) []float64 {
	all := make([]float64, len(list))
	for i, e := range list {
		all[i], _ = e.Float()
	}
	return all
}

// zset is the error for what is no sorted set.
func (db *RedisDB) zset(k string) error {
	n, err := number(db.do("ZCARD", k))
	if err == nil && n == 0 {
		err = ErrKeyNotFound
	}
	return err
}
