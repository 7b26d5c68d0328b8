package miniredis

import (
	"errors"
	"strings"

	pulse "github.com/streampulse/pulse/server"
)

// HllAdd adds elements to a HyperLogLog. It returns 1 if its estimate may have changed.
func (db *RedisDB) HllAdd(k string, elems ...string) (int, error) {
	n, err := number(db.do(with(elems, "PFADD", k)...))
	if errors.Is(err, ErrNotValidHllValue) {
		err = ErrWrongType
	}
	return n, err
}

// HllCount estimates how many elements were added to HyperLogLogs.
func (db *RedisDB) HllCount(keys ...string) (int, error) {
	if len(keys) == 0 {
		return 0, nil
	}
	n, err := number(db.do(with(keys, "PFCOUNT")...))
	return n, noHLL(err)
}

// HllMerge makes destKey the union of HyperLogLogs and itself.
func (db *RedisDB) HllMerge(destKey string, sourceKeys ...string) error {
	_, err := db.do(with(sourceKeys, "PFMERGE", destKey)...)
	return noHLL(err)
}

// noHLL is ErrNotValidHllValue for a value of any other type.
func noHLL(err error) error {
	if e := pulse.Error(""); err == ErrWrongType || errors.As(err, &e) && strings.HasPrefix(string(e), "WRONGTYPE") {
		return ErrNotValidHllValue
	}
	return err
}
