package commands

import (
	"math"

	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/internal/pieces"
	"github.com/streampulse/pulse/store"
)

// checkTextLen refuses a string of off+n bytes that would be longer than strings may be.
func checkTextLen(c *Call, off, n int64) error {
	if most := min(c.Env.MaxBulk(), store.MaxText); n > most || off > most-n {
		return ErrStringTooLong
	}
	return nil
}

func appendCmd(c *Call) error {
	key, tail := c.Args[1], c.Args[2]
	old, ok, err := c.Tx.TextToChange(key)
	if err != nil {
		return err
	}
	if !ok {
		c.Tx.SetText(key, tail, store.Forever)
		c.Notify(store.OnString, "append", key)
		c.Int(int64(len(tail)))
		return nil
	}
	n := len(old)
	if err := checkTextLen(c, int64(n), int64(len(tail))); err != nil {
		return err
	}
	pieces.Copy(c.Tx.Resize(key, n+len(tail))[n:], tail)
	c.Notify(store.OnString, "append", key)
	c.Int(int64(n + len(tail)))
	return nil
}

func strlen(c *Call) error {
	v, _, err := c.Tx.Text(c.Args[1])
	if err != nil {
		return err
	}
	c.Int(int64(len(v)))
	return nil
}

func setrange(c *Call) error {
	key, val := c.Args[1], c.Args[3]
	a := c.From(2)
	off := a.Int()
	if off < 0 {
		a.Fail(ErrOffset)
	}
	if err := a.Err(); err != nil {
		return err
	}
	old, _, err := c.Tx.TextToChange(key)
	if err != nil {
		return err
	}
	n := len(old)
	if len(val) == 0 {
		c.Int(int64(n))
		return nil
	}
	if err := checkTextLen(c, off, int64(len(val))); err != nil {
		return err
	}
	n = max(n, int(off)+len(val))
	pieces.Copy(c.Tx.Resize(key, n)[off:], val)
	c.Notify(store.OnString, "setrange", key)
	c.Int(int64(n))
	return nil
}

func getrange(c *Call) error {
	a := c.From(2)
	from, to := a.Int(), a.Int()
	if err := a.Err(); err != nil {
		return err
	}
	v, _, err := c.Tx.Text(c.Args[1])
	if err != nil {
		return err
	}
	c.bulkText(c.Args[1], textRange(v, from, to))
	return nil
}

// textRange cuts v to the bytes from..to, both included; negative positions count from the end, and what lies outside
// of v is left out.
func textRange(v []byte, from, to int64) []byte {
	n := int64(len(v))
	if from < 0 && to < 0 && from > to {
		return nil
	}
	if from < 0 {
		from = max(from+n, 0)
	}
	if to < 0 {
		to = max(to+n, 0)
	}
	to = min(to, n-1)
	if from > to {
		return nil
	}
	return v[from : to+1]
}

func incr(c *Call) error { return incrBy(c, 1) }
func decr(c *Call) error { return incrBy(c, -1) }

func incrby(c *Call) error {
	a := c.From(2)
	n := a.Int()
	if err := a.Err(); err != nil {
		return err
	}
	return incrBy(c, n)
}

func decrby(c *Call) error {
	a := c.From(2)
	n := a.Int()
	if n == math.MinInt64 {
		a.Fail(ErrDecrOverflow)
	}
	if err := a.Err(); err != nil {
		return err
	}
	return incrBy(c, -n)
}

func incrBy(c *Call, n int64) error {
	sum, ok, fits, err := c.Tx.Add(c.Args[1], n)
	switch {
	case err != nil:
		return err
	case !ok:
		return ErrNotInteger
	case !fits:
		return ErrOverflow
	}
	c.Notify(store.OnString, "incrby", c.Args[1])
	c.Int(sum)
	return nil
}

func incrbyfloat(c *Call) error {
	v, ok, err := c.Tx.TextToChange(c.Args[1])
	if err != nil {
		return err
	}
	if !ok {
		v = zeroText
	}
	sum, status := num.AddFloatText(v, c.Args[2])
	switch status {
	case num.FloatBadFirst, num.FloatBadSecond:
		return ErrNotFloat
	case num.FloatNotFinite:
		return ErrNaNOrInf
	}
	c.Tx.SetTextAsIs(c.Args[1], sum, store.KeepDeadline)
	c.Notify(store.OnString, "incrbyfloat", c.Args[1])
	c.setEffect(c.Args[1], sum, store.KeepDeadline)
	c.Bulk(sum)
	return nil
}

var zeroText = []byte("0")
