package miniredis

import (
	"errors"

	pulse "github.com/streampulse/pulse/server"
)

// What direct methods return is one of these, if there is one for it, or else the error that a client would get.
var (
	// ErrKeyNotFound tells that there is no such key.
	ErrKeyNotFound = errors.New("ERR no such key")
	// ErrWrongType tells that the key has a value of another type.
	ErrWrongType = errors.New("WRONGTYPE Operation against a key holding the wrong kind of value")
	// ErrNotValidHllValue tells that the key has a value that is no HyperLogLog.
	ErrNotValidHllValue = errors.New("WRONGTYPE Key is not a valid HyperLogLog string value.")
	// ErrIntValueError tells that a value is no integer.
	ErrIntValueError = errors.New("ERR value is not an integer or out of range")
	// ErrIntValueOverflowError tells that a sum is no 64-bit integer.
	ErrIntValueOverflowError = errors.New("ERR increment or decrement would overflow")
	// ErrFloatValueError tells that a value is no number.
	ErrFloatValueError = errors.New("ERR value is not a valid float")
)

// known are the errors of Pulse that have a name here.
var known = map[string]error{
	ErrKeyNotFound.Error():             ErrKeyNotFound,
	ErrWrongType.Error():               ErrWrongType,
	ErrNotValidHllValue.Error():        ErrNotValidHllValue,
	ErrIntValueError.Error():           ErrIntValueError,
	"ERR hash value is not an integer": ErrIntValueError,
	ErrIntValueOverflowError.Error():   ErrIntValueOverflowError,
	ErrFloatValueError.Error():         ErrFloatValueError,
	"ERR hash value is not a float":    ErrFloatValueError,
}

// named returns the error of this package that err stands for.
func named(err error) error {
	var e pulse.Error
	if errors.As(err, &e) {
		if n := known[string(e)]; n != nil {
			return n
		}
	}
	return err
}
