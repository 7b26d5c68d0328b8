package commands

// multiPopArgs are the arguments LMPOP, ZMPOP and their blocking forms share.
type multiPopArgs struct {
	keys  [][]byte
	first bool // the first of the two words for the ends was given
	count int64
}

// popper pops from the first of the keys that has something and replies; done is false if there is none.
type popper func(c *Call, o *multiPopArgs) (done bool, err error)

// parseMultiPop reads a number of keys, the keys, one of two words, and perhaps COUNT.
func parseMultiPop(a *Args, first, second string) (o multiPopArgs) {
	n := a.IntErr(ErrNumKeys)
	switch {
	case a.Err() != nil:
		return o
	case n <= 0:
		a.Fail(ErrNumKeys)
		return o
	case n >= int64(a.Left()):
		a.Fail(ErrSyntax)
		return o
	}
	o.keys = a.v[a.i : a.i+int(n)]
	a.i += int(n)
	if o.first = a.Is(first); !o.first && !a.Is(second) {
		a.Fail(ErrSyntax)
	}
	for o.count = -1; a.More(); {
		if o.count > 0 || !a.IsWith("COUNT", 1) {
			a.Fail(ErrSyntax)
		} else if o.count = a.IntErr(ErrCountPositive); o.count <= 0 {
			a.Fail(ErrCountPositive)
		}
	}
	o.count = max(o.count, 1)
	return o
}

// popEffect tells what pops the same again, from the one key that had something.
func (c *Call) popEffect(key []byte, o *multiPopArgs, first, second []byte) {
	c.told = true
	if !c.Feeding() {
		return
	}
	if !o.first {
		first = second
	}
	c.Effect(first, key, decimal(o.count))
}

func (c *Call) multiPop(first, second string, pop popper) error {
	a := c.From(1)
	o := parseMultiPop(&a, first, second)
	if a.Err() != nil {
		return a.Err()
	}
	done, err := pop(c, &o)
	if err == nil && !done {
		c.NullArray()
	}
	return err
}

func (c *Call) blockingMultiPop(first, second string, pop popper) error {
	a := c.From(2)
	o := parseMultiPop(&a, first, second)
	if a.Err() != nil {
		return a.Err()
	}
	a = c.From(1) // of several errors that of the time-out is told last
	timeout := c.timeout(&a)
	if a.Err() != nil {
		return a.Err()
	}
	done, err := pop(c, &o)
	if err == nil && !done {
		return c.Block(Wait{Keys: o.keys, Timeout: timeout, OnTimeout: NullArrayReply})
	}
	return err
}
